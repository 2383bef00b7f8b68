import { join } from 'node:path'
import type { Dataset, DatasetSpec, EpisodeData, EpisodeInfo } from '../../core/dataset.ts'
import { ArmatureError, oneLine } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'
import { containedPath, readRegularFile } from '../contained-files.ts'
import { decodeImage } from '../decode-image.ts'
import { readJson } from '../json.ts'
import { checkFeatures } from './check-features.ts'
import { checkRows, ROW_COLUMNS } from './check-rows.ts'
import { episodeDigest } from './episode-digest.ts'
import type { EpisodeEntry } from './episode-entry.ts'
import { EpisodeImages } from './episode-images.ts'
import type { EpisodeList } from './episode-list.ts'
import { listEpisodes } from './episode-list.ts'
import type { CameraSource, DatasetInfo } from './foreign.ts'
import { cameraSources, foreignSpec, parseInfo } from './foreign.ts'
import { COLUMNS, EXTRAS, PATHS } from './layout.ts'
import type { Row } from '../parquet/file.ts'
import { ParquetFile } from '../parquet/file.ts'
import { isObject, readRecording } from './recording.ts'
import { numbersOf, textsOf } from './values.ts'

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
    json = await readJson(await containedPath(path, PATHS.info))
  } catch (error) {
    if (!(error instanceof ArmatureError) || error.code !== 'not-found') throw error
    throw new ArmatureError('not-found', `${path} is not a dataset: it has no ${PATHS.info}`, { cause: error })
  }
  const info = parseInfo(file, json)
  const recording = await readRecording(path)
  const foreign = foreignSpec(info)
  if (recording !== undefined) requireSameShapes(join(path, PATHS.recording), recording.spec, foreign)
  const list = await listEpisodes(path, info, cameraSources(info), recording !== undefined)
  const envOptions = recording?.record['envOptions']
  return new LeRobotDataset(path, recording?.spec ?? foreign, info, list, isObject(envOptions) ? envOptions : undefined)
}

/** meta/armature.json and meta/info.json describe the same columns. */
function requireSameShapes(file: string, own: DatasetSpec, foreign: DatasetSpec): void {
  const shapes = ({
    cameras,
    depthCameras,
    actionSpace,
    proprioSpace,
    stateSpace,
  }: DatasetSpec): Record<string, string> => ({
    [COLUMNS.action]: String(sizeOf(actionSpace.shape)),
    [COLUMNS.proprio]: String(sizeOf(proprioSpace.shape)),
    [COLUMNS.state]: String(sizeOf(stateSpace.shape)),
    ...Object.fromEntries(
      Object.entries({ ...cameras, ...depthCameras }).map(([name, { shape }]) => [`camera ${name}`, shape.join('x')]),
    ),
  })
  const [mine, theirs] = [shapes(own), shapes(foreign)]
  for (const name of new Set([...Object.keys(mine), ...Object.keys(theirs)])) {
    if (mine[name] === theirs[name]) continue
    throw new ArmatureError('corrupt-file', `${file}, ${name}`, {
      expected: `size ${theirs[name] ?? '0'}, as in ${PATHS.info}`,
      got: mine[name] ?? '0',
    })
  }
}

class LeRobotDataset implements Dataset {
  readonly path: string
  readonly spec: DatasetSpec
  readonly episodes: readonly EpisodeInfo[]
  readonly envOptions?: Readonly<Record<string, unknown>>
  readonly #problems: string[]
  /** Episodes whose differences are in `problems`. */
  readonly #checked: Set<number> = new Set()
  readonly #info: DatasetInfo
  readonly #cameras: Readonly<Record<string, CameraSource>>
  readonly #entries: ReadonlyMap<number, EpisodeEntry>
  readonly #images: EpisodeImages
  readonly #files: Map<string, Promise<ParquetFile>> = new Map()
  /** Rows of each episode, by file. */
  readonly #ranges: Map<string, Promise<ReadonlyMap<number, RowRange>>> = new Map()

  constructor(
    path: string,
    spec: DatasetSpec,
    info: DatasetInfo,
    list: EpisodeList,
    envOptions?: Readonly<Record<string, unknown>>,
  ) {
    this.path = path
    if (envOptions !== undefined) this.envOptions = envOptions
    this.spec = spec
    this.#info = info
    this.#cameras = cameraSources(info)
    this.#images = new EpisodeImages(path, spec, info.fps)
    this.episodes = list.entries.map((entry) => entry.info)
    this.#problems = [...info.warnings, ...list.problems].map(oneLine)
    this.#entries = new Map(list.entries.map((entry) => [entry.info.index, entry]))
  }

  get problems(): readonly string[] {
    return this.#problems
  }

  async readEpisode(index: number, cameras: readonly string[] = Object.keys(this.#cameras)): Promise<EpisodeData> {
    const entry = this.#entries.get(index)
    if (entry === undefined) {
      throw new ArmatureError('not-found', `episode ${index} of ${this.path}`, {
        fix: `it has ${this.episodes.length}`,
      })
    }
    const sources = cameras.map((camera) => [camera, this.#source(camera, entry)] as const)
    const file = await this.#file(entry.dataFile)
    const [start, end] = await this.#rowsOf(file, entry)
    const vectors = VECTORS.filter((name) => name in this.#info.features || file.columns.includes(name))
    const columns = sources.filter(([, { isVideo }]) => !isVideo).map(([, { key }]) => key)
    const places = ROW_COLUMNS.filter((name) => file.columns.includes(name))
    const told = [COLUMNS.controller].filter((name) => file.columns.includes(name))
    const rows = await file.read([...vectors, ...columns, ...places, ...told], start, end)
    const where = `${file.path}, episode ${index}`
    const { timesS, differences } = checkRows(rows, file.columns, {
      where,
      info: entry.info,
      fps: this.#info.fps,
      firstRow: entry.firstRow,
    })
    this.#note(index, [...checkFeatures(this.#info.features, file), ...differences])
    const steps = rows.slice(0, -1)
    const numbers = (name: string, of: readonly Row[]): Float32Array =>
      vectors.includes(name) ? numbersOf(where, name, of, this.#shapeOf(name)) : new Float32Array()
    const goalImages = await this.#goalImages(entry, cameras)
    return {
      info: entry.info,
      ...(await this.#images.read(entry, sources, { rows, timesS })),
      proprio: numbers(COLUMNS.proprio, rows),
      state: numbers(COLUMNS.state, rows),
      actions: numbers(COLUMNS.action, steps),
      rewards: vectors.includes(COLUMNS.reward) ? numbers(COLUMNS.reward, steps) : new Float32Array(steps.length),
      ...(this.spec.tellsControllers === true && { controllers: textsOf(where, COLUMNS.controller, steps) }),
      ...(goalImages && { goalImages }),
    }
  }

  async verify(index: number, data: EpisodeData): Promise<readonly string[]> {
    const { sha256, videos } = this.#entries.get(index)!
    if (sha256 === undefined) return []
    const files = Object.entries(videos).map(
      async ([camera, { file }]) => [camera, await readRegularFile(file, Infinity)] as const,
    )
    const bytes = files.length === 0 ? undefined : Object.fromEntries(await Promise.all(files))
    const found = episodeDigest(data, bytes)
    if (found === sha256) return []
    return [`episode ${index} of ${this.path}: its SHA-256 is ${found}, ${EXTRAS.sha256} says ${sha256}`]
  }

  #shapeOf(name: string): readonly number[] {
    return this.#info.features[name]?.shape ?? [name === COLUMNS.reward ? 1 : 0]
  }

  #note(index: number, differences: readonly string[]): void {
    if (this.#checked.has(index)) return
    this.#checked.add(index)
    this.#problems.push(...differences.map(oneLine).filter((line) => !this.#problems.includes(line)))
  }

  #source(camera: string, { info, videos }: EpisodeEntry): CameraSource {
    const source = Object.hasOwn(this.#cameras, camera) ? this.#cameras[camera] : undefined
    if (source?.isVideo === true && !Object.hasOwn(videos, camera)) {
      throw new ArmatureError('corrupt-file', `episode ${info.index} of ${this.path}`, {
        expected: `a video of ${source.key}`,
        got: 'none',
      })
    }
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
      return png instanceof Uint8Array ? [[camera, decodeImage(png).data] as const] : []
    })
    return images.length === 0 ? undefined : Object.fromEntries(images)
  }
}

const VECTORS: readonly string[] = [COLUMNS.proprio, COLUMNS.state, COLUMNS.action, COLUMNS.reward]

type RowRange = readonly [start: number, end: number]

/** Rows of each episode in a file. Found by its numbers: what the folder says of rows is wrong where an earlier file is missing. */
async function rangesOf(file: ParquetFile): Promise<ReadonlyMap<number, RowRange>> {
  const ranges = new Map<number, RowRange>()
  const rows = await file.read([COLUMNS.episodeIndex])
  for (const [i, row] of rows.entries()) {
    const episode = Number(row[COLUMNS.episodeIndex])
    const before = ranges.get(episode)
    if (before !== undefined && before[1] !== i) {
      throw new ArmatureError('corrupt-file', `${file.path}, row ${i}, ${COLUMNS.episodeIndex}`, {
        expected: 'the rows of an episode together',
        got: `episode ${episode} again`,
      })
    }
    ranges.set(episode, [before?.[0] ?? i, i + 1])
  }
  return ranges
}
