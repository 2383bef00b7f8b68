import type { EpisodeData } from '../core/dataset.ts'
import { encoderInput, goalInput } from '../core/encoder-input.ts'
import type { Encoder } from '../core/encoder.ts'
import { encodeGoal } from '../core/encoder.ts'
import type { Env, GoalEnv, Observation } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { NamedArrays, NdArray } from '../core/ndarray.ts'
import { ndarray, sizeOf } from '../core/ndarray.ts'
import type { GoalView } from '../core/policy.ts'
import { bound } from '../core/spaces.ts'
import { stackFrames } from '../replay/frame-stack.ts'

/** How observations and goals become the vectors that an agent sees. */
export interface Representation {
  readonly name: string
  /** Length of a feature vector; 0 where frames are all that the agent sees. */
  readonly size: number
  /** Camera whose frames decide the features, where they do. */
  readonly camera: string | undefined
  /** Whether the features of a goal depend on how its episode started. */
  readonly takesContext: boolean
  /** Whether goals live in a space of their own, so that what was reached has to be encoded as a goal as well; default false. */
  readonly hasOwnGoals?: boolean
  /** What follows one episode, from its first observation on. */
  begin(): EpisodeFeatures
  /** Fresh features [size] of a point of the goal space, where they are a function of it alone. */
  fromState?(state: Float32Array): Float32Array
}

/**
 * Features within one episode, where they may depend on what was seen before: it is shown every observation once, in order, the one of
 * the reset included.
 */
export interface EpisodeFeatures {
  /** Fresh features [size] of the next observation. */
  observe(observation: Observation): Promise<Float32Array>
  /**
   * Fresh features [size] of a goal given from outside.
   * @throws ArmatureError `bad-argument` before the first observation, where `takesContext`.
   */
  goal(goal: GoalView): Promise<Float32Array>
  /** uint8 [height, width, channels] that the agent looks at beside the features of the newest observation, where it looks at frames: a copy. */
  frames?(): Uint8Array
  /** What it remembers of the episode; `restore` takes what `save` gave. */
  save(): NamedArrays
  restore(arrays: NamedArrays): void
}

/**
 * Features [length, size] of all observations of a recorded episode, as an agent would have seen them.
 * @throws ArmatureError `bad-config` where it lacks the camera, `bad-shape` for frames of another size.
 */
export async function recordedFeatures(representation: Representation, episode: EpisodeData): Promise<Float32Array> {
  const { info, images, proprio, state } = episode
  const part = <T extends Uint8Array | Float32Array>(all: T, t: number): T => {
    const size = all.length / info.length
    return all.subarray(t * size, (t + 1) * size) as T
  }
  const follower = representation.begin()
  const features = new Float32Array(info.length * representation.size)
  for (let t = 0; t < info.length; t++) {
    const frames = Object.entries(images).map(([camera, all]) => [camera, part(all, t)] as const)
    const observation = { images: Object.fromEntries(frames), proprio: part(proprio, t), state: part(state, t) }
    features.set(await follower.observe(observation), t * representation.size)
  }
  return features
}

/** Latents of the frames of one camera; goals are frames of `goalCamera`. */
export function encoderRepresentation(encoder: Encoder, camera: string, goalCamera: string = camera): Representation {
  return {
    name: encoder.spec.name,
    size: encoder.spec.latentSize,
    camera,
    takesContext: encoder.spec.takesContext,
    hasOwnGoals: encoder.encodeGoal !== undefined,
    begin: () => new EncodedEpisode(encoder, camera, goalCamera),
  }
}

/** @throws ArmatureError `bad-config` for images without the camera. */
function frameBy(camera: string, images: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const frame = images[camera]
  if (frame !== undefined) return frame
  throw new ArmatureError('bad-config', 'camera', { expected: Object.keys(images).join(' or '), got: camera })
}

/** The newest frames of an episode by one camera, copied, the newest last. */
class RecentFrames {
  readonly #camera: string
  readonly #frameShape: readonly number[]
  readonly #limit: number
  #frames: Uint8Array[] = []

  /** @param limit how many are kept */
  constructor(camera: string, frameShape: readonly number[], limit: number) {
    this.#camera = camera
    this.#frameShape = frameShape
    this.#limit = limit
  }

  /** As many as are kept, or all where the episode is shorter. */
  get frames(): readonly Uint8Array[] {
    return this.#frames
  }

  push({ images }: Observation): void {
    this.#frames.push(frameBy(this.#camera, images).slice())
    if (this.#frames.length > this.#limit) this.#frames.shift()
  }

  save(): NdArray {
    const all = new Uint8Array(this.#frames.length * sizeOf(this.#frameShape))
    this.#frames.forEach((frame, i) => all.set(frame, i * frame.length))
    return ndarray(all, [this.#frames.length, ...this.#frameShape])
  }

  restore(saved: NdArray | undefined): void {
    const size = sizeOf(this.#frameShape)
    const all = (saved?.data ?? new Uint8Array(0)) as Uint8Array
    this.#frames = Array.from({ length: all.length / size }, (_, i) => all.slice(i * size, (i + 1) * size))
  }
}

/** Keeps the frames of an episode that the next input of its encoder can need: the last few, and the first. */
class EncodedEpisode implements EpisodeFeatures {
  readonly #encoder: Encoder
  /** As many as a window spans. */
  readonly #recent: RecentFrames
  readonly #goalCamera: string
  #first: Uint8Array | undefined

  constructor(encoder: Encoder, camera: string, goalCamera: string) {
    const { frameShape, window } = encoder.spec
    this.#encoder = encoder
    this.#goalCamera = goalCamera
    this.#recent = new RecentFrames(camera, frameShape, (window.frames - 1) * window.stride + 1)
  }

  async observe(observation: Observation): Promise<Float32Array> {
    const { spec } = this.#encoder
    this.#recent.push(observation)
    const { frames } = this.#recent
    if (spec.takesContext) this.#first ??= frames[0]!
    const input = encoderInput(spec, [frames.length - 1], (_row, time) => frames[time]!)
    return this.#encoder.encode(spec.takesContext ? { ...input, context: this.#first! } : input)
  }

  async goal({ images }: GoalView): Promise<Float32Array> {
    return encodeGoal(this.#encoder, goalInput(this.#encoder.spec, frameBy(this.#goalCamera, images), this.#first))
  }

  /** Nothing where one frame is all that the encoder looks at. */
  save(): NamedArrays {
    const { frameShape, window } = this.#encoder.spec
    return {
      ...(window.frames > 1 && { recentFrames: this.#recent.save() }),
      ...(this.#first && { firstFrame: ndarray(this.#first, frameShape) }),
    }
  }

  restore({ recentFrames, firstFrame }: NamedArrays): void {
    this.#recent.restore(recentFrames)
    this.#first = firstFrame?.data as Uint8Array | undefined
  }
}

/** What an agent with a feature network sees: stacks of the frames of one camera, beside proprioception where it is asked for. */
export interface PixelView {
  readonly camera: string
  /** Frames that the agent sees as one, with their channels behind each other. */
  readonly stack: number
  /** Whether it sees what the robot measures of itself as well. */
  readonly proprio: boolean
}

/**
 * Frames as they are, for an agent that looks at them itself.
 * @throws ArmatureError `bad-config` for an env without that camera.
 */
export function pixelRepresentation({ spec }: Env, { camera, stack, proprio }: PixelView): Representation {
  const space = spec.imageSpaces[camera]
  if (space === undefined) {
    const expected = Object.keys(spec.imageSpaces).join(' or ')
    throw new ArmatureError('bad-config', 'representation.camera', { expected, got: camera })
  }
  return {
    name: 'pixels',
    size: proprio ? sizeOf(spec.proprioSpace.shape) : 0,
    camera,
    takesContext: false,
    begin: () => {
      const recent = new RecentFrames(camera, space.shape, stack)
      return {
        observe: async (observation) => {
          recent.push(observation)
          return Float32Array.from(proprio ? observation.proprio : [])
        },
        goal: () => noGoals('pixels'),
        frames: () => {
          const { frames } = recent
          const stacked = new Uint8Array(stack * sizeOf(space.shape))
          const frameAt = (time: number): Uint8Array => frames[time]!
          stackFrames({ count: stack, channels: space.shape[2]!, frameAt }, frames.length - 1, stacked)
          return stacked
        },
        save: () => ({ recentFrames: recent.save() }),
        restore: ({ recentFrames }) => recent.restore(recentFrames),
      }
    },
  }
}

async function noGoals(name: string): Promise<never> {
  throw new ArmatureError('bad-config', `representation ${name}`, { got: 'a goal', fix: 'use encoder or state' })
}

/** Features that are a function of the present observation alone. */
function memoryless(parts: Pick<EpisodeFeatures, 'observe' | 'goal'>): () => EpisodeFeatures {
  return () => ({ ...parts, save: () => ({}), restore: () => {} })
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
    takesContext: false,
    begin: memoryless({
      observe: async ({ state }) => scaled(env.achievedGoal(state)),
      goal: async ({ state }) => scaled(state),
    }),
    fromState: scaled,
  }
}

/** What the robot measures of itself, as it is: for envs whose proprioception is the whole state. */
export function proprioRepresentation(env: Env): Representation {
  return {
    name: 'proprio',
    size: sizeOf(env.spec.proprioSpace.shape),
    camera: undefined,
    takesContext: false,
    begin: memoryless({
      observe: async ({ proprio }) => Float32Array.from(proprio),
      goal: () => noGoals('proprio'),
    }),
  }
}
