import type { NdArray } from '../../src/core/ndarray.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import { ProtocolError } from './errors.ts'
import type { Wire } from './msgpack.ts'
import { BIN_KEY } from './msgpack.ts'

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

const MARK = `${BIN_KEY}__ndarray__`
const DATA = `${BIN_KEY}data`
const DTYPE = `${BIN_KEY}dtype`
const SHAPE = `${BIN_KEY}shape`

/**
 * The array as the four-entry map with `bin` keys that openpi's clients use, so that a six-line hook turns it into a numpy array:
 * `{b"__ndarray__": true, b"data": bytes, b"dtype": "<f4", b"shape": [..]}`, little-endian, row-major.
 * @throws ProtocolError `bad_shape` when the data does not fill the shape
 */
export function arrayToWire(array: WireArray): Wire {
  const { data, dtype, shape } = array
  if (data.length !== sizeOf(shape))
    throw new ProtocolError('bad_shape', `${data.length} elements for shape [${shape.join(', ')}]`)
  return new Map<string, Wire>([
    [MARK, true],
    [DATA, Buffer.from(data.buffer, data.byteOffset, data.byteLength)],
    [DTYPE, KINDS[dtype].code],
    [SHAPE, shape],
  ])
}

/**
 * The reverse of {@link arrayToWire}. Elements of one byte are a view of the message, wider ones a copy (the message gives no
 * alignment).
 * @throws ProtocolError `bad_dtype`, `bad_shape`, or `decode_failed` when it is no array at all; `where` is in the text
 */
export function arrayFromWire(wire: Wire, where: string): WireArray {
  if (!(wire instanceof Map) || wire.get(MARK) !== true)
    throw new ProtocolError('decode_failed', `${where} is no array`)
  const code: unknown = wire.get(DTYPE)
  const dtype = typeof code === 'string' ? DTYPE_OF_CODE.get(code) : undefined
  if (dtype === undefined) throw new ProtocolError('bad_dtype', `${where} has an element type that is not allowed`)
  const shape = shapeFromWire(wire.get(SHAPE), where)
  const bytes: unknown = wire.get(DATA)
  if (!(bytes instanceof Uint8Array)) throw new ProtocolError('decode_failed', `${where} has no data`)
  const type = KINDS[dtype].type
  if (bytes.length !== sizeOf(shape) * type.BYTES_PER_ELEMENT)
    throw new ProtocolError('bad_shape', `${where} has ${bytes.length} bytes for ${dtype} [${shape.join(', ')}]`)
  const { buffer, byteOffset, length } = bytes as Uint8Array<ArrayBuffer>
  const isView = type.BYTES_PER_ELEMENT === 1
  const data = isView ? new type(buffer, byteOffset, length) : new type(buffer.slice(byteOffset, byteOffset + length))
  return { dtype, shape, data } as WireArray
}

function shapeFromWire(wire: unknown, where: string): readonly number[] {
  if (!Array.isArray(wire) || wire.length > MAX_RANK)
    throw new ProtocolError('bad_shape', `${where} has no shape of at most ${MAX_RANK} axes`)
  for (const n of wire) {
    if (!Number.isInteger(n) || n < 0 || n > 0xffff_ffff)
      throw new ProtocolError('bad_shape', `${where} has an axis that is not a whole number`)
  }
  return wire as readonly number[]
}

/** `array` if its elements and number of axes are as asked. @throws ProtocolError `bad_dtype` or `bad_shape` */
export function asNdArray<D extends 'float32' | 'uint8'>(
  array: WireArray,
  dtype: D,
  rank: number,
  where: string,
): NdArray<WireData[D]> {
  if (array.dtype !== dtype) throw new ProtocolError('bad_dtype', `${where} is ${array.dtype} instead of ${dtype}`)
  if (array.shape.length !== rank)
    throw new ProtocolError('bad_shape', `${where} has ${array.shape.length} axes instead of ${rank}`)
  return { data: array.data as WireData[D], shape: array.shape }
}
