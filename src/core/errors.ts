/** What can go wrong in a way that the user can fix: a closed list. */
export type ErrorCode =
  | 'bad-argument'
  | 'bad-config'
  | 'bad-shape'
  | 'bad-value'
  | 'closed'
  | 'collapsed'
  | 'corrupt-file'
  | 'engine-unavailable'
  | 'env-failed'
  | 'interrupted'
  | 'needs-reset'
  | 'not-found'
  | 'run-exists'
  | 'unsupported-op'
  | 'unwritable'

/** Parts of an error message; each is one short clause without a full stop at its end. */
export interface ErrorParts {
  /** What the code needed, e.g. `action of length 2`. */
  readonly expected?: string
  /** What it was given, e.g. `length 3`. */
  readonly got?: string
  /** What the user can do about it, e.g. `see "armature list"`. */
  readonly fix?: string
  readonly cause?: unknown
}

/**
 * The only error that Armature throws on purpose. The command line prints its message without a stack.
 *
 * @example throw new ArmatureError('bad-shape', 'SAC update', { expected: 'reward [256]', got: '[128]' })
 */
export class ArmatureError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, what: string, parts: ErrorParts = {}) {
    const { expected, got, fix, cause } = parts
    const clauses = [what]
    if (expected !== undefined) clauses.push(`expected ${expected}${got === undefined ? '' : `, got ${got}`}`)
    else if (got !== undefined) clauses.push(`got ${got}`)
    const sentence = clauses.join(': ')
    super(oneLine(fix === undefined ? sentence : `${sentence}; ${fix}`), cause === undefined ? undefined : { cause })
    this.name = 'ArmatureError'
    this.code = code
  }
}

/** Longer texts come from damaged files. */
const MAX_LINE = 1500

/** `text` as one line: what came from outside may hold line ends, and codes that a terminal would obey. */
export function oneLine(text: string): string {
  const line = text
    .replaceAll(/\s*[\n\r]\s*/g, ' ')
    .replaceAll(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
  return line.length <= MAX_LINE ? line : `${line.slice(0, MAX_LINE / 2)} … ${line.slice(-MAX_LINE / 2)}`
}

/** The error for a path that cannot be written; it includes the system's reason. An `unwritable` error is returned as it is. */
export function unwritable(path: string, cause: unknown): ArmatureError {
  if (cause instanceof ArmatureError && cause.code === 'unwritable') return cause
  return new ArmatureError('unwritable', `cannot write ${path}`, {
    got: cause instanceof Error ? cause.message : String(cause),
    fix: 'check the path, its permissions and the free disk space',
    cause,
  })
}

/**
 * The names in `candidates` nearest to `name`, best first, for "did you mean" hints: containing it, or at an edit distance of at
 * most 3 and half its length.
 */
export function nearestNames(name: string, candidates: readonly string[]): string[] {
  const limit = Math.min(3, Math.ceil(name.length / 2))
  const contains = (candidate: string): boolean => name.length > 2 && candidate.includes(name)
  return candidates
    .map((candidate) => ({ candidate, distance: contains(candidate) ? 0 : editDistance(name, candidate) }))
    .filter(({ distance }) => distance <= limit)
    .toSorted((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ candidate }) => candidate)
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
