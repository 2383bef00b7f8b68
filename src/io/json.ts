import { readFile, stat } from 'node:fs/promises'
import { ArmatureError } from '../core/errors.ts'
import { isFileError } from './atomic.ts'

/**
 * `value` as indented JSON text that reads back as the same value. `JSON.stringify` alone turns NaN into null and a Map into
 * `{}` without a word, which a resumed run would only notice by going wrong.
 *
 * @param what names the value in the error, e.g. `training_state/sampler.json`
 * @throws ArmatureError `bad-value` with the path of the first element that JSON cannot hold.
 */
export function encodeJson(value: unknown, what: string): string {
  requireJson(value, what)
  return `${JSON.stringify(value, undefined, 2)}\n`
}

function requireJson(value: unknown, path: string): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return
  if (typeof value === 'number' && Number.isFinite(value)) return
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) requireJson(item, `${path}[${i}]`)
    return
  }
  if (typeof value === 'object' && isPlain(value)) {
    for (const [key, item] of Object.entries(value)) if (item !== undefined) requireJson(item, `${path}.${key}`)
    return
  }
  throw new ArmatureError('bad-value', path, { expected: 'a value that JSON can hold', got: describe(value) })
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `a ${value.constructor.name}`
  return typeof value === 'number' ? String(value) : typeof value
}

/**
 * Reads a JSON file.
 *
 * @throws ArmatureError `not-found` when there is none, `corrupt-file` when it is not JSON.
 */
export async function readJson(path: string): Promise<unknown> {
  let text: string
  try {
    const file = await stat(path)
    // Reading a pipe might never end.
    if (!file.isFile() && !file.isDirectory()) {
      throw new ArmatureError('corrupt-file', path, { expected: 'a file', got: 'a device or a pipe' })
    }
    text = await readFile(path, 'utf8')
  } catch (error) {
    // ENOTDIR: a part of the path is a file.
    if (isFileError(error, 'ENOENT') || isFileError(error, 'ENOTDIR'))
      throw new ArmatureError('not-found', `no file ${path}`, { cause: error })
    if (isFileError(error, 'EISDIR')) {
      throw new ArmatureError('corrupt-file', path, { expected: 'a file', got: 'a folder', cause: error })
    }
    throw error
  }
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new ArmatureError('corrupt-file', path, { expected: 'JSON', got: (error as Error).message, cause: error })
  }
}
