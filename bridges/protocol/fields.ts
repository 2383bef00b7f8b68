import type { NdArray } from '../../src/core/ndarray.ts'
import type { WireArray } from './arrays.ts'
import { arrayFromWire, arrayToWire, asNdArray } from './arrays.ts'
import { ProtocolError } from './errors.ts'
import type { Wire } from './msgpack.ts'
import type { Json } from './schema.ts'

/** How one value of a message goes to the wire and comes back; `where` names it in errors, e.g. `action.lease`. */
export interface Field<T> {
  encode(value: T): Wire
  /** @throws ProtocolError when the wire holds something else */
  decode(wire: Wire, where: string): T
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

function wrong(where: string, expected: string): ProtocolError {
  return new ProtocolError('decode_failed', `${where} is not ${expected}`)
}

/** A field that goes to the wire as it is. */
function plain<T extends Wire>(is: (wire: Wire) => wire is T, expected: string): Field<T> {
  return {
    encode: (value) => value,
    decode(wire, where) {
      if (!is(wire)) throw wrong(where, expected)
      return wire
    },
  }
}

const MAX_TEXT = 4096

export const text: Field<string> = plain(
  (wire): wire is string => typeof wire === 'string' && wire.length <= MAX_TEXT,
  `text of at most ${MAX_TEXT} characters`,
)

export const flag: Field<boolean> = plain((wire) => typeof wire === 'boolean', 'true or false')

/** A whole number of either sign below 2^53. */
export const integer: Field<number> = plain((wire): wire is number => Number.isSafeInteger(wire), 'a whole number')

/** A whole number from 0 to 2^53 - 1: counts and microseconds. */
export const natural: Field<number> = plain(
  (wire): wire is number => Number.isSafeInteger(wire) && (wire as number) >= 0,
  'a whole number from 0',
)

/** Any float64, NaN and infinities too. */
export const float: Field<number> = plain((wire): wire is number => typeof wire === 'number', 'a number')

/** A finite float64. */
export const finite: Field<number> = {
  encode: (value) => value,
  decode(wire, where) {
    const value = float.decode(wire, where)
    if (!Number.isFinite(value)) throw new ProtocolError('not_finite', `${where} is ${value}`)
    return value
  },
}

/** One of `values`. */
export function oneOf<T extends string>(...values: readonly T[]): Field<T> {
  return plain((wire): wire is T => values.includes(wire as T), `one of ${values.join(', ')}`)
}

/** The same field, but it may be missing. */
export function optional<T>(field: Field<T>): OptionalField<T> {
  return { ...field, isOptional: true }
}

export function listOf<T>(field: Field<T>): Field<readonly T[]> {
  return {
    encode: (values) => values.map((value) => field.encode(value)),
    decode(wire, where) {
      if (!Array.isArray(wire)) throw wrong(where, 'a list')
      return wire.map((item: Wire, i) => field.decode(item, `${where}[${i}]`))
    },
  }
}

/** Values of one type by names that are data: cameras, counters. Names stay as they are. */
export function recordOf<T>(field: Field<T>): Field<Readonly<Record<string, T>>> {
  return {
    encode: (record) => new Map(Object.entries(record).map(([name, value]) => [name, field.encode(value)])),
    decode(wire, where) {
      const record: Record<string, T> = {}
      for (const [name, item] of mapOf(wire, where)) {
        if (name === '__proto__') throw wrong(`${where}.${name}`, 'an allowed name')
        record[name] = field.decode(item, `${where}.${name}`)
      }
      return record
    },
  }
}

function mapOf(wire: Wire, where: string): ReadonlyMap<string, Wire> {
  if (!(wire instanceof Map)) throw wrong(where, 'a map')
  return wire
}

/** A map with known keys: camelCase here, snake_case on the wire. Unknown keys are ignored, so that a later minor version may add some. */
export function struct<T extends object>(fields: Fields<T>): Field<T> {
  const rows = Object.entries(fields as Readonly<Record<string, Field<unknown> & { isOptional?: true }>>).map(
    ([name, field]) => ({
      name,
      key: name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      field,
      isOptional: field.isOptional ?? false,
    }),
  )
  return {
    encode(value) {
      const map = new Map<string, Wire>()
      for (const { name, key, field } of rows) {
        const part = value[name as keyof T]
        if (part !== undefined) map.set(key, field.encode(part))
      }
      return map
    },
    decode(wire, where) {
      const map = mapOf(wire, where)
      const value: Record<string, unknown> = {}
      for (const { name, key, field, isOptional } of rows) {
        const part = map.get(key) ?? null
        if (part !== null) value[name] = field.decode(part, `${where}.${key}`)
        else if (!isOptional) throw wrong(`${where}.${key}`, 'there')
      }
      return value as T
    },
  }
}

const vectorShape = (data: Float32Array): readonly number[] => [data.length]

/** A float32 array of one axis, bit for bit. */
export const float32Vector: Field<Float32Array> = {
  encode: (data) => arrayToWire({ dtype: 'float32', shape: vectorShape(data), data }),
  decode: (wire, where) => asNdArray(arrayFromWire(wire, where), 'float32', 1, where).data,
}

/** A float32 array of two axes. */
export const float32Matrix: Field<NdArray<Float32Array>> = {
  encode: ({ data, shape }) => arrayToWire({ dtype: 'float32', shape, data }),
  decode: (wire, where) => asNdArray(arrayFromWire(wire, where), 'float32', 2, where),
}

/** A uint8 array [height, width, 3]. */
export const pixelArray: Field<NdArray<Uint8Array>> = {
  encode: ({ data, shape }) => arrayToWire({ dtype: 'uint8', shape, data }),
  decode(wire, where) {
    const pixels = asNdArray(arrayFromWire(wire, where), 'uint8', 3, where)
    if (pixels.shape[2] !== 3)
      throw new ProtocolError('bad_shape', `${where} has ${pixels.shape[2]} channels instead of 3`)
    return pixels
  },
}

/** An array of any allowed element type and shape. */
export const anyArray: Field<WireArray> = { encode: arrayToWire, decode: arrayFromWire }

/** Whatever JSON can say. */
export const json: Field<Json> = {
  encode(value) {
    if (value === null || typeof value !== 'object') return value
    if (Array.isArray(value)) return value.map((item: Json) => json.encode(item))
    return new Map(Object.entries(value).map(([key, item]) => [key, json.encode(item as Json)]))
  },
  decode(wire, where) {
    if (typeof wire === 'number') return finite.decode(wire, where)
    if (wire === null || typeof wire === 'boolean' || typeof wire === 'string') return wire
    if (Array.isArray(wire)) return wire.map((item: Wire, i) => json.decode(item, `${where}[${i}]`))
    if (!(wire instanceof Map)) throw wrong(where, 'JSON')
    return recordOf(json).decode(wire, where)
  },
}
