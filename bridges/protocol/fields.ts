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

/** One entry of a map with known keys. */
interface Row {
  readonly name: string
  readonly key: string
  readonly field: Field<unknown>
  readonly isOptional: boolean
}

/**
 * A map with known keys: camelCase here, snake_case on the wire. Unknown keys are ignored, so that a later minor version may add some.
 *
 * Both directions are compiled, one function each: at 50 Hz a message costs what its code and its objects touch of a memory that is cold
 * after 20 ms, and a loop over descriptions of fields takes 1.3 to 1.6 times as long.
 *
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
  const read = compiledReader(rows)
  return {
    toWire: compiledWriter(rows) as (value: T) => unknown,
    fromWire(map) {
      if (!isMap(map)) throw new FieldError(whenOther, 'is not a map')
      return read(map) as T
    },
  }
}

type Fail = (at: number, error?: unknown) => never

/** Names of properties, which are in the sources of this folder, are all that the text is made of. */
function compiled(source: string, rows: readonly Row[], fail?: Fail): (value: object) => object {
  // oxlint-disable-next-line typescript/no-implied-eval -- no text of others is in it
  const make = new Function('rows', 'fail', source) as (...parts: readonly unknown[]) => (value: object) => object
  return make(rows, fail)
}

function compiledWriter(rows: readonly Row[]): (value: object) => object {
  const lines = rows.map(({ name, key, isOptional }, i) =>
    isOptional
      ? { rest: `if (value.${name} !== undefined) map.${key} = w${i}(value.${name})` }
      : { entry: `${key}: value.${name} === undefined ? undefined : w${i}(value.${name})` },
  )
  return compiled(
    `const [${rows.map((_, i) => `w${i}`).join(', ')}] = rows.map(({ field }) => field.toWire)
    return (value) => {
      const map = { ${lines.flatMap(({ entry = [] }) => entry).join(', ')} }
      ${lines.flatMap(({ rest = [] }) => rest).join('\n')}
      return map
    }`,
    rows,
  )
}

/** Of the entries that are there; `at` says which one was read when it failed. */
function compiledReader(rows: readonly Row[]): (map: object) => object {
  const part = (i: number): string => `(at = ${i}, part = map.${rows[i]!.key}) === undefined || part === null`
  const lines = rows.map(({ name, isOptional }, i) =>
    isOptional
      ? { rest: `if (!(${part(i)})) value.${name} = r${i}(part)` }
      : { entry: `${name}: ${part(i)} ? fail(at) : r${i}(part)` },
  )
  const fail: Fail = (at, error) => {
    const { key, field } = rows[at]!
    if (error === undefined) throw new FieldError(field.whenMissing ?? 'decode_failed', 'is not there')
    throw error instanceof FieldError ? error.within(key) : error
  }
  return compiled(
    `const [${rows.map((_, i) => `r${i}`).join(', ')}] = rows.map(({ field }) => field.fromWire)
    return (map) => {
      let at = 0
      let part
      try {
        const value = { ${lines.flatMap(({ entry = [] }) => entry).join(', ')} }
        ${lines.flatMap(({ rest = [] }) => rest).join('\n')}
        return value
      } catch (error) {
        return fail(at, error)
      }
    }`,
    rows,
    fail,
  )
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
