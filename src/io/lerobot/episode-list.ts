import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { EpisodeInfo } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import { isFileError } from '../atomic.ts'
import { containedPath, openRegularFile, readRegularFile } from '../contained-files.ts'
import { checkPlaces } from './check-places.ts'
import type { EpisodeEntry, VideoPlace } from './episode-entry.ts'
import { placeColumns } from './episode-rows.ts'
import type { CameraSource, DatasetInfo } from './foreign.ts'
import { EXTRAS, formatPath, PATHS } from './layout.ts'
import type { Outcome } from './outcomes.ts'
import { hasOutcomes, outcomesOf } from './outcomes.ts'
import type { Row } from '../parquet/file.ts'
import { ParquetFile } from '../parquet/file.ts'
import { isObject } from './recording.ts'

/** Of a list of episodes as text. */
const MAX_LIST_BYTES = 2 ** 30

/** What {@link listEpisodes} found. */
export interface EpisodeList {
  readonly entries: readonly EpisodeEntry[]
  readonly problems: readonly string[]
}

/** The episodes whose files exist and end as they should, and what is wrong with the others. `isOwn`: recorded here. */
export async function listEpisodes(
  path: string,
  info: DatasetInfo,
  cameras: Readonly<Record<string, CameraSource>>,
  isOwn: boolean,
): Promise<EpisodeList> {
  const listed = info.version === 'v3' ? await listV3(path, info, cameras) : await listV2(path, info, cameras)
  const problems = [...listed.problems]
  const isGood = new Map<string, boolean>()
  const check = async (file: string, test: () => Promise<unknown>): Promise<boolean> => {
    const known = isGood.get(file)
    if (known !== undefined) return known
    const problem = await containedPath(path, relative(path, file))
      .then(test)
      .then(
        () => undefined,
        (error: unknown) => messageOf(error),
      )
    if (problem !== undefined) problems.push(problem)
    isGood.set(file, problem === undefined)
    return problem === undefined
  }
  const entries: EpisodeEntry[] = []
  const numbers = new Set<number>()
  for (const entry of listed.entries) {
    const { index, length } = entry.info
    if (numbers.has(index)) {
      problems.push(`episode ${index} of ${path} is listed twice: left out the second time`)
      continue
    }
    numbers.add(index)
    if (length === 0) {
      problems.push(`episode ${index} of ${path} has length 0: left out`)
      continue
    }
    let isWhole = await check(entry.dataFile, () => ParquetFile.open(entry.dataFile))
    for (const { file } of Object.values(entry.videos))
      isWhole = (await check(file, () => requireContent(file))) && isWhole
    if (isWhole) entries.push(entry)
  }
  problems.push(...checkPlaces(path, info, listed.entries, isOwn))
  const known = isOwn || !hasOutcomes(info.features) ? entries : await withOutcomes(entries, problems)
  return { entries: known.toSorted((a, b) => a.info.index - b.info.index), problems }
}

/** What the rows say of how episodes ended. A file that cannot be read is named; its episodes fail when they are read. */
async function withOutcomes(entries: readonly EpisodeEntry[], problems: string[]): Promise<EpisodeEntry[]> {
  const outcomes = new Map<number, Outcome>()
  for (const file of new Set(entries.map(({ dataFile }) => dataFile))) {
    try {
      for (const [episode, outcome] of await outcomesOf(file)) outcomes.set(episode, outcome)
    } catch (error) {
      problems.push(messageOf(error))
    }
  }
  return entries.map((entry) => ({ ...entry, info: { ...entry.info, ...outcomes.get(entry.info.index) } }))
}

async function requireContent(path: string): Promise<void> {
  const { file, size } = await openRegularFile(path)
  await file.close()
  if (size === 0) throw new Error(`${path}: is empty`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function listV3(
  path: string,
  info: DatasetInfo,
  cameras: Readonly<Record<string, CameraSource>>,
): Promise<EpisodeList> {
  const entries: EpisodeEntry[] = []
  const problems: string[] = []
  const files = await parquetFiles(path, PATHS.episodes)
  if (files.length === 0) problems.push(`${join(path, PATHS.episodes)}: no list of episodes`)
  for (const file of files) {
    try {
      await containedPath(path, relative(path, file))
      const parquet = await ParquetFile.open(file)
      const goalCameras = Object.keys(cameras).filter((camera) =>
        parquet.columns.includes(`${EXTRAS.goalImagePrefix}${camera}`),
      )
      // Neither LeRobot's statistics of each episode nor images.
      const columns = parquet.columns.filter((name) => !/^stats\/|^armature\/goal_image\//.test(name))
      for (const [i, row] of (await parquet.read(columns)).entries()) {
        const { entry, lacks } = entryOrProblem(() => entryV3(path, info, cameras, row, `${file}, row ${i}`))
        if (entry !== undefined) entries.push({ ...entry, extras: { file, row: i, goalCameras } })
        problems.push(...lacks)
      }
    } catch (error) {
      problems.push(messageOf(error))
    }
  }
  return { entries, problems }
}

function entryOrProblem(make: () => ReturnType<typeof entryV3>): {
  readonly entry?: EpisodeEntry
  readonly lacks: readonly string[]
} {
  try {
    return make()
  } catch (error) {
    return { lacks: [messageOf(error)] }
  }
}

function entryV3(
  path: string,
  info: DatasetInfo,
  cameras: Readonly<Record<string, CameraSource>>,
  row: Row,
  where: string,
): { readonly entry: EpisodeEntry; readonly lacks: readonly string[] } {
  const place = (of: string): { chunk_index: number; file_index: number } => {
    const [chunk, file] = placeColumns(of)
    return { chunk_index: wholeNumber(row, chunk, where), file_index: wholeNumber(row, file, where) }
  }
  const index = wholeNumber(row, 'episode_index', where)
  wholeNumber(row, 'length', where)
  const lacks: string[] = []
  const videos: Record<string, VideoPlace> = {}
  for (const [camera, { key, isVideo }] of Object.entries(cameras)) {
    if (!isVideo) continue
    const of = `videos/${key}`
    const needed = [...placeColumns(of), `${of}/from_timestamp`]
    const missing = needed.find((name) => row[name] === null || row[name] === undefined)
    if (missing !== undefined) {
      lacks.push(`episode ${index} of ${path} has no video of ${key}: ${missing} is null`)
      continue
    }
    const fromS = seconds(row, `${of}/from_timestamp`, where)
    const hasEnd = (row[`${of}/to_timestamp`] ?? undefined) !== undefined
    videos[camera] = {
      file: join(path, formatPath(info.videoPath, { video_key: key, ...place(of) })),
      fromS,
      ...(hasEnd && { toS: seconds(row, `${of}/to_timestamp`, where) }),
    }
  }
  const firstRow = row['dataset_from_index'] ?? undefined
  const sha256 = row[EXTRAS.sha256]
  const looks = looksOf(row)
  if (looks === null) lacks.push(`${where}, ${EXTRAS.looks}: not numbers by name as JSON; read without them`)
  return {
    entry: {
      info: { ...episodeInfo(row, info.robotType), ...(looks && { looks }) },
      dataFile: join(path, formatPath(info.dataPath, place('data'))),
      ...(typeof sha256 === 'string' && { sha256 }),
      videos,
      ...(firstRow !== undefined && { firstRow: wholeNumber(row, 'dataset_from_index', where) }),
    },
    lacks,
  }
}

/** Null where what is there is no such thing, undefined where nothing is. */
function looksOf(row: Row): EpisodeInfo['looks'] | null {
  const text = row[EXTRAS.looks] ?? undefined
  if (text === undefined) return undefined
  try {
    const looks: unknown = JSON.parse(text as string)
    const isKnown = isObject(looks) && Object.values(looks).every(Number.isFinite)
    return isKnown ? (looks as Record<string, number>) : null
  } catch {
    return null
  }
}

/** @throws ArmatureError `corrupt-file` that names the row, for null, text and what is no number from 0 on. */
function wholeNumber(row: Row, name: string, where: string): number {
  const value = row[name]
  const number = typeof value === 'bigint' || typeof value === 'number' ? Number(value) : NaN
  if (Number.isSafeInteger(number) && number >= 0) return number
  const got = typeof value === 'bigint' ? `${value}` : JSON.stringify(value ?? null)
  throw new ArmatureError('corrupt-file', `${where}, ${name}`, { expected: 'a whole number from 0 on', got })
}

function seconds(row: Row, name: string, where: string): number {
  const value = row[name]
  if (typeof value === 'number' && value >= 0 && value < Infinity) return value
  throw new ArmatureError('corrupt-file', `${where}, ${name}`, { expected: 'seconds from 0 on', got: String(value) })
}

/** Texts of the tasks; undefined where they say no more than what was recorded from. */
function taskOf(tasks: unknown, source: string): string | undefined {
  const texts = Array.isArray(tasks) ? tasks.filter((task) => typeof task === 'string' && task !== '') : []
  const task = texts.join('; ')
  return task === '' || task === source ? undefined : task
}

/** `row` may lack all that is ours. */
function episodeInfo(row: Row, source: string): EpisodeInfo {
  const known = <T>(name: string, as: (value: unknown) => T): T | undefined => {
    const value = row[name]
    return value === undefined || value === null ? undefined : as(value)
  }
  const optional = {
    success: known(EXTRAS.success, Boolean),
    seed: known(EXTRAS.seed, Number),
    distractor: known(EXTRAS.distractor, String),
    task: taskOf(row['tasks'], source),
    goal: known(EXTRAS.goal, (value) => Float32Array.from(value as number[])),
  }
  return {
    index: Number(row['episode_index']),
    length: Number(row['length']),
    terminated: row[EXTRAS.terminated] === true,
    policy: known(EXTRAS.policy, String) ?? 'unknown',
    objects: known(EXTRAS.objects, (value) => (value as bigint[]).map(Number)) ?? [],
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
  }
}

/** Of a folder of the dataset and those in it, by name. */
async function parquetFiles(path: string, name: string): Promise<string[]> {
  const folder = join(path, name)
  const files = await readdir(folder, { recursive: true }).catch((error: unknown) => {
    if (isFileError(error, 'ENOENT') || isFileError(error, 'ENOTDIR')) return []
    throw error
  })
  return files
    .filter((file) => file.endsWith('.parquet'))
    .toSorted()
    .map((file) => join(folder, file))
}

async function listV2(
  path: string,
  info: DatasetInfo,
  cameras: Readonly<Record<string, CameraSource>>,
): Promise<EpisodeList> {
  const file = join(path, PATHS.episodeLines)
  const entries: EpisodeEntry[] = []
  const problems: string[] = []
  const text = await containedPath(path, PATHS.episodeLines)
    .then(() => readRegularFile(file, MAX_LIST_BYTES))
    .catch((error: unknown) => {
      problems.push(messageOf(error))
      return ''
    })
  for (const [i, line] of text.toString().split('\n').entries()) {
    if (line.trim() === '') continue
    const row = parseLine(line)
    if (row === undefined) problems.push(`${file}: line ${i + 1} is not an episode`)
    else entries.push(entryV2(path, info, cameras, row))
  }
  return { entries, problems }
}

function parseLine(line: string): Row | undefined {
  try {
    const row: unknown = JSON.parse(line)
    const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
    return isObject(row) && isWhole(row['episode_index']) && isWhole(row['length']) ? row : undefined
  } catch {
    return undefined
  }
}

function entryV2(
  path: string,
  info: DatasetInfo,
  cameras: Readonly<Record<string, CameraSource>>,
  row: Row,
): EpisodeEntry {
  const index = Number(row['episode_index'])
  const fields = { episode_chunk: Math.floor(index / info.chunksSize), episode_index: index }
  const videos = Object.entries(cameras).filter(([, { isVideo }]) => isVideo)
  return {
    info: episodeInfo(row, info.robotType),
    dataFile: join(path, formatPath(info.dataPath, fields)),
    videos: Object.fromEntries(
      videos.map(([camera, { key }]) => {
        return [camera, { file: join(path, formatPath(info.videoPath, { ...fields, video_key: key })), fromS: 0 }]
      }),
    ),
  }
}
