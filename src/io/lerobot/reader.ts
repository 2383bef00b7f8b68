import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Dataset, DatasetSpec, EpisodeData, EpisodeInfo } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'
import { readJson } from '../json.ts'
import { decodePng } from './decode-png.ts'
import type { EpisodeEntry, EpisodeList } from './episode-list.ts'
import { listEpisodes } from './episode-list.ts'
import type { CameraSource } from './foreign.ts'
import { cameraSources, foreignSpec, parseInfo } from './foreign.ts'
import { COLUMNS, EXTRAS, PATHS } from './layout.ts'
import type { Row } from './parquet-file.ts'
import { ParquetFile } from './parquet-file.ts'
import { isObject, readRecording } from './recording.ts'
import { readVideo } from './video.ts'

/** Footers that stay in memory. */
const OPEN_FILES = 32

/**
 * Opens a dataset that {@link LeRobotWriter} wrote, or a LeRobot folder (v3.0, v2.1, v2.0) that another tool wrote. Frames are read on
 * demand, one episode at a time. In a folder of another tool, the last row's action leads to no recorded observation, so it is dropped;
 * bounds, seeds, success and policies are unknown, and rewards are 0 where there is no `next.reward`.
 *
 * @throws ArmatureError `not-found` where there is no dataset; `corrupt-file` when its info.json or meta/armature.json is damaged;
 *   `bad-argument` for a version that is not read. Other files that are damaged are named in `problems`.
 */
export async function openDataset(path: string): Promise<Dataset> {
  const file = join(path, PATHS.info)
  let json: unknown
  try {
    json = await readJson(file)
  } catch (error) {
    if (!(error instanceof ArmatureError) || error.code !== 'not-found') throw error
    throw new ArmatureError('not-found', `${path} is not a dataset: it has no ${PATHS.info}`, { cause: error })
  }
  const info = parseInfo(file, json)
  const recording = await readRecording(path)
  const cameras = cameraSources(info)
  const list = await listEpisodes(path, info, cameras)
  return new LeRobotDataset(path, recording?.spec ?? foreignSpec(info), info.fps, cameras, list)
}

class LeRobotDataset implements Dataset {
  readonly path: string
  readonly spec: DatasetSpec
  readonly episodes: readonly EpisodeInfo[]
  readonly problems: readonly string[]
  /** As files have it; that of `spec` may be a fraction. */
  readonly #fps: number
  readonly #cameras: Readonly<Record<string, CameraSource>>
  readonly #entries: ReadonlyMap<number, EpisodeEntry>
  readonly #files: Map<string, Promise<ParquetFile>> = new Map()
  /** Rows of each episode, by file. */
  readonly #ranges: Map<string, Promise<ReadonlyMap<number, RowRange>>> = new Map()

  constructor(
    path: string,
    spec: DatasetSpec,
    fps: number,
    cameras: Readonly<Record<string, CameraSource>>,
    list: EpisodeList,
  ) {
    this.path = path
    this.spec = spec
    this.#fps = fps
    this.#cameras = cameras
    this.episodes = list.entries.map(({ info }) => info)
    this.problems = list.problems
    this.#entries = new Map(list.entries.map((entry) => [entry.info.index, entry]))
  }

  async readEpisode(index: number, cameras: readonly string[] = Object.keys(this.spec.cameras)): Promise<EpisodeData> {
    const entry = this.#entries.get(index)
    if (entry === undefined) {
      throw new ArmatureError('not-found', `episode ${index} of ${this.path}`, {
        fix: `it has ${this.episodes.length}`,
      })
    }
    const sources = cameras.map((camera) => [camera, this.#source(camera)] as const)
    const file = await this.#file(entry.dataFile)
    const [start, end] = await this.#rowsOf(file, entry)
    const vectors = [COLUMNS.proprio, COLUMNS.state, COLUMNS.action, COLUMNS.reward]
    const images = sources.filter(([, { isVideo }]) => !isVideo).map(([, { key }]) => key)
    const rows = await file.read([...vectors.filter((name) => file.columns.includes(name)), ...images], start, end)
    const steps = rows.slice(0, -1)
    const { proprioSpace, stateSpace, actionSpace } = this.spec
    const numbers = (name: string, of: readonly Row[], size: number): Float32Array =>
      numbersOf(file.path, name, of, size)
    const goalImages = await this.#goalImages(entry, cameras)
    return {
      info: entry.info,
      images: await this.#images(entry, sources, rows),
      proprio: numbers(COLUMNS.proprio, rows, sizeOf(proprioSpace.shape)),
      state: numbers(COLUMNS.state, rows, sizeOf(stateSpace.shape)),
      actions: numbers(COLUMNS.action, steps, sizeOf(actionSpace.shape)),
      rewards: file.columns.includes(COLUMNS.reward)
        ? numbers(COLUMNS.reward, steps, 1)
        : new Float32Array(steps.length),
      ...(goalImages && { goalImages }),
    }
  }

  #source(camera: string): CameraSource {
    const source = Object.hasOwn(this.#cameras, camera) ? this.#cameras[camera] : undefined
    if (source !== undefined) return source
    const fix = `there is ${Object.keys(this.#cameras).join(', ') || 'none'}`
    throw new ArmatureError('not-found', `camera "${camera}" of ${this.path}`, { fix })
  }

  /** Opened, or again after others took its place. */
  async #file(path: string): Promise<ParquetFile> {
    const file = this.#files.get(path) ?? ParquetFile.open(path)
    this.#files.delete(path)
    this.#files.set(path, file)
    if (this.#files.size > OPEN_FILES) this.#files.delete(this.#files.keys().next().value!)
    return file
  }

  async #rowsOf(file: ParquetFile, { info }: EpisodeEntry): Promise<RowRange> {
    const known = this.#ranges.get(file.path) ?? rangesOf(file)
    this.#ranges.set(file.path, known)
    const range = (await known).get(info.index)
    const count = range === undefined ? 0 : range[1] - range[0]
    if (range !== undefined && count === info.length) return range
    const expected = `${info.length} rows of episode ${info.index}`
    throw new ArmatureError('corrupt-file', file.path, { expected, got: String(count) })
  }

  async #images(
    entry: EpisodeEntry,
    sources: readonly (readonly [string, CameraSource])[],
    rows: readonly Row[],
  ): Promise<Record<string, Uint8Array>> {
    const images: Record<string, Uint8Array> = {}
    for (const [camera, { key, isVideo }] of sources) {
      const [height, width] = this.spec.cameras[camera]!.shape as [number, number]
      const out = new Uint8Array(rows.length * height * width * 3)
      if (isVideo) {
        const { file, fromS } = entry.videos[camera]!
        const first = Math.round(fromS * this.#fps)
        await readVideo({ file, first, count: rows.length, fps: this.#fps, width, height }, out)
      } else {
        for (const [t, row] of rows.entries()) await this.#decode(entry, row[key], [height, width], out, t)
      }
      images[camera] = out
    }
    return images
  }

  async #decode(
    entry: EpisodeEntry,
    value: unknown,
    [height, width]: readonly [number, number],
    out: Uint8Array,
    t: number,
  ): Promise<void> {
    const where = `${entry.dataFile}, frame ${t} of episode ${entry.info.index}`
    try {
      const image = decodePng(await this.#imageFile(value))
      if (image.width === width && image.height === height) return out.set(image.data, t * height * width * 3)
      throw new Error(`an image of ${image.width}x${image.height} instead of ${width}x${height}`)
    } catch (error) {
      throw new ArmatureError('corrupt-file', where, { got: (error as Error).message, cause: error })
    }
  }

  /** As Hugging Face's Image columns have it: bytes, or the path of a file. */
  async #imageFile(value: unknown): Promise<Uint8Array> {
    const { bytes, path } = isObject(value) ? value : { bytes: value }
    if (bytes instanceof Uint8Array) return bytes
    if (typeof path === 'string') return readFile(join(this.path, path))
    throw new Error('no image')
  }

  async #goalImages(
    { extras }: EpisodeEntry,
    cameras: readonly string[],
  ): Promise<Record<string, Uint8Array> | undefined> {
    const wanted = extras?.goalCameras.filter((camera) => cameras.includes(camera)) ?? []
    if (extras === undefined || wanted.length === 0) return undefined
    const columns = wanted.map((camera) => `${EXTRAS.goalImagePrefix}${camera}`)
    const [row] = await (await this.#file(extras.file)).read(columns, extras.row, extras.row + 1)
    const images = wanted.flatMap((camera, i) => {
      const png = row?.[columns[i]!]
      return png instanceof Uint8Array ? [[camera, decodePng(png).data] as const] : []
    })
    return images.length === 0 ? undefined : Object.fromEntries(images)
  }
}

type RowRange = readonly [start: number, end: number]

/** Rows of each episode in a file. Found by its numbers: what the folder says of rows is wrong where an earlier file is missing. */
async function rangesOf(file: ParquetFile): Promise<ReadonlyMap<number, RowRange>> {
  const ranges = new Map<number, RowRange>()
  const rows = await file.read([COLUMNS.episodeIndex])
  for (const [i, row] of rows.entries()) {
    const episode = Number(row[COLUMNS.episodeIndex])
    ranges.set(episode, [ranges.get(episode)?.[0] ?? i, i + 1])
  }
  return ranges
}

function numbersOf(path: string, name: string, rows: readonly Row[], size: number): Float32Array {
  const out = new Float32Array(rows.length * size)
  if (size === 0) return out
  for (const [t, row] of rows.entries()) {
    const value = row[name]
    const list = ArrayBuffer.isView(value) || Array.isArray(value) ? (value as ArrayLike<unknown>) : [value]
    if (value === undefined || value === null || list.length !== size) {
      throw new ArmatureError('corrupt-file', path, { expected: `${size} numbers in ${name}`, got: describe(value) })
    }
    for (let i = 0; i < size; i++) out[t * size + i] = Number(list[i])
  }
  return out
}

function describe(value: unknown): string {
  return value === undefined || value === null ? 'none' : `${(value as ArrayLike<unknown>).length ?? 1}`
}
