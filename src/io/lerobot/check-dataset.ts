import type { Dataset, EpisodeData } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'
import { containedPath } from '../contained-files.ts'
import { readJson } from '../json.ts'
import { COLUMNS, PATHS } from './layout.ts'
import { isObject } from './recording.ts'

/** How far statistics may be off, as a share of their size: they are stored in single precision by some tools. */
const TOLERANCE = 1e-3

/** What {@link checkDataset} found. */
export interface DatasetCheck {
  /** A line each. */
  readonly faults: readonly string[]
  /** Numbers of the episodes that read whole, all cameras included. */
  readonly whole: readonly number[]
}

/**
 * Reads every row and frame of a dataset and holds them against what it declares, and its statistics of proprioception against the rows.
 * @param onEpisode called after each
 */
export async function checkDataset(dataset: Dataset, onEpisode: (done: number) => void): Promise<DatasetCheck> {
  const faults: string[] = []
  const whole: number[] = []
  const size = sizeOf(dataset.spec.proprioSpace.shape)
  const range = {
    min: Array.from({ length: size }, () => Infinity),
    max: Array.from({ length: size }, () => -Infinity),
  }
  for (const [i, { index }] of dataset.episodes.entries()) {
    try {
      const data = await dataset.readEpisode(index)
      widen(range, data, size)
      whole.push(index)
    } catch (error) {
      if (!(error instanceof ArmatureError)) throw error
      faults.push(`episode ${index}: ${error.message}`)
    }
    onEpisode(i + 1)
  }
  const isAll = whole.length === dataset.episodes.length && dataset.problems.length === 0
  return { faults: [...dataset.problems, ...faults, ...(await checkStatistics(dataset, range, isAll))], whole }
}

interface Range {
  readonly min: number[]
  readonly max: number[]
}

function widen({ min, max }: Range, { proprio }: EpisodeData, size: number): void {
  for (const [at, x] of proprio.entries()) {
    min[at % size] = Math.min(min[at % size]!, x)
    max[at % size] = Math.max(max[at % size]!, x)
  }
}

/** Only where all rows were read: the statistics are of all. */
async function checkStatistics({ path }: Dataset, range: Range, isAll: boolean): Promise<string[]> {
  let stats: unknown
  try {
    stats = await readJson(await containedPath(path, PATHS.stats))
  } catch (error) {
    return [(error as Error).message]
  }
  const own = isObject(stats) ? stats[COLUMNS.proprio] : undefined
  if (!isAll || !isObject(own)) return []
  return (['min', 'max'] as const).flatMap((name) => {
    const said = own[name]
    if (!Array.isArray(said)) return [`${PATHS.stats}, ${COLUMNS.proprio}: no ${name}`]
    const off = range[name].findIndex(
      (x, i) => !(Math.abs(x - Number(said[i])) <= TOLERANCE * Math.max(1, Math.abs(x))),
    )
    return off < 0
      ? []
      : [`${PATHS.stats}, ${COLUMNS.proprio}: ${name} at ${off} is ${said[off]}, the rows have ${range[name][off]}`]
  })
}
