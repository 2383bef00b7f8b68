import type { SimulatedGoalEnv, Info, Observation } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { wrapEnv } from './wrap-env.ts'

export interface LatentGoalOptions {
  /** An image uint8 [height, width, channels] to its latent; the result may be overwritten by the next call. */
  encode(image: Uint8Array): Float32Array | Promise<Float32Array>
  /** Whose images are encoded; default: the first. */
  readonly camera?: string
}

/**
 * Rewards by latents: the goal is what the encoder makes of the goal image, the reward is minus the Euclidean distance of the latents of
 * observation and goal, also in `info.latent_distance` (RIG, Nair et al. 2018, eq. 3, with its Mahalanobis matrix as identity). Goals
 * themselves, success and the other distances stay those of `env`.
 *
 * The latent of a goal is computed once, at `reset` or at the first step after `setGoal`: reset after the encoder has changed.
 * @throws ArmatureError `not-found` for a camera that `env` does not show.
 */
export function latentGoal(env: SimulatedGoalEnv, options: LatentGoalOptions): SimulatedGoalEnv {
  const cameras = Object.keys(env.spec.imageSpaces)
  const camera = options.camera ?? cameras[0]
  if (camera === undefined || !cameras.includes(camera)) {
    const fix = `there is ${cameras.join(', ') || 'none'}`
    throw new ArmatureError('not-found', `camera "${camera}" of ${env.spec.id}`, { fix })
  }
  let goalLatent: Float32Array | undefined
  const distanceOf = async (observation: Observation): Promise<number> => {
    if (goalLatent === undefined) {
      const images = await env.renderGoal(env.goal)
      goalLatent = (await options.encode(images[camera]!)).slice()
    }
    return euclidean(await options.encode(observation.images[camera]!), goalLatent)
  }
  const withDistance = (info: Info, distance: number): Info => ({ ...info, latent_distance: distance })
  return wrapEnv(env, {
    name: 'latent-goal',
    async reset(resetOptions) {
      const result = await env.reset(resetOptions)
      goalLatent = undefined
      return { ...result, info: withDistance(result.info, await distanceOf(result.observation)) }
    },
    async step(action) {
      const result = await env.step(action)
      const distance = await distanceOf(result.observation)
      return { ...result, reward: -distance, info: withDistance(result.info, distance) }
    },
    onGoal: () => (goalLatent = undefined),
    restore: () => (goalLatent = undefined),
  })
}

function euclidean(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2
  return Math.sqrt(sum)
}
