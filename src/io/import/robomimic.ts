import type { Dataset as Hdf5Dataset, File as Hdf5File, Group } from 'h5wasm/node'
import type { Dataset, DatasetSpec, DepthSpace, EpisodeData, EpisodeInfo } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'
import type { BoxSpace } from '../../core/spaces.ts'
import { imageSpace } from '../../core/spaces.ts'
import { openRegularFile } from '../contained-files.ts'

/** Steps a second where the file does not say: robosuite's own. */
const CONTROL_HZ = 20
/** What HDF5 files begin with, at byte 0 or behind a block of the user's own. */
const SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1')
const SIGNATURE_PLACES = [0, 512, 1024, 2048]
/** Kinds of what is in a group. */
const GROUP = 0
const DATASET = 1

/** As the library gives them. */
type Numbers = Float64Array | Float32Array | Int32Array | Uint16Array | Uint8Array | BigInt64Array

/** A file of robomimic's demonstrations, and what of it has no place in a dataset. */
export interface RobomimicFile extends Dataset {
  close(): void
}

/**
 * Opens an HDF5 file of robomimic's form: `data/demo_N` with `actions`, `rewards`, `dones`, `states` and `obs`. Images of three channels are
 * cameras, 16-bit ones of one channel depth cameras, all other observations proprioception in the order of their names. Where there is
 * `next_obs`, its last row is the last observation; else the last action leads to none and is dropped. Where all rewards are 0 or 1, an
 * episode with a 1 succeeded, as robomimic has it. What is not read is named in `problems`.
 *
 * @throws ArmatureError `not-found`; `corrupt-file` for a file of another form.
 */
export async function openRobomimic(path: string): Promise<RobomimicFile> {
  await requireHdf5(path)
  const { File, ready } = await import('h5wasm/node')
  const library = await ready
  // Else the library tells its errors to stderr, and goes on.
  library.activate_throwing_error_handler()
  return guarded(path, () => new Robomimic(path, new File(path, 'r')))
}

async function requireHdf5(path: string): Promise<void> {
  const { file } = await openRegularFile(path)
  try {
    for (const place of SIGNATURE_PLACES) {
      const head = Buffer.alloc(SIGNATURE.length)
      await file.read(head, 0, head.length, place)
      if (head.equals(SIGNATURE)) return
    }
  } finally {
    await file.close()
  }
  throw new ArmatureError('corrupt-file', path, { expected: 'an HDF5 file', got: 'a file that does not start as one' })
}

class Robomimic implements RobomimicFile {
  readonly path: string
  readonly spec: DatasetSpec
  readonly episodes: readonly EpisodeInfo[]
  readonly problems: string[] = []
  readonly #file: Hdf5File
  readonly #demos: readonly Group[]
  /** Names in `obs` of what goes into proprioception. */
  readonly #vectors: string[] = []
  /** Names in `obs` by camera. */
  readonly #images: Record<string, string> = {}
  readonly #depth: Record<string, string> = {}
  readonly #hasLast: boolean

  constructor(path: string, file: Hdf5File) {
    this.path = path
    this.#file = file
    const data = groupIn(file, 'data')
    const names = data.keys().filter((name) => /^demo_\d+$/.test(name))
    this.#demos = names.toSorted((a, b) => numberOf(a) - numberOf(b)).map((name) => groupIn(data, name))
    const [first] = this.#demos
    if (first === undefined) throw new Error('no data/demo_0')
    this.#hasLast = first.keys().includes('next_obs')
    const { name, controlHz } = this.#env(data)
    this.spec = this.#specOf(first, name, controlHz)
    this.#nameTheRest(file, first)
    this.episodes = this.#demos.map((demo, index) => this.#infoOf(demo, index))
  }

  async readEpisode(
    index: number,
    cameras: readonly string[] = [...Object.keys(this.#images), ...Object.keys(this.#depth)],
  ): Promise<EpisodeData> {
    const demo = this.#demos[index]
    const info = this.episodes[index]
    if (demo === undefined || info === undefined)
      throw new ArmatureError('not-found', `episode ${index} of ${this.path}`)
    return guarded(`${this.path}, ${demo.path}`, () => {
      const { actionSpace, stateSpace, cameras: rgb, depthCameras = {} } = this.spec
      const chosen = (of: Readonly<Record<string, string>>): [string, string][] =>
        Object.entries(of).filter(([camera]) => cameras.includes(camera))
      const pixels = chosen(this.#images).map(([camera, key]) => {
        return [camera, new Uint8Array(this.#observed(demo, key, rgb[camera]!.shape) as Uint8Array)]
      })
      const depth = chosen(this.#depth).map(([camera, key]) => {
        return [camera, new Uint16Array(this.#observed(demo, key, depthCameras[camera]!.shape) as Uint16Array)]
      })
      const steps = info.length - 1
      return {
        info,
        images: Object.fromEntries(pixels) as Record<string, Uint8Array>,
        ...(depth.length > 0 && { depth: Object.fromEntries(depth) as Record<string, Uint16Array> }),
        proprio: this.#proprio(demo, info.length),
        state: sizeOf(stateSpace.shape) === 0 ? new Float32Array() : floats(rowsOf(demo, 'states', stateSpace.shape)),
        actions: floats(rowsOf(demo, 'actions', actionSpace.shape)).slice(0, steps * sizeOf(actionSpace.shape)),
        rewards: demo.keys().includes('rewards')
          ? floats(rowsOf(demo, 'rewards', [1])).slice(0, steps)
          : new Float32Array(steps),
      }
    })
  }

  close(): void {
    this.#file.close()
  }

  #env(data: Group): { readonly name: string; readonly controlHz: number } {
    const text: unknown = data.attrs['env_args']?.value
    const args = typeof text === 'string' ? (JSON.parse(text) as Record<string, unknown>) : {}
    const { env_name: name, env_kwargs: options } = args
    const { control_freq: hz } = (options ?? {}) as Record<string, unknown>
    if (typeof hz !== 'number') this.problems.push(`${this.path}: no rate in env_args: taken as ${CONTROL_HZ} a second`)
    return {
      name: typeof name === 'string' ? name : 'robomimic',
      controlHz: typeof hz === 'number' && hz > 0 ? hz : CONTROL_HZ,
    }
  }

  #specOf(first: Group, source: string, fps: number): DatasetSpec {
    const observations = groupIn(first, 'obs')
    const names: string[] = []
    const cameras: Record<string, BoxSpace> = {}
    const depthCameras: Record<string, DepthSpace> = {}
    for (const key of observations.keys().toSorted()) {
      const [, ...shape] = datasetIn(observations, key).shape ?? []
      const { kind, unit } = kindOf(datasetIn(observations, key))
      const camera = key.replace(/_(image|depth)$/, '')
      const [height, width, channels] = shape
      if (kind === 'uint8' && channels === 3) {
        cameras[camera] = imageSpace(height!, width!)
        this.#images[camera] = key
      } else if (kind === 'uint16' && channels === 1) {
        depthCameras[`${camera}_depth`] = { shape: [height!, width!] }
        this.#depth[`${camera}_depth`] = key
      } else if (kind !== undefined && shape.length <= 1) {
        this.#vectors.push(key)
        names.push(...(shape.length === 0 ? [key] : Array.from({ length: shape[0]! }, (_, i) => `${key}.${i}`)))
      } else
        this.problems.push(
          `${this.path}: obs/${key}, ${unit} of shape [${shape.join(', ')}], is no camera and no vector`,
        )
    }
    const [, actions = 0] = datasetIn(first, 'actions').shape ?? []
    const states = first.keys().includes('states') ? (datasetIn(first, 'states').shape?.[1] ?? 0) : 0
    if (states > 0 && this.#hasLast) this.problems.push(`${this.path}: states have no row for the last observation`)
    return {
      source,
      fps,
      cameras,
      ...(Object.keys(depthCameras).length > 0 && { depthCameras }),
      actionSpace: unbounded([actions]),
      proprioSpace: { ...unbounded([names.length]), ...(names.length > 0 && { names }) },
      stateSpace: unbounded([this.#hasLast ? 0 : states]),
    }
  }

  /** What has no place in a dataset. */
  #nameTheRest(file: Hdf5File, first: Group): void {
    const known = ['actions', 'rewards', 'dones', 'states', 'obs', 'next_obs']
    const rest = [
      ...file.keys().filter((name) => name !== 'data'),
      ...first
        .keys()
        .filter((name) => !known.includes(name))
        .map((name) => `data/demo_N/${name}`),
      ...Object.keys(first.attrs)
        .filter((name) => name !== 'num_samples')
        .map((name) => `the attribute ${name} of data/demo_N`),
    ]
    this.problems.push(...rest.map((name) => `${this.path}: ${name} has no place in a dataset`))
  }

  #infoOf(demo: Group, index: number): EpisodeInfo {
    const steps = datasetIn(demo, 'actions').shape?.[0] ?? 0
    const numbers = (name: string): Float32Array | undefined =>
      demo.keys().includes(name) ? floats(rowsOf(demo, name, [1])) : undefined
    const rewards = numbers('rewards')
    const isSparse = rewards !== undefined && rewards.every((reward) => reward === 0 || reward === 1)
    return {
      index,
      length: this.#hasLast ? steps + 1 : steps,
      terminated: numbers('dones')?.at(-1) === 1,
      ...(isSparse && { success: rewards.includes(1) }),
      policy: 'demonstration',
      objects: [],
    }
  }

  /** [length, ...shape], the last of `next_obs` behind those of `obs`. */
  #observed(demo: Group, key: string, shape: readonly number[]): Numbers {
    const rows = rowsOf(groupIn(demo, 'obs'), key, shape)
    if (!this.#hasLast) return rows
    const last = rowsOf(groupIn(demo, 'next_obs'), key, shape)
    const all = new (rows.constructor as new (length: number) => Numbers)(rows.length + sizeOf(shape))
    all.set(rows as never)
    all.set(last.slice(-sizeOf(shape)) as never, rows.length)
    return all
  }

  #proprio(demo: Group, length: number): Float32Array {
    const size = sizeOf(this.spec.proprioSpace.shape)
    const out = new Float32Array(length * size)
    let first = 0
    for (const key of this.#vectors) {
      const width = this.spec.proprioSpace.names!.filter((name) => name === key || name.startsWith(`${key}.`)).length
      const values = this.#observed(demo, key, [width])
      if (values.length !== length * width)
        throw new Error(`obs/${key} has ${values.length / width} rows instead of ${length}`)
      for (let i = 0; i < values.length; i++) {
        out[Math.floor(i / width) * size + first + (i % width)] = Number(values[i])
      }
      first += width
    }
    return out
  }
}

function numberOf(name: string): number {
  return Number(name.split('_').at(-1))
}

/** Bounds are not known of demonstrations. */
function unbounded(shape: readonly number[]): BoxSpace {
  return { dtype: 'float32', shape, low: -Infinity, high: Infinity }
}

function groupIn(parent: Group, name: string): Group {
  return entryIn(parent, name, GROUP) as Group
}

function datasetIn(parent: Group, name: string): Hdf5Dataset {
  return entryIn(parent, name, DATASET) as Hdf5Dataset
}

/** What is in this file: a link may lead to any other. */
function entryIn(parent: Group, name: string, kind: number): unknown {
  const path = `${parent.path === '/' ? '' : parent.path}/${name}`
  const found = parent.keys().includes(name) ? parent.get_type(path) : undefined
  const entry = found === kind ? parent.get(name) : undefined
  const expected = kind === GROUP ? 'group' : 'dataset'
  if (entry === undefined || entry === null) throw new Error(`${path} is no ${expected} of this file`)
  return entry
}

function kindOf({ metadata }: Hdf5Dataset): {
  readonly kind: 'uint8' | 'uint16' | 'number' | undefined
  readonly unit: string
} {
  const { type, signed, size } = metadata
  // 0: integers, 1: floating point.
  const unit = type === 0 ? `${signed ? 'int' : 'uint'}${8 * size}` : type === 1 ? `float${8 * size}` : 'no numbers'
  if (type !== 0 && type !== 1) return { kind: undefined, unit }
  return { kind: unit === 'uint8' || unit === 'uint16' ? unit : 'number', unit }
}

/** [rows, ...shape] of a dataset. */
function rowsOf(parent: Group, name: string, shape: readonly number[]): Numbers {
  const dataset = datasetIn(parent, name)
  const [rows = 0, ...rest] = dataset.shape ?? []
  if (sizeOf(rest) !== sizeOf(shape)) {
    throw new Error(
      `${dataset.path} has shape [${(dataset.shape ?? []).join(', ')}] instead of [${[rows, ...shape].join(', ')}]`,
    )
  }
  const { value } = dataset
  if (!ArrayBuffer.isView(value)) throw new Error(`${dataset.path} has no numbers`)
  return value as unknown as Numbers
}

function floats(values: Numbers): Float32Array {
  return Float32Array.from({ length: values.length }, (_, i) => Number(values[i]))
}

/** Errors of the library, and of what it found, as ours. */
function guarded<T>(where: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof ArmatureError) throw error
    const got = (error as Error).message.split('\n')[0]!
    throw new ArmatureError('corrupt-file', where, {
      expected: "a file of robomimic's demonstrations",
      got,
      cause: error,
    })
  }
}
