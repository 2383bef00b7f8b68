import { ArmatureError } from '../core/errors.ts'
import { solveCholesky } from '../core/linalg.ts'
import type { Moments, Rows } from './rows.ts'
import { momentsOf, rSquared } from './rows.ts'

/** Row numbers to fit on and to score on. Split by episode, never by frame: neighbouring frames are near copies. */
export interface ProbeSplit {
  readonly train: readonly number[]
  readonly test: readonly number[]
}

/** A dimension that varies less than this part of its magnitude carries rounding noise, not information. */
const DEAD_STD = 1e-7
/**
 * Standard deviations beyond which an input says no more: a feature that hardly ever fires while the probe is fitted would outvote all others where it
 * does.
 */
const MAX_INPUT = 10

/**
 * R2 on the test rows, for each target dimension, of a ridge regression from embeddings to targets: how much of the state a linear
 * map can read. The training rows standardise the inputs, which count up to {@link MAX_INPUT}, and centre the targets. With n training rows the problem solved is
 * min |X W - Y|^2 / n + ridge |W|^2.
 *
 * @param embeddings [count, size]
 * @param targets [count, targets]
 * @returns [targets]; 1 is perfect, 0 is no better than the mean of the test rows, NaN is a target that is constant there
 * @throws ArmatureError `bad-shape` when counts differ; `bad-argument` for an empty split or a row outside; `bad-value` for NaN.
 */
export function ridgeProbe(embeddings: Rows, targets: Rows, split: ProbeSplit, ridge = 1e-3): Float64Array {
  requireProbe(embeddings, targets, split, ridge)
  const inputs = momentsOf(embeddings, split.train)
  const outputs = momentsOf(targets, split.train)
  const d = embeddings.size
  const k = targets.size
  const gram = new Float64Array(d * d)
  const cross = new Float64Array(d * k)
  const x = new Float64Array(d)
  for (const row of split.train) {
    standardise(embeddings, row, inputs, x)
    for (let i = 0; i < d; i++) {
      for (let j = 0; j <= i; j++) gram[i * d + j]! += x[i]! * x[j]!
      for (let j = 0; j < k; j++) cross[i * k + j]! += x[i]! * (targets.data[row * k + j]! - outputs.mean[j]!)
    }
  }
  for (let i = 0; i < d; i++) gram[i * d + i]! += ridge * split.train.length
  solveCholesky(gram, d, cross, k)
  return scoreProbe(embeddings, targets, split.test, { inputs, targetMean: outputs.mean, weights: cross })
}

interface FittedProbe {
  readonly inputs: Moments
  readonly targetMean: Float64Array
  /** [d, k] */
  readonly weights: Float64Array
}

function scoreProbe(embeddings: Rows, targets: Rows, test: readonly number[], probe: FittedProbe): Float64Array {
  const k = targets.size
  const { mean: testMean, std: testStd } = momentsOf(targets, test)
  const errors = new Float64Array(k)
  const x = new Float64Array(embeddings.size)
  for (const row of test) {
    standardise(embeddings, row, probe.inputs, x)
    for (let j = 0; j < k; j++) {
      let prediction = probe.targetMean[j]!
      for (let i = 0; i < x.length; i++) prediction += x[i]! * probe.weights[i * k + j]!
      errors[j]! += (targets.data[row * k + j]! - prediction) ** 2
    }
  }
  return errors.map((error, j) =>
    rSquared(error, isDead(testStd[j]!, testMean[j]!) ? 0 : test.length * testStd[j]! ** 2),
  )
}

function standardise({ data, size }: Rows, row: number, { mean, std }: Moments, out: Float64Array): void {
  for (let i = 0; i < size; i++) {
    const x = isDead(std[i]!, mean[i]!) ? 0 : (data[row * size + i]! - mean[i]!) / std[i]!
    out[i] = Math.max(-MAX_INPUT, Math.min(MAX_INPUT, x))
  }
}

function isDead(std: number, mean: number): boolean {
  return std <= DEAD_STD * Math.abs(mean) || std === 0
}

function requireProbe(embeddings: Rows, targets: Rows, split: ProbeSplit, ridge: number): void {
  if (embeddings.count !== targets.count) {
    throw new ArmatureError('bad-shape', 'probe', {
      expected: `${embeddings.count} rows of targets`,
      got: String(targets.count),
    })
  }
  if (!(ridge > 0)) throw new ArmatureError('bad-argument', 'probe', { expected: 'ridge > 0', got: String(ridge) })
  for (const rows of [split.train, split.test]) {
    if (rows.length === 0 || rows.some((row) => !(row >= 0 && row < embeddings.count))) {
      throw new ArmatureError('bad-argument', 'probe split', { expected: `rows in 0 .. ${embeddings.count - 1}` })
    }
  }
  for (const { data } of [embeddings, targets]) {
    if (data.some((value: number) => !Number.isFinite(value)))
      throw new ArmatureError('bad-value', 'probe', { got: 'NaN' })
  }
}
