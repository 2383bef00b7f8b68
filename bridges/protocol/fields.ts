import type { NdArray } from '../../src/core/ndarray.ts'
import type { WireArray } from './arrays.ts'
import { arrayFromWire, arrayToWire, asNdArray } from './arrays.ts'
import type { ErrorCode } from './errors.ts'
import { FieldError } from './errors.ts'
import { wireBytes, wireNumber } from './msgpack.ts'
import type { Json } from './schema.ts'

/** How one value of a message goes to the wire and comes back: as what msgpack can say, maps as objects. */
export interface Field<T> {
  toWire(value: T): unknown
  /** @throws FieldError when something else is there */
  fromWire(value: unknown): T
  /** What is wrong with a message without it; default `decode_failed`. */
  readonly whenMissing?: ErrorCode
}

/** A field that may be missing; nil counts as missing. */
export interface OptionalField<T> extends Field<T> {
  readonly isOptional: true
}

/** One field for each property of `T`, optional ones for optional ones. */
export type Fields<T> = {
  readonly [K in keyof T]-?: undefined extends T[K]
    ? OptionalField<Exclude<T[K], undefined>>
    : object extends Pick<T, K>
      ? OptionalField<Exclude<T[K], undefined>>
      : Field<T[K]>
}

function wrong(expected: string): FieldError {
  return new FieldError('decode_failed', `is not ${expected}`)
}

const MAX_TEXT = 4096

export const text: Field<string> = {
  toWire: (value) => value,
  fromWire(value) {
    if (typeof value !== 'string' || value.length > MAX_TEXT) throw wrong(`text of at most ${MAX_TEXT} characters`)
    return value
  },
}

export const flag: Field<boolean> = {
  toWire: (value) => value,
  fromWire(value) {
    if (typeof value !== 'boolean') throw wrong('true or false')
    return value
  },
}

/** A number for which `is` holds. */
function numeric(is: (value: number) => boolean, expected: string): Field<number> {
  return {
    toWire: wireNumber,
    fromWire(value) {
      if (typeof value !== 'number' || !is(value)) throw wrong(expected)
      return value
    },
  }
}

/** A whole number of either sign below 2^53. */
export const integer: Field<number> = numeric(Number.isSafeInteger, 'a whole number')

/** A whole number from 0 to 2^53 - 1: counts and microseconds. */
export const natural: Field<number> = numeric(
  (value) => Number.isSafeInteger(value) && value >= 0,
  'a whole number from 0',
)

/** Any float64, NaN and infinities too. */
export const float: Field<number> = numeric(() => true, 'a number')

/** A finite float64. */
export const finite: Field<number> = {
  toWire: wireNumber,
  fromWire(value) {
    const number = float.fromWire(value)
    if (!Number.isFinite(number)) throw new FieldError('not_finite', `is ${number}`)
    return number
  },
}

/** A finite float64 above 0: rates. */
export const positive: Field<number> = {
  toWire: wireNumber,
  fromWire(value) {
    const number = finite.fromWire(value)
    if (number <= 0) throw wrong('a number above 0')
    return number
  },
}

/** One of `values`. */
export function oneOf<T extends string>(...values: readonly T[]): Field<T> {
  return {
    toWire: (value) => value,
    fromWire(value) {
      if (!values.includes(value as T)) throw wrong(`one of ${values.join(', ')}`)
      return value as T
    },
  }
}

/** The same field, but it may be missing. */
export function optional<T>(field: Field<T>): OptionalField<T> {
  return { ...field, isOptional: true }
}

/** The same field, without which a message has no header. */
export function inHeader<T>(field: Field<T>): Field<T> {
  return { ...field, whenMissing: 'bad_header' }
}

export function listOf<T>(field: Field<T>): Field<readonly T[]> {
  return {
    toWire: (values) => values.map((value) => field.toWire(value)),
    fromWire(value) {
      if (!Array.isArray(value)) throw wrong('a list')
      return value.map((item: unknown, i) => readPart(field, item, `[${i}]`))
    },
  }
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

/** Values of one type by names that are data: cameras, counters. Names stay as they are. */
export function recordOf<T>(field: Field<T>): Field<Readonly<Record<string, T>>> {
  return {
    toWire: (record) => Object.fromEntries(Object.entries(record).map(([name, value]) => [name, field.toWire(value)])),
    fromWire(value) {
      if (!isMap(value)) throw wrong('a map')
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, readPart(field, item, name)]))
    },
  }
}

/**
 * A map with known keys: camelCase here, snake_case on the wire. Unknown keys are ignored, so that a later minor version may add some.
 * @param whenOther what is wrong where there is no map
 */
export function struct<T extends object>(fields: Fields<T>, whenOther: ErrorCode = 'decode_failed'): Field<T> {
  const rows = Object.entries(fields as Readonly<Record<string, Field<unknown> & { isOptional?: true }>>).map(
    ([name, field]) => ({
      name,
      key: name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      field,
      isOptional: field.isOptional ?? false,
    }),
  )
  return {
    toWire(value) {
      const map: Record<string, unknown> = {}
      for (const { name, key, field } of rows) {
        const part = value[name as keyof T]
        if (part !== undefined) map[key] = field.toWire(part)
      }
      return map
    },
    fromWire(map) {
      if (!isMap(map)) throw new FieldError(whenOther, 'is not a map')
      const value: Record<string, unknown> = {}
      for (const { name, key, field, isOptional } of rows) {
        const part = Object.hasOwn(map, key) ? map[key] : undefined
        if (part !== undefined && part !== null) value[name] = readPart(field, part, key)
        else if (!isOptional) throw new FieldError(field.whenMissing ?? 'decode_failed', 'is not there').within(key)
      }
      return value as T
    },
  }
}

/** Reads what is called `name` in the list or map around it. */
function readPart<T>(field: Field<T>, value: unknown, name: string): T {
  try {
    return field.fromWire(value)
  } catch (error) {
    throw error instanceof FieldError ? error.within(name) : error
  }
}

/** Bytes: a view of the message. */
export const bytes: Field<Uint8Array> = {
  toWire: wireBytes,
  fromWire(value) {
    if (!(value instanceof Uint8Array)) throw wrong('bytes')
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  },
}

/** A float32 array of one axis, bit for bit. */
export const float32Vector: Field<Float32Array> = {
  toWire: (data) => arrayToWire({ dtype: 'float32', shape: [data.length], data }),
  fromWire: (value) => asNdArray(arrayFromWire(value), 'float32', 1).data,
}

/** A float32 array of two axes. */
export const float32Matrix: Field<NdArray<Float32Array>> = {
  toWire: ({ data, shape }) => arrayToWire({ dtype: 'float32', shape, data }),
  fromWire: (value) => asNdArray(arrayFromWire(value), 'float32', 2),
}

/** A uint8 array [height, width, 3]. */
export const pixelArray: Field<NdArray<Uint8Array>> = {
  toWire: ({ data, shape }) => arrayToWire({ dtype: 'uint8', shape, data }),
  fromWire(value) {
    const pixels = asNdArray(arrayFromWire(value), 'uint8', 3)
    if (pixels.shape[2] !== 3) throw new FieldError('bad_shape', `has ${pixels.shape[2]} channels instead of 3`)
    return pixels
  },
}

/** An array of any allowed element type and shape. */
export const anyArray: Field<WireArray> = { toWire: arrayToWire, fromWire: arrayFromWire }

/** Whatever JSON can say. */
export const json: Field<Json> = {
  toWire(value) {
    if (typeof value === 'number') return wireNumber(value)
    if (value === null || typeof value !== 'object') return value
    return Array.isArray(value)
      ? jsonList.toWire(value as Json[])
      : jsonRecord.toWire(value as { readonly [key: string]: Json })
  },
  fromWire(value) {
    if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
    if (typeof value === 'number') return finite.fromWire(value)
    if (Array.isArray(value)) return jsonList.fromWire(value)
    if (isMap(value)) return jsonRecord.fromWire(value)
    throw wrong('JSON')
  },
}

const jsonList: Field<readonly Json[]> = listOf(json)
const jsonRecord: Field<{ readonly [key: string]: Json }> = recordOf(json)
