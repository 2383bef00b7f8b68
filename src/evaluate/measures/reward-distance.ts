import { pearson } from '../statistics.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes, FeasibleNext } from './embedded-episodes.ts'
import { distanceRewards } from './embedded-episodes.ts'
import type { PairedNumbers } from './episode-statistics.ts'
import {
  allEqual,
  pearsonDistance,
  pooledCorrelation,
  positionsWhere,
  undefinedStatistic,
} from './episode-statistics.ts'
import type { FrameList } from './frames.ts'
import { gatherRows, smallest, spacedFrames } from './frames.ts'
import type { EpisodeStatistic, Measure } from './measurement.ts'

/** Steps that DARD compares, and steps of the data among which it looks for feasible ones. */
const STEPS = 2000
const CANDIDATES = 2000
const FEASIBLE = 8

/** Reward of a step; states and actions are numbers that the caller gives a meaning to. */
export type StepReward = (state: number, action: number, next: number) => number

/** What a step can be followed by, e.g. drawn from a model. */
export interface NextStep {
  readonly action: number
  readonly next: number
}

/** Where two rewards are compared. */
export interface RewardSample {
  /** [state, action, next state] */
  readonly steps: readonly (readonly [state: number, action: number, next: number])[]
  readonly gamma: number
}

/**
 * EPIC distance of two rewards (Gleave et al. 2021): the Pearson distance sqrt((1 - r) / 2) of
 * C(s, a, s') = R(s, a, s') + g E[R(s', A, S')] - E[R(s, A, S')] - g E[R(S, A, S')], with S over `states` and (A, S') over `nexts`.
 * 0 to 1: 0 for rewards that differ by a positive factor, a shift or potential shaping; 0.707 for unrelated ones; 1 for opposite
 * ones; NaN where one is constant, or nothing but shaping. It also asks for rewards of steps that cannot happen.
 *
 * @param nexts actions and next states whatever the state
 */
export function epicDistance(
  a: StepReward,
  b: StepReward,
  sample: RewardSample & { readonly states: readonly number[]; readonly nexts: readonly NextStep[] },
): number {
  const { steps, states, nexts, gamma } = sample
  const canonical = (reward: StepReward): number[] => {
    const meanFrom = memoized((state) => mean(nexts, ({ action, next }) => reward(state, action, next)))
    const overall = mean(states, meanFrom)
    return canonicalRewards(steps, ([state, action, next]) => [
      reward(state, action, next),
      gamma * meanFrom(next),
      -meanFrom(state),
      -gamma * overall,
    ])
  }
  return pearsonDistance(pearson(canonical(a), canonical(b)))
}

/**
 * DARD distance of two rewards (Wulfe et al. 2022): as {@link epicDistance}, with
 * C(s, a, s') = R(s, a, s') + E[g R(s', A, S'') - R(s, A, S') - g R(S', A, S'')] over steps that are feasible from s and from s', so
 * that a learned reward is asked only about what can happen.
 *
 * @param feasible steps from a state
 */
export function dardDistance(
  a: StepReward,
  b: StepReward,
  sample: RewardSample & { readonly feasible: (state: number) => readonly NextStep[] },
): number {
  const { steps, feasible, gamma } = sample
  const canonical = (reward: StepReward): number[] => {
    const meanFrom = memoized((state) => mean(feasible(state), ({ action, next }) => reward(state, action, next)))
    return canonicalRewards(steps, ([state, action, next]) => {
      const across = mean(feasible(state), ({ next: from }) =>
        mean(feasible(next), (step) => reward(from, step.action, step.next)),
      )
      return [reward(state, action, next), gamma * meanFrom(next), -meanFrom(state), -gamma * across]
    })
  }
  return pearsonDistance(pearson(canonical(a), canonical(b)))
}

/** Below this part of the terms that it is the sum of, a canonical reward is rounding noise. */
const ROUNDING = 1e-10

/** Sums of the terms of each step. All zero where they cancel, as those of a reward that is nothing but shaping do. */
function canonicalRewards(
  steps: RewardSample['steps'],
  termsOf: (step: RewardSample['steps'][number]) => readonly number[],
): number[] {
  let largest = 0
  const sums = steps.map((step) => {
    const terms = termsOf(step)
    for (const term of terms) largest = Math.max(largest, Math.abs(term))
    return terms.reduce((sum, term) => sum + term, 0)
  })
  const center = mean(sums, (sum) => sum)
  return sums.some((sum) => Math.abs(sum - center) > ROUNDING * largest) ? sums : sums.map(() => 0)
}

function mean<Item>(items: readonly Item[], value: (item: Item) => number): number {
  let sum = 0
  for (const item of items) sum += value(item)
  return sum / items.length
}

function memoized(value: (key: number) => number): (key: number) => number {
  const known = new Map<number, number>()
  return (key) => {
    let result = known.get(key)
    if (result === undefined) known.set(key, (result = value(key)))
    return result
  }
}

function distanceStatistic(name: string, pairs: PairedNumbers): EpisodeStatistic {
  if (pairs.x.length === 0) return undefinedStatistic(name, 'no episode has both rewards')
  if (allEqual([pairs.x])) return undefinedStatistic(name, 'the reward is the same at every step')
  if (allEqual([pairs.y])) return undefinedStatistic(name, 'the true reward is the same at every step')
  return pooledCorrelation(name, pairs, pearsonDistance)
}

/** Rewards of arriving, from the second frame on, beside the true ones that `truth` gives. */
function arrivals(
  data: EmbeddedEpisodes,
  truth: (episode: EmbeddedEpisode, time: number) => number | undefined,
): PairedNumbers {
  const x: number[] = []
  const y: number[] = []
  const of: number[] = []
  for (const [position, episode] of data.episodes.entries()) {
    if (episode.rewards === undefined) continue
    for (let t = 1; t < episode.length; t++) {
      const reward = truth(episode, t)
      if (reward === undefined) continue
      x.push(episode.rewards[t]!)
      y.push(reward)
      of.push(position)
    }
  }
  return { x, y, episode: of }
}

/**
 * {@link epicDistance} of the embedding's reward from minus the true distance to the goal. Both depend on the next state alone, so
 * the expectations are the same for every step and cancel: what is left is the Pearson distance of the rewards over all steps, for
 * any discount. 0 to 1, best 0, chance 0.707; NaN where either is constant.
 */
const epic: Measure = {
  name: 'reward/epic',
  title: 'EPIC distance from minus the true distance',
  direction: 'lower',
  scale: 'unit',
  chance: Math.SQRT1_2,
  best: 0,
  needs: ['rewards', 'goal-distances'],
  statistics: (data) => [
    distanceStatistic(
      'reward/epic',
      arrivals(data, ({ goalDistances }, t) => (goalDistances === undefined ? undefined : -goalDistances[t]!)),
    ),
  ],
}

/**
 * Pearson distance sqrt((1 - r) / 2) of the embedding's reward for arriving from the reward that the task itself paid for the step. 0 to 1,
 * best 0, chance 0.707; NaN where either is constant. Not an EPIC distance: a task may pay for actions, or with shaping, and that counts
 * here. A sparse task pays mostly nothing.
 */
const pearsonTask: Measure = {
  name: 'reward/pearson_task',
  title: "Pearson distance from the task's own reward",
  direction: 'lower',
  scale: 'unit',
  chance: Math.SQRT1_2,
  best: 0,
  needs: ['rewards', 'true-rewards'],
  statistics: (data) => [
    distanceStatistic(
      'reward/pearson_task',
      arrivals(data, ({ trueRewards }, t) => trueRewards?.[t - 1]),
    ),
  ],
}

/**
 * {@link dardDistance} of the embedding's reward from minus the true distance. Both depend on the next state alone, so that
 * C(s, a, s') = R(s') - E[R(S')] with S' feasible from s, for any discount: how the step taken compares with others that could have
 * been, which is what a policy learns from. Feasible states come from `feasibleNext`, or are those that followed the 8 most similar
 * states of other episodes, for which the reward is -|z - z_g|. 0 to 1, best 0, chance 0.707; NaN where either is constant.
 */
const dard: Measure = {
  name: 'reward/dard',
  title: 'DARD distance from minus the true distance',
  direction: 'lower',
  scale: 'unit',
  chance: Math.SQRT1_2,
  best: 0,
  needs: ['rewards', 'goal-distances', 'goal-distance', 'state-distance', 'states'],
  statistics(data) {
    const name = 'reward/dard'
    const given = data.feasibleNext
    const positions = positionsWhere(data, (episode) => canCompare(episode, given !== undefined))
    if (positions.length < 2) {
      return [undefinedStatistic(name, 'fewer than two episodes with goals, goal images, states and true distances')]
    }
    return [distanceStatistic(name, advantages(data, positions, given ?? nearbySteps(data, positions)))]
  },
}

function canCompare({ rewards, goalDistances, goals, goal, states, length }: EmbeddedEpisode, given: boolean): boolean {
  if (rewards === undefined || goalDistances === undefined || length < 2) return false
  return given || (goals !== undefined && goal !== undefined && states !== undefined)
}

/** Steps as frames: those that have a frame after them. */
function stepsOf(data: EmbeddedEpisodes, positions: readonly number[], limit: number): FrameList {
  const episodes = data.episodes.map((episode) => ({ ...episode, length: episode.length - 1 }))
  return spacedFrames({ ...data, episodes }, positions, limit)
}

function advantages(
  data: EmbeddedEpisodes,
  positions: readonly number[],
  feasibleNext: (episode: EmbeddedEpisode, time: number) => FeasibleNext,
): PairedNumbers {
  const steps = stepsOf(data, positions, STEPS)
  const x: number[] = []
  const y: number[] = []
  const rewardsOf = cached((episode: EmbeddedEpisode) =>
    data.feasibleNext === undefined
      ? distanceRewards(episode.embeddings, episode.goals!, data.embeddingSize)
      : episode.rewards!,
  )
  for (let i = 0; i < steps.count; i++) {
    const episode = data.episodes[steps.episode[i]!]!
    const time = steps.time[i]!
    const { rewards, trueRewards } = feasibleNext(episode, time)
    x.push(rewardsOf(episode)[time + 1]! - mean(Array.from(rewards), (reward) => reward))
    y.push(-episode.goalDistances![time + 1]! - mean(Array.from(trueRewards), (reward) => reward))
  }
  return { x, y, episode: [...steps.episode] }
}

function cached<Key extends object, Value>(value: (key: Key) => Value): (key: Key) => Value {
  const known = new WeakMap<Key, { readonly value: Value }>()
  return (key) => {
    let entry = known.get(key)
    if (entry === undefined) known.set(key, (entry = { value: value(key) }))
    return entry.value
  }
}

/** Where the data went from the states of other episodes that are most similar. */
function nearbySteps(
  data: EmbeddedEpisodes,
  positions: readonly number[],
): (episode: EmbeddedEpisode, time: number) => FeasibleNext {
  const frames = stepsOf(data, positions, CANDIDATES)
  const next = { ...frames, time: frames.time.map((t) => t + 1) }
  const states = gatherRows(data, frames, (episode) => episode.states!)
  const nextStates = gatherRows(data, next, (episode) => episode.states!)
  const nextEmbeddings = gatherRows(data, next, (episode) => episode.embeddings)
  const size = states.size
  const d = data.embeddingSize
  const stateOf = ({ data: rows }: { readonly data: Float32Array }, i: number): Float32Array =>
    rows.subarray(i * size, (i + 1) * size)
  return (episode, time) => {
    const state = episode.states!.subarray(time * size, (time + 1) * size)
    const distances = Float64Array.from({ length: frames.count }, (_, c) =>
      data.episodes[frames.episode[c]!] === episode ? Infinity : data.stateDistance!(state, stateOf(states, c)),
    )
    const nearest = smallest(distances, FEASIBLE)
    return {
      rewards: nearest.map(
        (c) => distanceRewards(nextEmbeddings.data.subarray(c * d, (c + 1) * d), episode.goals!, d)[0]!,
      ),
      trueRewards: nearest.map((c) => -data.goalDistance!(stateOf(nextStates, c), episode.goal!)),
    }
  }
}

/** Distance of the embedding's reward from the true one, whatever their scale, shift and shaping. */
export const rewardDistanceMeasures: readonly Measure[] = [epic, pearsonTask, dard]
