import type { NdArray } from '../../src/core/ndarray.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import type { ErrorCode } from './errors.ts'
import { FieldError, ProtocolError } from './errors.ts'
import { wireBytes } from './msgpack.ts'

const KINDS = {
  uint8: { code: '|u1', type: Uint8Array },
  int8: { code: '|i1', type: Int8Array },
  uint16: { code: '<u2', type: Uint16Array },
  int16: { code: '<i2', type: Int16Array },
  uint32: { code: '<u4', type: Uint32Array },
  int32: { code: '<i4', type: Int32Array },
  int64: { code: '<i8', type: BigInt64Array },
  float32: { code: '<f4', type: Float32Array },
  float64: { code: '<f8', type: Float64Array },
  bool: { code: '|b1', type: Uint8Array },
} as const

/** The typed array behind each element type that may cross the bridge; names as in numpy, `bool` is bytes 0 and 1. */
export interface WireData {
  readonly uint8: Uint8Array
  readonly int8: Int8Array
  readonly uint16: Uint16Array
  readonly int16: Int16Array
  readonly uint32: Uint32Array
  readonly int32: Int32Array
  readonly int64: BigInt64Array
  readonly float32: Float32Array
  readonly float64: Float64Array
  readonly bool: Uint8Array
}

export type WireDType = keyof WireData

/** An array of any element type that may cross the bridge; row-major, shape [] for a scalar. */
export type WireArray = {
  readonly [D in WireDType]: {
    readonly dtype: D
    readonly shape: readonly number[]
    readonly data: WireData[D]
  }
}[WireDType]

const MAX_RANK = 8
const DTYPE_OF_CODE: ReadonlyMap<string, WireDType> = new Map(
  Object.entries(KINDS).map(([dtype, { code }]) => [code, dtype as WireDType]),
)

/**
 * The array as the four-entry map of openpi's clients, with text as keys, so that a six-line hook turns it into a numpy array:
 * `{"__ndarray__": true, "data": bytes, "dtype": "<f4", "shape": [..]}`, little-endian, row-major.
 * @throws ProtocolError `bad_shape` when the data does not fill the shape
 */
export function arrayToWire({ data, dtype, shape }: WireArray): unknown {
  if (data.length !== sizeOf(shape))
    throw new ProtocolError('bad_shape', `${data.length} elements for shape [${shape.join(', ')}]`)
  return { __ndarray__: true, data: wireBytes(data), dtype: KINDS[dtype].code, shape: [...shape] }
}

/**
 * The reverse of {@link arrayToWire}. Elements of one byte are a view of the message, wider ones a copy (the message gives no alignment).
 * @throws FieldError `bad_dtype`, `bad_shape`, or `decode_failed` when it is no array at all
 */
export function arrayFromWire(value: unknown): WireArray {
  const map = value as Partial<Record<'__ndarray__' | 'data' | 'dtype' | 'shape', unknown>>
  if (typeof value !== 'object' || value === null || map.__ndarray__ !== true)
    return refuse('decode_failed', 'is no array')
  const dtype =
    DTYPE_OF_CODE.get(map.dtype as string) ?? refuse('bad_dtype', 'has an element type that is not allowed, or none')
  const shape = shapeOf(map.shape)
  if (!(map.data instanceof Uint8Array)) return refuse('decode_failed', 'has no data')
  return arrayOf(dtype, shape, map.data as Uint8Array<ArrayBuffer>)
}

function arrayOf(dtype: WireDType, shape: readonly number[], bytes: Uint8Array<ArrayBuffer>): WireArray {
  const { type } = KINDS[dtype]
  if (bytes.length !== sizeOf(shape) * type.BYTES_PER_ELEMENT) {
    refuse('bad_shape', `has ${bytes.length} bytes for ${dtype} [${shape.join(', ')}]`)
  }
  const { buffer, byteOffset, length } = bytes
  if (type.BYTES_PER_ELEMENT === 1) return { dtype, shape, data: new type(buffer, byteOffset, length) } as WireArray
  return { dtype, shape, data: new type(buffer.slice(byteOffset, byteOffset + length)) } as WireArray
}

function shapeOf(value: unknown): readonly number[] {
  if (!Array.isArray(value) || value.length > MAX_RANK)
    return refuse('bad_shape', `has no shape of at most ${MAX_RANK} axes`)
  const isAxis = (n: unknown): boolean => Number.isInteger(n) && (n as number) >= 0 && (n as number) <= 0xffff_ffff
  return value.every(isAxis) ? (value as number[]) : refuse('bad_shape', 'has an axis that is not a whole number')
}

/** `array` if its elements and number of axes are as asked. @throws FieldError `bad_dtype` or `bad_shape` */
export function asNdArray<D extends 'float32' | 'uint8'>(
  array: WireArray,
  dtype: D,
  rank: number,
): NdArray<WireData[D]> {
  if (array.dtype !== dtype) refuse('bad_dtype', `is ${array.dtype} instead of ${dtype}`)
  if (array.shape.length !== rank) refuse('bad_shape', `has ${array.shape.length} axes instead of ${rank}`)
  return { data: array.data as WireData[D], shape: array.shape }
}

function refuse(code: ErrorCode, problem: string): never {
  throw new FieldError(code, problem)
}
