import type { Env, EnvSpec, Observation } from '../../src/core/env.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import { integer } from '../options.ts'
import { wrapEnv } from './wrap-env.ts'

/**
 * Shows the last `frames` images of each camera, oldest first, along the channels: uint8 [height, width, channels * frames]. After `reset`
 * they are all the first one; goal images are `frames` times the same. `render` gives single images as ever.
 * @throws ArmatureError `bad-argument`.
 */
export function frameStack<E extends Env>(env: E, frames: number): E {
  integer(1, 64)(frames, `frameStack of ${env.spec.id}`)
  const stacks = new Map(
    Object.entries(env.spec.imageSpaces).map(([camera, { shape }]) => [camera, new FrameStack(shape, frames)]),
  )
  const images = Object.fromEntries([...stacks].map(([camera, { image }]) => [camera, image]))
  const show = (observation: Observation, isFirst: boolean): Observation => {
    for (const [camera, stack] of stacks) {
      if (isFirst) stack.fill(observation.images[camera]!)
      else stack.push(observation.images[camera]!)
    }
    return { ...observation, images }
  }
  return wrapEnv(env, {
    name: 'frame-stack',
    spec: { ...env.spec, imageSpaces: stackedSpaces(env.spec, frames) },
    async reset(options) {
      const result = await env.reset(options)
      return { ...result, observation: show(result.observation, true) }
    },
    async step(action) {
      const result = await env.step(action)
      return { ...result, observation: show(result.observation, false) }
    },
    goalImages: (single) =>
      Object.fromEntries(
        Object.entries(single).map(([camera, image]) => {
          const stack = new FrameStack(env.spec.imageSpaces[camera]!.shape, frames)
          stack.fill(image)
          return [camera, stack.image]
        }),
      ),
    save: () => ({ json: null, bytes: Buffer.concat(Object.values(images)) }),
    restore({ bytes }) {
      let start = 0
      for (const image of Object.values(images)) {
        image.set(bytes!.subarray(start, start + image.length))
        start += image.length
      }
    },
  })
}

/** The last images of one camera. */
class FrameStack {
  /** uint8 [height, width, channels * frames] */
  readonly image: Uint8Array
  readonly #channels: number
  readonly #depth: number

  constructor(shape: readonly number[], frames: number) {
    this.#channels = shape[2]!
    this.#depth = this.#channels * frames
    this.image = new Uint8Array(sizeOf(shape) * frames)
  }

  /** All frames become `frame`. */
  fill(frame: Uint8Array): void {
    for (let start = 0; start < this.#depth; start += this.#channels) this.#write(frame, start)
  }

  /** The oldest frame makes room for `frame`. */
  push(frame: Uint8Array): void {
    // Moves every pixel's frames one place down; what comes into the last place from the next pixel is overwritten.
    this.image.copyWithin(0, this.#channels)
    this.#write(frame, this.#depth - this.#channels)
  }

  #write(frame: Uint8Array, start: number): void {
    const { image } = this
    for (let from = 0, to = start; from < frame.length; from += this.#channels, to += this.#depth) {
      for (let channel = 0; channel < this.#channels; channel++) image[to + channel] = frame[from + channel]!
    }
  }
}

function stackedSpaces({ imageSpaces }: EnvSpec, frames: number): EnvSpec['imageSpaces'] {
  return Object.fromEntries(
    Object.entries(imageSpaces).map(([camera, space]) => {
      const [height, width, channels] = space.shape as readonly [number, number, number]
      return [camera, { ...space, shape: [height, width, channels * frames] }]
    }),
  )
}
