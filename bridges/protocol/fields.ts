import type { NdArray } from '../../src/core/ndarray.ts'
import type { WireArray } from './arrays.ts'
import { asNdArray, readArray, writeArray } from './arrays.ts'
import type { ErrorCode } from './errors.ts'
import { FieldError } from './errors.ts'
import { MapKeys } from './map-keys.ts'
import type { Json } from './schema.ts'
import type { WireReader } from './wire-reader.ts'
import type { WireWriter } from './wire-writer.ts'

/** How one value of a message goes to the wire and comes back. */
export interface Field<T> {
  write(out: WireWriter, value: T): void
  /** @throws FieldError when something else is there */
  read(from: WireReader): T
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
  write: (out, value) => out.text(value),
  read(from) {
    const value = from.text()
    if (value === undefined || value.length > MAX_TEXT) throw wrong(`text of at most ${MAX_TEXT} characters`)
    return value
  },
}

export const flag: Field<boolean> = {
  write: (out, value) => out.flag(value),
  read(from) {
    const value = from.flag()
    if (value === undefined) throw wrong('true or false')
    return value
  },
}

/** A number for which `is` holds. */
function numeric(is: (value: number) => boolean, expected: string): Field<number> {
  return {
    write: (out, value) => out.number(value),
    read(from) {
      const value = from.number()
      if (value === undefined || !is(value)) throw wrong(expected)
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
  write: (out, value) => out.number(value),
  read(from) {
    const value = float.read(from)
    if (!Number.isFinite(value)) throw new FieldError('not_finite', `is ${value}`)
    return value
  },
}

/** A finite float64 above 0: rates. */
export const positive: Field<number> = {
  ...finite,
  read(from) {
    const value = finite.read(from)
    if (value <= 0) throw wrong('a number above 0')
    return value
  },
}

/** One of `values`. */
export function oneOf<T extends string>(...values: readonly T[]): Field<T> {
  return {
    write: (out, value) => out.text(value),
    read(from) {
      const value = from.text()
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
    write(out, values) {
      out.arrayHead(values.length)
      for (const value of values) field.write(out, value)
    },
    read(from) {
      const length = from.arrayHead()
      if (length === undefined) throw wrong('a list')
      return readItems(field, from, length)
    },
  }
}

function readItems<T>(field: Field<T>, from: WireReader, length: number): readonly T[] {
  const values: T[] = []
  for (let i = 0; i < length; i++) values.push(readPart(field, from, `[${i}]`))
  return values
}

/** Values of one type by names that are data: cameras, counters. Names stay as they are. */
export function recordOf<T>(field: Field<T>): Field<Readonly<Record<string, T>>> {
  return {
    write(out, record) {
      const entries = Object.entries(record)
      out.mapHead(entries.length)
      for (const [name, value] of entries) {
        out.text(name)
        field.write(out, value)
      }
    },
    read(from) {
      const size = from.mapHead()
      if (size === undefined) throw wrong('a map')
      return readEntries(field, from, size)
    },
  }
}

function readEntries<T>(field: Field<T>, from: WireReader, size: number): Readonly<Record<string, T>> {
  const record: Record<string, T> = {}
  for (let i = 0; i < size; i++) {
    const name = from.text()
    if (name === undefined || name === '__proto__') throw wrong('a map with allowed names')
    record[name] = readPart(field, from, name)
  }
  return record
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
  const keys = new MapKeys(rows.map(({ key }) => key))
  return {
    write(out, value) {
      let size = 0
      for (const { name } of rows) if (value[name as keyof T] !== undefined) size++
      out.mapHead(size)
      for (let i = 0; i < rows.length; i++) {
        const { name, field } = rows[i]!
        const part = value[name as keyof T]
        if (part === undefined) continue
        out.raw(keys.bytes[i]!)
        field.write(out, part)
      }
    },
    read(from) {
      const size = from.mapHead()
      if (size === undefined) throw new FieldError(whenOther, 'is not a map')
      const value: Record<string, unknown> = {}
      let next = 0
      for (let i = 0; i < size; i++) {
        const index = keys.read(from, next)
        if (index === undefined) {
          from.skip()
          continue
        }
        next = index + 1
        const { name, key, field } = rows[index]!
        if (!from.nil()) value[name] = readPart(field, from, key)
      }
      for (const { name, key, field, isOptional } of rows) {
        if (isOptional || value[name] !== undefined) continue
        throw new FieldError(field.whenMissing ?? 'decode_failed', 'is not there').within(key)
      }
      return value as T
    },
  }
}

/** Reads what is called `name` in the list or map around it. */
function readPart<T>(field: Field<T>, from: WireReader, name: string): T {
  try {
    return field.read(from)
  } catch (error) {
    throw error instanceof FieldError ? error.within(name) : error
  }
}

/** A float32 array of one axis, bit for bit. */
export const float32Vector: Field<Float32Array> = {
  write: (out, data) => writeArray(out, { dtype: 'float32', shape: [data.length], data }),
  read: (from) => asNdArray(readArray(from), 'float32', 1).data,
}

/** A float32 array of two axes. */
export const float32Matrix: Field<NdArray<Float32Array>> = {
  write: (out, { data, shape }) => writeArray(out, { dtype: 'float32', shape, data }),
  read: (from) => asNdArray(readArray(from), 'float32', 2),
}

/** A uint8 array [height, width, 3]. */
export const pixelArray: Field<NdArray<Uint8Array>> = {
  write: (out, { data, shape }) => writeArray(out, { dtype: 'uint8', shape, data }),
  read(from) {
    const pixels = asNdArray(readArray(from), 'uint8', 3)
    if (pixels.shape[2] !== 3) throw new FieldError('bad_shape', `has ${pixels.shape[2]} channels instead of 3`)
    return pixels
  },
}

/** An array of any allowed element type and shape. */
export const anyArray: Field<WireArray> = { write: writeArray, read: readArray }

/** Whatever JSON can say. */
export const json: Field<Json> = {
  write(out, value) {
    if (value === null) out.nil()
    else if (typeof value === 'boolean') out.flag(value)
    else if (typeof value === 'number') out.number(value)
    else if (typeof value === 'string') out.text(value)
    else if (Array.isArray(value)) jsonList.write(out, value as Json[])
    else jsonRecord.write(out, value as { readonly [key: string]: Json })
  },
  read(from) {
    if (from.nil()) return null
    const scalar = from.flag() ?? from.text() ?? from.number()
    if (typeof scalar === 'number' && !Number.isFinite(scalar)) throw new FieldError('not_finite', `is ${scalar}`)
    if (scalar !== undefined) return scalar
    const length = from.arrayHead()
    if (length !== undefined) return readItems(json, from, length)
    const size = from.mapHead()
    if (size === undefined) throw wrong('JSON')
    return readEntries(json, from, size)
  },
}

const jsonList: Field<readonly Json[]> = listOf(json)
const jsonRecord: Field<{ readonly [key: string]: Json }> = recordOf(json)
