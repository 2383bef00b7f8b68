import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { Rng } from '../core/rng.ts'

/** Draws the first values of a weight of `shape`, row-major. */
export type Initializer = (shape: readonly number[], rng: Rng) => Float32Array

/** Gain that keeps the variance of activations through a ReLU. */
export const RELU_GAIN: number = Math.SQRT2

/** Every element `value`. */
export function constant(value: number): Initializer {
  return (shape) => new Float32Array(sizeOf(shape)).fill(value)
}

/** Every element 0. */
export const zeros: Initializer = constant(0)

/** Uniform in [-bound, bound). */
export function uniform(bound: number): Initializer {
  return (shape, rng) => rng.fillUniform(new Float32Array(sizeOf(shape)), -bound, bound)
}

/**
 * Uniform in +-1/sqrt(fanIn), where fanIn is the product of all axes but the last: [in, out], [height, width, in, out].
 * An ensemble [members, in, out] has the fan-in of one member.
 */
export const uniformFanIn: Initializer = (shape, rng) => uniform(1 / Math.sqrt(matrixOf(shape).rows))(shape, rng)

/**
 * Orthogonal matrices times `gain` (Saxe et al. 2014): orthonormal columns, or rows where there are fewer of them.
 * [in, out] is one matrix, [members, in, out] one per member, a filter [height, width, in, out] the matrix [height*width*in, out].
 */
export function orthogonal(gain = 1): Initializer {
  return (shape, rng) => {
    const { count, rows, columns } = matrixOf(shape)
    const weights = new Float32Array(sizeOf(shape))
    for (let member = 0; member < count; member++) {
      weights.set(orthogonalMatrix(rows, columns, gain, rng), member * rows * columns)
    }
    return weights
  }
}

/**
 * Filters [height, width, in, out] that are zero but for an orthogonal matrix times `gain` at the centre tap
 * (Xiao et al. 2018): at the start a convolution passes its input on, mixed across channels only.
 */
export function deltaOrthogonal(gain = 1): Initializer {
  return (shape, rng) => {
    const [height, width, inputs, outputs] = shape
    if (outputs === undefined || shape.length !== 4 || height! % 2 === 0 || width! % 2 === 0) {
      throw new ArmatureError('bad-shape', 'delta-orthogonal initialisation', {
        expected: 'a filter [height, width, in, out] with odd height and width',
        got: `[${shape.join(', ')}]`,
      })
    }
    const weights = new Float32Array(sizeOf(shape))
    const centreTap = ((height! - 1) / 2) * width! + (width! - 1) / 2
    weights.set(orthogonalMatrix(inputs!, outputs, gain, rng), centreTap * inputs! * outputs)
    return weights
  }
}

function matrixOf(shape: readonly number[]): { count: number; rows: number; columns: number } {
  if (shape.length < 2) {
    throw new ArmatureError('bad-shape', 'initialisation', {
      expected: 'a weight with at least 2 axes',
      got: `[${shape.join(', ')}]`,
    })
  }
  const count = shape.length === 3 ? shape[0]! : 1
  const columns = shape.at(-1)!
  return { count, rows: sizeOf(shape) / (count * columns), columns }
}

/** Gram-Schmidt on normal vectors in float64: uniformly distributed over the orthogonal matrices. Row-major [rows, columns]. */
function orthogonalMatrix(rows: number, columns: number, gain: number, rng: Rng): Float32Array {
  const length = Math.max(rows, columns)
  const vectors: Float64Array[] = []
  while (vectors.length < Math.min(rows, columns)) {
    const vector = Float64Array.from({ length }, () => rng.normal())
    for (const other of vectors) {
      const projection = dot(vector, other)
      for (let i = 0; i < length; i++) vector[i]! -= projection * other[i]!
    }
    const norm = Math.sqrt(dot(vector, vector))
    vectors.push(vector.map((x) => x / norm))
  }
  const matrix = new Float32Array(rows * columns)
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      matrix[r * columns + c] = gain * (rows >= columns ? vectors[c]![r]! : vectors[r]![c]!)
    }
  }
  return matrix
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
