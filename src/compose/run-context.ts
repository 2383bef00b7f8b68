import { ArmatureError } from '../core/errors.ts'
import type { RunFolder } from '../io/run-folder.ts'
import type { Progress } from '../log/progress.ts'

/** What a run in a folder gets from whoever starts it. */
export interface RunContext {
  /** The words after `armature`, for the run's record. */
  readonly command: readonly string[]
  readonly progress: Progress
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Milliseconds of processor time that this process has taken, in all its threads. */
  readonly cpuMs: () => number
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal
  /** A command to copy, as it is typed where this process was started: `armature <words>`. */
  invocation(words: string): string
}

/** {@link RunContext.cpuMs} of this process. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/**
 * Called between two pieces of long work.
 * @param fix how to go on.
 * @throws ArmatureError `interrupted` after Ctrl-C.
 */
export function throwIfInterrupted({ signal }: Pick<RunContext, 'signal'>, fix?: string): void {
  if (signal.aborted) throw new ArmatureError('interrupted', 'stopped', fix === undefined ? {} : { fix })
}

/** The command that goes on with a run. */
export function resumeCommand(context: RunContext, { path }: Pick<RunFolder, 'path'>): string {
  return context.invocation(`train --resume --out ${path}`)
}
