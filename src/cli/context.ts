import type { RunContext } from '../compose/run-context.ts'
import { processCpuMs } from '../compose/run-context.ts'
import type { ProgressStream } from '../log/progress.ts'
import { Progress } from '../log/progress.ts'

export { throwIfInterrupted } from '../compose/run-context.ts'

/** Where a command writes: results and text on `stdout`, progress and errors on `stderr`. */
export interface CliStreams {
  readonly stdout: ProgressStream
  readonly stderr: ProgressStream
}

/** What every command gets from the command line. */
export interface CliContext extends RunContext {
  /** Print one JSON object as the last line of stdout, and nothing else there. */
  readonly json: boolean
  readonly quiet: boolean
  readonly stdout: ProgressStream
  /** Text for people, on stdout; nothing under `--json` or `--quiet`. */
  print(text: string): void
}

export function createContext(
  command: readonly string[],
  options: { readonly json?: boolean; readonly quiet?: boolean },
  signal: AbortSignal,
  { stdout, stderr }: CliStreams = process,
): CliContext {
  const json = options.json === true
  const quiet = options.quiet === true
  return {
    command,
    json,
    quiet,
    stdout,
    progress: new Progress({ stream: stderr, clock: Date.now, isSilent: json || quiet }),
    clock: Date.now,
    cpuMs: processCpuMs,
    signal,
    invocation: (words) => `"${process.env.npm_lifecycle_event ? 'npm run armature --' : 'armature'} ${words}"`,
    print: (text) => {
      if (!json && !quiet) stdout.write(`${text}\n`)
    },
  }
}
