import { ArmatureError } from '../core/errors.ts'

/** Rows of numbers, row-major: embeddings [count, size], or simulator states beside them. */
export interface Rows {
  readonly data: Float32Array | Float64Array
  readonly count: number
  readonly size: number
}

/** Row numbers to fit on and to score on. Split by episode, never by frame: neighbouring frames are near copies. */
export interface ProbeSplit {
  readonly train: readonly number[]
  readonly test: readonly number[]
}

/** Signs of a collapsed representation. */
export interface CollapseMeasures {
  /** Standard deviation of each dimension. */
  readonly std: Float64Array
  readonly minStd: number
  readonly medianStd: number
  /** exp of the entropy of the normalised singular values of the centred embeddings: 1 = a line, size = isotropic, 0 = a point. */
  readonly effectiveRank: number
  /** Mean cosine over all pairs of different embeddings, as they are (not centred): 1 when all point the same way. */
  readonly meanCosine: number
}

/** A dimension that varies less than this part of its magnitude carries rounding noise, not information. */
const DEAD_STD = 1e-7
const JACOBI_SWEEPS = 50

/**
 * R2 on the test rows, per target dimension, of a ridge regression from embeddings to targets: what a linear map can read of
 * the state. Inputs are standardised and targets centred with the training rows; with n of them the solved problem is
 * min |X W - Y|^2 / n + ridge |W|^2.
 *
 * @param embeddings [count, size]
 * @param targets [count, targets]
 * @returns [targets]; 1 is perfect, 0 no better than the mean of the test rows; NaN for a target that is constant on them
 * @throws ArmatureError `bad-shape` when counts differ; `bad-argument` for an empty split or a row outside; `bad-value` for NaN.
 */
export function ridgeProbe(embeddings: Rows, targets: Rows, split: ProbeSplit, ridge = 1e-3): Float64Array {
  requireProbe(embeddings, targets, split, ridge)
  const inputs = moments(embeddings, split.train)
  const outputs = moments(targets, split.train)
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
  const weights = solveCholesky(gram, d, cross, k) // [d, k]
  return scoreProbe(embeddings, targets, split.test, { inputs, targetMean: outputs.mean, weights })
}

interface Moments {
  readonly mean: Float64Array
  readonly std: Float64Array
}

interface FittedProbe {
  readonly inputs: Moments
  readonly targetMean: Float64Array
  readonly weights: Float64Array
}

function scoreProbe(embeddings: Rows, targets: Rows, test: readonly number[], probe: FittedProbe): Float64Array {
  const k = targets.size
  const { mean: testMean, std: testStd } = moments(targets, test)
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
    isDead(testStd[j]!, testMean[j]!) ? NaN : 1 - error / (test.length * testStd[j]! ** 2),
  )
}

/** Whether an encoder has collapsed, from the embeddings [count, size] of a varied set of frames. */
export function collapseMeasures(embeddings: Rows): CollapseMeasures {
  const { data, count, size } = embeddings
  const rows = Array.from({ length: count }, (_, row) => row)
  const { mean, std } = moments(embeddings, rows)
  const sorted = std.toSorted()
  const middle = (size - 1) / 2
  const covariance = new Float64Array(size * size)
  const direction = new Float64Array(size)
  for (let row = 0; row < count; row++) {
    const z = data.subarray(row * size, (row + 1) * size)
    const norm = Math.hypot(...z)
    for (let i = 0; i < size; i++) {
      direction[i]! += norm === 0 ? 0 : z[i]! / norm
      for (let j = 0; j < size; j++) covariance[i * size + j]! += (z[i]! - mean[i]!) * (z[j]! - mean[j]!)
    }
  }
  return {
    std,
    minStd: sorted[0]!,
    medianStd: (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2,
    effectiveRank: entropyRank(symmetricEigen(covariance, size).values),
    // Sum of all pairwise cosines = |sum of unit vectors|^2; the diagonal adds 1 for each row.
    meanCosine: (direction.reduce((sum, v) => sum + v * v, 0) - count) / (count * (count - 1)),
  }
}

/** exp(entropy) of the singular values, the square roots of `eigenvalues`, normalised to sum 1 (Roy and Vetterli 2007). */
export function entropyRank(eigenvalues: Float64Array): number {
  const singular = eigenvalues.map((value) => Math.sqrt(Math.max(0, value)))
  const total = singular.reduce((sum, value) => sum + value, 0)
  if (total === 0) return 0
  let entropy = 0
  for (const value of singular) if (value > 0) entropy -= (value / total) * Math.log(value / total)
  return Math.exp(entropy)
}

function moments({ data, size }: Rows, rows: readonly number[]): Moments {
  const mean = new Float64Array(size)
  const std = new Float64Array(size)
  for (const row of rows) for (let i = 0; i < size; i++) mean[i]! += data[row * size + i]! / rows.length
  for (const row of rows)
    for (let i = 0; i < size; i++) std[i]! += (data[row * size + i]! - mean[i]!) ** 2 / rows.length
  for (let i = 0; i < size; i++) std[i] = Math.sqrt(std[i]!)
  return { mean, std }
}

function standardise({ data, size }: Rows, row: number, { mean, std }: Moments, out: Float64Array): void {
  for (let i = 0; i < size; i++) {
    out[i] = isDead(std[i]!, mean[i]!) ? 0 : (data[row * size + i]! - mean[i]!) / std[i]!
  }
}

function isDead(std: number, mean: number): boolean {
  return std <= DEAD_STD * Math.abs(mean) || std === 0
}

/** Solves A X = B for symmetric positive definite A [d, d] (its lower triangle; overwritten) and B [d, k]. */
export function solveCholesky(a: Float64Array, d: number, b: Float64Array, k: number): Float64Array {
  for (let j = 0; j < d; j++) {
    for (let i = j; i < d; i++) {
      let sum = a[i * d + j]!
      for (let m = 0; m < j; m++) sum -= a[i * d + m]! * a[j * d + m]!
      a[i * d + j] = i === j ? Math.sqrt(sum) : sum / a[j * d + j]!
    }
  }
  const x = b.slice()
  for (let column = 0; column < k; column++) {
    for (let i = 0; i < d; i++) {
      for (let m = 0; m < i; m++) x[i * k + column]! -= a[i * d + m]! * x[m * k + column]!
      x[i * k + column]! /= a[i * d + i]!
    }
    for (let i = d - 1; i >= 0; i--) {
      for (let m = i + 1; m < d; m++) x[i * k + column]! -= a[m * d + i]! * x[m * k + column]!
      x[i * k + column]! /= a[i * d + i]!
    }
  }
  return x
}

/** Eigenvalues of a symmetric matrix, unsorted, and its eigenvectors as the columns of [n, n] in the same order. */
export interface Eigen {
  readonly values: Float64Array
  readonly vectors: Float64Array
}

/** Eigenvalues and -vectors of a symmetric matrix [n, n] (overwritten) by cyclic Jacobi rotations (Golub and Van Loan, 8.5). */
export function symmetricEigen(a: Float64Array, n: number): Eigen {
  const vectors = new Float64Array(n * n)
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1
  for (let sweep = 0; sweep < JACOBI_SWEEPS; sweep++) {
    let rotated = false
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        // The matrix is a covariance: what is this small beside its diagonal pair no longer changes either of them.
        const scale = Math.sqrt(Math.abs(a[p * n + p]! * a[q * n + q]!))
        if (Math.abs(a[p * n + q]!) <= 1e-15 * scale || a[p * n + q] === 0) continue
        rotate(a, vectors, n, p, q)
        rotated = true
      }
    }
    if (!rotated) break
  }
  return { values: Float64Array.from({ length: n }, (_, i) => a[i * n + i]!), vectors }
}

/** Rotates rows and columns p, q so that a[p, q] becomes 0, and the columns of `vectors` with them. */
function rotate(a: Float64Array, vectors: Float64Array, n: number, p: number, q: number): void {
  const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * a[p * n + q]!)
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1))
  const c = 1 / Math.hypot(t, 1)
  const s = t * c
  rotateColumns(a, n, p, q, c, s)
  rotateColumns(vectors, n, p, q, c, s)
  for (let i = 0; i < n; i++) {
    const pi = a[p * n + i]!
    const qi = a[q * n + i]!
    a[p * n + i] = c * pi - s * qi
    a[q * n + i] = s * pi + c * qi
  }
}

function rotateColumns(a: Float64Array, n: number, p: number, q: number, c: number, s: number): void {
  for (let i = 0; i < n; i++) {
    const ip = a[i * n + p]!
    const iq = a[i * n + q]!
    a[i * n + p] = c * ip - s * iq
    a[i * n + q] = s * ip + c * iq
  }
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
