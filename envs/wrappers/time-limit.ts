import type { Env } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { integer } from '../options.ts'
import { wrapEnv } from './wrap-env.ts'

/**
 * Truncates episodes after `maxEpisodeSteps`, which must not be more than `env` allows. A step at which the task itself ends is
 * `terminated` only.
 * @throws ArmatureError `bad-argument`.
 */
export function timeLimit<E extends Env>(env: E, maxEpisodeSteps: number): E {
  integer(1, env.spec.maxEpisodeSteps)(maxEpisodeSteps, `timeLimit of ${env.spec.id}`)
  let steps = 0
  return wrapEnv(env, {
    name: 'time-limit',
    spec: { ...env.spec, maxEpisodeSteps },
    async reset(options) {
      const result = await env.reset(options)
      steps = 0
      return result
    },
    async step(action) {
      if (steps >= maxEpisodeSteps) {
        throw new ArmatureError('needs-reset', `${env.spec.id} was stepped after the end of an episode`, {
          fix: 'call reset first',
        })
      }
      const result = await env.step(action)
      steps++
      return { ...result, truncated: !result.terminated && (result.truncated || steps >= maxEpisodeSteps) }
    },
    save: () => ({ json: steps }),
    restore: ({ json }) => (steps = json as number),
  })
}
