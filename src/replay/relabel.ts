import type { GoalSource } from '../core/goals.ts'
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
  positions: readonly number[],
  mix: RelabelMix,
  source: GoalSource,
  rng: Rng,
): RelabelledGoals {
  const { featureSize } = store.options
  const size = positions.length
  const keptEnd = Math.round(size * mix.kept)
  const priorEnd = Math.min(size, keptEnd + Math.round(size * mix.prior))
  const features = new Float32Array(size * featureSize)
  const frames: (() => Uint8Array)[] = []
  positions.forEach((position, row) => {
    if (row < keptEnd) {
      features.set(store.goalAt(position), row * featureSize)
      frames.push(() => store.goalFrameAt(position))
    } else if (row < priorEnd) {
      const goal = source.sample(rng)
      features.set(goal.features, row * featureSize)
      frames.push(() => goal.frame!)
    } else {
      const achieved = position + 1 + rng.int(store.lastOfEpisode(position) - position)
      features.set(store.featuresAt(achieved), row * featureSize)
      frames.push(() => store.frameAt(achieved))
    }
  })
  return { features, frame: (row) => frames[row]!() }
}
