import { ArmatureError } from '../../core/errors.ts'
import type { Interval } from '../statistics.ts'
import { holmAdjust } from '../statistics.ts'
import type { MeasureTable } from './measures.ts'
import { percentiles } from './measures.ts'

/** How an encoder differs from a baseline on one measure, on the same resamples of the same episodes. */
export interface PairedComparison {
  readonly name: string
  /** Encoder minus baseline. */
  readonly difference: Interval
  /** Two-sided bootstrap p-value of no difference, before and after Holm's correction over what was compared. */
  readonly p: number
  readonly adjustedP: number
  /** By the direction of the measure and `adjustedP`; `undecided` also where the measure has no direction. */
  readonly verdict: 'better' | 'worse' | 'undecided'
  readonly undefinedBecause?: string
}

/**
 * Compares each table with the baseline's on one measurement and corrects for the number of tables (Holm). An interval of the
 * difference is narrower than two intervals suggest, as hard episodes are hard for both.
 *
 * @param tables measured with the same seed, repetitions and episodes as `baseline`
 * @returns one comparison a table, in their order
 * @throws ArmatureError `bad-argument` when they were drawn differently.
 */
export function comparePaired(
  name: string,
  tables: readonly MeasureTable[],
  baseline: MeasureTable,
  options: { readonly confidence?: number } = {},
): PairedComparison[] {
  const { confidence = 0.95 } = options
  const differences = tables.map((table) => differenceOf(name, table, baseline, (1 - confidence) / 2))
  const adjusted = holmAdjust(differences.map(({ p }) => p))
  return differences.map(({ direction, ...difference }, i) => {
    const adjustedP = adjusted[i]!
    const sign = direction === 'none' ? 0 : (direction === 'higher' ? 1 : -1) * difference.difference.estimate
    const decided = adjustedP < 1 - confidence && sign !== 0
    return { ...difference, name, adjustedP, verdict: decided ? (sign > 0 ? 'better' : 'worse') : 'undecided' }
  })
}

type Difference = Pick<PairedComparison, 'difference' | 'p' | 'undefinedBecause'> & {
  readonly direction: 'higher' | 'lower' | 'none'
}

function differenceOf(name: string, table: MeasureTable, baseline: MeasureTable, tail: number): Difference {
  const of = (measured: MeasureTable): { readonly estimate: number; readonly direction: Difference['direction'] } => {
    const found = measured.measurements.find((measurement) => measurement.name === name)
    return { estimate: found?.interval.estimate ?? NaN, direction: found?.direction ?? 'none' }
  }
  const { estimate: mine, direction } = of(table)
  const theirs = of(baseline).estimate
  const a = table.resamples.get(name)
  const b = baseline.resamples.get(name)
  if (a === undefined || b === undefined) {
    const undefinedBecause = 'undefined, or without an interval, on one side'
    return { difference: { estimate: mine - theirs, low: NaN, high: NaN }, p: NaN, direction, undefinedBecause }
  }
  if (a.drawnFrom !== b.drawnFrom) {
    throw new ArmatureError('bad-argument', `comparison of ${name}`, {
      expected: 'the same episodes, classes, seed and repetitions on both sides',
      fix: 'measure both encoders on the same dataset with the same seed',
    })
  }
  const values = a.values.map((value, i) => value - b.values[i]!)
  const low = values.reduce((sum, value) => sum + (value <= 0 ? 1 : 0), 0)
  const high = values.reduce((sum, value) => sum + (value >= 0 ? 1 : 0), 0)
  const { low: from, high: to } = percentiles(values, tail)
  // Never 0: so many resamples cannot show more than this.
  const p = Number.isNaN(from) ? NaN : Math.min(1, (2 * (Math.min(low, high) + 1)) / (values.length + 1))
  return { difference: { estimate: mine - theirs, low: from, high: to }, p, direction }
}
