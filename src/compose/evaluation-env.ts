import type { Env } from '../core/env.ts'
import { isSimulatedEnv } from '../core/env.ts'
import type { Parts } from './parts.ts'
import { makeScene } from './parts.ts'

/** Where a run is evaluated. */
export interface EvaluationEnv {
  readonly env: Env
  /** Does `work` in {@link EvaluationEnv.env}. */
  use<T>(work: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

/**
 * Evaluation uses its own env. A robot exists once, so evaluation borrows it; in lock-step its episode is restored afterwards. In real time
 * the trainer evaluates between two episodes only.
 */
export async function evaluationEnvOf({ config, robot }: Pick<Parts, 'config' | 'robot'>): Promise<EvaluationEnv> {
  if (robot !== undefined) {
    const use = async <T>(work: () => Promise<T>): Promise<T> => {
      const state = isSimulatedEnv(robot) && robot.isInEpisode ? await robot.saveState() : undefined
      try {
        return await work()
      } finally {
        if (state !== undefined && isSimulatedEnv(robot)) await robot.restoreState(state)
      }
    }
    return { env: robot, use, close: async () => {} }
  }
  const env = await makeScene(config)
  return { env, use: (work) => work(), close: () => env.close() }
}
