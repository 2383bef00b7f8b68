import type { z } from 'zod'
import { ArmatureError, nearestNames } from '../core/errors.ts'

type Tree = Record<string, unknown>

/**
 * Applies `--set a.b=c` assignments to a plain config tree; a value is read as JSON where it is JSON, else as text.
 * Only the schema decides later whether a key exists, so that its message names the valid ones.
 * @throws ArmatureError `bad-argument` for an assignment that is not `key=value`.
 */
export function applyOverrides(config: object, assignments: readonly string[]): Tree {
  const result = structuredClone(config) as Tree
  for (const assignment of assignments) {
    const at = assignment.indexOf('=')
    if (at < 1) {
      throw new ArmatureError('bad-argument', '--set', { expected: 'key=value', got: assignment })
    }
    const path = assignment.slice(0, at).split('.')
    let node = result
    for (const key of path.slice(0, -1)) {
      if (typeof node[key] !== 'object' || node[key] === null) node[key] = {}
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
 * @param what named in the error, e.g. `config of preset rig-push`; `prefix` leads the paths of nested schemas.
 * @throws ArmatureError `bad-config`: one line with the path, what was wrong and, for an unknown key, the nearest valid ones.
 */
export function parseConfig<S extends z.ZodType>(schema: S, input: unknown, what: string, prefix = ''): z.output<S> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  const path = [prefix, ...issue.path].filter((part) => part !== '').join('.')
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!
    const known = keysAt(schema, issue.path)
    const near = nearestNames(key, known)
    throw new ArmatureError('bad-config', `${what}: unknown key ${path === '' ? key : `${path}.${key}`}`, {
      fix: near.length > 0 ? `did you mean ${near.join(' or ')}?` : `known keys: ${known.join(', ')}`,
    })
  }
  throw new ArmatureError('bad-config', `${what}: ${path === '' ? 'value' : path}`, {
    got: issue.message,
    fix: 'mend it with --set',
  })
}

interface SchemaNode {
  readonly _zod: {
    readonly def: { readonly type: string; readonly innerType?: SchemaNode; readonly options?: SchemaNode[] }
  }
  readonly shape?: Record<string, SchemaNode>
}

/** Keys of the object at `path` of a schema, looking through defaults, optionals and unions. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let nodes = [schema as unknown as SchemaNode]
  const unwrapped = (node: SchemaNode): SchemaNode[] => {
    const { innerType, options } = node._zod.def
    if (innerType) return unwrapped(innerType)
    return options ? options.flatMap(unwrapped) : [node]
  }
  for (const key of path) {
    nodes = nodes.flatMap(unwrapped).flatMap((node) => node.shape?.[String(key)] ?? [])
  }
  return [...new Set(nodes.flatMap(unwrapped).flatMap((node) => Object.keys(node.shape ?? {})))]
}
