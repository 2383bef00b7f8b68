import { requireWithin } from '../core/checks.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Goal, GoalSource } from '../core/goals.ts'
import type { Rng } from '../core/rng.ts'
import type { EpisodeStore } from './episode-store.ts'

/** Shares of a batch whose goals are kept, drawn fresh from the goal source, or achieved later in the same episode. */
export interface RelabelMix {
  readonly kept: number
  readonly source: number
  readonly future: number
}

/** @throws ArmatureError `bad-argument` for shares that are none, or do not add up to 1. */
export function checkMix({ kept, source, future }: RelabelMix): void {
  for (const [name, share] of Object.entries({ kept, source, future })) {
    requireWithin(`share of goals "${name}"`, share, 0, 1)
  }
  if (Math.abs(kept + source + future - 1) < 1e-6) return
  throw new ArmatureError('bad-argument', 'shares of goals', {
    expected: 'kept, source and future that add up to 1',
    got: String(kept + source + future),
  })
}

/** The goals of one batch; rows are [kept | source | future]. */
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
  const sourceEnd = Math.min(size, keptEnd + Math.round(size * mix.source))
  const features = new Float32Array(size * featureSize)
  for (let row = 0; row < keptEnd; row++) store.readGoal(positions[row]!, features, row * featureSize)

  const fresh: Goal[] = []
  for (let row = keptEnd; row < sourceEnd; row++) {
    const goal = source.sample(rng, store.startOf(positions[row]!))
    features.set(goal.features, row * featureSize)
    fresh.push(goal)
  }

  const achieved = new Float64Array(size - sourceEnd)
  for (let row = sourceEnd; row < size; row++) {
    const position = positions[row]!
    const later = position + 1 + rng.int(store.lastOfEpisode(position) - position)
    store.readFeatures(later, features, row * featureSize)
    achieved[row - sourceEnd] = later
  }

  const frame = (row: number): Uint8Array => {
    if (row < keptEnd) return store.goalFrameAt(positions[row]!)
    return row < sourceEnd ? fresh[row - keptEnd]!.frame! : store.frameAt(achieved[row - sourceEnd]!)
  }
  return { features, frame }
}
