import { ArmatureError } from '../../core/errors.ts'
import type { Interval } from '../statistics.ts'
import { holmAdjust } from '../statistics.ts'
import { studentPValue, studentQuantile } from '../student.ts'
import { jackknifeError } from './jackknife.ts'
import type { MeasureTable } from './measures.ts'

/** How an encoder differs from a baseline on one measure, over the same episodes. */
export interface PairedComparison {
  readonly name: string
  /** Encoder minus baseline. */
  readonly difference: Interval
  /** Two-sided p-value of no difference, before and after Holm's correction over what was compared. */
  readonly p: number
  readonly adjustedP: number
  /** By the direction of the measure and `adjustedP`; `undecided` also where the measure has no direction. */
  readonly verdict: 'better' | 'worse' | 'undecided'
  readonly undefinedBecause?: string
}

/**
 * Compares each table with the baseline's on one measurement and corrects for the number of tables (Holm). An interval of the
 * difference is narrower than two intervals suggest, as hard episodes are hard for both: it is Student's t with the jackknife's error of
 * the difference.
 *
 * @param tables measured on the same episodes as `baseline`
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
  const differences = tables.map((table) => differenceOf(name, table, baseline, confidence))
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

function differenceOf(name: string, table: MeasureTable, baseline: MeasureTable, confidence: number): Difference {
  const of = (measured: MeasureTable): { readonly estimate: number; readonly direction: Difference['direction'] } => {
    const found = measured.measurements.find((measurement) => measurement.name === name)
    return { estimate: found?.interval.estimate ?? NaN, direction: found?.direction ?? 'none' }
  }
  const { estimate: mine, direction } = of(table)
  const estimate = mine - of(baseline).estimate
  const a = table.evidence.get(name)
  const b = baseline.evidence.get(name)
  if (a === undefined || b === undefined) {
    const undefinedBecause = 'undefined, or without an interval, on one side'
    return { difference: { estimate, low: NaN, high: NaN }, p: NaN, direction, undefinedBecause }
  }
  if (a.replicates.drawnFrom !== b.replicates.drawnFrom) {
    throw new ArmatureError('bad-argument', `comparison of ${name}`, {
      expected: 'the same episodes and classes on both sides',
      fix: 'measure both encoders on the same dataset with the same seed',
    })
  }
  const values = a.replicates.values.map((value, i) => value - b.replicates.values[i]!)
  const { variance, degreesOfFreedom } = jackknifeError(estimate, { values, strata: a.replicates.strata })
  const error = Math.sqrt(variance)
  const half = variance === 0 ? 0 : studentQuantile(confidence, degreesOfFreedom) * error
  const fromError = variance === 0 ? Number(estimate === 0) : studentPValue(estimate / error, degreesOfFreedom)
  const p = Math.max(fromError, leastP(Math.min(a.trials, b.trials)))
  return { difference: { estimate, low: estimate - half, high: estimate + half }, p, direction }
}

/** The smallest p-value that n trials can give: all of n signs agree by chance (the sign-flip test), n = 5 never decides at 5 %. */
function leastP(trials: number): number {
  return Math.min(1, 2 ** (1 - trials))
}
