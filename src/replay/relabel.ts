import { requireWithin } from '../core/checks.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Goal, GoalSource } from '../core/goals.ts'
import type { Rng } from '../core/rng.ts'
import type { EpisodeStore } from './episode-store.ts'

/** How many steps later a future goal was reached. */
export type FutureSteps = 'uniform' | 'geometric'

/** Shares of a batch by where the goals come from. */
export interface RelabelMix {
  /** As collected. */
  readonly kept: number
  /** Drawn fresh from the goal source. */
  readonly source: number
  /** Reached later in the same episode. */
  readonly future: number
  /** How much later: `uniform` (default), each observation after the row as likely; `geometric`, k steps with P(k) ~ gamma^(k - 1). */
  readonly futureSteps?: FutureSteps | undefined
  /** Reached by the very step, as if it had been wanted: the posthoc labels of Grasp2Vec. Default 0. */
  readonly posthoc?: number | undefined
  /** Reached by any step in replay: the auxiliary goals of Grasp2Vec. Default 0. */
  readonly auxiliary?: number | undefined
}

/** @throws ArmatureError `bad-argument` for shares that are none, or do not add up to 1. */
export function checkMix({ kept, source, future, posthoc = 0, auxiliary = 0 }: RelabelMix): void {
  const shares = { kept, source, future, posthoc, auxiliary }
  for (const [name, share] of Object.entries(shares)) requireWithin(`share of goals "${name}"`, share, 0, 1)
  const sum = Object.values(shares).reduce((total, share) => total + share, 0)
  if (Math.abs(sum - 1) < 1e-6) return
  throw new ArmatureError('bad-argument', 'shares of goals', {
    expected: `${Object.keys(shares).join(', ')} that add up to 1`,
    got: String(sum),
  })
}

/** The goals of one batch; rows are [kept | source | future | posthoc | auxiliary]. */
export interface RelabelledGoals {
  /** [B, goalSize] */
  readonly features: Float32Array
  /** Image of the goal of `row`; throws where neither the store nor the source keeps frames. */
  frame(row: number): Uint8Array
}

/**
 * Hindsight relabelling of RIG (Nair et al. 2018, section 4.3; order and shares as in its released code) and of Grasp2Vec (Jang et al. 2018,
 * section 4.2): the goal of each sampled transition is the one it was collected for, a fresh one from `source`, or one that was reached.
 * The reward of an auxiliary goal is the likeness of what the step reached and what another one did, so that two of the same object are
 * not called different.
 *
 * @param gamma discount per step, which geometric futures go by
 * @param positions where the transitions start; a future goal lies in position + 1 .. last of its episode, a posthoc one at position + 1.
 */
export function relabelGoals(
  store: EpisodeStore,
  positions: ArrayLike<number>,
  mix: RelabelMix,
  source: GoalSource,
  rng: Rng,
  gamma: number,
): RelabelledGoals {
  const { goalSize } = store
  const size = positions.length
  const keptEnd = Math.round(size * mix.kept)
  const sourceEnd = Math.min(size, keptEnd + Math.round(size * mix.source))
  const features = new Float32Array(size * goalSize)
  for (let row = 0; row < keptEnd; row++) store.readGoal(positions[row]!, features, row * goalSize)

  const fresh: Goal[] = []
  for (let row = keptEnd; row < sourceEnd; row++) {
    const goal = source.sample(rng, store.startOf(positions[row]!))
    features.set(goal.features, row * goalSize)
    fresh.push(goal)
  }

  const reachedBy = reachedPositions(store, positions, sourceEnd, mix, rng, gamma)
  for (let row = sourceEnd; row < size; row++) {
    store.readReached(reachedBy[row - sourceEnd]!, features, row * goalSize)
  }

  const frame = (row: number): Uint8Array => {
    if (row < keptEnd) return store.goalFrameAt(positions[row]!)
    return row < sourceEnd ? fresh[row - keptEnd]!.frame! : store.frameAt(reachedBy[row - sourceEnd]!)
  }
  return { features, frame }
}

/** For rows `from` on, the position whose observation is the goal: [future | posthoc | auxiliary], future where all three are 0. */
function reachedPositions(
  store: EpisodeStore,
  positions: ArrayLike<number>,
  from: number,
  { future, futureSteps, posthoc = 0, auxiliary = 0 }: RelabelMix,
  rng: Rng,
  gamma: number,
): Float64Array {
  const size = positions.length - from
  const perShare = posthoc + auxiliary === 0 ? 0 : size / (future + posthoc + auxiliary)
  const auxiliaryFrom = size - Math.round(auxiliary * perShare)
  const posthocFrom = Math.max(0, auxiliaryFrom - Math.round(posthoc * perShare))
  return Float64Array.from({ length: size }, (_, i) => {
    const position = positions[from + i]!
    if (i >= auxiliaryFrom) return store.drawTransition(rng) + 1
    if (i >= posthocFrom) return position + 1
    const left = store.lastOfEpisode(position) - position
    return position + (futureSteps === 'geometric' ? geometricSteps(left, gamma, rng) : 1 + rng.int(left))
  })
}

/**
 * k in 1 .. `left` with P(k) ~ gamma^(k - 1): when a discounted future is looked at (Eysenbach et al. 2022, section 3), cut off at the end of
 * the episode. By the inverse of P(K <= k) = (1 - gamma^k) / (1 - gamma^left).
 */
function geometricSteps(left: number, gamma: number, rng: Rng): number {
  if (gamma === 0 || gamma === 1) return gamma === 0 ? 1 : 1 + rng.int(left)
  const steps = Math.log1p(-rng.uniform() * (1 - gamma ** left)) / Math.log(gamma)
  return Math.min(left, 1 + Math.floor(steps))
}
