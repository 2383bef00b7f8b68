import { Progress } from '../log/progress.ts'
import type { TrainedRun } from './load-run.ts'
import type { RunContext } from './run-context.ts'
import { processCpuMs } from './run-context.ts'
import type { TrainOptions } from './training-run.ts'
import { train } from './training-run.ts'

/** What {@link trainRun} is told; everything has a default. */
export interface TrainRunOptions extends TrainOptions {
  /** Stops between two steps; the state is saved, and `interrupted` is thrown. */
  readonly signal?: AbortSignal
  /** Where progress is shown; default: nowhere. */
  readonly progress?: Progress
}

const NOWHERE = { isTTY: false, write: () => true }

/**
 * Trains a preset into a run folder, or goes on with one, as `armature train` does but for the final report. The engine must run.
 *
 * @example
 * await startEngine()
 * const { parts } = await trainRun('sac', { env: 'mine/Cart-v0', steps: 5000, out: 'runs/cart' })
 * const policy = agentPolicy(parts)
 *
 * @throws ArmatureError `not-found`, `bad-config`, `run-exists`, `unwritable`, `corrupt-file`, `interrupted`.
 */
export async function trainRun(preset: string | undefined, options: TrainRunOptions = {}): Promise<TrainedRun> {
  const { signal = new AbortController().signal, progress, ...training } = options
  const clock = (): number => Math.round(performance.timeOrigin + performance.now())
  const context: RunContext = {
    command: ['train', ...(preset === undefined ? [] : [preset])],
    progress: progress ?? new Progress({ stream: NOWHERE, clock, isSilent: true }),
    clock,
    cpuMs: processCpuMs,
    signal,
    invocation: (words) => `"armature ${words}"`,
  }
  return train(context, preset, training)
}
