import { CommanderError } from 'commander'
import type { ErrorCode } from '../core/errors.ts'
import { ArmatureError, oneLine } from '../core/errors.ts'
import { runVersions } from '../io/run-folder.ts'
import type { CliStreams } from './context.ts'
import { CommandLine } from './command-line.ts'
import { buildProgram } from './program.ts'

export interface ProgramOptions extends CliStreams {
  /** Stops the command, which saves what it can; default: nothing does. */
  readonly signal?: AbortSignal
}

/** Exit code of a command that was stopped, unless its caller knows by which signal: that of Ctrl-C. */
const INTERRUPTED = 130
/** Errors of a run that was asked for properly. */
const FAILURES: readonly ErrorCode[] = [
  'bad-value',
  'bad-shape',
  'closed',
  'collapsed',
  'needs-reset',
  'unsupported-op',
]

/**
 * Runs `armature <argv>` in this process: all of the command line but signals and the end of the process.
 *
 * Errors go to `stderr` in one line; under `--json`, `{"error": {"code", "message"}}` goes to `stdout` as well.
 *
 * @param argv the words after `armature`
 * @returns the exit code: 0; 2 for input that cannot be used; 1 for a run that failed; 130 for one that was stopped
 * @example const code = await runProgram(['list', '--json'], { stdout: process.stdout, stderr: process.stderr })
 */
export async function runProgram(argv: readonly string[], options: ProgramOptions): Promise<number> {
  const { stdout, stderr, signal = new AbortController().signal } = options
  const line = new CommandLine(argv, { stdout, stderr }, signal)
  try {
    const { armature: version = 'unknown' } = await runVersions()
    const program = await buildProgram(line, version)
    await program.parseAsync(argv, { from: 'user' })
    return line.exitCode
  } catch (error) {
    const hasShownHelp = error instanceof CommanderError && error.exitCode === 0
    if (hasShownHelp) return 0
    // The reader of the output has gone; it is the one who would be told.
    const message = textOf(error)
    stderr.write(`armature: ${message}\n`)
    if (asksForJson(argv)) {
      const code = error instanceof ArmatureError ? error.code : 'failed'
      stdout.write(`${JSON.stringify({ error: { code, message } })}\n`)
    }
    return exitCodeOf(error)
  }
}

/** Also where the rest of the words cannot be understood. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end === -1 ? argv.length : end).includes('--json')
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ArmatureError) {
    if (error.code === 'interrupted') return INTERRUPTED
    return FAILURES.includes(error.code) ? 1 : 2
  }
  return isFromSystem(error) ? 2 : 1
}

/** The system's own refusals, e.g. EACCES, whose message names the file: a stack would add nothing. */
function isFromSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error
}

/** What V8 says when it cannot make an array as large as it is asked for. */
function isTooLarge(error: unknown): error is RangeError {
  return (
    error instanceof RangeError &&
    /allocation failed|Invalid (typed )?array length|Invalid string length|Array length/i.test(error.message)
  )
}

/** One line for what a user can mend, the whole stack for a bug. */
function textOf(error: unknown): string {
  if (error instanceof ArmatureError) return error.message
  if (isTooLarge(error)) return `not enough memory: ${oneLine(error.message)}; ask for less at once`
  if (isFromSystem(error)) {
    const isHere = error.syscall === 'uv_cwd'
    return isHere ? 'the working directory is gone; change to one that is there' : oneLine(error.message)
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
