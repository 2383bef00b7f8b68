#!/usr/bin/env node
import { close as closeInspector, url as inspectorUrl } from 'node:inspector'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

// Signals are heard before anything else is loaded: nothing but Node's own modules may be imported above.

/** Launchers such as npm and tsx can pass one Ctrl-C on twice within some 40 ms: that is not a second one. */
const SAME_KEY_PRESS_MS = 500
/** For so long after a signal the work may take to save and to end. */
const GRACE_MS = 10_000
const GRACE_TICK_MS = 200
/** Ctrl-C, an end that is asked for, a terminal that closes, and what schedulers send before they end a job. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const
type Signal = (typeof SIGNALS)[number]

const abort = new AbortController()
let interruption: { readonly signal: Signal; readonly ms: number } | undefined
/** Whether files are being written. */
let isWriting = (): boolean => false

for (const signal of SIGNALS) process.on(signal, () => hear(signal))
// A SIGUSR1 that came while Node itself started has opened its debugger instead.
const wantsInspector = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((text) => text.includes('--inspect'))
if (inspectorUrl() !== undefined && !wantsInspector) {
  closeInspector()
  hear('SIGUSR1')
}

function hear(signal: Signal): void {
  // The second Ctrl-C does not wait for a checkpoint.
  if (interruption !== undefined && performance.now() - interruption.ms > SAME_KEY_PRESS_MS) end(signal)
  if (interruption !== undefined) return
  interruption = { signal, ms: performance.now() }
  abort.abort(signal)
  endWhenWritten(signal, GRACE_MS)
}

/** Ends the process as the signal would have done. `process.exit` would wait for native work that may never end. */
function end(signal: Signal): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

/** Counts the grace in short waits, so that a process which a busy machine hardly lets run has longer; files are written to their end. */
function endWhenWritten(signal: Signal, leftMs: number): void {
  if (leftMs > 0 || isWriting()) {
    setTimeout(endWhenWritten, GRACE_TICK_MS, signal, leftMs - GRACE_TICK_MS).unref()
    return
  }
  process.stderr.write(`armature: did not stop within ${GRACE_MS / 1000} s of ${signal}, so it was ended\n`)
  end(signal)
}

let lostOutput: NodeJS.ErrnoException | undefined
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  lostOutput ??= error
  // Whoever wanted the output has gone: what can be saved is saved.
  abort.abort(error)
})
// Progress that nobody can see is no reason to stop.
process.stderr.on('error', () => undefined)
// What was mended in a user's file is told in one line, without Node's process number and hint.
const byNode = process.listeners('warning')
process.removeAllListeners('warning')
process.on('warning', (warning) => {
  if (warning.name === 'RobotWarning') process.stderr.write(`armature: ${warning.message}\n`)
  else for (const listener of byNode) listener(warning)
})

const { runProgram } = await import('./run-program.ts')
const { isWritingFiles } = await import('../io/atomic.ts')
isWriting = isWritingFiles
const { stdout, stderr } = process
const exitCode = await runProgram(process.argv.slice(2), { stdout, stderr, signal: abort.signal })
process.exitCode =
  interruption !== undefined && exitCode !== 0 ? 128 + constants.signals[interruption.signal] : exitCode
// Errors of a stream come a moment after the write.
await sleep(0)
if (lostOutput !== undefined) {
  // A reader that has seen enough, e.g. `armature list | head`, is no error.
  const isReaderGone = lostOutput.code === 'EPIPE'
  if (!isReaderGone) process.stderr.write(`armature: cannot write to stdout: ${lostOutput.message}\n`)
  process.exitCode = isReaderGone ? 0 : 2
}
// Its second copy would end a process that is about to exit by the signal, not by its exit code: it is waited for.
if (interruption !== undefined) await sleep(Math.max(0, interruption.ms + SAME_KEY_PRESS_MS - performance.now()))
