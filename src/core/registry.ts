import { ArmatureError, nearestNames } from './errors.ts'

/**
 * The entry of a catalogue.
 * @param kind named in the error, e.g. `encoder`.
 * @throws ArmatureError `not-found` with the nearest names, or all names.
 */
export function lookUp<T>(kind: string, catalogue: Readonly<Record<string, T>>, name: string): T {
  if (Object.hasOwn(catalogue, name)) return catalogue[name]!
  const names = Object.keys(catalogue)
  const near = nearestNames(name, names)
  throw new ArmatureError('not-found', `unknown ${kind} "${name}"`, {
    fix: near.length > 0 ? `did you mean ${near.join(' or ')}?` : `there is ${names.join(', ')}`,
  })
}
