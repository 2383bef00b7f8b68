import { ArmatureError } from '../core/errors.ts'
import type { Rng } from '../core/rng.ts'

/** An estimate with its two-sided confidence interval. */
export interface Interval {
  readonly estimate: number
  readonly low: number
  readonly high: number
}

export interface BootstrapOptions {
  readonly rng: Rng
  /** Number of resamples. Default 2000; use 50000 for what you publish. */
  readonly repetitions?: number
  /** Default 0.95. */
  readonly confidence?: number
}

/** 97.5% quantile of the standard normal distribution. */
const Z_95 = 1.959963984540054

/** Arithmetic mean; NaN for no values. */
export function mean(values: readonly number[]): number {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}

/**
 * Quantile with linear interpolation between order statistics (numpy's and R's default, type 7); NaN for no values.
 *
 * @param q in [0, 1]
 */
export function quantile(values: readonly number[], q: number): number {
  return sortedQuantile(
    values.toSorted((a, b) => a - b),
    q,
  )
}

/** {@link quantile} of values that are sorted already. */
export function sortedQuantile(sorted: ArrayLike<number>, q: number): number {
  if (!(q >= 0 && q <= 1)) throw new ArmatureError('bad-argument', 'quantile', { expected: 'q in [0, 1]', got: `${q}` })
  const position = q * (sorted.length - 1)
  const below = Math.floor(position)
  const low = sorted[below] ?? NaN
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? NaN
  return low + (position - below) * (high - low)
}

/**
 * Interquartile mean: cuts floor(n / 4) values from each end and takes the mean of the rest, over all runs and tasks together
 * (Agarwal et al. 2021, "Deep RL at the Edge of the Statistical Precipice"; scipy's `trim_mean(x, 0.25)`).
 */
export function interquartileMean(values: readonly number[]): number {
  const cut = Math.floor(values.length / 4)
  return mean(values.toSorted((a, b) => a - b).slice(cut, values.length - cut))
}

/**
 * Percentile bootstrap over runs, stratified by task: a resample draws for each task as many runs as the task has (Agarwal et al.
 * 2021). `statistic` gets all scores of a resample in one list, e.g. {@link interquartileMean}.
 *
 * @param scores [tasks][runs]; tasks may have different numbers of runs
 * @throws ArmatureError `bad-argument` for a task without runs.
 */
export function bootstrapInterval(
  scores: readonly (readonly number[])[],
  statistic: (values: readonly number[]) => number,
  options: BootstrapOptions,
): Interval {
  if (scores.length === 0 || scores.some((runs) => runs.length === 0)) {
    throw new ArmatureError('bad-argument', 'bootstrap', { expected: 'at least one task, each with at least one run' })
  }
  const { rng, repetitions = 2000, confidence = 0.95 } = options
  const resample = scores.flat()
  const statistics = Array.from({ length: repetitions }, () => {
    let at = 0
    for (const runs of scores) for (let i = 0; i < runs.length; i++) resample[at++] = runs[rng.int(runs.length)]!
    return statistic(resample)
  }).toSorted((a, b) => a - b)
  const tail = (1 - confidence) / 2
  return {
    estimate: statistic(scores.flat()),
    low: sortedQuantile(statistics, tail),
    high: sortedQuantile(statistics, 1 - tail),
  }
}

/**
 * Mean of a - b over seeds that both ran, with a bootstrap interval over seeds. Say "a beats b" only where `low` is above 0.
 *
 * @param a scores by seed; `b` in the same order of seeds
 * @throws ArmatureError `bad-shape` when the seeds do not pair up.
 */
export function pairedDifference(a: readonly number[], b: readonly number[], options: BootstrapOptions): Interval {
  requireSameLength(a, b)
  return bootstrapInterval([a.map((value, seed) => value - b[seed]!)], mean, options)
}

/** Success rate with its 95% Wilson score interval, which stays within [0, 1] and is honest for few trials. */
export function wilsonInterval(successes: number, trials: number): Interval {
  if (!(trials > 0 && successes >= 0 && successes <= trials)) {
    throw new ArmatureError('bad-argument', 'Wilson interval', {
      expected: '0 <= successes <= trials, trials > 0',
      got: `${successes} of ${trials}`,
    })
  }
  const rate = successes / trials
  const z2 = Z_95 ** 2 / trials
  const center = (rate + z2 / 2) / (1 + z2)
  const half = (Math.sqrt((rate * (1 - rate)) / trials + z2 / (4 * trials)) * Z_95) / (1 + z2)
  // At 0 and at all successes one end is exactly the rate; rounding would put it just beside.
  const low = successes === 0 ? 0 : center - half
  const high = successes === trials ? 1 : center + half
  return { estimate: rate, low, high }
}

/**
 * Chance that a random run of `a` beats a random run of `b`; ties count half (Mann-Whitney U / (n m)). With several tasks, take the
 * mean over tasks.
 */
export function probabilityOfImprovement(a: readonly number[], b: readonly number[]): number {
  let wins = 0
  for (const x of a) for (const y of b) wins += x > y ? 1 : x === y ? 0.5 : 0
  return wins / (a.length * b.length)
}

/**
 * Pearson's correlation. NaN where one side is constant: a constant embedding has no correlation, not a perfect one.
 *
 * @throws ArmatureError `bad-shape` when the lengths differ.
 */
export function pearson(a: readonly number[], b: readonly number[]): number {
  requireSameLength(a, b)
  if (isConstant(a) || isConstant(b)) return NaN
  const meanA = mean(a)
  const meanB = mean(b)
  let covariance = 0
  let varianceA = 0
  let varianceB = 0
  for (let i = 0; i < a.length; i++) {
    const x = a[i]! - meanA
    const y = b[i]! - meanB
    covariance += x * y
    varianceA += x * x
    varianceB += y * y
  }
  // Rounding can exceed 1 by an ulp.
  return Math.max(-1, Math.min(1, covariance / Math.sqrt(varianceA * varianceB)))
}

/** Spearman's rank correlation, ties at their mean rank; NaN and errors as {@link pearson}. */
export function spearman(a: readonly number[], b: readonly number[]): number {
  requireSameLength(a, b)
  return pearson(ranks(a), ranks(b))
}

/**
 * Kendall's rank correlation with the correction for ties, tau-b, over all pairs in O(n^2); NaN where one side is constant.
 *
 * @throws ArmatureError `bad-shape` when the lengths differ.
 */
export function kendallTau(a: readonly number[], b: readonly number[]): number {
  requireSameLength(a, b)
  let concordance = 0
  let untiedA = 0
  let untiedB = 0
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < i; j++) {
      const signA = Math.sign(a[i]! - a[j]!)
      const signB = Math.sign(b[i]! - b[j]!)
      concordance += signA * signB
      untiedA += signA * signA
      untiedB += signB * signB
    }
  }
  return untiedA === 0 || untiedB === 0 ? NaN : concordance / Math.sqrt(untiedA * untiedB)
}

/**
 * Holm's step-down correction (1979). Returns adjusted p-values in the order given. Compared with a level, they keep the chance of any
 * false claim at that level. NaN stays NaN and does not count as a test.
 */
export function holmAdjust(pValues: readonly number[]): number[] {
  const order = [...pValues.keys()]
    .filter((i) => !Number.isNaN(pValues[i]!))
    .toSorted((i, j) => pValues[i]! - pValues[j]!)
  const adjusted = pValues.map(() => NaN)
  let highest = 0
  for (const [rank, i] of order.entries()) {
    highest = Math.max(highest, Math.min(1, (order.length - rank) * pValues[i]!))
    adjusted[i] = highest
  }
  return adjusted
}

/**
 * Performance profile (Agarwal et al. 2021): for each threshold, the share of runs whose score is above it. All tasks weigh the same.
 * The bootstrap interval is stratified by task.
 *
 * @param scores [tasks][runs], normalised so that tasks can be compared
 * @returns one interval for each threshold, all from the same resamples
 * @throws ArmatureError `bad-argument` for a task without runs.
 */
export function performanceProfile(
  scores: readonly (readonly number[])[],
  thresholds: readonly number[],
  options: BootstrapOptions,
): Interval[] {
  const { rng, ...rest } = options
  // A resample keeps each task's runs together, in the order of the tasks.
  const weights = scores.flatMap((runs) => runs.map(() => 1 / (runs.length * scores.length)))
  return thresholds.map((threshold) =>
    bootstrapInterval(
      scores,
      (values) => values.reduce((sum, value, i) => sum + (value > threshold ? weights[i]! : 0), 0),
      { ...rest, rng: rng.split('profile') },
    ),
  )
}

/** Ranks from 1. Equal values share the mean of their ranks; NaN stays NaN. */
export function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).toSorted((i, j) => values[i]! - values[j]!)
  const result = values.map(() => NaN)
  for (let start = 0, end = 0; start < order.length; start = end) {
    const value = values[order[start]!]!
    end = start + 1
    while (end < order.length && values[order[end]!] === value) end++
    if (!Number.isNaN(value)) for (let i = start; i < end; i++) result[order[i]!] = (start + 1 + end) / 2
  }
  return result
}

function isConstant(values: readonly number[]): boolean {
  return values.every((value) => value === values[0])
}

function requireSameLength(a: readonly number[], b: readonly number[]): void {
  if (a.length !== b.length) {
    throw new ArmatureError('bad-shape', 'paired values', { expected: `${a.length} on both sides`, got: `${b.length}` })
  }
}
