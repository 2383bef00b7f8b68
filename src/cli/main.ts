#!/usr/bin/env node
import { ArmatureError } from '../core/errors.ts'
import { buildProgram } from './program.ts'

/** Exit codes: 2 for bad input, 1 for a run that failed, 130 after Ctrl-C as shells expect. */
function exitCodeOf(error: unknown): number {
  if (!(error instanceof ArmatureError)) return 1
  if (error.code === 'interrupted') return 130
  return error.code === 'bad-value' || error.code === 'unsupported-op' ? 1 : 2
}

const abort = new AbortController()
process.on('SIGINT', () => {
  // The second Ctrl-C does not wait for a checkpoint.
  if (abort.signal.aborted) process.exit(130)
  abort.abort()
})

try {
  await buildProgram(abort.signal).parseAsync(process.argv)
} catch (error) {
  const isExpected = error instanceof ArmatureError
  process.stderr.write(
    `armature: ${isExpected ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
  )
  process.exitCode = exitCodeOf(error)
}
