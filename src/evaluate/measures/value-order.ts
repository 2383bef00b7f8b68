import type { Rng } from '../../core/rng.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from './embedded-episodes.ts'
import { isAdversarial, isExpert } from './embedded-episodes.ts'
import {
  allEqual,
  meanStatistic,
  positionsWhere,
  ratioStatistic,
  rewardOrder,
  undefinedStatistic,
} from './episode-statistics.ts'
import type { EpisodeStatistic, Measure } from './measurement.ts'

const NONE = 'no such episode of two frames or more'
const CONSTANT = 'the reward is constant on all of these episodes'

/** Spearman's correlation of the episode's rewards with time, in the order shown; NaN for fewer than two frames. */
function valueOrder(rewards: ArrayLike<number>): number {
  return rewardOrder(
    rewards,
    Array.from(rewards, (_, t) => t),
  )
}

function orderStatistic(
  name: string,
  data: EmbeddedEpisodes,
  keep: (episode: EmbeddedEpisode) => boolean,
  shown: (episode: EmbeddedEpisode) => ArrayLike<number> = (episode) => episode.rewards!,
): EpisodeStatistic {
  const positions = positionsWhere(
    data,
    (episode) => episode.rewards !== undefined && episode.length > 1 && keep(episode),
  )
  const rewards = positions.map((position) => shown(data.episodes[position]!))
  if (positions.length === 0) return undefinedStatistic(name, NONE)
  if (rewards.every((values) => allEqual([values]))) return undefinedStatistic(name, CONSTANT)
  return meanStatistic(name, positions, rewards.map(valueOrder))
}

/** Rewards of the episode shown backwards: those recorded for it, else the same ones from the last to the first. */
function backwards(episode: EmbeddedEpisode): ArrayLike<number> {
  return episode.reversedRewards ?? episode.rewards!.toReversed()
}

/**
 * Value-order correlation: Spearman's correlation of reward and time, mean over successful expert episodes (Ma et al. 2024, GVL).
 * -1 to 1, best 1, chance 0. Any clock scores 1: it says nothing without the rows beside it. An episode whose reward is constant
 * counts 0; NaN where all are.
 */
const vocExpert: Measure = {
  name: 'value/voc_expert',
  title: 'Value-order correlation, expert episodes',
  direction: 'higher',
  scale: 'correlation',
  chance: 0,
  best: 1,
  needs: ['rewards', 'experts'],
  statistics: (data) => [orderStatistic('value/voc_expert', data, (episode) => isExpert(data, episode))],
}

/** {@link vocExpert} of the same episodes shown backwards: best -1, chance 0. */
const vocReversed: Measure = {
  name: 'value/voc_reversed',
  title: 'Value-order correlation, expert episodes backwards',
  direction: 'lower',
  scale: 'correlation',
  chance: 0,
  best: -1,
  needs: ['rewards', 'experts'],
  statistics: (data) => [orderStatistic('value/voc_reversed', data, (episode) => isExpert(data, episode), backwards)],
}

/** Rewards of the episode shown in a random order: those recorded for it, else the same ones in such an order. */
function shuffled(episode: EmbeddedEpisode, rng: Rng): ArrayLike<number> {
  return episode.shuffledRewards ?? rng.split(String(episode.index)).shuffle([...episode.rewards!])
}

/**
 * {@link vocExpert} of the same episodes shown in a random order, against that order (the control of GVL). Best is chance, 0: what pays
 * is in the frame. A reward that counts frames scores 1 here too.
 */
const vocShuffled: Measure = {
  name: 'value/voc_shuffled',
  title: 'Value-order correlation, expert episodes shuffled',
  direction: 'none',
  scale: 'correlation',
  chance: 0,
  best: NaN,
  needs: ['rewards', 'experts'],
  statistics: (data, rng) => [
    orderStatistic(
      'value/voc_shuffled',
      data,
      (episode) => isExpert(data, episode),
      (episode) => shuffled(episode, rng),
    ),
  ],
}

/**
 * {@link vocExpert} of failed episodes. -1 to 1; no best value: a near miss may well come closer all the way. As high as on
 * experts = a clock.
 */
const vocFailed: Measure = {
  name: 'value/voc_failed',
  title: 'Value-order correlation, failed episodes',
  direction: 'none',
  scale: 'correlation',
  chance: 0,
  best: NaN,
  needs: ['rewards', 'failures'],
  statistics: (data) => [orderStatistic('value/voc_failed', data, (episode) => episode.success === false)],
}

/** {@link vocExpert} of adversarial episodes; see {@link vocFailed}. */
const vocAdversarial: Measure = {
  name: 'value/voc_adversarial',
  title: 'Value-order correlation, adversarial episodes',
  direction: 'none',
  scale: 'correlation',
  chance: 0,
  best: NaN,
  needs: ['rewards', 'adversarial'],
  statistics: (data) => [orderStatistic('value/voc_adversarial', data, (episode) => isAdversarial(data, episode))],
}

/** Steps of an expert episode that should be paid: those on which the true distance falls; all where it is not known. */
function progressSteps(episode: EmbeddedEpisode): number[] {
  const distances = episode.goalDistances
  const steps = Array.from({ length: episode.length - 1 }, (_, t) => t)
  return distances === undefined ? steps : steps.filter((t) => distances[t + 1]! < distances[t]!)
}

/**
 * Share of the steps of successful expert episodes on which the reward rises, among those on which the true distance falls. 0 to
 * 1, best 1, chance 0.5; a step without change does not rise. NaN where the reward is constant on all of them.
 */
const risingSteps: Measure = {
  name: 'path/rising_steps',
  title: 'Steps towards the goal that are paid',
  direction: 'higher',
  scale: 'share',
  chance: 0.5,
  best: 1,
  needs: ['rewards', 'experts'],
  statistics: (data) => [
    expertPaths(data, 'path/rising_steps', (episode, rewards) => {
      const steps = progressSteps(episode)
      return [steps.filter((t) => rewards[t + 1]! > rewards[t]!).length, steps.length]
    }),
  ],
}

/**
 * Deepest dip of the reward along successful expert episodes: the largest fall below an earlier frame, as a part of the range of
 * the episode's rewards; mean over episodes. 0 to 1, best 0 where experts never step back. A flat episode counts 1. NaN where the
 * reward is constant on all of them. No chance level: it grows with the length.
 */
const dipDepth: Measure = {
  name: 'path/dip_depth',
  title: 'Deepest dip of the reward on the way to the goal',
  direction: 'lower',
  scale: 'unit',
  chance: NaN,
  best: 0,
  needs: ['rewards', 'experts'],
  statistics: (data) => [expertPaths(data, 'path/dip_depth', (_, rewards) => [deepestDip(rewards), 1])],
}

/**
 * Local dips of the reward along successful expert episodes: runs of falling steps, per 100 steps. Best 0 where experts never step
 * back; NaN where the reward is constant on all of them. White noise gives about 33.
 */
const dipRate: Measure = {
  name: 'path/dips_per_100_steps',
  title: 'Dips of the reward per 100 steps of experts',
  direction: 'lower',
  scale: 'positive',
  chance: 100 / 3,
  best: 0,
  needs: ['rewards', 'experts'],
  statistics: (data) => [
    expertPaths(data, 'path/dips_per_100_steps', (_, rewards) => [100 * countDips(rewards), rewards.length - 1]),
  ],
}

function expertPaths(
  data: EmbeddedEpisodes,
  name: string,
  ratio: (episode: EmbeddedEpisode, rewards: Float32Array) => [number, number],
): EpisodeStatistic {
  const positions = positionsWhere(
    data,
    (episode) => episode.rewards !== undefined && episode.length > 1 && isExpert(data, episode),
  )
  const experts = positions.map((position) => data.episodes[position]!)
  if (experts.length === 0) return undefinedStatistic(name, NONE)
  if (experts.every((episode) => allEqual([episode.rewards!]))) return undefinedStatistic(name, CONSTANT)
  const ratios = experts.map((episode) => ratio(episode, episode.rewards!))
  return ratioStatistic(
    name,
    positions,
    ratios.map(([above]) => above),
    ratios.map(([, below]) => below),
  )
}

function deepestDip(rewards: Float32Array): number {
  let highest = -Infinity
  let lowest = Infinity
  let deepest = 0
  for (const reward of rewards) {
    highest = Math.max(highest, reward)
    lowest = Math.min(lowest, reward)
    deepest = Math.max(deepest, highest - reward)
  }
  return highest === lowest ? 1 : deepest / (highest - lowest)
}

function countDips(rewards: Float32Array): number {
  let dips = 0
  for (let t = 1; t < rewards.length; t++) {
    const falls = rewards[t]! < rewards[t - 1]!
    const fellBefore = t > 1 && rewards[t - 1]! < rewards[t - 2]!
    if (falls && !fellBefore) dips++
  }
  return dips
}

/** Order of the reward in time, and its smoothness on the way to the goal. */
export const valueOrderMeasures: readonly Measure[] = [
  vocExpert,
  vocReversed,
  vocShuffled,
  vocFailed,
  vocAdversarial,
  risingSteps,
  dipDepth,
  dipRate,
]
