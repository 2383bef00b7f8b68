import type { TransitionBatch } from '../core/agent.ts'
import { ArmatureError } from '../core/errors.ts'
import type { GoalReward, GoalSource } from '../core/goals.ts'
import type { Rng } from '../core/rng.ts'
import type { EpisodeStore } from './episode-store.ts'
import type { RelabelledGoals, RelabelMix } from './relabel.ts'
import { relabelGoals } from './relabel.ts'

export interface SamplerOptions {
  readonly gamma: number
  /** Rewards summed before the bootstrap; a window ends early where its episode does. */
  readonly nStep: number
}

/** How a goal-conditioned batch gets its goals and rewards. */
export interface GoalSampling {
  readonly mix: RelabelMix
  readonly source: GoalSource
  readonly reward: GoalReward
}

/**
 * Draws `size` transitions uniformly with replacement. With `goals` the observations are [features | goal] and every reward
 * is recomputed against the row's goal; without, they are the features and the stored rewards.
 * The n-step window stops at the end of the episode and bootstraps there unless it terminated.
 */
export function sampleTransitions(
  store: EpisodeStore,
  size: number,
  options: SamplerOptions,
  rng: Rng,
  goals?: GoalSampling,
): TransitionBatch {
  const positions = drawPositions(store, size, rng)
  const relabelled = goals && relabelGoals(store, positions, goals.mix, goals.source, rng)
  const windows = positions.map((p) => Math.min(options.nStep, store.lastOfEpisode(p) - p))
  const stepRewards = goals && relabelled ? goalRewards(store, positions, windows, goals.reward, relabelled) : undefined

  const { featureSize, actionSize } = store.options
  const width = relabelled ? 2 * featureSize : featureSize
  const observation = new Float32Array(size * width)
  const nextObservation = new Float32Array(size * width)
  const action = new Float32Array(size * actionSize)
  const reward = new Float32Array(size)
  const discount = new Float32Array(size)
  let cursor = 0
  positions.forEach((position, row) => {
    const steps = windows[row]!
    observation.set(store.featuresAt(position), row * width)
    nextObservation.set(store.featuresAt(position + steps), row * width)
    if (relabelled) {
      const goal = relabelled.features.subarray(row * featureSize, (row + 1) * featureSize)
      observation.set(goal, row * width + featureSize)
      nextObservation.set(goal, row * width + featureSize)
    }
    action.set(store.actionAt(position), row * actionSize)
    let weight = 1
    let sum = 0
    for (let k = 0; k < steps; k++, cursor++) {
      sum += weight * (stepRewards ? stepRewards[cursor]! : store.rewardAt(position + k))
      weight *= options.gamma
    }
    reward[row] = sum
    discount[row] = store.terminatedAt(position + steps) ? 0 : weight
  })
  return { size, observation, action, reward, nextObservation, discount }
}

function drawPositions(store: EpisodeStore, size: number, rng: Rng): number[] {
  if (store.transitions === 0) throw new ArmatureError('bad-argument', 'replay', { got: 'a sample of an empty store' })
  const span = store.end - store.oldest
  const positions: number[] = []
  while (positions.length < size) {
    const position = store.oldest + rng.int(span)
    if (store.startsTransition(position)) positions.push(position)
  }
  return positions
}

/** Rewards of every step of every window, window after window. */
function goalRewards(
  store: EpisodeStore,
  positions: readonly number[],
  windows: readonly number[],
  reward: GoalReward,
  relabelled: RelabelledGoals,
): Float32Array {
  const { featureSize } = store.options
  const rows: number[] = []
  const reached: number[] = []
  positions.forEach((position, row) => {
    for (let k = 1; k <= windows[row]!; k++) {
      rows.push(row)
      reached.push(position + k)
    }
  })
  const features = new Float32Array(rows.length * featureSize)
  const goals = new Float32Array(rows.length * featureSize)
  rows.forEach((row, i) => {
    features.set(store.featuresAt(reached[i]!), i * featureSize)
    goals.set(relabelled.features.subarray(row * featureSize, (row + 1) * featureSize), i * featureSize)
  })
  const rewards = new Float32Array(rows.length)
  reward.compute(
    {
      size: rows.length,
      featureSize,
      reached: features,
      goals,
      reachedFrame: (i) => store.frameAt(reached[i]!),
      goalFrame: (i) => relabelled.frame(rows[i]!),
    },
    rewards,
  )
  return rewards
}
