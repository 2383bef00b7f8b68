import { ArmatureError, nearestNames } from '../src/core/errors.ts'

/** Turns what a user gave for one option into its value, or throws `bad-argument` through {@link badOption}. */
export type OptionReader<T> = (value: unknown, name: string) => T

type Readers = Readonly<Record<string, OptionReader<unknown>>>
/** The values that readers give, each of which may be absent. */
export type Values<R extends Readers> = { [K in keyof R]?: R[K] extends OptionReader<infer T> ? T : never }

/**
 * Reads options strictly: every key must be known and every value valid; absent keys and `undefined` stay absent.
 * @throws ArmatureError `bad-argument`.
 */
export function readOptions<R extends Readers>(
  owner: string,
  readers: R,
  given: Readonly<Record<string, unknown>> = {},
): Values<R> {
  const names = Object.keys(readers)
  const values: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(readers, name)) {
      const near = nearestNames(name, names)
      throw new ArmatureError('bad-argument', `${owner} has no option "${name}"`, {
        fix: near.length > 0 ? `did you mean ${near.join(' or ')}?` : `there is ${names.join(', ') || 'none'}`,
      })
    }
    if (value !== undefined) values[name] = readers[name]!(value, `${owner} option ${name}`)
  }
  return values as Values<R>
}

/** One of `choices`. */
export function oneOf<const T extends string>(...choices: T[]): OptionReader<T> {
  return (value, name) => {
    const found = choices.find((choice) => choice === value)
    if (found === undefined) throw badOption(name, choices.join(' or '), value)
    return found
  }
}

/** A list of different names, or one. */
export const names: OptionReader<readonly string[]> = (value, name) => {
  const given: unknown[] = Array.isArray(value) ? value : [value]
  const isName = (item: unknown): item is string => typeof item === 'string' && item !== ''
  if (given.length > 0 && given.every(isName) && new Set(given).size === given.length) return given
  throw badOption(name, 'a name or a list of different names', value)
}

/** A text, whose meaning the reader's caller checks. */
export const text: OptionReader<string> = (value, name) => {
  if (typeof value === 'string') return value
  throw badOption(name, 'a text', value)
}

/** An integer from `low` to `high`. */
export function integer(low: number, high: number): OptionReader<number> {
  return (value, name) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) return value
    throw badOption(name, `an integer from ${low} to ${high}`, value)
  }
}

/** A finite number from `low` to `high`. */
export function quantity(low: number, high: number): OptionReader<number> {
  return (value, name) => {
    if (typeof value === 'number' && value >= low && value <= high) return value
    throw badOption(name, high === Infinity ? `a number >= ${low}` : `a number from ${low} to ${high}`, value)
  }
}

/** Three finite numbers. */
export const vector: OptionReader<readonly [number, number, number]> = (value, name) => {
  if (Array.isArray(value) && value.length === 3 && value.every((x) => Number.isFinite(x))) {
    return value as [number, number, number]
  }
  throw badOption(name, 'three numbers', value)
}

/** Finite numbers, as many as its caller needs. */
export const numbers: OptionReader<readonly number[]> = (value, name) => {
  if (Array.isArray(value) && value.length > 0 && value.every((x) => Number.isFinite(x))) return value as number[]
  throw badOption(name, 'a list of numbers', value)
}

/** Options within an option. */
export function section<R extends Readers>(readers: R): OptionReader<Values<R>> {
  return (value, name) => readOptions(name, readers, requireObject(value, name))
}

/** An object of any keys, each with a value that `reader` takes. */
export function byName<T>(reader: OptionReader<T>): OptionReader<Readonly<Record<string, T>>> {
  return (value, name) =>
    Object.fromEntries(
      Object.entries(requireObject(value, name)).map(([key, item]) => [key, reader(item, `${name}.${key}`)]),
    )
}

function requireObject(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badOption(name, 'an object', value)
  return value as Readonly<Record<string, unknown>>
}

/** An image size: one number for a square, or `{ width, height }`, in pixels. */
export const imageSize: OptionReader<{ readonly width: number; readonly height: number }> = (value, name) => {
  const side = integer(1, 4096)
  if (typeof value !== 'object' || value === null) {
    const pixels = side(value, name)
    return { width: pixels, height: pixels }
  }
  const { width, height } = readOptions(name, { width: side, height: side }, value as Record<string, unknown>)
  if (width === undefined || height === undefined) throw badOption(name, 'width and height', value)
  return { width, height }
}

/** The error of an option whose value is not what was expected. */
export function badOption(name: string, expected: string, value: unknown): ArmatureError {
  return new ArmatureError('bad-argument', name, { expected, got: JSON.stringify(value) ?? String(value) })
}
