import type { Role } from '../../bridges/zmq/keys.ts'
import { authorizeKey, isKey, readKeyFile } from '../../bridges/zmq/keys.ts'
import { ArmatureError } from '../core/errors.ts'
import type { CliContext } from './context.ts'

export interface AuthorizeOptions {
  readonly role: Role
  /** Whose key it is; default: the name in its key file. */
  readonly name?: string
  /** ISO 8601 time or date from which it is refused. */
  readonly expires?: string
  readonly file: string
}

export interface AuthorizeReport {
  readonly file: string
  readonly publicKey: string
  readonly name: string
  readonly role: Role
  readonly expires?: string
}

/**
 * `armature authorize`: lets a public key connect to the robots that use this list; they read it again within a second.
 * @param key 40 characters of Z85, or the path of a key file
 */
export async function authorize(
  context: CliContext,
  key: string,
  { role, name, expires, file }: AuthorizeOptions,
): Promise<AuthorizeReport> {
  const given = isKey(key) ? { publicKey: key, name: undefined } : await readKeyFile(key)
  const who = name ?? given.name
  if (who === undefined) throw new ArmatureError('bad-argument', 'authorize', { expected: '--name, whose key it is' })
  const entry = {
    publicKey: given.publicKey,
    name: who,
    role,
    ...(expires === undefined ? {} : { expires: timeOf(expires) }),
  }
  await authorizeKey(file, entry)
  context.print(`${file}: ${who} may connect as ${role}${entry.expires === undefined ? '' : ` until ${entry.expires}`}`)
  return { file, ...entry }
}

function timeOf(text: string): string {
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) {
    throw new ArmatureError('bad-argument', '--expires', { expected: 'a time such as 2027-01-31', got: text })
  }
  return time.toISOString()
}
