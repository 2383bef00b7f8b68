import type { Dataset, EpisodeData } from '../../core/dataset.ts'
import { ArmatureError, oneLine } from '../../core/errors.ts'
import { containedPath } from '../contained-files.ts'
import { readJson } from '../json.ts'
import { checkBlobs } from './check-blobs.ts'
import { COLUMNS, PATHS } from './layout.ts'
import { isObject } from './recording.ts'

/** How far statistics may be off, as a share of their size: they are stored in single precision by some tools. */
const TOLERANCE = 1e-3

/** What {@link checkDataset} found. */
export interface DatasetCheck {
  /** A line each. */
  readonly faults: readonly string[]
  /** Numbers of the episodes that read whole, all cameras included, and are what was recorded. */
  readonly whole: readonly number[]
}

/**
 * Reads every row and frame of a dataset and holds them against what it declares, its statistics against the rows, and its hashes against
 * what they are of: those that our recordings keep of each episode, and those that the cache of a hub names files by.
 * @param onEpisode called after each
 */
export async function checkDataset(dataset: Dataset, onEpisode: (done: number) => void): Promise<DatasetCheck> {
  const faults: string[] = []
  const whole: number[] = []
  const ranges = new Map(COLUMNS_IN_MEMORY.map(([column]) => [column, new Range()]))
  for (const [i, { index }] of dataset.episodes.entries()) {
    try {
      const data = await dataset.readEpisode(index)
      const differences = (await dataset.verify?.(index, data)) ?? []
      faults.push(...differences)
      for (const [column, part] of COLUMNS_IN_MEMORY) ranges.get(column)!.add(data[part], rowsOf(data, part))
      if (differences.length === 0) whole.push(index)
    } catch (error) {
      if (!(error instanceof ArmatureError)) throw error
      faults.push(`episode ${index}: ${error.message}`)
    }
    onEpisode(i + 1)
  }
  const isAll = whole.length === dataset.episodes.length && dataset.problems.length === 0
  const statistics = await checkStatistics(dataset, ranges, isAll)
  const all = [...dataset.problems, ...faults, ...statistics, ...(await checkBlobs(dataset.path))]
  return { faults: all.map(oneLine), whole }
}

type Part = 'proprio' | 'state' | 'actions' | 'rewards'

const COLUMNS_IN_MEMORY: readonly (readonly [column: string, part: Part])[] = [
  [COLUMNS.proprio, 'proprio'],
  [COLUMNS.state, 'state'],
  [COLUMNS.action, 'actions'],
  [COLUMNS.reward, 'rewards'],
]

function rowsOf({ info }: EpisodeData, part: Part): number {
  return part === 'proprio' || part === 'state' ? info.length : info.length - 1
}

/** The smallest and the largest of each number of a row. */
class Range {
  rows = 0
  min: number[] = []
  max: number[] = []

  add(values: Float32Array, rows: number): void {
    const size = rows === 0 ? 0 : values.length / rows
    if (size === 0) return
    this.rows += rows
    for (const [at, x] of values.entries()) {
      const i = at % size
      this.min[i] = Math.min(this.min[i] ?? Infinity, x)
      this.max[i] = Math.max(this.max[i] ?? -Infinity, x)
    }
  }
}

/** Only where all rows were read: the statistics are of all. */
async function checkStatistics(
  { path }: Dataset,
  ranges: ReadonlyMap<string, Range>,
  isAll: boolean,
): Promise<string[]> {
  let stats: unknown
  try {
    stats = await readJson(await containedPath(path, PATHS.stats))
  } catch (error) {
    return [(error as Error).message]
  }
  if (!isAll || !isObject(stats)) return []
  return [...ranges].flatMap(([column, range]) => {
    const own = stats[column]
    return isObject(own) && range.rows > 0 ? differencesOf(`${PATHS.stats}, ${column}`, own, range) : []
  })
}

function differencesOf(where: string, said: Readonly<Record<string, unknown>>, range: Range): string[] {
  // Of rows with an action or a reward, others' statistics have one more an episode, which leads to no observation and is not read.
  const isExact = !where.endsWith(COLUMNS.action) && !where.endsWith(COLUMNS.reward)
  const lines = (['min', 'max'] as const).flatMap((name) => {
    const values = said[name]
    if (!Array.isArray(values)) return [`${where}: no ${name}`]
    const off = range[name].findIndex((x, i) => {
      const margin = TOLERANCE * Math.max(1, Math.abs(x))
      const beyond = name === 'min' ? Number(values[i]) - x : x - Number(values[i])
      return !(beyond <= margin && (!isExact || beyond >= -margin))
    })
    return off < 0 ? [] : [`${where}: ${name} at ${off} is ${values[off]}, the rows have ${range[name][off]}`]
  })
  const [count] = Array.isArray(said['count']) ? (said['count'] as unknown[]) : []
  const isCounted = !isExact || typeof count !== 'number' || count === range.rows
  return isCounted ? lines : [...lines, `${where}: count is ${count}, there are ${range.rows} rows`]
}
