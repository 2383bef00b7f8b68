import { ArmatureError } from './errors.ts'

/** Element types that cross folder borders; names as in numpy. */
export type DType = 'float32' | 'float64' | 'int32' | 'uint8'

export type NdData = Float32Array | Float64Array | Int32Array | Uint8Array

/** A dense row-major array: what crosses every border between env, replay, encoder, agent and disk. */
export interface NdArray<T extends NdData = NdData> {
  readonly data: T
  readonly shape: readonly number[]
}

/** Arrays by name, e.g. the weights of a network: what checkpoints store. */
export type NamedArrays = Readonly<Record<string, NdArray>>

/** Scalars by metric name, e.g. `train/critic_loss`. */
export type Metrics = Readonly<Record<string, number>>

/** Number of elements of `shape` (1 for a scalar). */
export function sizeOf(shape: readonly number[]): number {
  let size = 1
  for (const n of shape) size *= n
  return size
}

/**
 * Wraps `data` as an array of `shape`, without copying.
 * @throws ArmatureError `bad-shape` when the sizes differ.
 */
export function ndarray<T extends NdData>(data: T, shape: readonly number[]): NdArray<T> {
  if (data.length !== sizeOf(shape)) {
    throw new ArmatureError('bad-shape', 'array', {
      expected: `${sizeOf(shape)} elements for shape [${shape.join(', ')}]`,
      got: String(data.length),
    })
  }
  return { data, shape }
}

/** The numpy name of the element type of `data`. */
export function dtypeOf(data: NdData): DType {
  if (data instanceof Float32Array) return 'float32'
  if (data instanceof Float64Array) return 'float64'
  if (data instanceof Int32Array) return 'int32'
  return 'uint8'
}

/** Arrays of one kind, one after the other; one alone as it is. */
export function concatenated<T extends Float32Array | Uint8Array>(arrays: readonly T[]): T {
  if (arrays.length === 1) return arrays[0]!
  const length = arrays.reduce((sum, array) => sum + array.length, 0)
  const all = new (arrays[0]!.constructor as new (length: number) => T)(length)
  let at = 0
  for (const array of arrays) {
    all.set(array, at)
    at += array.length
  }
  return all
}
