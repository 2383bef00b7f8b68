import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { EpisodeInfo } from '../../core/dataset.ts'
import { isFileError } from '../atomic.ts'
import { placeColumns } from './episode-rows.ts'
import type { CameraSource, DatasetInfo } from './foreign.ts'
import { EXTRAS, formatPath, PATHS } from './layout.ts'
import type { Row } from './parquet-file.ts'
import { ParquetFile } from './parquet-file.ts'
import { isObject } from './recording.ts'

/** Where the parts of an episode are. Paths are whole. */
export interface EpisodeEntry {
  readonly info: EpisodeInfo
  readonly dataFile: string
  /** By camera; the episode starts `fromS` seconds into its file. */
  readonly videos: Readonly<Record<string, { readonly file: string; readonly fromS: number }>>
  /** Row of meta/episodes, where it has goal images. */
  readonly extras?: { readonly file: string; readonly row: number; readonly goalCameras: readonly string[] }
}

/** What {@link listEpisodes} found. */
export interface EpisodeList {
  readonly entries: readonly EpisodeEntry[]
  readonly problems: readonly string[]
}

/** The episodes whose files exist and end as they should, and what is wrong with the others. */
export async function listEpisodes(
  path: string,
  info: DatasetInfo,
  cameras: Readonly<Record<string, CameraSource>>,
): Promise<EpisodeList> {
  const listed = info.version === 'v3' ? await listV3(path, info, cameras) : await listV2(path, info, cameras)
  const problems = [...listed.problems]
  const isGood = new Map<string, boolean>()
  const check = async (file: string, test: () => Promise<unknown>): Promise<boolean> => {
    const known = isGood.get(file)
    if (known !== undefined) return known
    const problem = await test().then(
      () => undefined,
      (error: unknown) => messageOf(error),
    )
    if (problem !== undefined) problems.push(problem)
    isGood.set(file, problem === undefined)
    return problem === undefined
  }
  const entries: EpisodeEntry[] = []
  for (const entry of listed.entries) {
    let isWhole = await check(entry.dataFile, () => ParquetFile.open(entry.dataFile))
    for (const { file } of Object.values(entry.videos))
      isWhole = (await check(file, () => requireFile(file))) && isWhole
    if (isWhole) entries.push(entry)
  }
  return { entries: entries.toSorted((a, b) => a.info.index - b.info.index), problems }
}

async function requireFile(file: string): Promise<void> {
  const { size } = await stat(file).catch(() => ({ size: 0 }))
  if (size === 0) throw new Error(`${file}: is not there or empty`)
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
  for (const file of await parquetFiles(join(path, PATHS.episodes))) {
    try {
      const parquet = await ParquetFile.open(file)
      const goalCameras = Object.keys(cameras).filter((camera) =>
        parquet.columns.includes(`${EXTRAS.goalImagePrefix}${camera}`),
      )
      // Neither LeRobot's statistics of each episode nor images.
      const columns = parquet.columns.filter((name) => !/^stats\/|^armature\/goal_image\//.test(name))
      const rows = await parquet.read(columns)
      const fresh = rows.map((row, i) => ({
        ...entryV3(path, info, cameras, row),
        extras: { file, row: i, goalCameras },
      }))
      entries.push(...fresh)
    } catch (error) {
      problems.push(messageOf(error))
    }
  }
  return { entries, problems }
}

function entryV3(
  path: string,
  info: DatasetInfo,
  cameras: Readonly<Record<string, CameraSource>>,
  row: Row,
): EpisodeEntry {
  const place = (of: string): { chunk_index: number; file_index: number } => {
    const [chunk, file] = placeColumns(of)
    return { chunk_index: Number(row[chunk]), file_index: Number(row[file]) }
  }
  const videos = Object.entries(cameras).filter(([, { isVideo }]) => isVideo)
  return {
    info: episodeInfo(row),
    dataFile: join(path, formatPath(info.dataPath, place('data'))),
    videos: Object.fromEntries(
      videos.map(([camera, { key }]) => {
        const of = `videos/${key}`
        const file = join(path, formatPath(info.videoPath, { video_key: key, ...place(of) }))
        return [camera, { file, fromS: Number(row[`${of}/from_timestamp`] ?? 0) }]
      }),
    ),
  }
}

/** `row` may lack all that is ours. */
function episodeInfo(row: Row): EpisodeInfo {
  const known = <T>(name: string, as: (value: unknown) => T): T | undefined => {
    const value = row[name]
    return value === undefined || value === null ? undefined : as(value)
  }
  const optional = {
    success: known(EXTRAS.success, Boolean),
    seed: known(EXTRAS.seed, Number),
    distractor: known(EXTRAS.distractor, String),
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

/** Of `folder` and those in it, by name. */
async function parquetFiles(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true }).catch((error: unknown) => {
    if (isFileError(error, 'ENOENT')) return []
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
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    problems.push(messageOf(error))
    return ''
  })
  for (const [i, line] of text.split('\n').entries()) {
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
    return isObject(row) && Number.isInteger(row['episode_index']) && Number.isInteger(row['length']) ? row : undefined
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
    info: episodeInfo(row),
    dataFile: join(path, formatPath(info.dataPath, fields)),
    videos: Object.fromEntries(
      videos.map(([camera, { key }]) => {
        return [camera, { file: join(path, formatPath(info.videoPath, { ...fields, video_key: key })), fromS: 0 }]
      }),
    ),
  }
}
