import { requireWhole } from '../../core/checks.ts'
import type { EpisodeBatch, FrameTupleBatch, GraspTripletBatch, PixelTransitionBatch } from '../../core/batches.ts'
import type { InputData } from '../../core/encoder-input.ts'
import type { Rng } from '../../core/rng.ts'
import type { EpisodeSource } from '../episode-source.ts'
import type { FrameOptions, Rows } from './frame-rows.ts'
import { FrameRows, VectorRows } from './frame-rows.ts'
import { copyFrames } from './frames.ts'
import { Positions } from './positions.ts'
import type { Draw } from './sampler.ts'
import { episodeIds, sized } from './sampler.ts'

/** Frames that belong together. */
export interface SequenceOptions extends FrameOptions {
  /** Whether frames that belong together are augmented alike (default) or each on its own. */
  readonly augmentTogether?: boolean
}

export interface FrameTupleOptions extends SequenceOptions {
  /** Frames of a tuple. */
  readonly length: number
  /** Observations from one to the next; default 1. */
  readonly stride?: number
}

/** Steps, seen as frames or as vectors. */
export interface TransitionOptions extends SequenceOptions {
  /** The state as float32 vectors in the place of frames; default false. */
  readonly vectors?: boolean
}

export interface EpisodeWindowOptions extends TransitionOptions {
  /** Observations of a window. */
  readonly length: number
}

export interface GraspTripletOptions extends SequenceOptions {
  /** Camera that shows what the gripper holds after a grasp; default `outcome`. `camera` looks into the bin. */
  readonly outcomeCamera?: string
}

/** Camera that shows what a gripper holds, where nobody says another. */
export const OUTCOME_CAMERA = 'outcome'

/** Runs of frames at equal distances. */
export function frameTupleSampler(
  source: EpisodeSource,
  options: FrameTupleOptions,
  rng: Rng,
  seeds: Rng,
): Draw<FrameTupleBatch> {
  const { length, stride = 1, augmentTogether = true } = options
  requireWhole('length of a tuple', length, 1)
  requireWhole('stride of a tuple', stride, 1)
  const positions = new Positions(source, (length - 1) * stride + 1, rng)
  const rows = new FrameRows(source, options)
  const own = { episodes: new Int32Array(0), times: new Int32Array(0) }
  return {
    frameShape: rows.frameShape,
    draw: (count) => {
      positions.draw(count)
      own.episodes = episodeIds(source, positions, own.episodes)
      own.times = sized(own.times, count * length)
      copyWindows(rows, positions, length, stride)
      for (let row = 0; row < count * length; row++) {
        own.times[row] = positions.times[Math.floor(row / length)]! + (row % length) * stride
      }
      const frames = rows.take(count * length, seeds.nextSeed(), augmentTogether ? length : 1)
      return { count, length, stride, frames, ...own }
    },
  }
}

/** Steps as pixels, or as vectors. */
export function transitionSampler(
  source: EpisodeSource,
  options: TransitionOptions,
  rng: Rng,
  seeds: Rng,
): Draw<PixelTransitionBatch> {
  const positions = new Positions(source, 2, rng)
  const [before, after] = [rowsOf(source, options), rowsOf(source, options)]
  const own = {
    actions: new Float32Array(0),
    rewards: new Float32Array(0),
    notDone: new Float32Array(0),
    episodes: new Int32Array(0),
  }
  return {
    frameShape: before.frameShape,
    draw: (count) => {
      positions.draw(count)
      copyFrames(before, positions, count)
      copyFrames(after, positions, count, 1)
      own.episodes = episodeIds(source, positions, own.episodes)
      own.actions = sized(own.actions, count * source.actionSize)
      own.rewards = sized(own.rewards, count)
      own.notDone = sized(own.notDone, count)
      for (let i = 0; i < count; i++) {
        const [episode, time] = [positions.episodes[i]!, positions.times[i]!]
        own.actions.set(source.actionAt(episode, time), i * source.actionSize)
        own.rewards[i] = source.rewardAt(episode, time)
        own.notDone[i] = source.terminatedAt(episode, time) ? 0 : 1
      }
      return { count, ...takePair(before, after, count, options, seeds), ...own, times: positions.times }
    },
  }
}

/** Windows of consecutive observations with their steps. */
export function episodeSampler(
  source: EpisodeSource,
  options: EpisodeWindowOptions,
  rng: Rng,
  seeds: Rng,
): Draw<EpisodeBatch> {
  const { length, augmentTogether = true } = options
  requireWhole('length of a window', length, 2)
  const positions = new Positions(source, length, rng)
  const rows = rowsOf(source, options)
  const own = { actions: new Float32Array(0), rewards: new Float32Array(0), episodes: new Int32Array(0) }
  return {
    frameShape: rows.frameShape,
    draw: (count) => {
      positions.draw(count)
      copyWindows(rows, positions, length, 1)
      const steps = length - 1
      own.episodes = episodeIds(source, positions, own.episodes)
      own.actions = sized(own.actions, count * steps * source.actionSize)
      own.rewards = sized(own.rewards, count * steps)
      for (let row = 0; row < count * steps; row++) {
        const window = Math.floor(row / steps)
        const [episode, time] = [positions.episodes[window]!, positions.times[window]! + (row % steps)]
        own.actions.set(source.actionAt(episode, time), row * source.actionSize)
        own.rewards[row] = source.rewardAt(episode, time)
      }
      const frames = rows.take(count * length, seeds.nextSeed(), augmentTogether ? length : 1)
      return { count, length, frames, ...own, starts: positions.times }
    },
  }
}

/**
 * Grasps, where a step is a whole grasp that pays for what it lifts, as in `armature/GraspBin-v0`. Which object was grasped is read from
 * the state elements whose names end in `_instance` and that turn negative once an object has left the bin: its value plus 1 (the
 * first, where several were lifted).
 */
export function graspTripletSampler(
  source: EpisodeSource,
  { outcomeCamera = OUTCOME_CAMERA, ...options }: GraspTripletOptions,
  rng: Rng,
  seeds: Rng,
): Draw<GraspTripletBatch> {
  const positions = new Positions(source, 2, rng)
  const [before, after] = [new FrameRows(source, options), new FrameRows(source, options)]
  const outcome = new FrameRows(source, { ...options, camera: outcomeCamera })
  const instances = source.stateNames.flatMap((name, element) => (name.endsWith('_instance') ? [element] : []))
  const own = { success: new Uint8Array(0), objects: new Int32Array(0) }
  return {
    frameShape: before.frameShape,
    draw: (count) => {
      positions.draw(count)
      copyFrames(before, positions, count)
      copyFrames(after, positions, count, 1)
      copyFrames(outcome, positions, count, 1)
      own.success = sized(own.success, count)
      own.objects = sized(own.objects, count)
      for (let i = 0; i < count; i++) {
        const [episode, time] = [positions.episodes[i]!, positions.times[i]!]
        own.success[i] = source.rewardAt(episode, time) > 0 ? 1 : 0
        own.objects[i] = own.success[i] === 1 ? taken(source, instances, episode, time) : 0
      }
      const { frames, nextFrames } = takePair(before, after, count, options, seeds)
      const triplet = { before: frames, after: nextFrames, outcome: outcome.take(count, seeds.nextSeed()) }
      return { count, ...triplet, ...own }
    },
  }
}

/** 1 + the instance that the grasp at `time` took out of the bin, 0 where none was seen to go. */
function taken(source: EpisodeSource, instances: readonly number[], episode: number, time: number): number {
  const [before, after] = [source.stateAt(episode, time), source.stateAt(episode, time + 1)]
  const element = instances.find((at) => before[at]! >= 0 && after[at]! < 0)
  return element === undefined ? 0 : before[element]! + 1
}

function takePair<T extends InputData>(
  before: Rows<T>,
  after: Rows<T>,
  count: number,
  { augmentTogether = true }: SequenceOptions,
  seeds: Rng,
): { readonly frames: T; readonly nextFrames: T } {
  const [seed, other] = [seeds.nextSeed(), seeds.nextSeed()]
  return { frames: before.take(count, seed), nextFrames: after.take(count, augmentTogether ? seed : other) }
}

function rowsOf(source: EpisodeSource, options: TransitionOptions): Rows {
  return options.vectors === true ? new VectorRows(source, options) : new FrameRows(source, options)
}

function copyWindows(rows: Rows, { episodes, times }: Positions, length: number, stride: number): void {
  rows.resize(episodes.length * length)
  for (let i = 0; i < episodes.length; i++) {
    for (let k = 0; k < length; k++) rows.copy(i * length + k, episodes[i]!, times[i]! + k * stride)
  }
}
