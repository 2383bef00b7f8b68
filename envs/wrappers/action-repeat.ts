import type { Env } from '../../src/core/env.ts'
import { integer } from '../options.ts'
import { wrapEnv } from './wrap-env.ts'

/**
 * Gives every action `times` times, or until the episode ends. The reward is the sum, observation and info are those of the last step;
 * control rate and episode length are divided by `times`.
 * @throws ArmatureError `bad-argument`.
 */
export function actionRepeat<E extends Env>(env: E, times: number): E {
  integer(1, env.spec.maxEpisodeSteps)(times, `actionRepeat of ${env.spec.id}`)
  const { controlHz, maxEpisodeSteps } = env.spec
  return wrapEnv(env, {
    name: 'action-repeat',
    spec: { ...env.spec, controlHz: controlHz / times, maxEpisodeSteps: Math.ceil(maxEpisodeSteps / times) },
    async step(action) {
      let result = await env.step(action)
      let reward = result.reward
      for (let i = 1; i < times && !result.terminated && !result.truncated; i++) {
        result = await env.step(action)
        reward += result.reward
      }
      return { ...result, reward }
    },
  })
}
