import type { TransitionBatch } from '../core/agent.ts'
import { requireWhole, requireWithin } from '../core/checks.ts'
import { writeWindow } from '../core/encoder-input.ts'
import { ArmatureError } from '../core/errors.ts'
import { concatenated, sizeOf } from '../core/ndarray.ts'
import type { GoalForm, GoalReward, GoalSource } from '../core/goals.ts'
import type { Rng } from '../core/rng.ts'
import type { Augmenter } from './augment.ts'
import type { FrameShape } from '../core/frame-fit.ts'
import type { EpisodeStore } from './episode-store.ts'
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
  /** How many of them the agent sees at once. */
  readonly stack: number
  /** What is done to each stack, its frames alike; that of the next observation is changed on its own. Frames keep their size. */
  readonly augmenter?: Augmenter
  /** Where batches of one size are written to, so that none needs new memory: each ends the one before. Default: a batch has its own. */
  readonly memory?: FrameMemory
}

/** Stacks of a batch, uint8 [size, stack, height, width, channels]. */
export interface FrameMemory {
  readonly frames: Uint8Array
  readonly nextFrames: Uint8Array
}

/** Memory for the stacks of `size` transitions. */
export function frameMemory(size: number, { frameShape, stack }: FrameSampling): FrameMemory {
  const bytes = size * stack * sizeOf(frameShape)
  return { frames: new Uint8Array(bytes), nextFrames: new Uint8Array(bytes) }
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
 * Draws `size` transitions uniformly with replacement. With `goals` the observations are features and goal in its form, and
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
  const seen = new Float32Array(size * featureSize)
  const nextSeen = new Float32Array(size * featureSize)
  const action = new Float32Array(size * actionSize)
  const reward = new Float32Array(size)
  const discount = new Float32Array(size)
  for (let row = 0, cursor = 0; row < size; row++) {
    const position = positions[row]!
    const steps = windows[row]!
    store.readFeatures(position, seen, row * featureSize)
    store.readFeatures(position + steps, nextSeen, row * featureSize)
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
  const shown = (features: Float32Array): Float32Array => {
    if (goals === undefined || relabelled === undefined) return features
    const inputs = new Float32Array(size * goals.form.inputSize(featureSize, store.goalSize))
    goals.form.write(inputs, { size, features, goals: relabelled.features })
    return inputs
  }
  const [observation, nextObservation] = [shown(seen), shown(nextSeen)]
  const batch = { size, observation, action, reward, nextObservation, discount }
  if (options.frames === undefined) return batch
  const { memory = frameMemory(size, options.frames) } = options.frames
  const nextPositions = positions.map((position, row) => position + windows[row]!)
  writeStacks(memory.frames, store, positions, options.frames, rng)
  writeStacks(memory.nextFrames, store, nextPositions, options.frames, rng)
  return { ...batch, ...memory }
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
  const memory = options.frames && (options.frames.memory ?? frameMemory(size, options.frames))
  const parts: TransitionBatch[] = []
  let row = 0
  for (const [i, count] of drawCounts(stores, size, rng).entries()) {
    if (count === 0) continue
    const own = memory && { ...options, frames: { ...options.frames!, memory: rowsOf(memory, row, count, size) } }
    parts.push(sampleTransitions(stores[i]!, count, own ?? options, rng, goals))
    row += count
  }
  const batch = {
    size,
    observation: concatenated(parts.map(({ observation }) => observation)),
    action: concatenated(parts.map(({ action }) => action)),
    reward: concatenated(parts.map(({ reward }) => reward)),
    nextObservation: concatenated(parts.map(({ nextObservation }) => nextObservation)),
    discount: concatenated(parts.map(({ discount }) => discount)),
  }
  return { ...batch, ...memory }
}

/** `count` rows of a batch of `size`, from `row` on. */
function rowsOf({ frames, nextFrames }: FrameMemory, row: number, count: number, size: number): FrameMemory {
  const bytes = frames.length / size
  const part = (all: Uint8Array): Uint8Array => all.subarray(row * bytes, (row + count) * bytes)
  return { frames: part(frames), nextFrames: part(nextFrames) }
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

/** Writes the stacks of frames that end at `positions`, augmented, to `target` [positions, stack, height, width, channels]. */
function writeStacks(
  target: Uint8Array,
  store: EpisodeStore,
  positions: Float64Array,
  { frameShape, stack, augmenter }: FrameSampling,
  rng: Rng,
): void {
  const size = stack * sizeOf(frameShape)
  positions.forEach((position, row) => {
    const time = position - store.firstOfEpisode(position)
    const frameAt = (at: number): Uint8Array => store.frameWithin(position, at)
    writeWindow({ frames: stack, stride: 1 }, time, frameAt, target, row * size)
  })
  augmenter?.apply(target, positions.length * stack, rng, stack)
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
  const { goalSize } = store
  const size = windows.reduce((sum, steps) => sum + steps, 0)
  const rows = new Int32Array(size)
  const reachedAt = new Float64Array(size)
  const times = new Int32Array(size)
  const reached = new Float32Array(size * goalSize)
  const goals = new Float32Array(size * goalSize)
  for (let row = 0, i = 0; row < windows.length; row++) {
    for (let k = 1; k <= windows[row]!; k++, i++) {
      rows[i] = row
      reachedAt[i] = positions[row]! + k
      times[i] = reachedAt[i]! - store.firstOfEpisode(positions[row]!)
      store.readReached(reachedAt[i]!, reached, i * goalSize)
      for (let f = 0; f < goalSize; f++) goals[i * goalSize + f] = relabelled.features[row * goalSize + f]!
    }
  }
  const rewards = new Float32Array(size)
  const reachedFrame = (i: number): Uint8Array => store.frameAt(reachedAt[i]!)
  const goalFrame = (i: number): Uint8Array => relabelled.frame(rows[i]!)
  reward.compute({ size, featureSize: goalSize, reached, goals, times, reachedFrame, goalFrame }, rewards)
  return rewards
}
