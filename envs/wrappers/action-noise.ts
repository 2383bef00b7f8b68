import type { Env } from '../../src/core/env.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import { checkAction } from '../../src/core/spaces.ts'
import { checkStd, NoiseStream } from './noise-stream.ts'
import { wrapEnv } from './wrap-env.ts'

/**
 * Adds normal noise of standard deviation `std`, in units of the action space, to every action and clips the sum to [-1, 1]. The noise
 * follows the env's seeds.
 * @throws ArmatureError `bad-argument`.
 */
export function actionNoise<E extends Env>(env: E, std: number): E {
  checkStd(std, 'actionNoise std')
  const stream = new NoiseStream('action-noise')
  const noisy = new Float32Array(sizeOf(env.spec.actionSpace.shape))
  return wrapEnv(env, {
    name: 'action-noise',
    async reset(options) {
      const result = await env.reset(options)
      stream.begin(options)
      return result
    },
    async step(action) {
      // Clipping would hide what the env has to refuse.
      checkAction(env.spec.actionSpace, action)
      for (let i = 0; i < noisy.length; i++) noisy[i] = stream.disturb(action[i]!, std, -1, 1)
      return env.step(noisy)
    },
    save: () => stream.save(),
    restore: (state) => stream.restore(state),
  })
}
