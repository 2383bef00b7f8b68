import type { NdArray } from '../../src/core/ndarray.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import type { ErrorCode } from './errors.ts'
import { FieldError, ProtocolError } from './errors.ts'
import { FLOAT_PARTS } from './float-parts.ts'
import { MapKeys } from './map-keys.ts'
import type { WireReader } from './wire-reader.ts'
import { BIN_KEY } from './wire-reader.ts'
import type { WireWriter } from './wire-writer.ts'

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
/** Up to so many elements V8 keeps a float32 array in its own heap. */
const FEW_ELEMENTS = 16
const DTYPE_OF_CODE: ReadonlyMap<string, WireDType> = new Map(
  Object.entries(KINDS).map(([dtype, { code }]) => [code, dtype as WireDType]),
)

/** Of the four-entry map that an array is, in the order of writing. */
const KEYS = new MapKeys(['__ndarray__', 'data', 'dtype', 'shape'].map((name) => BIN_KEY + name))
const [MARK_KEY, DATA_KEY, DTYPE_KEY, SHAPE_KEY] = KEYS.bytes as readonly [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
]

/**
 * The array as the four-entry map with `bin` keys that openpi's clients use, so that a six-line hook turns it into a numpy array:
 * `{b"__ndarray__": true, b"data": bytes, b"dtype": "<f4", b"shape": [..]}`, little-endian, row-major.
 * @throws ProtocolError `bad_shape` when the data does not fill the shape
 */
export function writeArray(out: WireWriter, { data, dtype, shape }: WireArray): void {
  if (data.length !== sizeOf(shape))
    throw new ProtocolError('bad_shape', `${data.length} elements for shape [${shape.join(', ')}]`)
  out.mapHead(4)
  out.raw(MARK_KEY)
  out.flag(true)
  out.raw(DATA_KEY)
  out.binary(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  out.raw(DTYPE_KEY)
  out.text(KINDS[dtype].code)
  out.raw(SHAPE_KEY)
  out.arrayHead(shape.length)
  for (const n of shape) out.number(n)
}

/**
 * The reverse of {@link writeArray}. Elements of one byte are a view of the message, wider ones a copy (the message gives no
 * alignment).
 * @throws FieldError `bad_dtype`, `bad_shape`, or `decode_failed` when it is no array at all
 */
export function readArray(from: WireReader): WireArray {
  const size = from.mapHead()
  if (size === undefined) throw new FieldError('decode_failed', 'is no array')
  let isMarked = false
  let bytes: Uint8Array<ArrayBuffer> | undefined
  let dtype: WireDType | undefined
  let shape: readonly number[] | undefined
  for (let i = 0; i < size; i++) {
    const index = KEYS.read(from, i)
    if (index === 0) isMarked = from.flag() ?? refuse('decode_failed', 'is no array')
    else if (index === 1) bytes = from.binary() ?? refuse('decode_failed', 'has no data')
    else if (index === 2) dtype = readDType(from)
    else if (index === 3) shape = readShape(from)
    else from.skip()
  }
  if (!isMarked) return refuse('decode_failed', 'is no array')
  return arrayOf(
    dtype ?? refuse('bad_dtype', 'has no element type'),
    shape ?? refuse('bad_shape', 'has no shape'),
    bytes ?? refuse('decode_failed', 'has no data'),
  )
}

function arrayOf(dtype: WireDType, shape: readonly number[], bytes: Uint8Array<ArrayBuffer>): WireArray {
  const { type } = KINDS[dtype]
  if (bytes.length !== sizeOf(shape) * type.BYTES_PER_ELEMENT) {
    refuse('bad_shape', `has ${bytes.length} bytes for ${dtype} [${shape.join(', ')}]`)
  }
  const { buffer, byteOffset, length } = bytes
  if (type.BYTES_PER_ELEMENT === 1) return { dtype, shape, data: new type(buffer, byteOffset, length) } as WireArray
  const few = dtype === 'float32' && length <= 4 * FEW_ELEMENTS ? fewFloats(bytes) : undefined
  return { dtype, shape, data: few ?? new type(buffer.slice(byteOffset, byteOffset + length)) } as WireArray
}

/**
 * A copy without a buffer of its own, which for a short vector costs more than the vector; `undefined` where there is a NaN, whose bits a
 * number does not keep.
 */
function fewFloats(bytes: Uint8Array): Float32Array | undefined {
  const floats = new Float32Array(bytes.length / 4)
  for (let i = 0; i < floats.length; i++) {
    for (let k = 0; k < 4; k++) FLOAT_PARTS.bytes[k] = bytes[4 * i + k]!
    const x = FLOAT_PARTS.float32[0]!
    if (Number.isNaN(x)) return undefined
    floats[i] = x
  }
  return floats
}

function readDType(from: WireReader): WireDType {
  return DTYPE_OF_CODE.get(from.text() ?? '') ?? refuse('bad_dtype', 'has an element type that is not allowed')
}

function readShape(from: WireReader): readonly number[] {
  const rank = from.arrayHead()
  if (rank === undefined || rank > MAX_RANK) return refuse('bad_shape', `has no shape of at most ${MAX_RANK} axes`)
  const shape: number[] = []
  for (let i = 0; i < rank; i++) {
    const n = from.number()
    if (n === undefined || !Number.isInteger(n) || n < 0 || n > 0xffff_ffff) {
      return refuse('bad_shape', 'has an axis that is not a whole number')
    }
    shape.push(n)
  }
  return shape
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
