import { ArmatureError } from '../core/errors.ts'
import { Progress } from '../log/progress.ts'

/** What every command gets from the command line. */
export interface CliContext {
  /** The words after `armature`, for the run's record. */
  readonly command: readonly string[]
  /** Print one JSON object as the last line of stdout, and nothing else there. */
  readonly json: boolean
  readonly quiet: boolean
  readonly progress: Progress
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal
  /** A command to copy, as it is typed where this process was started: `armature <words>`. */
  invocation(words: string): string
  /** Text for people, on stdout; nothing under `--json` or `--quiet`. */
  print(text: string): void
}

export function createContext(
  command: readonly string[],
  options: { readonly json?: boolean; readonly quiet?: boolean },
  signal: AbortSignal,
): CliContext {
  const json = options.json === true
  const quiet = options.quiet === true
  return {
    command,
    json,
    quiet,
    progress: new Progress({ stream: process.stderr, clock: Date.now, isSilent: json || quiet }),
    clock: Date.now,
    signal,
    invocation: (words) => `"${process.env.npm_lifecycle_event ? 'npm run armature --' : 'armature'} ${words}"`,
    print: (text) => {
      if (!json && !quiet) process.stdout.write(`${text}\n`)
    },
  }
}

/**
 * Called between two pieces of long work.
 * @param fix how to go on.
 * @throws ArmatureError `interrupted` after Ctrl-C.
 */
export function throwIfInterrupted({ signal }: CliContext, fix?: string): void {
  if (signal.aborted) throw new ArmatureError('interrupted', 'stopped', fix === undefined ? {} : { fix })
}
