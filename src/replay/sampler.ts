import type { TransitionBatch } from '../core/agent.ts'
import { requireWhole, requireWithin } from '../core/checks.ts'
import { ArmatureError } from '../core/errors.ts'
import { concatenated, sizeOf } from '../core/ndarray.ts'
import type { GoalForm, GoalReward, GoalSource } from '../core/goals.ts'
import type { Rng } from '../core/rng.ts'
import type { Augmenter } from './augment.ts'
import type { FrameShape } from '../core/frame-fit.ts'
import type { EpisodeStore } from './episode-store.ts'
import { stackFrames } from './frame-stack.ts'
import type { RelabelledGoals, RelabelMix } from './relabel.ts'
import { checkMix, relabelGoals } from './relabel.ts'

export interface SamplerOptions {
  readonly gamma: number
  /** Rewards summed before the bootstrap; a window ends early where its episode does. */
  readonly nStep: number
  /** For an agent that looks at frames. */
  readonly frames?: FrameSampling
}

/** How frames get into a batch. */
export interface FrameSampling {
  /** [height, width, channels] of those stored. */
  readonly frameShape: FrameShape
  /** Of them, those that the agent sees as one, with their channels behind each other. */
  readonly stack: number
  /** What is done to each stack; that of the next observation is changed on its own. Frames keep their size. */
  readonly augmenter?: Augmenter
}

/** How a goal-conditioned batch gets its goals and rewards. */
export interface GoalSampling {
  readonly mix: RelabelMix
  readonly source: GoalSource
  readonly reward: GoalReward
  readonly form: GoalForm
}

/** @throws ArmatureError `bad-argument` for settings that no batch can be drawn by. */
export function checkSampling(size: number, { gamma, nStep }: SamplerOptions, mix?: RelabelMix): void {
  requireWhole('transitions of a batch', size, 1)
  requireWithin('gamma', gamma, 0, 1)
  requireWhole('nStep', nStep, 1)
  if (mix !== undefined) checkMix(mix)
}

/**
 * Draws `size` transitions uniformly with replacement. With `goals` the observations are [features | goal in its form], [2 F], and
 * every reward is recomputed against the row's goal; without, they are the features and the stored rewards.
 * The n-step window stops at the end of the episode and bootstraps there unless it terminated. With `frames`, stacks of them are beside
 * the observations.
 * @throws ArmatureError `bad-argument` for an empty store, and as {@link checkSampling}.
 */
export function sampleTransitions(
  store: EpisodeStore,
  size: number,
  options: SamplerOptions,
  rng: Rng,
  goals?: GoalSampling,
): TransitionBatch {
  checkSampling(size, options, goals?.mix)
  const positions = drawPositions(store, size, rng)
  const relabelled = goals && relabelGoals(store, positions, goals.mix, goals.source, rng, options.gamma)
  const windows = windowsOf(store, positions, options.nStep)
  const stepRewards = goals && relabelled ? goalRewards(store, positions, windows, goals.reward, relabelled) : undefined

  const { featureSize, actionSize } = store.options
  const width = relabelled ? 2 * featureSize : featureSize
  const observation = new Float32Array(size * width)
  const nextObservation = new Float32Array(size * width)
  const action = new Float32Array(size * actionSize)
  const reward = new Float32Array(size)
  const discount = new Float32Array(size)
  for (let row = 0, cursor = 0; row < size; row++) {
    const position = positions[row]!
    const steps = windows[row]!
    store.readFeatures(position, observation, row * width)
    store.readFeatures(position + steps, nextObservation, row * width)
    store.readAction(position, action, row * actionSize)
    let weight = 1
    let sum = 0
    for (let k = 0; k < steps; k++, cursor++) {
      sum += weight * (stepRewards ? stepRewards[cursor]! : store.rewardAt(position + k))
      weight *= options.gamma
    }
    reward[row] = sum
    discount[row] = store.terminatedAt(position + steps) ? 0 : weight
  }
  if (relabelled) {
    goals!.form.complete(observation, relabelled.features, featureSize)
    goals!.form.complete(nextObservation, relabelled.features, featureSize)
  }
  const batch = { size, observation, action, reward, nextObservation, discount }
  if (options.frames === undefined) return batch
  const nextPositions = positions.map((position, row) => position + windows[row]!)
  const frames = stacksAt(store, positions, options.frames, rng)
  return { ...batch, frames, nextFrames: stacksAt(store, nextPositions, options.frames, rng) }
}

/**
 * The same from several stores, each row from one drawn in proportion to its transitions; rows of one store follow each other, and shares of
 * goals are those of each store's rows.
 */
export function sampleAcross(
  stores: readonly EpisodeStore[],
  size: number,
  options: SamplerOptions,
  rng: Rng,
  goals?: GoalSampling,
): TransitionBatch {
  if (stores.length === 1) return sampleTransitions(stores[0]!, size, options, rng, goals)
  checkSampling(size, options, goals?.mix)
  const counts = drawCounts(stores, size, rng)
  const parts = stores.flatMap((store, i) =>
    counts[i] === 0 ? [] : [sampleTransitions(store, counts[i]!, options, rng, goals)],
  )
  const batch = {
    size,
    observation: concatenated(parts.map(({ observation }) => observation)),
    action: concatenated(parts.map(({ action }) => action)),
    reward: concatenated(parts.map(({ reward }) => reward)),
    nextObservation: concatenated(parts.map(({ nextObservation }) => nextObservation)),
    discount: concatenated(parts.map(({ discount }) => discount)),
  }
  if (options.frames === undefined) return batch
  const frames = concatenated(parts.map((part) => part.frames!))
  return { ...batch, frames, nextFrames: concatenated(parts.map((part) => part.nextFrames!)) }
}

/** How many of `size` rows come from each store. */
function drawCounts(stores: readonly EpisodeStore[], size: number, rng: Rng): number[] {
  const total = stores.reduce((sum, { transitions }) => sum + transitions, 0)
  if (total === 0) throw new ArmatureError('bad-argument', 'replay', { got: 'a sample of empty stores' })
  const counts = stores.map(() => 0)
  for (let row = 0; row < size; row++) {
    let at = rng.int(total)
    let store = 0
    while (at >= stores[store]!.transitions) at -= stores[store++]!.transitions
    counts[store]!++
  }
  return counts
}

/** Stacks of frames that end at `positions`, augmented, [positions, height, width, stack * channels]. */
function stacksAt(store: EpisodeStore, positions: Float64Array, sampling: FrameSampling, rng: Rng): Uint8Array {
  const { frameShape, stack, augmenter } = sampling
  const size = stack * sizeOf(frameShape)
  const stacks = new Uint8Array(positions.length * size)
  positions.forEach((position, row) => {
    const time = position - store.firstOfEpisode(position)
    const frameAt = (at: number): Uint8Array => store.frameWithin(position, at)
    stackFrames({ count: stack, channels: frameShape[2], frameAt }, time, stacks, row * size)
  })
  return augmenter?.apply(stacks, positions.length, rng) ?? stacks
}

function drawPositions(store: EpisodeStore, size: number, rng: Rng): Float64Array {
  const positions = new Float64Array(size)
  for (let row = 0; row < size; row++) positions[row] = store.drawTransition(rng)
  return positions
}

/** Steps that each transition spans: `nStep`, or fewer where its episode ends; at least one. */
function windowsOf(store: EpisodeStore, positions: Float64Array, nStep: number): Int32Array {
  const windows = new Int32Array(positions.length).fill(1)
  if (nStep === 1) return windows
  for (let row = 0; row < windows.length; row++) {
    const position = positions[row]!
    windows[row] = Math.min(nStep, store.lastOfEpisode(position) - position)
  }
  return windows
}

/** Rewards of every step of every window, window after window. */
function goalRewards(
  store: EpisodeStore,
  positions: Float64Array,
  windows: Int32Array,
  reward: GoalReward,
  relabelled: RelabelledGoals,
): Float32Array {
  const { featureSize } = store.options
  const size = windows.reduce((sum, steps) => sum + steps, 0)
  const rows = new Int32Array(size)
  const reachedAt = new Float64Array(size)
  const times = new Int32Array(size)
  const reached = new Float32Array(size * featureSize)
  const goals = new Float32Array(size * featureSize)
  for (let row = 0, i = 0; row < windows.length; row++) {
    for (let k = 1; k <= windows[row]!; k++, i++) {
      rows[i] = row
      reachedAt[i] = positions[row]! + k
      times[i] = reachedAt[i]! - store.firstOfEpisode(positions[row]!)
      store.readReached(reachedAt[i]!, reached, i * featureSize)
      for (let f = 0; f < featureSize; f++) goals[i * featureSize + f] = relabelled.features[row * featureSize + f]!
    }
  }
  const rewards = new Float32Array(size)
  const reachedFrame = (i: number): Uint8Array => store.frameAt(reachedAt[i]!)
  const goalFrame = (i: number): Uint8Array => relabelled.frame(rows[i]!)
  reward.compute({ size, featureSize, reached, goals, times, reachedFrame, goalFrame }, rewards)
  return rewards
}
