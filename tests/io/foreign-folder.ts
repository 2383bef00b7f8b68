import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as zlib from 'node:zlib'
import type { ColumnSource, SchemaElement } from 'hyparquet-writer'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { flat, list, rootOf } from '../../src/io/lerobot/columns.ts'
import { rgbImage } from '../../src/io/image.ts'
import { encodeMp4 } from '../../src/io/mp4.ts'
import { encodePng } from '../../src/io/png.ts'

/** A row of a data file, by column. */
export type FolderRow = Record<string, unknown>

/** What differs from a plain folder. */
export interface FolderOptions {
  readonly version?: string
  readonly lengths?: readonly number[]
  readonly height?: number
  readonly width?: number
  readonly fps?: number
  /** Where images are: in the table (PNG, or what is named), in files that it names, in videos. Depth: PNG of one channel of 16 bits. */
  readonly images?: 'bytes' | 'jpeg' | 'webp' | 'depth' | 'files' | 'video' | 'none'
  readonly codec?: 'UNCOMPRESSED' | 'SNAPPY' | 'GZIP' | 'BROTLI' | 'ZSTD' | 'LZ4_RAW'
  readonly rowGroupSize?: number
  /** Further features, by name: a flat column of the given type. */
  readonly extra?: Readonly<Record<string, 'BOOLEAN' | 'FLOAT' | 'INT64' | 'DOUBLE'>>
  /** Changes the schema of a column. */
  readonly schema?: Readonly<Record<string, SchemaElement[]>>
  readonly changeRows?: (rows: FolderRow[], episode: number) => FolderRow[]
  readonly changeInfo?: (info: FolderInfo) => void
  /** Changes the rows of meta/episodes, or the lines of episodes.jsonl. */
  readonly changeEpisodes?: (rows: FolderRow[]) => FolderRow[]
  /** Of the videos, where they differ from what info.json says. */
  readonly videoSize?: readonly [height: number, width: number]
}

export interface FolderInfo extends Record<string, unknown> {
  features: Record<string, Record<string, unknown>>
}

export const CAMERA = 'observation.images.front'

/** Every pixel of frame `t`. Far enough apart for lossy codecs. */
export function shade(episode: number, t: number): number {
  return (60 + 70 * episode + 13 * t) % 256
}

/** A frame of one shade, [height, width, 3]. */
export function flatFrame(episode: number, t: number, height: number, width: number): Uint8Array {
  return new Uint8Array(height * width * 3).fill(shade(episode, t))
}

/** State [2], action [2] and reward of a row. */
export function valuesAt(episode: number, t: number): { state: number[]; action: number[]; reward: number } {
  return { state: [episode, t], action: [-episode - 1, t / 2], reward: t / 4 - episode }
}

/** Writes a LeRobot folder as other tools would, with our own parquet writer; `path` must not exist. */
export async function foreignFolder(path: string, options: FolderOptions = {}): Promise<string> {
  const { version = 'v3.0', lengths = [3, 2], height = 8, width = 10, fps = 10, images = 'bytes' } = options
  const isV3 = version.startsWith('v3')
  const put = async (name: string, content: Uint8Array | string): Promise<void> => {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), content)
  }
  const info = infoOf(options, isV3)
  options.changeInfo?.(info)
  await put('meta/info.json', JSON.stringify(info))
  const tables: FolderRow[][] = []
  let first = 0
  for (const [episode, length] of lengths.entries()) {
    const rows = Array.from({ length }, (_, t) => rowOf({ episode, t, first, height, width, fps, images }))
    for (const [t] of images === 'files' ? rows.entries() : []) {
      await put(`images/${episode}-${t}.png`, png(episode, t, height, width))
    }
    tables.push(options.changeRows?.(rows, episode) ?? rows)
    first += length
  }
  if (isV3) await put('data/chunk-000/file-000.parquet', table(tables.flat(), options))
  else {
    for (const [i, rows] of tables.entries()) {
      if (rows.length > 0)
        await put(`data/chunk-000/episode_${String(i).padStart(6, '0')}.parquet`, table(rows, options))
    }
  }
  if (images === 'video') await writeVideos(put, options, lengths, isV3)
  await writeEpisodes(put, options, lengths, isV3)
  return path
}

type Put = (name: string, content: Uint8Array | string) => Promise<void>

function png(episode: number, t: number, height: number, width: number): Uint8Array {
  return encodePng({ data: flatFrame(episode, t, height, width), width, height })
}

/** Of a unit of {@link shade}. */
export const DEPTH_UNIT = 200

function imageBytes(images: string, episode: number, t: number, height: number, width: number): Uint8Array {
  if (images === 'bytes') return png(episode, t, height, width)
  if (images === 'depth') {
    const data = new Uint16Array(height * width).fill(DEPTH_UNIT * shade(episode, t))
    return encodePng({ data, width, height })
  }
  return new Uint8Array(Buffer.from(FRAMES[images as keyof typeof FRAMES][`${episode}-${t}`]!, 'base64'))
}

/** 10 x 8 pixels, of the first rows of the first two episodes. */
const FRAMES = JSON.parse(readFileSync(new URL('fixtures/frames.json', import.meta.url), 'utf8')) as Readonly<
  Record<'jpeg' | 'webp', Readonly<Record<string, string>>>
>

function infoOf(
  { version = 'v3.0', lengths = [3, 2], height = 8, width = 10, fps = 10, images = 'bytes', extra = {} }: FolderOptions,
  isV3: boolean,
): FolderInfo {
  const scalar = (dtype: string): Record<string, unknown> => ({ dtype, shape: [1], names: null })
  const dtypes = { BOOLEAN: 'bool', FLOAT: 'float32', INT64: 'int64', DOUBLE: 'float64' }
  const camera = {
    dtype: images === 'video' ? 'video' : 'image',
    shape: [height, width, images === 'depth' ? 1 : 3],
    names: ['height', 'width', 'channels'],
  }
  const chunk = 'chunk-{chunk_index:03d}/file-{file_index:03d}'
  const old = 'episode_{episode_index:06d}'
  return {
    codebase_version: version,
    robot_type: 'so100',
    total_episodes: lengths.length,
    total_frames: lengths.reduce((sum, n) => sum + n, 0),
    chunks_size: 1000,
    fps,
    splits: { train: `0:${lengths.length}` },
    data_path: isV3 ? `data/${chunk}.parquet` : `data/chunk-{episode_chunk:03d}/${old}.parquet`,
    video_path: isV3 ? `videos/{video_key}/${chunk}.mp4` : `videos/chunk-{episode_chunk:03d}/{video_key}/${old}.mp4`,
    features: {
      ...(images === 'none' ? {} : { [CAMERA]: camera }),
      'observation.state': { dtype: 'float32', shape: [2], names: { motors: ['shoulder', 'elbow'] } },
      action: { dtype: 'float32', shape: [2], names: ['shoulder', 'elbow'] },
      'next.reward': scalar('float32'),
      ...Object.fromEntries(Object.entries(extra).map(([name, type]) => [name, scalar(dtypes[type])])),
      timestamp: scalar('float32'),
      ...Object.fromEntries(
        ['frame_index', 'episode_index', 'index', 'task_index'].map((name) => [name, scalar('int64')]),
      ),
    },
  }
}

function rowOf(of: {
  episode: number
  t: number
  first: number
  height: number
  width: number
  fps: number
  images: string
}): FolderRow {
  const { episode, t, first, height, width, fps, images } = of
  const { state, action, reward } = valuesAt(episode, t)
  return {
    ...(['bytes', 'jpeg', 'webp', 'depth'].includes(images) && {
      [CAMERA]: { bytes: imageBytes(images, episode, t, height, width), path: `${t}.png` },
    }),
    ...(images === 'files' && { [CAMERA]: { bytes: null, path: `images/${episode}-${t}.png` } }),
    'observation.state': state,
    action,
    'next.reward': reward,
    timestamp: t / fps,
    frame_index: BigInt(t),
    episode_index: BigInt(episode),
    index: BigInt(first + t),
    task_index: 0n,
  }
}

function table(
  rows: readonly FolderRow[],
  { codec = 'SNAPPY', rowGroupSize = 1000, extra = {}, schema = {} }: FolderOptions,
): Uint8Array {
  const types: Record<string, SchemaElement[]> = {
    [CAMERA]: [
      { name: CAMERA, repetition_type: 'OPTIONAL', num_children: 2 },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    ],
    'observation.state': list('observation.state', { type: 'FLOAT' }),
    action: list('action', { type: 'FLOAT' }),
    'next.reward': [flat('next.reward', 'FLOAT')],
    timestamp: [flat('timestamp', 'FLOAT')],
    ...Object.fromEntries(
      ['frame_index', 'episode_index', 'index', 'task_index'].map((name) => [name, [flat(name, 'INT64')]]),
    ),
    ...Object.fromEntries(Object.entries(extra).map(([name, type]) => [name, [flat(name, type)]])),
    ...schema,
  }
  const names = Object.keys(rows[0] ?? {})
  const columnData: ColumnSource[] = names.map((name) => ({ name, data: rows.map((row) => row[name]) }))
  const options = { columnData, schema: rootOf(names.map((name) => types[name]!)), rowGroupSize }
  return new Uint8Array(parquetWriteBuffer({ ...options, codec, compressors: COMPRESSORS }))
}

/** Zstandard and LZ4 without compressing anything, which their formats allow: Node 20 has neither. */
const COMPRESSORS = {
  GZIP: (bytes: Uint8Array) => new Uint8Array(zlib.gzipSync(bytes)),
  BROTLI: (bytes: Uint8Array) => new Uint8Array(zlib.brotliCompressSync(bytes)),
  ZSTD: storedZstd,
  LZ4_RAW: storedLz4,
}

/** RFC 8878: a frame of raw blocks, its size in eight bytes. */
function storedZstd(bytes: Uint8Array): Uint8Array {
  const head = Buffer.alloc(13)
  head.writeUInt32LE(0xfd2fb528, 0)
  head[4] = 0b1110_0000
  head.writeBigUInt64LE(BigInt(bytes.length), 5)
  const parts: Uint8Array[] = [head]
  for (let at = 0; at < Math.max(1, bytes.length); at += 1 << 17) {
    const part = bytes.subarray(at, at + (1 << 17))
    const isLast = at + part.length >= bytes.length
    const block = Buffer.alloc(3)
    block.writeUIntLE((part.length << 3) | (isLast ? 1 : 0), 0, 3)
    parts.push(block, part)
  }
  return new Uint8Array(Buffer.concat(parts))
}

/** One sequence of literals. */
function storedLz4(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 15) return Uint8Array.of(bytes.length << 4, ...bytes)
  const rest = bytes.length - 15
  const lengths = [...new Uint8Array(Math.floor(rest / 255)).fill(255), rest % 255]
  return new Uint8Array(Buffer.concat([Uint8Array.of(0xf0, ...lengths), bytes]))
}

async function writeVideos(put: Put, options: FolderOptions, lengths: readonly number[], isV3: boolean): Promise<void> {
  const { height = 8, width = 10, fps = 10 } = options
  const [h, w] = options.videoSize ?? [height, width]
  const frames = lengths.map((length, episode) =>
    Array.from({ length }, (_, t) => rgbImage(flatFrame(episode, t, h, w), w, h)),
  )
  if (isV3) return put(`videos/${CAMERA}/chunk-000/file-000.mp4`, await encodeMp4(frames.flat(), fps))
  for (const [i, episode] of frames.entries()) {
    const name = `videos/chunk-000/${CAMERA}/episode_${String(i).padStart(6, '0')}.mp4`
    if (episode.length > 0) await put(name, await encodeMp4(episode, fps))
  }
}

async function writeEpisodes(
  put: Put,
  options: FolderOptions,
  lengths: readonly number[],
  isV3: boolean,
): Promise<void> {
  const { fps = 10, images = 'bytes' } = options
  let first = 0
  const rows = lengths.map((length, episode): FolderRow => {
    const from = first
    first += length
    if (!isV3) return { episode_index: episode, tasks: ['fold'], length }
    const video = {
      [`videos/${CAMERA}/chunk_index`]: 0n,
      [`videos/${CAMERA}/file_index`]: 0n,
      [`videos/${CAMERA}/from_timestamp`]: from / fps,
      [`videos/${CAMERA}/to_timestamp`]: first / fps,
    }
    return {
      episode_index: BigInt(episode),
      length: BigInt(length),
      dataset_from_index: BigInt(from),
      dataset_to_index: BigInt(first),
      'data/chunk_index': 0n,
      'data/file_index': 0n,
      ...(images === 'video' ? video : {}),
    }
  })
  const changed = options.changeEpisodes?.(rows) ?? rows
  if (!isV3) return put('meta/episodes.jsonl', changed.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const names = Object.keys(rows[0]!)
  const columnData: ColumnSource[] = names.map((name) => ({ name, data: changed.map((row) => row[name] ?? null) }))
  const schema = rootOf(names.map((name) => [flat(name, name.endsWith('timestamp') ? 'DOUBLE' : 'INT64')]))
  await put('meta/episodes/chunk-000/file-000.parquet', new Uint8Array(parquetWriteBuffer({ columnData, schema })))
}
