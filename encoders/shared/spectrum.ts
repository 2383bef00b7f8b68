import type { FrameBatch } from '../../src/core/batches.ts'
import { dot, orthogonalize } from '../../src/core/linalg.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import { tf } from '../../src/tensor/tf.ts'

/** Frames that the spectrum is estimated from, spread evenly over the data. */
const SAMPLE_SIZE = 512
const POWER_ITERATIONS = 60
/** Directions beyond those asked for: the iteration converges with the gap to the first that it leaves out. */
const EXTRA_DIRECTIONS = 8
const MAX_ITERATIONS = 500
/** Relative change of all variances in one iteration at which they have settled. */
const SETTLED = 1e-9
/** Below this part of the largest variance a direction is float32 rounding. */
const ROUNDING = 1e-6

/** Statistics of frames in [0, 1]. */
export interface FrameStatistics {
  /** [height * width * channels] */
  readonly meanFrame: Float32Array
  /** Variances of flattened frames along their principal directions, falling; in squared pixel values. */
  readonly variances: Float64Array
}

/** Principal components of frames in [0, 1]. */
export interface PrincipalComponents extends FrameStatistics {
  /** Unit vectors row by row, [count, height * width * channels]; a zero row where the frames vary in fewer directions. */
  readonly components: Float32Array
  /** Variance along all directions together. */
  readonly totalVariance: number
}

/** Mean of all frames, and the leading `directions` eigenvalues of the covariance of up to 512 of them. */
export async function frameStatistics(batch: FrameBatch, directions: number): Promise<FrameStatistics> {
  const meanFrame = meanOf(batch)
  const sample = evenlySpaced(batch, SAMPLE_SIZE)
  const gram = await gramOf(sample, meanFrame)
  const { values } = leadingEigenvectors(gram, sample.count, Math.min(directions, sample.count), POWER_ITERATIONS, 0)
  return { meanFrame, variances: values.toSorted((a, b) => b - a) }
}

/**
 * Mean of all frames, and the leading `count` eigenvectors of the covariance of up to 512 of them. Frames have far more pixels
 * than there are frames in the sample, so the eigenvectors are those u of the [N, N] Gram matrix, mapped to pixels:
 * v = X^T u / |X^T u| (the "snapshots" of Sirovich 1987).
 */
export async function principalComponents(batch: FrameBatch, count: number): Promise<PrincipalComponents> {
  const meanFrame = meanOf(batch)
  const sample = evenlySpaced(batch, SAMPLE_SIZE)
  const n = sample.count
  const gram = await gramOf(sample, meanFrame)
  const wanted = Math.min(count + EXTRA_DIRECTIONS, n)
  const { values, vectors } = leadingEigenvectors(gram, n, wanted, MAX_ITERATIONS, SETTLED)
  const order = [...values.keys()].toSorted((a, b) => values[b]! - values[a]!).slice(0, count)
  const variances = new Float64Array(count)
  const weights = new Float32Array(count * n)
  order.forEach((from, row) => {
    const variance = values[from]!
    if (variance <= ROUNDING * values[order[0]!]!) return
    variances[row] = variance
    for (let i = 0; i < n; i++) weights[row * n + i] = vectors[from]![i]! / Math.sqrt(n * variance)
  })
  let totalVariance = 0
  for (let i = 0; i < n; i++) totalVariance += gram[i * n + i]!
  return { meanFrame, variances, components: await weightedSums(weights, count, sample, meanFrame), totalVariance }
}

/** Up to `size` of the frames, evenly spaced. */
export function evenlySpaced({ frames, count }: FrameBatch, size: number): FrameBatch {
  if (count <= size) return { frames, count }
  const frameSize = frames.length / count
  const sample = new Uint8Array(size * frameSize)
  for (let row = 0; row < size; row++) {
    const i = Math.floor((row * count) / size)
    sample.set(frames.subarray(i * frameSize, (i + 1) * frameSize), row * frameSize)
  }
  return { frames: sample, count: size }
}

/** Mean of frames in [0, 1], [height * width * channels]. */
export function meanOf({ frames, count }: FrameBatch): Float32Array {
  const frameSize = frames.length / count
  const sums = new Float64Array(frameSize)
  for (let i = 0, pixel = 0; i < frames.length; i++) {
    sums[pixel]! += frames[i]!
    if (++pixel === frameSize) pixel = 0
  }
  return Float32Array.from(sums, (sum) => sum / (255 * count))
}

/** Inner products of centred frames over their number, [count, count]: its eigenvalues are those of the covariance. */
async function gramOf({ frames, count }: FrameBatch, meanFrame: Float32Array): Promise<Float32Array> {
  const program = compile('gram', ({ x, mean }: { x: tf.Tensor; mean: tf.Tensor }) => {
    const centred = tf.sub(tf.div(tf.cast(x, 'float32'), 255), mean) // [N, P]
    return { gram: tf.div(tf.matMul(centred, centred, false, true), count) } // [N, N]
  })
  const { gram } = await program.run({
    x: { data: frames, shape: [count, meanFrame.length] },
    mean: { data: meanFrame, shape: [1, meanFrame.length] },
  })
  program.dispose()
  return gram.data as Float32Array
}

/** weights [rows, count] times centred frames [count, P]. */
async function weightedSums(
  weights: Float32Array,
  rows: number,
  { frames, count }: FrameBatch,
  meanFrame: Float32Array,
): Promise<Float32Array> {
  type Input = Record<'w' | 'x' | 'mean', tf.Tensor>
  const program = compile('weighted sums', ({ w, x, mean }: Input) => ({
    sums: tf.matMul(w, tf.sub(tf.div(tf.cast(x, 'float32'), 255), mean)), // [rows, P]
  }))
  const { sums } = await program.run({
    w: { data: weights, shape: [rows, count] },
    x: { data: frames, shape: [count, meanFrame.length] },
    mean: { data: meanFrame, shape: [1, meanFrame.length] },
  })
  program.dispose()
  return sums.data as Float32Array
}

interface Eigenvectors {
  readonly values: Float64Array
  readonly vectors: readonly Float64Array[]
}

/**
 * Subspace iteration with Gram-Schmidt on a symmetric positive semi-definite [n, n] matrix, at most `iterations` times or until no
 * eigenvalue changes by more than `settled` of itself.
 */
function leadingEigenvectors(
  matrix: ArrayLike<number>,
  n: number,
  k: number,
  iterations: number,
  settled: number,
): Eigenvectors {
  // Any start that is not orthogonal to the leading space will do; cosines of different frequencies are independent.
  let basis: Float64Array[] = Array.from({ length: k }, (_, j) =>
    Float64Array.from({ length: n }, (_, i) => Math.cos((j + 1) * (i + 0.5))),
  )
  const values = new Float64Array(k)
  for (let iteration = 0; iteration < iterations; iteration++) {
    basis = basis.map((vector) => times(matrix, n, vector))
    const before = values.slice()
    basis.forEach((vector, j) => {
      orthogonalize(vector, basis.slice(0, j))
      const norm = Math.sqrt(dot(vector, vector))
      values[j] = norm
      if (norm > 0) for (let i = 0; i < n; i++) vector[i]! /= norm
    })
    const largest = Math.max(...values)
    const isSettled = (value: number, j: number): boolean =>
      value <= ROUNDING * largest || Math.abs(value - before[j]!) < settled * value
    if (settled > 0 && values.every(isSettled)) break
  }
  return { values, vectors: basis }
}

function times(matrix: ArrayLike<number>, n: number, vector: Float64Array): Float64Array {
  const product = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    let sum = 0
    for (let j = 0; j < n; j++) sum += matrix[i * n + j]! * vector[j]!
    product[i] = sum
  }
  return product
}
