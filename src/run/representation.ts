import type { Dataset, EpisodeData } from '../core/dataset.ts'
import { encoderInput, goalInput, writeWindow } from '../core/encoder-input.ts'
import type { Encoder, MapPlaces } from '../core/encoder.ts'
import { encodeGoal } from '../core/encoder.ts'
import type { Env, GoalEnv, Observation } from '../core/env.ts'
import { isGoalEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { FrameFit, FrameShape } from '../core/frame-fit.ts'
import { asTheyAre, fitFrames, fitOfCamera } from '../core/frame-fit.ts'
import type { NamedArrays, NdArray } from '../core/ndarray.ts'
import { ndarray, sizeOf } from '../core/ndarray.ts'
import type { GoalView } from '../core/policy.ts'
import { bound } from '../core/spaces.ts'

/** How observations and goals become the vectors that an agent sees. */
export interface Representation {
  readonly name: string
  /** Length of a feature vector; 0 where frames are all that the agent sees. */
  readonly size: number
  /** Length of the vector of a goal, where those have a space of their own; default: `size`. */
  readonly goalSize?: number
  /** There where features are those of places, row by row: where those are in the frame. */
  readonly mapPlaces?: MapPlaces
  /** Camera whose frames decide the features, where they do. */
  readonly camera: string | undefined
  /** Whether the features of a goal depend on how its episode started. */
  readonly takesContext: boolean
  /** Whether goals live in a space of their own, so that what was reached has to be encoded as a goal as well; default false. */
  readonly hasOwnGoals?: boolean
  /**
   * What follows one episode, from its first observation on.
   * @param goal what the env asks for in it, a point of its goal space, where it has goals: for privileged representations alone
   */
  begin(goal?: Float32Array): EpisodeFeatures
  /**
   * The same for recorded frames, where frames decide the features and those may have another size.
   * @throws ArmatureError `bad-config` for a size that the encoder does not take
   */
  ofDataset?(dataset: Pick<Dataset, 'path' | 'spec'>): Representation
  /** A picture of a goal as replay keeps it; default: the frame of `camera` as it is. */
  goalFrame?(goal: Pick<GoalView, 'images'>): Uint8Array
  /** Fresh features [goalSize] of a point of the goal space, where they are a function of it alone. */
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
   * Fresh features [goalSize] of a goal given from outside.
   * @throws ArmatureError `bad-argument` before the first observation, where `takesContext`.
   */
  goal(goal: GoalView): Promise<Float32Array>
  /** The newest frame as replay keeps it, valid until the next observation; default: that of `camera` as it is. */
  newestFrame?(): Uint8Array
  /** uint8 [frames, height, width, channels], the oldest first, that the agent looks at beside the features of the newest observation, where it looks at frames: a copy. */
  frames?(): Uint8Array
  /** What the step to the newest observation pays, where something else than the env does. */
  reward?(): number
  /** What it remembers of the episode; `restore` takes what `save` gave. */
  save(): NamedArrays
  restore(arrays: NamedArrays): void
}

/**
 * Features [length, size] of all observations of a recorded episode, as an agent would have seen them.
 * @throws ArmatureError `bad-config` where it lacks the camera, or has frames of a size that the encoder does not take.
 */
export async function recordedFeatures(
  representation: Representation,
  episode: EpisodeData,
  dataset: Pick<Dataset, 'path' | 'spec'>,
): Promise<Float32Array> {
  const { info, images, proprio, state } = episode
  const part = <T extends Uint8Array | Float32Array>(all: T, t: number): T => {
    const size = all.length / info.length
    return all.subarray(t * size, (t + 1) * size) as T
  }
  const follower = (representation.ofDataset?.(dataset) ?? representation).begin()
  const features = new Float32Array(info.length * representation.size)
  for (let t = 0; t < info.length; t++) {
    const frames = Object.entries(images).map(([camera, all]) => [camera, part(all, t)] as const)
    const observation = { images: Object.fromEntries(frames), proprio: part(proprio, t), state: part(state, t) }
    features.set(await follower.observe(observation), t * representation.size)
  }
  return features
}

/** A picture of a goal as replay keeps it; undefined where frames decide nothing. */
export function goalFrameOf(representation: Representation, goal: Pick<GoalView, 'images'>): Uint8Array | undefined {
  const { camera } = representation
  return representation.goalFrame?.(goal) ?? (camera === undefined ? undefined : goal.images[camera])
}

/**
 * Latents of the frames of one camera; goals are frames of `goalCamera`.
 * @param policy how frames of both become those of the encoder; default: they are
 * @param shape of the frames, where they are not those that the policy was made for
 * @throws ArmatureError as {@link fitOfCamera}
 */
export function encoderRepresentation(
  encoder: Encoder,
  camera: string,
  goalCamera: string = camera,
  policy: FrameFit = asTheyAre(encoder.spec.frameShape),
  shape: FrameShape = policy.from,
): Representation {
  const { name } = encoder.spec
  const fix = 'use frames of that size'
  const fit = fitOfCamera(policy, { what: `encoder ${name}`, camera, shape, fix })
  return {
    name,
    size: encoder.spec.latentSize,
    ...(encoder.goalSize !== undefined && { goalSize: encoder.goalSize }),
    ...(encoder.goalSize !== undefined && encoder.mapPlaces && { mapPlaces: encoder.mapPlaces }),
    camera,
    takesContext: encoder.spec.takesContext,
    hasOwnGoals: encoder.encodeGoal !== undefined,
    begin: () => new EncodedEpisode(encoder, { camera, goalCamera, fit }),
    ofDataset: ({ path, spec }) => {
      const recorded = spec.cameras[camera]?.shape as FrameShape | undefined
      if (recorded === undefined) return noCamera(camera, spec.cameras)
      fitOfCamera(policy, { what: `encoder ${name} on ${path}`, camera, shape: recorded, fix })
      return encoderRepresentation(encoder, camera, goalCamera, policy, recorded)
    },
    goalFrame: ({ images }) => fitFrames(frameBy(camera, images), fit),
  }
}

/** @throws ArmatureError `bad-config` for images without the camera. */
function frameBy(camera: string, images: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const frame = images[camera]
  return frame ?? noCamera(camera, images)
}

function noCamera(camera: string, all: Readonly<Record<string, unknown>>): never {
  throw new ArmatureError('bad-config', 'camera', { expected: Object.keys(all).join(' or '), got: camera })
}

/** The newest frames of an episode by one camera, fitted and copied, the newest last. */
class RecentFrames {
  readonly #camera: string
  readonly #fit: FrameFit
  readonly #limit: number
  #frames: Uint8Array[] = []

  /** @param limit how many are kept */
  constructor(camera: string, fit: FrameFit, limit: number) {
    this.#camera = camera
    this.#fit = fit
    this.#limit = limit
  }

  /** As many as are kept, or all where the episode is shorter. */
  get frames(): readonly Uint8Array[] {
    return this.#frames
  }

  push({ images }: Observation): void {
    const frame = frameBy(this.#camera, images)
    const fitted = fitFrames(frame, this.#fit)
    this.#frames.push(fitted === frame ? frame.slice() : fitted)
    if (this.#frames.length > this.#limit) this.#frames.shift()
  }

  save(): NdArray {
    const { to } = this.#fit
    const all = new Uint8Array(this.#frames.length * sizeOf(to))
    this.#frames.forEach((frame, i) => all.set(frame, i * frame.length))
    return ndarray(all, [this.#frames.length, ...to])
  }

  restore(saved: NdArray | undefined): void {
    const size = sizeOf(this.#fit.to)
    const all = (saved?.data ?? new Uint8Array(0)) as Uint8Array
    this.#frames = Array.from({ length: all.length / size }, (_, i) => all.slice(i * size, (i + 1) * size))
  }
}

/** What an encoder is shown of the env. */
interface EncoderLook {
  readonly camera: string
  readonly goalCamera: string
  /** Of both cameras. */
  readonly fit: FrameFit
}

/** Keeps the frames of an episode that the next input of its encoder can need: the last few, and the first. */
class EncodedEpisode implements EpisodeFeatures {
  readonly #encoder: Encoder
  /** As many as a window spans. */
  readonly #recent: RecentFrames
  readonly #look: EncoderLook
  #first: Uint8Array | undefined

  constructor(encoder: Encoder, look: EncoderLook) {
    const { frames, stride } = encoder.spec.window
    this.#encoder = encoder
    this.#look = look
    this.#recent = new RecentFrames(look.camera, look.fit, (frames - 1) * stride + 1)
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
    const { goalCamera, fit } = this.#look
    const frame = fitFrames(frameBy(goalCamera, images), fit)
    return encodeGoal(this.#encoder, goalInput(this.#encoder.spec, frame, this.#first))
  }

  newestFrame(): Uint8Array {
    return this.#recent.frames.at(-1)!
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
  /** Frames that the agent sees at once. */
  readonly stack: number
  /** Whether it sees what the robot measures of itself as well. */
  readonly proprio: boolean
}

/** The shape of the frames of a camera. @throws ArmatureError `bad-config` for an env without it. */
export function shapeOfCamera({ id, imageSpaces }: Env['spec'], camera: string): FrameShape {
  const space = imageSpaces[camera]
  if (space !== undefined) return space.shape as unknown as FrameShape
  const expected = Object.keys(imageSpaces).join(' or ') || `an env with cameras (${id} has none)`
  throw new ArmatureError('bad-config', 'representation.camera', { expected, got: camera })
}

/**
 * Frames as they are, for an agent that looks at them itself.
 * @throws ArmatureError `bad-config` for an env without that camera.
 */
export function pixelRepresentation({ spec }: Env, { camera, stack, proprio }: PixelView): Representation {
  const shape = shapeOfCamera(spec, camera)
  return {
    name: 'pixels',
    size: proprio ? sizeOf(spec.proprioSpace.shape) : 0,
    camera,
    takesContext: false,
    begin: () => {
      const recent = new RecentFrames(camera, asTheyAre(shape), stack)
      return {
        observe: async (observation) => {
          recent.push(observation)
          return Float32Array.from(proprio ? observation.proprio : [])
        },
        goal: () => noGoals('pixels'),
        newestFrame: () => recent.frames.at(-1)!,
        frames: () => {
          const { frames } = recent
          const stacked = new Uint8Array(stack * sizeOf(shape))
          const frameAt = (time: number): Uint8Array => frames[time]!
          writeWindow({ frames: stack, stride: 1 }, frames.length - 1, frameAt, stacked)
          return stacked
        },
        save: () => ({ recentFrames: recent.save() }),
        restore: ({ recentFrames }) => recent.restore(recentFrames),
      }
    },
  }
}

async function noGoals(name: string): Promise<never> {
  throw new ArmatureError('bad-config', `representation ${name}`, {
    got: 'a goal',
    fix: 'use encoder, or state with settings of goals',
  })
}

/** Features that are a function of the present observation alone. */
function memoryless(parts: Pick<EpisodeFeatures, 'observe' | 'goal'>): () => EpisodeFeatures {
  return () => ({ ...parts, save: () => ({}), restore: () => {} })
}

/** Privileged goal coordinates, centred in the goal space and multiplied by `scalePerM`: what the oracle sees that is given goals. */
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

/**
 * The whole privileged state, as it is, and behind it what the env asks for where it has goals: what the oracle sees where the env pays.
 * Units differ from number to number: an agent had better normalise them.
 */
export function wholeStateRepresentation(env: Env): Representation {
  const goalSize = isGoalEnv(env) ? sizeOf(env.goalSpace.shape) : 0
  return {
    name: 'whole-state',
    size: sizeOf(env.spec.stateSpace.shape) + goalSize,
    camera: undefined,
    takesContext: false,
    begin: (goal) => {
      if (goalSize > 0 && goal?.length !== goalSize) {
        throw new ArmatureError('bad-argument', 'representation state', {
          expected: `what the env asks for, ${goalSize} numbers`,
          got: goal === undefined ? 'none' : `${goal.length}`,
        })
      }
      const asked = Float32Array.from(goal ?? [])
      return {
        observe: async ({ state }) => Float32Array.of(...state, ...asked),
        goal: () => noGoals('state'),
        save: () => ({}),
        restore: () => {},
      }
    },
  }
}

/** The whole privileged state, as it is, without what the env asks for: for an agent that is shown what to do. */
export function bareStateRepresentation(env: Env): Representation {
  return {
    name: 'bare-state',
    size: sizeOf(env.spec.stateSpace.shape),
    camera: undefined,
    takesContext: false,
    begin: memoryless({
      observe: async ({ state }) => Float32Array.from(state),
      goal: () => noGoals('state'),
    }),
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
