import { link, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { curveKeyPair } from 'zeromq'
import { z } from 'zod'
import { ArmatureError, unwritable } from '../../src/core/errors.ts'
import { decodeZ85 } from './z85.ts'

/** What a peer may do; an operator may do all that a controller may, and a controller all that an observer may. */
export type Role = 'observer' | 'controller' | 'operator'

export const ROLES: readonly Role[] = ['observer', 'controller', 'operator']

/** A CURVE key pair, each half as 40 characters of Z85. */
export interface KeyPair {
  readonly name: string
  readonly publicKey: string
  readonly secretKey: string
}

/** A public key that a robot admits. */
export interface AuthorizedKey {
  readonly publicKey: string
  /** Whose it is, for events and logs. */
  readonly name: string
  readonly role: Role
  /** ISO 8601 time from which the key is refused. */
  readonly expires?: string | undefined
}

const publicKeySchema = z.string().refine(isKey, { error: 'a public key has 40 characters of Z85' })

const keyPairSchema = z.strictObject({
  name: z.string().min(1),
  publicKey: publicKeySchema,
  secretKey: z.string().refine(isKey, { error: 'a secret key has 40 characters of Z85' }),
})

const authorizedKeysSchema = z.strictObject({
  keys: z.array(
    z.strictObject({
      publicKey: publicKeySchema,
      name: z.string().min(1).max(64),
      role: z.enum(['observer', 'controller', 'operator']),
      expires: z.iso.datetime({ offset: true }).optional(),
    }),
  ),
})

/** Whether `text` can be a CURVE key: 32 bytes in Z85. */
export function isKey(text: string): boolean {
  if (text.length !== 40) return false
  try {
    return decodeZ85(text).length === 32
  } catch {
    return false
  }
}

/**
 * Makes a key pair and writes it to a file that only its owner can read.
 * @throws ArmatureError `bad-argument` when the file is there already, `unwritable`
 */
export async function createKeyFile(path: string, name: string): Promise<KeyPair> {
  const pair: KeyPair = { name, ...curveKeyPair() }
  const temporary = await writeTemporary(path, pair, 0o600)
  try {
    // A hard link fails where the name exists: no key is ever overwritten.
    await link(temporary, path)
  } catch (error) {
    if (isCode(error, 'EEXIST')) {
      throw new ArmatureError('bad-argument', `key file ${path} exists`, {
        fix: 'choose another name, or move it away if nothing uses it any more',
      })
    }
    throw unwritable(path, error)
  } finally {
    await rm(temporary, { force: true })
  }
  return pair
}

/**
 * Reads a key pair.
 * @throws ArmatureError `not-found`, `corrupt-file`, or `bad-value` when others than the owner may read or write the file
 */
export async function readKeyFile(path: string): Promise<KeyPair> {
  const pair = await readJson(path, keyPairSchema, 'key file', 'make one with "armature keygen <name>"')
  const { mode } = await stat(path)
  // Windows has no such bits.
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new ArmatureError('bad-value', `key file ${path}`, {
      expected: 'a file that only its owner can read (0600)',
      got: `0${(mode & 0o777).toString(8)}`,
      fix: `run "chmod 600 ${path}", and make a new key if someone may have read this one`,
    })
  }
  return pair
}

/** @throws ArmatureError `not-found` or `corrupt-file` */
export async function readAuthorizedKeys(path: string): Promise<readonly AuthorizedKey[]> {
  const fix = 'add keys with "armature authorize <key> --role controller"'
  return (await readJson(path, authorizedKeysSchema, 'list of authorized keys', fix)).keys
}

/**
 * Adds `key` to the list at `path`, which is made when there is none; an entry of the same public key is replaced.
 * @throws ArmatureError `bad-value` for a key that is none, `corrupt-file` for a list that cannot be read (it stays as it is), `unwritable`
 */
export async function authorizeKey(path: string, key: AuthorizedKey): Promise<void> {
  const parsed = authorizedKeysSchema.safeParse({ keys: [key] })
  if (!parsed.success) throw new ArmatureError('bad-value', 'authorized key', { got: firstIssue(parsed.error) })
  const known = await readAuthorizedKeys(path).catch((error: unknown) => {
    if (error instanceof ArmatureError && error.code === 'not-found') return []
    throw error
  })
  const keys = [...known.filter(({ publicKey }) => publicKey !== key.publicKey), ...parsed.data.keys]
  const temporary = await writeTemporary(path, { keys }, 0o644)
  try {
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw unwritable(path, error)
  }
}

async function readJson<T>(path: string, schema: z.ZodType<T>, what: string, fix: string): Promise<T> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isCode(error, 'ENOENT')) throw new ArmatureError('not-found', `${what} ${path}`, { got: 'no such file', fix })
    throw new ArmatureError('not-found', `${what} ${path} cannot be read`, { cause: error, fix })
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new ArmatureError('corrupt-file', `${what} ${path}`, { got: 'no JSON', cause: error })
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success) throw new ArmatureError('corrupt-file', `${what} ${path}`, { got: firstIssue(parsed.error) })
  return parsed.data
}

function firstIssue({ issues }: z.ZodError): string {
  const { path, message } = issues[0]!
  return `${path.join('.')}: ${message}`
}

async function writeTemporary(path: string, content: unknown, mode: number): Promise<string> {
  const temporary = join(dirname(path), `.tmp-${process.pid}-${basename(path)}`)
  try {
    await rm(temporary, { force: true })
    const file = await open(temporary, 'wx', mode)
    try {
      await file.writeFile(`${JSON.stringify(content, undefined, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    throw unwritable(path, error)
  }
  return temporary
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
