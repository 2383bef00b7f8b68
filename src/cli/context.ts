import type { RunContext } from '../compose/run-context.ts'
import { Progress } from '../log/progress.ts'

export { throwIfInterrupted } from '../compose/run-context.ts'

/** What every command gets from the command line. */
export interface CliContext extends RunContext {
  /** Print one JSON object as the last line of stdout, and nothing else there. */
  readonly json: boolean
  readonly quiet: boolean
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
