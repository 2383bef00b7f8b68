import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Dataset, EpisodeData } from '../../src/core/dataset.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import { encodePng } from '../../src/io/png.ts'
import { checkDataset } from '../../src/io/lerobot/check-dataset.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import { foreignFolder } from './foreign-folder.ts'
import { randomEpisode, SPEC } from './lerobot-helpers.ts'

const FIXTURES = join(dirname(fileURLToPath(import.meta.url)), 'fixtures')
const CODECS = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'BROTLI', 'ZSTD', 'LZ4_RAW'] as const

/** Every pixel of a picture that lies beside the folders, where nothing may read it. */
export const OUTSIDE_SHADE = 199

/** A folder whose files are changed, one at a time, and put back. */
export interface FuzzedFolder {
  readonly path: string
  /** Metadata and tables, relative to the folder, with their bytes. */
  readonly files: readonly { readonly name: string; readonly bytes: Buffer }[]
  readonly isOwn: boolean
}

/** What became of a changed folder. */
export interface FuzzOutcome {
  readonly folder: string
  readonly file: string
  /** `refused` in one clear line; `told` with lines that say what differs; `read` without a word; `wrong`: see `fault`. */
  readonly kind: 'refused' | 'told' | 'read' | 'wrong'
  readonly fault?: string
}

/** Folders of every version, codec and kind of page, in a folder of their own under `root`. */
export async function fuzzedFolders(root: string): Promise<FuzzedFolder[]> {
  await mkdir(join(root, 'outside'), { recursive: true })
  const secret = encodePng({ data: new Uint8Array(240).fill(OUTSIDE_SHADE), width: 10, height: 8 })
  await writeFile(join(root, 'outside', 'secret.png'), secret)
  const folders: string[] = []
  for (const [i, codec] of CODECS.entries()) {
    const version = ['v3.0', 'v2.1', 'v2.0'][i % 3]!
    folders.push(
      await foreignFolder(join(root, `writer-${codec}`), {
        version,
        codec,
        images: i % 2 === 0 ? 'bytes' : 'files',
        rowGroupSize: 2 + i,
        extra: { 'next.success': 'BOOLEAN', 'next.done': 'BOOLEAN' },
        changeRows: (rows) => rows.map((row, t) => ({ ...row, 'next.success': t > 0, 'next.done': t > 0 })),
      }),
    )
  }
  for (const name of await readdir(FIXTURES)) {
    if (!name.endsWith('.parquet')) continue
    const path = await foreignFolder(join(root, name.replace('.parquet', '')), { images: 'none' })
    await cp(join(FIXTURES, name), join(path, 'data/chunk-000/file-000.parquet'))
    folders.push(path)
  }
  const own = join(root, 'own')
  const writer = await LeRobotWriter.create(own, SPEC)
  for (const length of [3, 1, 4]) await writer.addEpisode(randomEpisode(length, length))
  await writer.close()
  return Promise.all([...folders, own].map((path) => fuzzedFolder(path, path === own)))
}

async function fuzzedFolder(path: string, isOwn: boolean): Promise<FuzzedFolder> {
  const names = (await readdir(path, { recursive: true })).filter((name) => /\.(json|jsonl|parquet)$/.test(name))
  const files = names.toSorted().map(async (name) => ({ name, bytes: await readFile(join(path, name)) }))
  return { path, files: await Promise.all(files), isOwn }
}

/** Changes one file of one folder, reads all of it, and puts the file back. */
export async function fuzzOnce(folders: readonly FuzzedFolder[], rng: Rng): Promise<FuzzOutcome> {
  const folder = folders[rng.int(folders.length)]!
  const { name, bytes } = folder.files[rng.int(folder.files.length)]!
  const file = join(folder.path, name)
  const about = { folder: folder.path, file: name }
  await writeFile(file, mutated(name, bytes, rng))
  try {
    const dataset = await openDataset(folder.path)
    const fault = await faultOf(dataset)
    if (fault !== undefined) return { ...about, kind: 'wrong', fault }
    return { ...about, kind: dataset.problems.length > 0 ? 'told' : 'read' }
  } catch (error) {
    const fault = clarityFault(error)
    return fault === undefined ? { ...about, kind: 'refused' } : { ...about, kind: 'wrong', fault }
  } finally {
    await writeFile(file, bytes)
  }
}

/** Removes what {@link fuzzedFolders} made. */
export function removeFolders(root: string): Promise<void> {
  return rm(root, { recursive: true, force: true })
}

/** What is wrong with an error, if anything: it must be ours, in one line that can be read. */
function clarityFault(error: unknown): string | undefined {
  if (!(error instanceof ArmatureError)) return `not ours: ${(error as Error).stack}`
  const { message } = error
  if (message.includes('\n') || message.length > 2000) return `not one line: ${message.slice(0, 3000)}`
  return /undefined|\[object|is not a function|is not iterable/.test(message) ? `not clear: ${message}` : undefined
}

/** Reads all as `armature data check` does. */
async function faultOf(dataset: Dataset): Promise<string | undefined> {
  let wrong: string | undefined
  const watched = new Proxy(dataset, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      if (name !== 'readEpisode') return typeof value === 'function' ? (value.bind(target) as unknown) : value
      return async (index: number): Promise<EpisodeData> => {
        try {
          const data = await dataset.readEpisode(index)
          wrong ??= shapeFault(dataset, data)
          return data
        } catch (error) {
          wrong ??= clarityFault(error)
          throw error
        }
      }
    },
  })
  const { faults } = await checkDataset(watched, () => undefined)
  return wrong ?? faults.find((line) => line.includes('\n') || line.length > 2000)
}

/** Every array is as large as the spec says, numbers are finite, and no picture comes from outside. */
function shapeFault(
  { spec }: Dataset,
  { info, images, proprio, state, actions, rewards }: EpisodeData,
): string | undefined {
  const { length } = info
  const sizes = [
    [proprio, length * sizeOf(spec.proprioSpace.shape)],
    [state, length * sizeOf(spec.stateSpace.shape)],
    [actions, (length - 1) * sizeOf(spec.actionSpace.shape)],
    [rewards, length - 1],
  ] as const
  for (const [values, size] of sizes) {
    if (values.length !== size) return `${values.length} numbers instead of ${size}`
    if (!values.every(Number.isFinite)) return 'a number that is not finite'
  }
  for (const [camera, frames] of Object.entries(images)) {
    if (frames.length !== length * sizeOf(spec.cameras[camera]!.shape)) return `${frames.length} bytes of ${camera}`
    if (frames.every((value) => value === OUTSIDE_SHADE)) return `the picture from outside in ${camera}`
  }
  return undefined
}

function mutated(name: string, bytes: Buffer, rng: Rng): Uint8Array {
  const isText = /\.jsonl?$/.test(name)
  return isText && rng.uniform() < 0.7 ? mutatedText(bytes.toString(), rng) : mutatedBytes(bytes, rng)
}

/** What numbers and lengths turn into. */
const BYTES = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x15, 0x19, 0x1c]

function mutatedBytes(bytes: Buffer, rng: Rng): Uint8Array {
  let changed = Buffer.from(bytes)
  for (let left = 1 + rng.int(3); left > 0; left--) {
    if (changed.length === 0) break
    // Footers are at the end, and the headers of the first pages at the start.
    const near = Math.min(changed.length, 64)
    const at = [rng.int(near), rng.int(changed.length), changed.length - 1 - rng.int(near), rng.int(changed.length)][
      rng.int(4)
    ]!
    const length = 1 + rng.int(Math.min(16, changed.length - at))
    switch (rng.int(7)) {
      case 0:
        changed[at]! ^= 1 << rng.int(8)
        break
      case 1:
        changed[at] = BYTES[rng.int(BYTES.length)]!
        break
      case 2:
        changed.fill(BYTES[rng.int(BYTES.length)]!, at, at + length)
        break
      case 3:
        changed = changed.subarray(0, at)
        break
      case 4:
        changed = Buffer.concat([changed.subarray(0, at), changed.subarray(at + length)])
        break
      case 5:
        changed = Buffer.concat([changed.subarray(0, at + length), changed.subarray(at)])
        break
      default:
        // A number of seven bits a byte, up to the largest.
        changed.set([0xff, 0xff, 0xff, 0xff, 0x0f].slice(5 - Math.min(5, changed.length - at)), at)
    }
  }
  return changed
}

/** What values of JSON turn into. */
const VALUES: readonly unknown[] = [
  null,
  -1,
  0,
  1,
  1.5,
  2 ** 31,
  2 ** 53,
  1e308,
  -1e308,
  true,
  '',
  'x'.repeat(5000),
  '../outside/secret.png',
  '../outside/{episode_index}',
  '/etc/passwd',
  '/dev/zero',
  '\0',
  '__proto__',
  'image',
  'video',
  'float32',
  'v3.0',
  'v2.1',
  [],
  {},
  [3, 8, 10],
  [16_384, 16_384, 3],
  Array.from({ length: 100 }, () => 1),
]

function mutatedText(text: string, rng: Rng): Uint8Array {
  const lines = text.includes('\n{') && !text.startsWith('{\n') ? text.split('\n') : [text]
  const at = rng.int(lines.length)
  try {
    lines[at] = JSON.stringify(changeValue(JSON.parse(lines[at]!), rng))
  } catch {
    lines[at] = '{'
  }
  return Buffer.from(lines.join('\n'))
}

/** Replaces, removes or renames one value, however deep. */
function changeValue(value: unknown, rng: Rng): unknown {
  if (typeof value !== 'object' || value === null || rng.uniform() < 0.1) return VALUES[rng.int(VALUES.length)]
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Record<string, unknown>
  const keys = Object.keys(copy)
  if (keys.length === 0) return VALUES[rng.int(VALUES.length)]
  const key = keys[rng.int(keys.length)]!
  if (rng.uniform() < 0.1) delete copy[key]
  else if (rng.uniform() < 0.05) copy[`${key}2`] = copy[key]
  else copy[key] = changeValue(copy[key], rng)
  return copy
}
