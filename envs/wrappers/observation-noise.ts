import type { Env, EnvSpec, Observation } from '../../src/core/env.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { bound } from '../../src/core/spaces.ts'
import { checkStd, NoiseStream } from './noise-stream.ts'
import { wrapEnv } from './wrap-env.ts'

const FLOAT32_ROUNDING = 2 ** -23

export interface ObservationNoise {
  /** Standard deviation of every colour value, as a fraction of 255; default 0. */
  readonly images?: number
  /** Standard deviation of every element of `proprio`, as a fraction of the width of its space; default 0. */
  readonly proprio?: number
}

/**
 * Adds normal noise to what is measured, images and `proprio`, and clips to their spaces. The privileged `state`, rendered images and goal
 * images stay exact. The noise follows the env's seeds.
 * @throws ArmatureError `bad-argument`.
 */
export function observationNoise<E extends Env>(env: E, { images = 0, proprio = 0 }: ObservationNoise): E {
  checkStd(images, 'observationNoise images')
  checkStd(proprio, 'observationNoise proprio')
  const stream = new NoiseStream('observation-noise')
  const noisy = emptyCopy(env.spec)
  const disturb = (seen: Observation): Observation => {
    for (const [camera, target] of Object.entries(noisy.images)) {
      target.set(seen.images[camera]!)
      if (images > 0) disturbImage(target, images * 255, stream)
    }
    noisy.proprio.set(seen.proprio)
    if (proprio > 0) disturbVector(noisy.proprio, env.spec.proprioSpace, proprio, stream)
    return { ...noisy, state: seen.state }
  }
  return wrapEnv(env, {
    name: 'observation-noise',
    async reset(options) {
      const result = await env.reset(options)
      stream.begin(options)
      return { ...result, observation: disturb(result.observation) }
    },
    async step(action) {
      const result = await env.step(action)
      return { ...result, observation: disturb(result.observation) }
    },
    save: () => stream.save(),
    restore: (state) => stream.restore(state),
  })
}

function emptyCopy({ imageSpaces, proprioSpace }: EnvSpec): Pick<Observation, 'images' | 'proprio'> {
  const images = Object.entries(imageSpaces).map(([camera, { shape }]) => [camera, new Uint8Array(sizeOf(shape))])
  return { images: Object.fromEntries(images), proprio: new Float32Array(sizeOf(proprioSpace.shape)) }
}

function disturbImage(image: Uint8Array, std: number, stream: NoiseStream): void {
  for (let i = 0; i < image.length; i++) image[i] = Math.round(stream.disturb(image[i]!, std, 0, 255))
}

/** @param std as a fraction of the width of each element's interval. */
function disturbVector(vector: Float32Array, { low, high }: BoxSpace, std: number, stream: NoiseStream): void {
  for (let i = 0; i < vector.length; i++) {
    const [least, most] = [bound(low, i), bound(high, i)]
    // Rounding a bound to float32 may lead out of the space.
    const margin = FLOAT32_ROUNDING * Math.max(Math.abs(least), Math.abs(most))
    vector[i] = stream.disturb(vector[i]!, std * (most - least), least + margin, most - margin)
  }
}
