import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ColumnSource } from 'hyparquet-writer'
import { parquetWriteBuffer } from 'hyparquet-writer'
import type { DatasetSpec, EpisodeData, EpisodeInfo } from '../../core/dataset.ts'
import { ArmatureError, unwritable } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'
import { isFileError, makeFolder, writeFileAtomic } from '../atomic.ts'
import { rgbImage } from '../image.ts'
import { encodeJson } from '../json.ts'
import { encodeMp4 } from '../mp4.ts'
import { encodePng } from '../png.ts'
import { checkEpisode } from './check-episode.ts'
import type { Feature } from './columns.ts'
import { dataSchema, featuresOf, huggingFaceFeatures, integerColumn, vectorColumn, vectorsOf } from './columns.ts'
import { episodeDigest } from './episode-digest.ts'
import { episodeColumns, episodeSchema } from './episode-rows.ts'
import { GrowingParquet } from '../parquet/growing-file.ts'
import { CHUNK_SIZE, COLUMNS, DATA_PATH, EPISODES_PATH, filePlace, formatPath, PATHS, VIDEO_PATH } from './layout.ts'
import { DatasetStatistics } from './statistics.ts'

/** Limits of a file, since each added episode copies it and writes its footer again. */
const FILE_BYTES = 8 * 2 ** 20
const FILE_EPISODES = 32

/** How {@link LeRobotWriter} stores a dataset, and what it says of it. */
export interface LeRobotWriterOptions {
  /** `png`: exact, in the parquet files; `mp4`: H.264, much smaller, with losses. Default `png`. */
  readonly images?: 'png' | 'mp4'
  /** What the robot was to do, in a sentence; default: `spec.source`. */
  readonly task?: string
  /** Kept in meta/armature.json as it is: command line, versions, options. Must be JSON. */
  readonly record?: Readonly<Record<string, unknown>>
}

/**
 * Writes a LeRobot v3.0 folder, one episode at a time and never more in memory. After each, the folder is whole and
 * on the disk: a kill or a power cut at any moment loses at most the episode that was being added.
 *
 * An episode of T steps takes T + 1 rows, as in RLDS: row t holds observation t and what was done then, the last one the last
 * observation, a zero action and `is_last`. `next.done` is true in the last two rows, so that whoever cuts there is right.
 *
 * @example
 * const writer = await LeRobotWriter.create('data/push', spec)
 * await writer.addEpisode(episode)
 * await writer.close()
 */
export class LeRobotWriter {
  readonly path: string
  readonly #spec: DatasetSpec
  readonly #images: 'png' | 'mp4'
  readonly #task: string
  /** Texts, by their numbers. */
  readonly #tasks: string[] = []
  readonly #fps: number
  readonly #features: Readonly<Record<string, Feature>>
  readonly #statistics: DatasetStatistics
  #data: GrowingParquet | undefined
  #rows: GrowingParquet | undefined
  #dataFiles = 0
  #rowFiles = 0
  #episodes = 0
  #frames = 0
  #isOpen = true
  #isClosed = false

  private constructor(path: string, spec: DatasetSpec, { images = 'png', task = spec.source }: LeRobotWriterOptions) {
    this.path = path
    this.#spec = spec
    this.#images = images
    this.#task = task
    // LeRobot takes whole numbers only; ours is in meta/armature.json.
    this.#fps = Math.max(1, Math.round(spec.fps))
    this.#features = featuresOf(spec, images, this.#fps)
    this.#statistics = new DatasetStatistics(spec)
  }

  /**
   * Makes the folder of a new dataset.
   * @throws ArmatureError `bad-argument` when something is at `path`; `bad-value` for a record that is not JSON; `unwritable`.
   */
  static async create(path: string, spec: DatasetSpec, options: LeRobotWriterOptions = {}): Promise<LeRobotWriter> {
    const recording = encodeJson({ format: 1, spec, record: options.record ?? {} }, PATHS.recording)
    try {
      await makeFolder(dirname(path))
      await mkdir(path)
      await mkdir(join(path, 'meta'))
    } catch (error) {
      if (isFileError(error, 'EEXIST')) {
        throw new ArmatureError('bad-argument', `${path} exists`, { fix: 'name another folder' })
      }
      throw unwritable(path, error)
    }
    const writer = new LeRobotWriter(path, spec, options)
    await writeFileAtomic(join(path, PATHS.recording), recording)
    await writer.#numberOf(writer.#task)
    await writer.#writeInfo()
    return writer
  }

  /** Episodes so far. */
  get episodes(): number {
    return this.#episodes
  }

  /**
   * Appends an episode. It gets the next number of this folder; `info.index` is not used.
   * @throws ArmatureError `bad-shape` or `bad-value` for one that does not fit the dataset, with nothing written; `unwritable`, after
   *   which the folder is as it was and takes no more (`closed`).
   */
  async addEpisode(episode: EpisodeData): Promise<void> {
    if (!this.#isOpen) throw new ArmatureError('closed', `dataset ${this.path}`)
    checkEpisode(this.#spec, episode)
    this.#isOpen = false
    const { length, task = this.#task } = episode.info
    const scalars = this.#scalars(length, episode.info, await this.#numberOf(task))
    const place = await this.#writeFrames(episode, scalars)
    const row = { ...place, firstFrame: this.#frames, task, rowFile: await this.#fileOfRows() }
    await this.#rows!.append(episodeColumns(this.#spec, this.#numbered(episode.info), episode.goalImages, row))
    this.#episodes++
    this.#frames += length
    this.#statistics.add(episode, scalars)
    await this.#writeInfo()
    this.#isOpen = true
  }

  /**
   * Writes the statistics that LeRobot normalises by. May be called twice. After a failed `addEpisode` it tries to, for the episodes that
   * are whole, and is silent where the disk does not take them: the first error has said so.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const isBroken = !this.#isOpen
    this.#isOpen = false
    try {
      await writeFileAtomic(join(this.path, PATHS.stats), encodeJson(this.#statistics.summary(), PATHS.stats))
    } catch (error) {
      if (!isBroken) throw error
    }
  }

  /** The number of a task, which gets one where it is new. */
  async #numberOf(task: string): Promise<number> {
    const known = this.#tasks.indexOf(task)
    if (known >= 0) return known
    this.#tasks.push(task)
    await writeFileAtomic(join(this.path, PATHS.tasks), tasksFile(this.#tasks))
    return this.#tasks.length - 1
  }

  #numbered(info: EpisodeInfo): EpisodeInfo {
    return { ...info, index: this.#episodes }
  }

  /** The file that the next row of meta/episodes goes to. */
  async #fileOfRows(): Promise<number> {
    if (this.#rows === undefined || isFull(this.#rows)) {
      const path = join(this.path, formatPath(EPISODES_PATH, filePlace(this.#rowFiles++)))
      this.#rows = new GrowingParquet(path, episodeSchema(this.#spec, this.#images))
    }
    return this.#rowFiles - 1
  }

  async #writeFrames(
    episode: EpisodeData,
    scalars: Scalars,
  ): Promise<{ readonly dataFile: number; readonly videoFile?: number; readonly sha256: string }> {
    const videoFile = this.#images === 'mp4' ? this.#episodes : undefined
    const videos = videoFile === undefined ? undefined : await this.#writeVideos(episode, videoFile)
    if (this.#data === undefined || isFull(this.#data)) {
      const path = join(this.path, formatPath(DATA_PATH, filePlace(this.#dataFiles++)))
      const features = { key: 'huggingface', value: huggingFaceFeatures(this.#features) }
      this.#data = new GrowingParquet(path, dataSchema(this.#features), [features])
    }
    await this.#data.append(this.#columns(episode, scalars))
    const sha256 = episodeDigest(episode, videos)
    return { dataFile: this.#dataFiles - 1, ...(videoFile === undefined ? {} : { videoFile }), sha256 }
  }

  /** One file an episode and camera; gives back their bytes. */
  async #writeVideos(
    { images, info: { length } }: EpisodeData,
    file: number,
  ): Promise<Readonly<Record<string, Uint8Array>>> {
    const videos: Record<string, Uint8Array> = {}
    for (const [camera, { shape }] of Object.entries(this.#spec.cameras)) {
      const key = `${COLUMNS.imagePrefix}${camera}`
      const path = join(this.path, formatPath(VIDEO_PATH, { video_key: key, ...filePlace(file) }))
      const frames = framesOf(images[camera]!, length).map((data) => rgbImage(data, shape[1]!, shape[0]!))
      await makeFolder(dirname(path))
      videos[camera] = await encodeMp4(frames, this.#fps)
      await writeFileAtomic(path, videos[camera])
    }
    return videos
  }

  #columns(episode: EpisodeData, scalars: Scalars): ColumnSource[] {
    const { images, depth, proprio, state, actions, rewards, controllers = [] } = episode
    const { length } = episode.info
    const flags = (name: string): ColumnSource => ({ name, data: Array.from(scalars[name]!, Boolean) })
    const integers = (name: string): ColumnSource => integerColumn(name, length, (row) => scalars[name]![row]!)
    const vectors: Readonly<Record<string, Float32Array>> = {
      [COLUMNS.proprio]: proprio,
      [COLUMNS.state]: state,
      [COLUMNS.action]: withLastRow(actions, length, sizeOf(this.#spec.actionSpace.shape)),
    }
    return [
      ...(this.#images === 'png' ? Object.entries(this.#spec.cameras) : []).map(([camera, { shape }]) =>
        imageColumn(camera, images[camera]!, shape, length),
      ),
      ...Object.entries(this.#spec.depthCameras ?? {}).map(([camera, { shape }]) =>
        imageColumn(camera, depth![camera]!, shape, length),
      ),
      ...Object.keys(vectorsOf(this.#spec)).map((name) => vectorColumn(name, vectors[name]!, length)),
      { name: COLUMNS.reward, data: withLastRow(rewards, length, 1) },
      ...[COLUMNS.done, COLUMNS.truncated, COLUMNS.success, COLUMNS.isLast].map(flags),
      { name: COLUMNS.timestamp, data: Float32Array.from(scalars[COLUMNS.timestamp]!) },
      integers(COLUMNS.frameIndex),
      { ...integers(COLUMNS.episodeIndex), statistics: true },
      { ...integers(COLUMNS.index), statistics: true },
      integers(COLUMNS.taskIndex),
      ...(this.#spec.tellsControllers === true ? [{ name: COLUMNS.controller, data: [...controllers, ''] }] : []),
    ]
  }

  /** Flags, numbers and times of the rows of the episode that comes next, by column. */
  #scalars(length: number, info: EpisodeInfo, task: number): Scalars {
    const last = length - 1
    const ends = (row: number): boolean => row >= last - 1
    const values: Readonly<Record<string, (row: number) => number | boolean>> = {
      [COLUMNS.done]: ends,
      [COLUMNS.truncated]: (row) => ends(row) && !info.terminated,
      [COLUMNS.success]: (row) => ends(row) && info.success === true,
      [COLUMNS.isLast]: (row) => row === last,
      [COLUMNS.timestamp]: (row) => row / this.#fps,
      [COLUMNS.frameIndex]: (row) => row,
      [COLUMNS.episodeIndex]: () => this.#episodes,
      [COLUMNS.index]: (row) => this.#frames + row,
      [COLUMNS.taskIndex]: () => task,
    }
    return Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        Float64Array.from({ length }, (_, row) => Number(value(row))),
      ]),
    )
  }

  async #writeInfo(): Promise<void> {
    const info = {
      codebase_version: 'v3.0',
      robot_type: this.#spec.source,
      total_episodes: this.#episodes,
      total_frames: this.#frames,
      total_tasks: this.#tasks.length,
      chunks_size: CHUNK_SIZE,
      data_files_size_in_mb: 100,
      video_files_size_in_mb: 200,
      fps: this.#fps,
      splits: { train: `0:${this.#episodes}` },
      data_path: DATA_PATH,
      video_path: this.#images === 'mp4' ? VIDEO_PATH : null,
      features: this.#features,
    }
    await writeFileAtomic(join(this.path, PATHS.info), encodeJson(info, PATHS.info))
  }
}

/** Columns of one number a row. */
type Scalars = Readonly<Record<string, Float64Array>>

function isFull({ bytes, groups }: GrowingParquet): boolean {
  return bytes >= FILE_BYTES || groups >= FILE_EPISODES
}

function framesOf<T extends Uint8Array | Uint16Array>(frames: T, count: number): T[] {
  const size = frames.length / count
  return Array.from({ length: count }, (_, i) => frames.subarray(i * size, (i + 1) * size) as T)
}

/** PNG files, which are packed already. */
function imageColumn(
  camera: string,
  frames: Uint8Array | Uint16Array,
  shape: readonly number[],
  length: number,
): ColumnSource {
  const [height, width] = shape as [number, number]
  const data = framesOf(frames, length).map((frame, row) => ({
    bytes: encodePng({ data: frame, width, height }),
    path: `${camera}-${row}.png`,
  }))
  return { name: `${COLUMNS.imagePrefix}${camera}`, data, codec: 'UNCOMPRESSED', encoding: 'PLAIN' }
}

/** Zeros after the last step, so that there is a row for each observation. */
function withLastRow(steps: Float32Array, length: number, size: number): Float32Array {
  const rows = new Float32Array(length * size)
  rows.set(steps)
  return rows
}

/** tasks.parquet: its index, to pandas, is the tasks' text. Without that note LeRobot would mix up the columns. */
function tasksFile(tasks: readonly string[]): Uint8Array {
  const named = (name: string, type: string): Record<string, unknown> => ({
    name,
    field_name: name,
    pandas_type: type === 'int64' ? type : 'unicode',
    numpy_type: type,
    metadata: null,
  })
  const pandas = {
    index_columns: ['task'],
    column_indexes: [],
    columns: [named('task_index', 'int64'), named('task', 'object')],
    creator: { library: 'armature', version: '0' },
    pandas_version: '2.0.0',
  }
  const file = parquetWriteBuffer({
    columnData: [
      { name: 'task_index', data: tasks.map((_, i) => BigInt(i)), type: 'INT64' },
      { name: 'task', data: [...tasks], type: 'STRING' },
    ],
    kvMetadata: [{ key: 'pandas', value: JSON.stringify(pandas) }],
  })
  return new Uint8Array(file)
}
