import { makeEnv } from '../../envs/index.ts'
import type { TrainConfig } from '../config/train-config.ts'
import type { Env } from '../core/env.ts'
import { isSimulatedEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { BoxSpace } from '../core/spaces.ts'
import type { Parts } from './parts.ts'

/** Where a run is evaluated. */
export interface EvaluationEnv {
  readonly env: Env
  /** Does `work` in {@link EvaluationEnv.env}. */
  use<T>(work: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

type Options = Readonly<Record<string, unknown>>

/** The options of the scene that a run is evaluated in: those that it learns with, but for those that differ. */
export function evaluationOptions({ options, evalOptions }: TrainConfig['env']): Options {
  return merged(options, evalOptions)
}

function merged(options: Options, changes: Options): Options {
  const both = Object.entries(changes).map(([name, change]) => {
    const before = options[name]
    return [name, isSection(before) && isSection(change) ? merged(before, change) : change] as const
  })
  return { ...options, ...Object.fromEntries(both) }
}

function isSection(value: unknown): value is Options {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Evaluation uses its own env. A robot exists once, so evaluation borrows it; in lock-step its episode is restored afterwards. In real time
 * the trainer evaluates between two episodes only.
 * @throws ArmatureError `bad-config` where the options of evaluation make other observations or actions; what making the scene throws
 */
export async function evaluationEnvOf({
  config,
  env: learned,
  robot,
}: Pick<Parts, 'config' | 'env' | 'robot'>): Promise<EvaluationEnv> {
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
  const env = await makeEnv(config.env.id, evaluationOptions(config.env))
  requireSameSpaces(learned, env)
  return { env, use: (work) => work(), close: () => env.close() }
}

function requireSameSpaces({ spec: learned }: Env, { spec }: Env): void {
  const differ = (name: string, before: BoxSpace, now: BoxSpace | undefined): void => {
    const [expected, got] = [before.shape.join(' x '), now?.shape.join(' x ') ?? 'none']
    if (expected !== got) throw new ArmatureError('bad-config', `${name} in evaluation`, { expected, got })
  }
  for (const [camera, space] of Object.entries(learned.imageSpaces)) {
    differ(`camera ${camera}`, space, spec.imageSpaces[camera])
  }
  differ('proprioception', learned.proprioSpace, spec.proprioSpace)
  differ('the state', learned.stateSpace, spec.stateSpace)
  differ('the action', learned.actionSpace, spec.actionSpace)
}
