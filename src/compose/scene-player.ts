import type { ExpertFactory } from '../../envs/experts/expert.ts'
import type { Env, Observation } from '../core/env.ts'
import { isGoalEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import { Rng } from '../core/rng.ts'
import { randomPolicy, stillPolicy } from '../run/policies.ts'

/** What can move a scene that is only looked at. */
export const SCENE_POLICIES = ['random', 'still', 'scripted'] as const
export type ScenePolicy = (typeof SCENE_POLICIES)[number]

/** An action for an observation; the array may be reused. */
export type Player = (observation: Observation) => Promise<Float32Array>

/** `scripted` where the scene has an expert, else `random`. */
export function defaultPolicy(expert: ExpertFactory | undefined): ScenePolicy {
  return expert === undefined ? 'random' : 'scripted'
}

/**
 * What plays one episode of `env`; `expert` is the scene's.
 * @throws ArmatureError `not-found` when a scripted one is asked of a scene that has no expert.
 */
export function scenePlayer(policy: ScenePolicy, env: Env, expert: ExpertFactory | undefined, seed: number): Player {
  const { id, actionSpace } = env.spec
  if (policy !== 'scripted') {
    const rng = new Rng(seed).split('random play')
    const player = policy === 'random' ? randomPolicy(actionSpace, rng) : stillPolicy(actionSpace)
    return (observation) => player.act(observation)
  }
  if (expert === undefined) {
    throw new ArmatureError('not-found', `${id} has no scripted policy`, { fix: 'use --policy random or still' })
  }
  const decide = expert()
  return async (observation) => decide(observation, isGoalEnv(env) ? env.goal : undefined)
}
