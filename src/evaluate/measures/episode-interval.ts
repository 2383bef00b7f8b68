import type { Interval } from '../statistics.ts'
import { studentQuantile } from '../student.ts'
import type { Replicates } from './jackknife.ts'
import { jackknifeError } from './jackknife.ts'
import type { Scale } from './measurement.ts'

interface Transform {
  readonly to: (value: number) => number
  readonly from: (value: number) => number
}

const IDENTITY: Transform = { to: (x) => x, from: (y) => y }

const TRANSFORMS: Readonly<Record<Scale, Transform>> = {
  real: IDENTITY,
  positive: { to: Math.log, from: Math.exp },
  'at-most-one': { to: (x) => Math.log(1 - x), from: (y) => 1 - Math.exp(y) },
  correlation: { to: Math.atanh, from: Math.tanh },
  unit: { to: (x) => Math.log(x / (1 - x)), from: (y) => 1 / (1 + Math.exp(-y)) },
  share: IDENTITY,
}

const LIMITS: Readonly<Record<Scale, readonly [low: number, high: number]>> = {
  real: [-Infinity, Infinity],
  positive: [0, Infinity],
  'at-most-one': [-Infinity, 1],
  correlation: [-1, 1],
  unit: [0, 1],
  share: [0, 1],
}

/** Degrees of freedom at which Student's t is the normal distribution to six digits. */
const MANY = 1e7

/** What an interval is made from, beside the estimate and its replicates. */
export interface IntervalOptions {
  readonly scale: Scale
  /** See `Measure.isBiased`. */
  readonly isBiased: boolean
  /** Independent trials that the number rests on: episodes, or the rarer of two outcomes. */
  readonly trials: number
  readonly confidence: number
}

/**
 * Confidence interval of a statistic over episodes: Student's t with the jackknife's error, on the measure's own scale; for shares, and
 * for other bounded numbers that no single episode changes, Wilson's score with as many trials as the error is worth. It always contains
 * the estimate. `docs/measures.md` has its simulated coverage. NaN where leaving one episode out leaves nothing to measure.
 */
export function episodeInterval(estimate: number, replicates: Replicates, options: IntervalOptions): Interval {
  const { scale } = options
  const undefinedInterval = { estimate, low: NaN, high: NaN }
  const plain = jackknifeError(estimate, replicates)
  const [low, high] = LIMITS[scale]
  const isBounded = Number.isFinite(low) && Number.isFinite(high)
  if (scale === 'share' || (isBounded && plain.variance === 0)) return scoreInterval(estimate, replicates, options)
  if (Number.isNaN(plain.variance)) return undefinedInterval
  if (plain.variance === 0) return { estimate, low: estimate, high: estimate }
  const { to, from } = TRANSFORMS[scale]
  const moved = jackknifeError(estimate, replicates, to)
  if (!Number.isFinite(moved.variance) || !Number.isFinite(to(estimate))) {
    return isBounded ? scoreInterval(estimate, replicates, options) : studentInterval(estimate, plain, options)
  }
  const half = studentQuantile(options.confidence, moved.degreesOfFreedom) * Math.sqrt(moved.variance)
  const center = to(estimate) - (options.isBiased ? moved.bias : 0)
  const ends = [from(center - half), from(center + half)]
  return { estimate, low: Math.min(...ends, estimate), high: Math.max(...ends, estimate) }
}

function studentInterval(
  estimate: number,
  { variance, degreesOfFreedom }: ReturnType<typeof jackknifeError>,
  { scale, confidence }: IntervalOptions,
): Interval {
  const half = studentQuantile(confidence, degreesOfFreedom) * Math.sqrt(variance)
  const [low, high] = LIMITS[scale]
  return { estimate, low: Math.max(low, estimate - half), high: Math.min(high, estimate + half) }
}

/**
 * Wilson's score interval (1927) of the estimate as a share of its range. Trials count as many as a plain proportion would need for the
 * jackknife's error, widened as Student's t asks; where there is no such error, each of `trials` is one. That is the least they can be
 * worth: the variance of an area under the ROC curve is at most A (1 - A) / min(n, m) (Birnbaum & Klose 1957).
 */
function scoreInterval(
  estimate: number,
  replicates: Replicates,
  { scale, trials, confidence }: IntervalOptions,
): Interval {
  const [low, high] = LIMITS[scale]
  const share = (estimate - low) / (high - low)
  const normal = studentQuantile(confidence, MANY)
  const { variance, degreesOfFreedom } = jackknifeError(estimate, replicates)
  let worth = trials
  if (variance > 0) {
    const widened = variance * (studentQuantile(confidence, degreesOfFreedom) / normal) ** 2
    worth = Math.max(trials, (share * (1 - share) * (high - low) ** 2) / widened)
  }
  const z2 = normal ** 2 / worth
  const center = (share + z2 / 2) / (1 + z2)
  const half = (normal * Math.sqrt((share * (1 - share)) / worth + z2 / (4 * worth))) / (1 + z2)
  const end = (value: number): number => low + Math.min(1, Math.max(0, value)) * (high - low)
  return {
    estimate,
    low: Math.min(estimate, end(center - half)),
    high: Math.max(estimate, end(center + half)),
  }
}
