import type { Dataset, EpisodeData, EpisodeInfo } from '../../core/dataset.ts'
import { encoderInput, goalInput } from '../../core/encoder-input.ts'
import type { Encoder } from '../../core/encoder.ts'
import { encodeGoal } from '../../core/encoder.ts'
import { ArmatureError } from '../../core/errors.ts'
import type { FrameFit } from '../../core/frame-fit.ts'
import { asTheyAre, fitFrames, fitOfCamera } from '../../core/frame-fit.ts'
import { sizeOf } from '../../core/ndarray.ts'
import { Rng } from '../../core/rng.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes, TrueDistance } from '../measures/embedded-episodes.ts'
import { distanceRewards } from '../measures/embedded-episodes.ts'
import { nuisancesOf } from './nuisances.ts'

/** Frames that an encoder is given at once. */
const BATCH = 64

/** What is paid for embeddings. */
export interface EmbeddingReward {
  /** Whether a frame is paid by when it is shown. */
  readonly dependsOnTime: boolean
  /**
   * Rewards [T] of embeddings [T, size] in the order in which they are shown.
   * @param goals [K, size]; @returns undefined where there are none, and it needs them
   */
  pay(embeddings: Float32Array, goals: Float32Array | undefined, size: number): Float32Array | undefined
}

/** Minus the distance to the goal, see {@link distanceRewards}. */
const distanceReward: EmbeddingReward = {
  dependsOnTime: false,
  pay: (embeddings, goals, size) => goals && distanceRewards(embeddings, goals, size),
}

/** Turns whole episodes into rows of numbers: an encoder behind a camera, or the privileged state. */
export interface Embedder {
  /** Name in the report; different for each. */
  readonly name: string
  /** Camera that it looks through; none for the state. */
  readonly camera?: string
  readonly latentSize: number
  /** Whether the embedding of a frame depends on others: those before it, or the first one. */
  readonly seesOthers: boolean
  /** Default: minus the distance to the goal. */
  readonly reward?: EmbeddingReward
  /**
   * Embeddings of all observations of an episode, [length, latentSize].
   * @param order the times of the frames in the order in which they are shown; default: as they came
   */
  embed(episode: EpisodeData, order?: ArrayLike<number>): Promise<Float32Array>
  /**
   * Embeddings of the images of its goal, [images, latentSize]; undefined where the episode has no goal.
   * @param first time of the frame that is shown first; default 0
   */
  embedGoals(episode: EpisodeData, first?: number): Promise<Float32Array | undefined>
}

/** Frames of an episode by camera, as `EpisodeData.images`, by how the scene looks there. */
export type LookImages = Readonly<Record<string, EpisodeData['images']>>

/** What {@link embedEpisodes} can be told. */
export interface EmbedOptions {
  /** Called with the error of an episode that cannot be read, which is left out. */
  readonly onProblem?: (error: ArmatureError) => void
  /** Renders an episode in other looks, where it can be. */
  readonly otherLooks?: (episode: EpisodeData) => Promise<LookImages | undefined>
}

/** How states, goals and true distances of a dataset hang together. */
export interface TaskGeometry {
  /** The point of the goal space that a state has reached. */
  achieved(state: Float32Array): Float32Array
  /** Distance of two points of the goal space. */
  readonly distance: TrueDistance
  /** Unit of the distance, e.g. `m`. */
  readonly unit: string
  /** Where the distance comes from, for the reader of the report. */
  readonly description: string
}

/** How an embedder gets its frames. */
export interface FrameOptions {
  /** Pictures of success that stand for the goal of every episode, where the dataset holds none of its own. */
  readonly sharedGoals?: readonly Uint8Array[]
  /** How frames were fitted when the encoder learned; default: as they are. */
  readonly fit?: FrameFit
}

/**
 * @throws ArmatureError `bad-config` in one line when the dataset lacks the camera or its frames have another shape.
 */
export function encoderEmbedder(
  name: string,
  encoder: Encoder,
  camera: string,
  dataset: Dataset,
  { sharedGoals = [], fit = asTheyAre(encoder.spec.frameShape) }: FrameOptions = {},
): Embedder {
  const { latentSize, window, takesContext } = encoder.spec
  const recorded = fitOfRecorded(name, fit, camera, dataset)
  const [recordedSize, fittedSize] = [sizeOf(recorded.from), sizeOf(recorded.to)]
  return {
    name,
    camera,
    latentSize,
    seesOthers: window.frames > 1 || takesContext,
    embed: async (episode, order) => {
      const { length } = episode.info
      const latents = new Float32Array(length * latentSize)
      // All at once: windows and contexts show a frame many times.
      const fitted = fitFrames(episode.images[camera]!, recorded)
      const frameAt = (time: number): Uint8Array => fitted.subarray(time * fittedSize, (time + 1) * fittedSize)
      for (let start = 0; start < length; start += BATCH) {
        const times = Array.from({ length: Math.min(BATCH, length - start) }, (_, i) => start + i)
        const input = encoderInput(encoder.spec, times, (_row, time) => frameAt(order?.[time] ?? time))
        latents.set(await encoder.encode(input), start * latentSize)
      }
      return latents
    },
    embedGoals: async (episode, first = 0) => {
      const own = sharedGoals.length > 0 ? undefined : goalFrame(episode, camera)
      const frames = own === undefined ? sharedGoals : [own]
      if (frames.length === 0) return undefined
      const goals = new Float32Array(frames.length * latentSize)
      const from = first * recordedSize
      const start = fitFrames(episode.images[camera]!.subarray(from, from + recordedSize), recorded)
      for (const [i, frame] of frames.entries()) {
        const goal = goalInput(encoder.spec, fitFrames(frame, recorded), start)
        goals.set(await encodeGoal(encoder, goal), i * latentSize)
      }
      return goals
    },
  }
}

/** Pictures of success are as many as this: their mean distance is the reward. */
const SHARED_GOALS = 8

/**
 * The last frames of successful episodes, evenly chosen: what success looks like, for a dataset without pictures of goals.
 * @param indices episodes that are not measured on
 * @returns none where an episode has a recorded goal, or none of `indices` succeeded
 */
export async function successFrames(
  dataset: Dataset,
  indices: readonly number[],
  camera: string,
): Promise<Uint8Array[]> {
  if (dataset.spec.goalSpace !== undefined) return []
  const wanted = new Set(indices)
  const successes = dataset.episodes.filter(({ index, success }) => wanted.has(index) && success === true)
  const count = Math.min(SHARED_GOALS, successes.length)
  const frames: Uint8Array[] = []
  for (let i = 0; i < count; i++) {
    const { index } = successes[Math.floor((i * successes.length) / count)]!
    const data = await readOrSkip(dataset, index, [camera])
    if (data?.goalImages !== undefined) return []
    const last = data && goalFrame(data, camera)
    if (last !== undefined) frames.push(last.slice())
  }
  return frames
}

/** An episode, or undefined where its files are damaged. @param onProblem called with the error then */
export async function readOrSkip(
  dataset: Dataset,
  index: number,
  cameras: readonly string[],
  onProblem: (error: ArmatureError) => void = () => undefined,
): Promise<EpisodeData | undefined> {
  try {
    return await dataset.readEpisode(index, cameras)
  } catch (error) {
    if (!(error instanceof ArmatureError) || error.code !== 'corrupt-file') throw error
    onProblem(error)
    return undefined
  }
}

function fitOfRecorded(name: string, fit: FrameFit, camera: string, { path, spec }: Dataset): FrameFit {
  const what = `encoder ${name} on ${path}`
  const space = spec.cameras[camera]
  if (space === undefined) {
    throw new ArmatureError('bad-config', what, {
      expected: `camera ${camera}`,
      got: `only ${Object.keys(spec.cameras).join(', ') || 'no camera'}`,
      fix: 'choose one with --camera',
    })
  }
  const fix = 'use a dataset recorded at the size that the encoder was trained on'
  return fitOfCamera(fit, { what, camera, shape: space.shape, fix })
}

/** The coordinates that the task is scored by, as they are: what no camera can beat. */
export function stateEmbedder(name: string, latentSize: number, task: TaskGeometry): Embedder {
  return {
    name,
    latentSize,
    seesOthers: false,
    embed: async ({ state, info: { length } }) => {
      const size = state.length / length
      const points = new Float32Array(length * latentSize)
      for (let t = 0; t < length; t++) {
        points.set(task.achieved(state.subarray(t * size, (t + 1) * size)), t * latentSize)
      }
      return points
    },
    embedGoals: async (episode) => goalPoint(episode, task),
  }
}

/** The picture of an episode's goal: the recorded one, else the last frame where the episode succeeded. */
export function goalFrame({ goalImages, images, info }: EpisodeData, camera: string): Uint8Array | undefined {
  const recorded = goalImages?.[camera]
  if (recorded !== undefined) return recorded
  const frames = images[camera]!
  return info.success === true ? frames.subarray(frames.length - frames.length / info.length) : undefined
}

/** The goal of an episode in the goal space: the recorded one, else where it ended, if it succeeded. */
function goalPoint({ info, state }: EpisodeData, task: TaskGeometry): Float32Array | undefined {
  if (info.goal !== undefined) return info.goal
  if (info.success !== true || state.length === 0) return undefined
  return task.achieved(state.subarray(state.length - state.length / info.length))
}

/**
 * Embeds episodes with several embedders at once: each episode is read once, and only its embeddings stay in memory.
 *
 * @param indices numbers of the episodes in the dataset
 * @param task what is known of true distances, where the dataset holds states
 * @param onEpisode called with each episode while it is in memory, after it has been embedded
 * @returns by the name of the embedder
 */
export async function embedEpisodes(
  dataset: Dataset,
  indices: readonly number[],
  embedders: readonly Embedder[],
  task: TaskGeometry | undefined,
  onEpisode: (episode: EpisodeData) => void,
  { onProblem, otherLooks }: EmbedOptions = {},
): Promise<ReadonlyMap<string, EmbeddedEpisodes>> {
  const cameras = camerasOf(embedders)
  const episodes = embedders.map((): EmbeddedEpisode[] => [])
  const infos: EpisodeInfo[] = []
  for (const index of indices) {
    const data = await readOrSkip(dataset, index, cameras, onProblem)
    if (data === undefined) continue
    const common = describeEpisode(data, task)
    const looks = await otherLooks?.(data)
    for (const [i, embedder] of embedders.entries()) {
      const { reward = distanceReward, latentSize, seesOthers } = embedder
      const goals = await embedder.embedGoals(data)
      const embeddings = await embedder.embed(data)
      const rewards = reward.pay(embeddings, goals, latentSize)
      const ordered = (seesOthers || reward.dependsOnTime) && rewards !== undefined && isShownWell(common)
      episodes[i]!.push({
        ...common,
        embeddings,
        ...(goals === undefined ? {} : { goals }),
        ...(rewards === undefined ? {} : { rewards }),
        ...(ordered ? await rewardsInOtherOrders(embedder, data) : {}),
        ...(looks && embedder.camera !== undefined && { looks: await embedLooks(embedder, data, looks) }),
      })
    }
    infos.push(data.info)
    onEpisode(data)
  }
  const nuisances = nuisancesOf(infos)
  const labelled = (episode: EmbeddedEpisode, at: number): EmbeddedEpisode => ({
    ...episode,
    ...(nuisances[at] && { nuisances: nuisances[at] }),
  })
  return new Map(
    embedders.map(({ name, latentSize }, i) => [
      name,
      { episodes: episodes[i]!.map(labelled), embeddingSize: latentSize, ...describeTask(dataset, task) },
    ]),
  )
}

async function embedLooks(
  embedder: Embedder,
  data: EpisodeData,
  looks: LookImages,
): Promise<Record<string, Float32Array>> {
  const embedded: Record<string, Float32Array> = {}
  for (const [look, images] of Object.entries(looks)) embedded[look] = await embedder.embed({ ...data, images })
  return embedded
}

/** What is paid for the frames when they are shown backwards, and in a random order that depends on the episode's number alone. */
async function rewardsInOtherOrders(
  embedder: Embedder,
  data: EpisodeData,
): Promise<Pick<EmbeddedEpisode, 'reversedRewards' | 'shuffledRewards'>> {
  const { reward = distanceReward, latentSize } = embedder
  const times = Array.from({ length: data.info.length }, (_, t) => t)
  const rewardsIn = async (order: readonly number[]): Promise<Float32Array> => {
    const goals = await embedder.embedGoals(data, order[0]!)
    return reward.pay(await embedder.embed(data, order), goals, latentSize)!
  }
  return {
    reversedRewards: await rewardsIn(times.toReversed()),
    shuffledRewards: await rewardsIn(new Rng(data.info.index).shuffle(times)),
  }
}

/** Cameras that the embedders look through, each once. */
export function camerasOf(embedders: readonly Embedder[]): string[] {
  return [...new Set(embedders.flatMap(({ camera }) => camera ?? []))]
}

/** What is known of an episode, whatever encoder looks at it. */
function describeEpisode(data: EpisodeData, task: TaskGeometry | undefined): Omit<EmbeddedEpisode, 'embeddings'> {
  const { info, state, proprio, actions, rewards } = data
  const goal = task && goalPoint(data, task)
  const size = state.length / info.length
  const states = size > 0 ? state : proprio
  return {
    index: info.index,
    class: classOf(info),
    length: info.length,
    actions,
    trueRewards: rewards,
    objects: info.objects,
    ...(states.length > 0 ? { states } : {}),
    ...(info.success === undefined ? {} : { success: info.success }),
    ...(task === undefined || goal === undefined || size === 0
      ? {}
      : {
          goal,
          goalDistances: Float32Array.from({ length: info.length }, (_, t) =>
            task.distance(task.achieved(state.subarray(t * size, (t + 1) * size)), goal),
          ),
        }),
  }
}

/** Successes and failures of unknown makers are classes of their own, over which intervals are stratified. */
function classOf({ policy, success }: EpisodeInfo): string {
  if (policy !== 'unknown' || success === undefined) return policy
  return success ? SUCCEEDED : 'failed'
}

const SUCCEEDED = 'succeeded'

/** Classes whose successes show the task done well. */
const EXPERTS: readonly string[] = ['scripted', 'expert', SUCCEEDED]

/** Whether the order of the frames is asked for: on episodes of experts that did not fail. */
function isShownWell({ class: name, success }: Pick<EmbeddedEpisode, 'class' | 'success'>): boolean {
  return EXPERTS.includes(name) && success !== false
}

function describeTask(
  { spec }: Dataset,
  task: TaskGeometry | undefined,
): Pick<EmbeddedEpisodes, 'stateNames' | 'stateDistance' | 'goalDistance' | 'expertClasses'> {
  const isPrivileged = sizeOf(spec.stateSpace.shape) > 0
  const space = isPrivileged ? spec.stateSpace : spec.proprioSpace
  const stateNames = space.names ?? Array.from({ length: sizeOf(space.shape) }, (_, i) => `state_${i}`)
  const known = {
    expertClasses: EXPERTS,
    ...(stateNames.length > 0 && { stateNames }),
  }
  if (task === undefined || !isPrivileged) return known
  return {
    ...known,
    stateDistance: (a, b) => task.distance(task.achieved(a), task.achieved(b)),
    goalDistance: (state, goal) => task.distance(task.achieved(state), goal),
  }
}
