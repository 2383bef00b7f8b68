import { encoderInput, goalInput } from '../core/encoder-input.ts'
import type { Encoder } from '../core/encoder.ts'
import { encodeGoal } from '../core/encoder.ts'
import type { Env, GoalEnv, Observation } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { NamedArrays } from '../core/ndarray.ts'
import { ndarray, sizeOf } from '../core/ndarray.ts'
import type { GoalView } from '../core/policy.ts'
import { bound } from '../core/spaces.ts'

/** How observations and goals become the vectors that an agent sees. */
export interface Representation {
  readonly name: string
  /** Length of a feature vector. */
  readonly size: number
  /** Camera whose frames decide the features, where they do. */
  readonly camera: string | undefined
  /** Whether the features of a goal depend on how its episode started. */
  readonly takesContext: boolean
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
  /** What it remembers of the episode; `restore` takes what `save` gave. */
  save(): NamedArrays
  restore(arrays: NamedArrays): void
}

/** Latents of the frames of one camera. */
export function encoderRepresentation(encoder: Encoder, camera: string): Representation {
  return {
    name: encoder.spec.name,
    size: encoder.spec.latentSize,
    camera,
    takesContext: encoder.spec.takesContext,
    begin: () => new EncodedEpisode(encoder, camera),
  }
}

/** Keeps the frames of an episode that the next input of its encoder can need: the last few, and the first. */
class EncodedEpisode implements EpisodeFeatures {
  readonly #encoder: Encoder
  readonly #camera: string
  /** Last frames, the newest last: as many as a window spans, or all where the episode is shorter. */
  #recent: Uint8Array[] = []
  #first: Uint8Array | undefined

  constructor(encoder: Encoder, camera: string) {
    this.#encoder = encoder
    this.#camera = camera
  }

  async observe({ images }: Observation): Promise<Float32Array> {
    const { spec } = this.#encoder
    const { window, takesContext } = spec
    const frame = this.#frameOf(images).slice()
    if (takesContext) this.#first ??= frame
    this.#recent.push(frame)
    if (this.#recent.length > (window.frames - 1) * window.stride + 1) this.#recent.shift()
    const input = encoderInput(spec, [this.#recent.length - 1], (_row, time) => this.#recent[time]!)
    return this.#encoder.encode(takesContext ? { ...input, context: this.#first! } : input)
  }

  async goal({ images }: GoalView): Promise<Float32Array> {
    return encodeGoal(this.#encoder, goalInput(this.#encoder.spec, this.#frameOf(images), this.#first))
  }

  /** Nothing where one frame is all that the encoder looks at. */
  save(): NamedArrays {
    const { frameShape, window } = this.#encoder.spec
    const pack = (frames: readonly Uint8Array[]): Uint8Array => {
      const all = new Uint8Array(frames.length * sizeOf(frameShape))
      frames.forEach((frame, i) => all.set(frame, i * frame.length))
      return all
    }
    const { length } = this.#recent
    return {
      ...(window.frames > 1 && { recentFrames: ndarray(pack(this.#recent), [length, ...frameShape]) }),
      ...(this.#first && { firstFrame: ndarray(this.#first, frameShape) }),
    }
  }

  restore({ recentFrames, firstFrame }: NamedArrays): void {
    const size = sizeOf(this.#encoder.spec.frameShape)
    const recent = (recentFrames?.data ?? new Uint8Array(0)) as Uint8Array
    this.#recent = Array.from({ length: recent.length / size }, (_, i) => recent.slice(i * size, (i + 1) * size))
    this.#first = firstFrame?.data as Uint8Array | undefined
  }

  #frameOf(images: Readonly<Record<string, Uint8Array>>): Uint8Array {
    const frame = images[this.#camera]
    if (frame !== undefined) return frame
    throw new ArmatureError('bad-config', 'camera', { expected: Object.keys(images).join(' or '), got: this.#camera })
  }
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
      goal: async () => {
        throw new ArmatureError('bad-config', 'representation proprio', { got: 'a goal', fix: 'use encoder or state' })
      },
    }),
  }
}
