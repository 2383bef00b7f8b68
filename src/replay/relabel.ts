import type { Goal, GoalSource } from '../core/goals.ts'
import type { Rng } from '../core/rng.ts'
import type { EpisodeStore } from './episode-store.ts'

/** Shares of a batch whose goals are kept, drawn from the goal source ("prior"), or achieved later in the same episode. */
export interface RelabelMix {
  readonly kept: number
  readonly prior: number
  readonly future: number
}

/** The goals of one batch; rows are [kept | prior | future]. */
export interface RelabelledGoals {
  /** [B, featureSize] */
  readonly features: Float32Array
  /** Image of the goal of `row`; throws where neither the store nor the source keeps frames. */
  frame(row: number): Uint8Array
}

/**
 * Hindsight relabelling of RIG (Nair et al. 2018, section 4.3; order and shares as in its released code): the goal of each
 * sampled transition is the one it was collected for, a fresh one from `source`, or what the same episode achieved after it.
 *
 * @param positions where the transitions start; a future goal lies in position + 1 .. last of its episode.
 */
export function relabelGoals(
  store: EpisodeStore,
  positions: ArrayLike<number>,
  mix: RelabelMix,
  source: GoalSource,
  rng: Rng,
): RelabelledGoals {
  const { featureSize } = store.options
  const size = positions.length
  const keptEnd = Math.round(size * mix.kept)
  const priorEnd = Math.min(size, keptEnd + Math.round(size * mix.prior))
  const features = new Float32Array(size * featureSize)
  for (let row = 0; row < keptEnd; row++) store.readGoal(positions[row]!, features, row * featureSize)

  const fresh: Goal[] = []
  for (let row = keptEnd; row < priorEnd; row++) {
    const goal = source.sample(rng)
    features.set(goal.features, row * featureSize)
    fresh.push(goal)
  }

  const achieved = new Float64Array(size - priorEnd)
  for (let row = priorEnd; row < size; row++) {
    const position = positions[row]!
    const later = position + 1 + rng.int(store.lastOfEpisode(position) - position)
    store.readFeatures(later, features, row * featureSize)
    achieved[row - priorEnd] = later
  }

  const frame = (row: number): Uint8Array => {
    if (row < keptEnd) return store.goalFrameAt(positions[row]!)
    return row < priorEnd ? fresh[row - keptEnd]!.frame! : store.frameAt(achieved[row - priorEnd]!)
  }
  return { features, frame }
}
