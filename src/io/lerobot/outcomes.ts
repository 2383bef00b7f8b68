import type { EpisodeInfo } from '../../core/dataset.ts'
import { COLUMNS } from './layout.ts'
import { ParquetFile } from '../parquet/file.ts'

/** How an episode ended, as far as its rows say. */
export type Outcome = Pick<EpisodeInfo, 'success' | 'terminated'>

const OUTCOME_COLUMNS: readonly string[] = [COLUMNS.success, COLUMNS.done, COLUMNS.truncated]

/** Whether the columns of a folder say how episodes ended. */
export function hasOutcomes(features: Readonly<Record<string, unknown>>): boolean {
  return COLUMNS.success in features || COLUMNS.done in features
}

/**
 * How the episodes of a data file ended, by their number. An episode succeeded where `next.success` is true in any of its rows; the task
 * ended it where its last row is done, time did not run out, and it did not fail.
 * @throws ArmatureError `corrupt-file`.
 */
export async function outcomesOf(path: string): Promise<ReadonlyMap<number, Outcome>> {
  const file = await ParquetFile.open(path)
  const columns = OUTCOME_COLUMNS.filter((name) => file.columns.includes(name))
  const outcomes = new Map<number, Outcome>()
  if (columns.length === 0) return outcomes
  for (const row of await file.read([COLUMNS.episodeIndex, ...columns])) {
    const episode = Number(row[COLUMNS.episodeIndex])
    const succeeds = flagOf(row[COLUMNS.success])
    const before = outcomes.get(episode)?.success
    const success = succeeds === undefined ? before : succeeds || before === true
    const ends = flagOf(row[COLUMNS.done]) === true && flagOf(row[COLUMNS.truncated]) !== true
    outcomes.set(episode, { ...(success !== undefined && { success }), terminated: ends && success !== false })
  }
  return outcomes
}

/** A flag, whether it is stored as a boolean, as a number or as a list of one. */
function flagOf(value: unknown): boolean | undefined {
  const one = Array.isArray(value) && value.length === 1 ? (value[0] as unknown) : value
  if (typeof one === 'boolean') return one
  return typeof one === 'number' || typeof one === 'bigint' ? Number(one) !== 0 : undefined
}
