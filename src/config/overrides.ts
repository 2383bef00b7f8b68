import type { z } from 'zod'
import { ArmatureError, nearestNames } from '../core/errors.ts'

type Tree = Record<string, unknown>

/** Longer values are left out of a message. */
const MAX_GOT = 60
const KEY_PATTERN = /^[A-Za-z][A-Za-z0-9-]*$/

/**
 * Applies `--set a.b=c` assignments to a plain config tree; a value is read as JSON where it is JSON, else as text.
 * Only the schema decides later whether a key exists, so that its message names the valid ones.
 * @throws ArmatureError `bad-argument` for an assignment that is not `key=value`.
 */
export function applyOverrides(config: object, assignments: readonly string[]): Tree {
  const result = structuredClone(config) as Tree
  for (const assignment of assignments) {
    const at = assignment.indexOf('=')
    const path = assignment.slice(0, Math.max(0, at)).split('.')
    if (!path.every((key) => KEY_PATTERN.test(key))) {
      throw new ArmatureError('bad-argument', '--set', { expected: 'key=value, e.g. seed=1 or a.b=2', got: assignment })
    }
    let node = result
    for (const key of path.slice(0, -1)) {
      if (!Object.hasOwn(node, key) || typeof node[key] !== 'object' || node[key] === null) node[key] = {}
      node = node[key] as Tree
    }
    node[path.at(-1)!] = parseValue(assignment.slice(at + 1))
  }
  return result
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/**
 * `input` checked by `schema`, with its defaults filled in.
 * @param what named in the error, e.g. `config of runs/a`; `prefix` leads the paths of nested schemas.
 * @throws ArmatureError `bad-config`: one line with the path, what was wrong and, for an unknown key, the nearest valid ones.
 */
export function parseConfig<S extends z.ZodType>(schema: S, input: unknown, what: string, prefix = ''): z.output<S> {
  const parsed = schema.safeParse(input, { reportInput: true })
  if (parsed.success) return parsed.data
  const { issues } = parsed.error
  // A misspelt key often shows as a missing one too: the misspelling is the news.
  const unknown = issues.find((issue) => issue.code === 'unrecognized_keys')
  if (unknown !== undefined) throw unknownKey(schema, unknown, what, prefix)
  const issue = issues[0]!
  const got = gotOf(issue)
  throw new ArmatureError('bad-config', `${what}: ${joined(prefix, issue.path)}`, {
    expected: expectedBy(issue),
    ...(got.length <= MAX_GOT ? { got } : {}),
  })
}

type Issue = z.core.$ZodIssue

/** What zod says after "expected", e.g. `number to be >=1`. Our own refinements are worded to fit there. */
function expectedBy(issue: Issue): string {
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    return issue.errors.map((branch) => expectedBy(branch[0]!)).join(' or ')
  }
  const message = issue.message.replace(/^(Too big|Too small|Invalid \w+( \w+)?)[:.] /, '')
  return message.replace(/^expected /i, '').replace(/, received \w+$/, '')
}

function gotOf(issue: Issue): string {
  const value =
    issue.code === 'invalid_union' && issue.discriminator !== undefined
      ? (issue.input as Tree)[issue.discriminator]
      : issue.input
  return JSON.stringify(value) ?? 'nothing'
}

function unknownKey(
  schema: z.ZodType,
  { keys, path }: { readonly keys: readonly string[]; readonly path: readonly PropertyKey[] },
  what: string,
  prefix: string,
): ArmatureError {
  const key = keys[0]!
  const known = keysAt(schema, path, key)
  const near = nearestNames(key, known)
  const named = (names: readonly string[]): string[] => names.map((name) => joined(prefix, [...path, name]))
  return new ArmatureError('bad-config', `${what}: unknown key ${joined(prefix, [...path, key])}`, {
    fix: near.length > 0 ? `did you mean ${named(near).join(' or ')}?` : `there is ${named(known).join(', ')}`,
  })
}

function joined(prefix: string, path: readonly PropertyKey[]): string {
  return [prefix, ...path].filter((part) => part !== '').join('.')
}

interface SchemaNode {
  readonly _zod: {
    readonly def: {
      readonly type: string
      readonly innerType?: SchemaNode
      readonly options?: SchemaNode[]
      readonly in?: SchemaNode
      readonly out?: SchemaNode
    }
  }
  readonly shape?: Record<string, SchemaNode>
}

/** Keys of the object at `path` of a schema that has no `unknown`, looking through defaults, optionals, unions and pipes. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[], unknown: string): string[] {
  let nodes = [schema as unknown as SchemaNode]
  const unwrapped = (node: SchemaNode): SchemaNode[] => {
    const { innerType, options, in: from, out } = node._zod.def
    if (innerType) return unwrapped(innerType)
    if (from && out) return [from, out].flatMap(unwrapped)
    return options ? options.flatMap(unwrapped) : [node]
  }
  for (const key of path) {
    nodes = nodes.flatMap(unwrapped).flatMap((node) => node.shape?.[String(key)] ?? [])
  }
  const shapes = nodes.flatMap(unwrapped).map((node) => node.shape ?? {})
  return [...new Set(shapes.filter((shape) => !Object.hasOwn(shape, unknown)).flatMap((shape) => Object.keys(shape)))]
}
