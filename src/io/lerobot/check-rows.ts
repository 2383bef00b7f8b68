import type { EpisodeInfo } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import { COLUMNS } from './layout.ts'
import type { Row } from '../parquet/file.ts'
import { numbersOf } from './values.ts'

/** Columns that number rows, and tell their times. */
export const ROW_COLUMNS: readonly string[] = [
  COLUMNS.frameIndex,
  COLUMNS.timestamp,
  COLUMNS.index,
  COLUMNS.episodeIndex,
]

/** Of the time between two frames: LeRobot's own check allows 0.1 ms. */
const TOLERANCE = 0.1

/** What the rows of an episode say of their places. */
export interface RowTimes {
  /** Seconds since the start of the episode. */
  readonly timesS: Float64Array
  /** What the columns say otherwise than the folder does, a line each. */
  readonly differences: readonly string[]
}

/**
 * Holds what the rows of an episode say of their places and times against their order and the rate of the folder.
 *
 * @param columns those that the file has
 * @param where file and episode, for messages
 * @throws ArmatureError `corrupt-file` where rows are in another order than their numbers or times, so that pictures and actions would
 *   not belong together.
 */
export function checkRows(
  rows: readonly Row[],
  columns: readonly string[],
  { where, info, fps, firstRow }: { where: string; info: EpisodeInfo; fps: number; firstRow?: number | undefined },
): RowTimes {
  const differences: string[] = []
  const column = (name: string): Float64Array | undefined =>
    columns.includes(name) ? scalarsOf(where, name, rows) : undefined
  const numbers = column(COLUMNS.frameIndex)
  const first = numbers?.[0] ?? 0
  for (const [t, x] of numbers?.entries() ?? []) {
    if (x !== first + t) throw disorder(where, COLUMNS.frameIndex, t, String(first + t), String(x))
  }
  if (first !== 0) differences.push(`${where}: ${COLUMNS.frameIndex} starts at ${first}, not at 0`)
  const index = column(COLUMNS.index)
  const start = index?.[0] ?? 0
  const jump = index?.findIndex((x, t) => x !== start + t) ?? -1
  if (jump >= 0) differences.push(`${where}: ${COLUMNS.index} of row ${jump} is ${index![jump]}, not ${start + jump}`)
  else if (index !== undefined && firstRow !== undefined && start !== firstRow && start !== 0) {
    differences.push(`${where}: ${COLUMNS.index} starts at ${start}, meta/episodes says ${firstRow}`)
  }
  const timesS = column(COLUMNS.timestamp) ?? Float64Array.from({ length: info.length }, (_, t) => t / fps)
  for (let t = 1; t < timesS.length; t++) {
    if (!(timesS[t]! > timesS[t - 1]!)) {
      throw disorder(where, COLUMNS.timestamp, t, `more than ${timesS[t - 1]} s`, `${timesS[t]} s`)
    }
  }
  const off = timesS.findIndex((timeS, t) => Math.abs(timeS - timesS[0]! - t / fps) > TOLERANCE / fps + 1e-6 * timeS)
  if (off >= 0) {
    const expected = `${(timesS[0]! + off / fps).toFixed(3)} s at ${fps} frames a second`
    differences.push(`${where}: ${COLUMNS.timestamp} of row ${off} is ${timesS[off]!.toFixed(3)} s, not ${expected}`)
  }
  return { timesS, differences }
}

/** In double precision: single precision cannot count beyond 2^24 rows. */
function scalarsOf(where: string, name: string, rows: readonly Row[]): Float64Array {
  numbersOf(where, name, rows, [1])
  return Float64Array.from(rows, (row) => {
    const value = row[name]
    return Number(typeof value === 'object' ? (value as ArrayLike<unknown>)[0] : value)
  })
}

function disorder(where: string, column: string, row: number, expected: string, got: string): ArmatureError {
  return new ArmatureError('corrupt-file', `${where}, row ${row}, ${column}`, { expected, got })
}
