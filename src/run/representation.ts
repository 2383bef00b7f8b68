import type { Encoder } from '../core/encoder.ts'
import type { Env, GoalEnv, Observation } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { GoalView } from '../core/policy.ts'
import { bound } from '../core/spaces.ts'

/** How observations and goals become the vectors that an agent sees. */
export interface Representation {
  readonly name: string
  /** Length of a feature vector. */
  readonly size: number
  /** Camera whose frames decide the features, where they do. */
  readonly camera: string | undefined
  /** Fresh features [size] of one observation. */
  observe(observation: Observation): Promise<Float32Array>
  /** Fresh features [size] of a goal given from outside. */
  goal(goal: GoalView): Promise<Float32Array>
  /** Fresh features [size] of a point of the goal space, where they are a function of it alone. */
  fromState?(state: Float32Array): Float32Array
}

/** Latents of the frames of one camera. */
export function encoderRepresentation(encoder: Encoder, camera: string): Representation {
  const encode = async (images: Readonly<Record<string, Uint8Array>>): Promise<Float32Array> => {
    const frames = images[camera]
    if (frames === undefined) {
      throw new ArmatureError('bad-config', 'camera', { expected: Object.keys(images).join(' or '), got: camera })
    }
    return encoder.encode({ frames, count: 1 })
  }
  return {
    name: encoder.spec.name,
    size: encoder.spec.latentSize,
    camera,
    observe: ({ images }) => encode(images),
    goal: ({ images }) => encode(images),
  }
}

/** Privileged goal coordinates, centred in the goal space and multiplied by `scalePerM`: what the oracle sees. */
export function stateRepresentation(env: GoalEnv, scalePerM: number): Representation {
  const { shape, low, high } = env.goalSpace
  const size = sizeOf(shape)
  const centre = Float32Array.from({ length: size }, (_, i) => (bound(low, i) + bound(high, i)) / 2)
  const scaled = (state: Float32Array): Float32Array => state.map((x, i) => (x - centre[i]!) * scalePerM)
  return {
    name: 'state',
    size,
    camera: undefined,
    observe: async ({ state }) => scaled(env.achievedGoal(state)),
    goal: async ({ state }) => scaled(state),
    fromState: scaled,
  }
}

/** What the robot measures of itself, as it is: for envs whose proprioception is the whole state. */
export function proprioRepresentation(env: Env): Representation {
  return {
    name: 'proprio',
    size: sizeOf(env.spec.proprioSpace.shape),
    camera: undefined,
    observe: async ({ proprio }) => Float32Array.from(proprio),
    goal: async () => {
      throw new ArmatureError('bad-config', 'representation proprio', { got: 'a goal', fix: 'use encoder or state' })
    },
  }
}
