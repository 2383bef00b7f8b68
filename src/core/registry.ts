import { ArmatureError, nearestNames } from './errors.ts'

/** How the names of a catalogue look: what `pattern` takes, in words and by example. */
export interface NameForm {
  readonly pattern: RegExp
  readonly expected: string
}

/** `namespace/Name-vN`: the version rises whenever results could change. */
export const ENV_ID: NameForm = { pattern: /^[\w-]+\/[\w-]+-v\d+$/, expected: 'namespace/Name-vN, e.g. mine/Cart-v0' }
/** Encoders, agents and what else has no version. */
export const PLAIN_NAME: NameForm = { pattern: /^[a-z][a-z0-9-]*$/, expected: 'a name in lower case, e.g. my-encoder' }

/**
 * Puts an entry into a catalogue.
 * @param kind named in the error, e.g. `encoder`.
 * @param needed what the entry must have, by the type that JavaScript gives it.
 * @throws ArmatureError `bad-argument` for a name of another form, one that is taken, or an entry that is none.
 */
export function register<T extends object>(
  kind: string,
  catalogue: Record<string, T>,
  form: NameForm,
  name: string,
  entry: T,
  needed: Readonly<Record<string, 'function' | 'object' | 'string'>>,
): void {
  checkName(kind, form, name)
  if (Object.hasOwn(catalogue, name)) {
    throw new ArmatureError('bad-argument', `${kind} "${name}"`, { got: 'a name that is taken', fix: 'choose another' })
  }
  for (const [key, type] of Object.entries({ summary: 'string', ...needed })) {
    const got = typeof (entry as Readonly<Record<string, unknown>>)[key]
    if (got === type) continue
    throw new ArmatureError('bad-argument', `${kind} "${name}"`, { expected: `${key} to be of type ${type}`, got })
  }
  catalogue[name] = entry
}

/** @throws ArmatureError `bad-argument` for a name of another form. */
export function checkName(kind: string, { pattern, expected }: NameForm, name: string): void {
  if (!pattern.test(name)) throw new ArmatureError('bad-argument', `${kind} "${name}"`, { expected })
}

/** Kinds that a user may add to, see {@link register}. */
const OPEN_KINDS: readonly string[] = [
  'env',
  'env or dataset',
  'encoder',
  'agent',
  'preset',
  'source of goals',
  'reward',
  'form of goals',
]

/**
 * The entry of a catalogue.
 * @param kind named in the error, e.g. `encoder`.
 * @throws ArmatureError `not-found` with the nearest names, or all names.
 */
export function lookUp<T>(kind: string, catalogue: Readonly<Record<string, T>>, name: string): T {
  if (Object.hasOwn(catalogue, name)) return catalogue[name]!
  const names = Object.keys(catalogue)
  const near = nearestNames(name, names)
  const known = near.length > 0 ? `did you mean ${near.join(' or ')}?` : `there is ${names.join(', ')}`
  const own = OPEN_KINDS.includes(kind) ? '; one of your own is named by --module <file>' : ''
  throw new ArmatureError('not-found', `unknown ${kind} "${name}"`, { fix: known + own })
}
