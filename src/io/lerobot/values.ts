import { ArmatureError } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'
import type { Row } from '../parquet/file.ts'

/**
 * A column of an episode's rows as numbers, [rows, ...shape] flattened. Lists within lists must be as `shape` says; one list of all
 * numbers is taken too.
 *
 * @param where file and episode, for the error
 * @throws ArmatureError `corrupt-file` that names column and row, for a value that is missing, no finite number, or of another shape.
 */
export function numbersOf(where: string, name: string, rows: readonly Row[], shape: readonly number[]): Float32Array {
  const size = sizeOf(shape)
  const out = new Float32Array(rows.length * size)
  if (size === 0) return out
  for (const [t, row] of rows.entries()) {
    const values = elementsOf(row[name], shape)
    const numbers = values?.map(toNumber)
    const bad = numbers === undefined || numbers.length !== size ? 0 : numbers.findIndex((x) => !Number.isFinite(x))
    if (bad >= 0) {
      throw new ArmatureError('corrupt-file', `${where}, row ${t}, ${name}`, {
        expected: size === 1 ? 'a finite number' : `${size} finite numbers, shape [${shape.join(', ')}]`,
        got: describe(row[name], values, bad),
      })
    }
    out.set(numbers!, t * size)
  }
  return out
}

/** A column of text. @throws ArmatureError `corrupt-file` that names column and row, for anything else */
export function textsOf(where: string, name: string, rows: readonly Row[]): string[] {
  return rows.map((row, t) => {
    const value = row[name]
    if (typeof value === 'string') return value
    throw new ArmatureError('corrupt-file', `${where}, row ${t}, ${name}`, { expected: 'text', got: kindOf(value) })
  })
}

/** What `value` holds, in order; undefined where its lists are not of `shape`. */
function elementsOf(value: unknown, shape: readonly number[]): unknown[] | undefined {
  if (value === null || value === undefined) return undefined
  const isList = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof Uint8Array))
  if (!isList) return [value]
  const items = Array.from(value as ArrayLike<unknown>)
  if (shape.length < 2 || !items.some(Array.isArray)) return items
  if (items.length !== shape[0]) return undefined
  const parts = items.map((item) => elementsOf(item, shape.slice(1)))
  const size = sizeOf(shape.slice(1))
  return parts.every((part) => part?.length === size) ? parts.flatMap((part) => part!) : undefined
}

function toNumber(value: unknown): number {
  if (typeof value === 'number') return value
  return typeof value === 'bigint' || typeof value === 'boolean' ? Number(value) : NaN
}

function describe(value: unknown, values: readonly unknown[] | undefined, bad: number): string {
  if (value === null || value === undefined) return 'none'
  if (values === undefined) return 'lists of other lengths'
  const element = values[bad]
  const isNumber = typeof element === 'number' && Number.isFinite(element)
  if (isNumber || typeof element === 'bigint' || element === undefined) return `${values.length} numbers`
  if (element === null) return `null at ${bad}`
  return typeof element === 'number' ? `${element} at ${bad}` : `${kindOf(element)} at ${bad}`
}

function kindOf(value: unknown): string {
  if (typeof value === 'string') return `the text ${JSON.stringify(value.slice(0, 20))}`
  if (value instanceof Uint8Array) return 'bytes'
  return typeof value === 'object' ? 'a list' : typeof value
}
