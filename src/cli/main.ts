#!/usr/bin/env node
import { setTimeout as sleep } from 'node:timers/promises'
import { CommanderError } from 'commander'
import { ArmatureError } from '../core/errors.ts'
import { runVersions } from '../io/run-folder.ts'
import { buildProgram } from './program.ts'

/** Launchers such as npm and tsx can pass one Ctrl-C on twice within some 40 ms: that is not a second one. */
const SAME_KEY_PRESS_MS = 500
/** 128 + the number of the signal, as shells say it. */
const INTERRUPTED = { SIGINT: 130, SIGTERM: 143 } as const
/** Errors of a run that was asked for properly. */
const FAILURES: readonly string[] = ['bad-value', 'bad-shape', 'closed', 'needs-reset', 'unsupported-op']

const abort = new AbortController()
let interruption: { readonly exitCode: number; readonly ms: number } | undefined
for (const [signal, exitCode] of Object.entries(INTERRUPTED)) {
  process.on(signal, () => {
    // The second Ctrl-C does not wait for a checkpoint.
    if (interruption !== undefined && performance.now() - interruption.ms > SAME_KEY_PRESS_MS) process.exit(exitCode)
    interruption ??= { exitCode, ms: performance.now() }
    abort.abort()
  })
}
// A reader that has seen enough, e.g. `armature list | head`, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

/** Exit codes: 2 for input that cannot be used, 1 for a run that failed, 130 after Ctrl-C. */
function exitCodeOf(error: unknown): number {
  if (error instanceof ArmatureError) {
    if (error.code === 'interrupted') return interruption?.exitCode ?? INTERRUPTED.SIGINT
    return FAILURES.includes(error.code) ? 1 : 2
  }
  return isFromSystem(error) ? 2 : 1
}

/** The file system's own refusals, e.g. EACCES, whose message names the file: a stack would add nothing. */
function isFromSystem(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && 'syscall' in error
}

/** One line for what a user can mend, the whole stack for a bug. */
function textOf(error: unknown): string {
  if (error instanceof ArmatureError || isFromSystem(error)) return error.message.replaceAll(/\s*\n\s*/g, ' ')
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

try {
  const { armature: version = 'unknown' } = await runVersions()
  await buildProgram(abort.signal, version).parseAsync(process.argv)
} catch (error) {
  const hasShownHelp = error instanceof CommanderError && error.exitCode === 0
  if (!hasShownHelp) {
    process.stderr.write(`armature: ${textOf(error)}\n`)
    process.exitCode = exitCodeOf(error)
  }
}
// Its second copy would end a process that is about to exit by the signal, not by its exit code: it is waited for.
if (interruption !== undefined) await sleep(Math.max(0, interruption.ms + SAME_KEY_PRESS_MS - performance.now()))
