import type { FrameBatch } from '../../src/core/batches.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import { tf } from '../../src/tensor/tf.ts'

/** Frames that the spectrum is estimated from, spread evenly over the data. */
const SAMPLE_SIZE = 512
const POWER_ITERATIONS = 60

/** Statistics of frames in [0, 1]. */
export interface FrameStatistics {
  /** [height * width * channels] */
  readonly meanFrame: Float32Array
  /** Variances of flattened frames along their principal directions, falling; in squared pixel values. */
  readonly variances: Float64Array
}

/** Mean of all frames, and the leading `directions` eigenvalues of the covariance of up to 512 of them. */
export async function frameStatistics({ frames, count }: FrameBatch, directions: number): Promise<FrameStatistics> {
  const frameSize = frames.length / count
  const meanFrame = meanOf(frames, count, frameSize)
  const size = Math.min(SAMPLE_SIZE, count)
  const sample = new Uint8Array(size * frameSize)
  for (let row = 0; row < size; row++) {
    const i = Math.floor((row * count) / size)
    sample.set(frames.subarray(i * frameSize, (i + 1) * frameSize), row * frameSize)
  }
  const program = compile('gram', ({ x, mean }: { x: tf.Tensor; mean: tf.Tensor }) => {
    const centred = tf.sub(tf.div(tf.cast(x, 'float32'), 255), mean) // [N, P]
    return { gram: tf.div(tf.matMul(centred, centred, false, true), size) } // [N, N]
  })
  const { gram } = await program.run({
    x: { data: sample, shape: [size, frameSize] },
    mean: { data: meanFrame, shape: [1, frameSize] },
  })
  program.dispose()
  return { meanFrame, variances: leadingEigenvalues(gram.data, size, Math.min(directions, size)) }
}

/**
 * With the squared error summed over pixels, a direction of variance v is encoded only if v > beta / 2 (linear VAE). Taking
 * for beta the variance of the weakest direction to keep clears that bound by a factor of two.
 */
export function chooseBeta(variances: Float64Array, keepDirections: number): number {
  return variances[Math.min(keepDirections, variances.length) - 1]!
}

function meanOf(frames: Uint8Array, count: number, frameSize: number): Float32Array {
  const sums = new Float64Array(frameSize)
  for (let i = 0, pixel = 0; i < frames.length; i++) {
    sums[pixel]! += frames[i]!
    if (++pixel === frameSize) pixel = 0
  }
  return Float32Array.from(sums, (sum) => sum / (255 * count))
}

/** Subspace iteration with Gram-Schmidt on a symmetric positive semi-definite [n, n] matrix. */
function leadingEigenvalues(matrix: ArrayLike<number>, n: number, k: number): Float64Array {
  // Any start that is not orthogonal to the leading space will do; cosines of different frequencies are independent.
  let basis: Float64Array[] = Array.from({ length: k }, (_, j) =>
    Float64Array.from({ length: n }, (_, i) => Math.cos((j + 1) * (i + 0.5))),
  )
  const values = new Float64Array(k)
  for (let iteration = 0; iteration < POWER_ITERATIONS; iteration++) {
    basis = basis.map((vector) => times(matrix, n, vector))
    basis.forEach((vector, j) => {
      for (let other = 0; other < j; other++) {
        const projection = dot(vector, basis[other]!)
        for (let i = 0; i < n; i++) vector[i]! -= projection * basis[other]![i]!
      }
      const norm = Math.sqrt(dot(vector, vector))
      values[j] = norm
      if (norm > 0) for (let i = 0; i < n; i++) vector[i]! /= norm
    })
  }
  return values.toSorted((a, b) => b - a)
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

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
