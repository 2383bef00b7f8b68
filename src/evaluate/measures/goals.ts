import type { EmbeddedEpisode, EmbeddedEpisodes } from './embedded-episodes.ts'
import { rowDistance } from './embedded-episodes.ts'
import { positionsWhere, ratioStatistic, undefinedStatistic } from './episode-statistics.ts'
import type { FrameList } from './frames.ts'
import { gatherRows, spacedFrames } from './frames.ts'
import type { Measure } from './measurement.ts'

/** Frames of all episodes among which each goal looks for its best. */
const CANDIDATES = 2000
/** Share of them that is called best. */
const TOP = 0.01

/** Variance over goal images of the distance to them, and variance in time of its mean, both summed over frames. */
function goalVariances(
  { embeddings, goals, length }: EmbeddedEpisode,
  size: number,
): { between: number; along: number } {
  const images = goals!.length / size
  const means = new Float64Array(length)
  let between = 0
  for (let t = 0; t < length; t++) {
    const distances = Float64Array.from({ length: images }, (_, k) => rowDistance(embeddings, t, goals!, k, size))
    means[t] = distances.reduce((sum, d) => sum + d / images, 0)
    between += distances.reduce((sum, d) => sum + (d - means[t]!) ** 2 / images, 0)
  }
  const mean = means.reduce((sum, d) => sum + d / length, 0)
  return { between, along: means.reduce((sum, d) => sum + (d - mean) ** 2, 0) }
}

/**
 * How much the reward depends on which image of the one goal is shown: variance over goal images, relative to the variance along
 * the episode, pooled over episodes with two images or more. Best 0; above 1 the choice of the image matters more than what the
 * robot does. NaN where the reward never changes in time.
 */
const imageVariance: Measure = {
  name: 'goals/image_variance',
  title: 'Reward depends on which image of the goal is shown',
  direction: 'lower',
  scale: 'positive',
  chance: NaN,
  best: 0,
  needs: ['goal-images'],
  statistics(data) {
    const name = 'goals/image_variance'
    const size = data.embeddingSize
    const positions = positionsWhere(data, ({ goals }) => goals !== undefined && goals.length >= 2 * size)
    const variances = positions.map((position) => goalVariances(data.episodes[position]!, size))
    if (variances.every(({ along }) => along === 0))
      return [undefinedStatistic(name, 'the reward never changes in time')]
    return [
      ratioStatistic(
        name,
        positions,
        variances.map(({ between }) => between),
        variances.map(({ along }) => along),
      ),
    ]
  },
}

/**
 * False goals: for each episode's goal, the 1 % of the frames of all other episodes that the embedding would pay most, and their true
 * distance to that goal, beyond that of the truly nearest 1 % and relative to that of all frames. Best 0, chance 1: what an agent
 * that maximises this reward is led to. NaN where all frames are paid the same.
 */
const falseMaxima: Measure = {
  name: 'goals/false_maxima',
  title: 'Excess distance of the best-paid 1 % of frames (random = 1)',
  direction: 'lower',
  scale: 'positive',
  chance: 1,
  best: 0,
  needs: ['goal-distance', 'states'],
  statistics(data) {
    const name = 'goals/false_maxima'
    const withStates = positionsWhere(data, ({ states }) => states !== undefined)
    const goals = positionsWhere(data, (episode) => episode.goal !== undefined && episode.goals !== undefined)
    if (withStates.length < 2 || goals.length === 0) {
      return [undefinedStatistic(name, 'no goals, or fewer than two episodes with states')]
    }
    const frames = spacedFrames(data, withStates, CANDIDATES)
    const embeddings = gatherRows(data, frames, (episode) => episode.embeddings)
    const states = gatherRows(data, frames, (episode) => episode.states!)
    const excesses = goals.map((position) => excessOfBest(data, { frames, embeddings, states }, position))
    if (excesses.every(({ tied }) => tied)) return [undefinedStatistic(name, 'all frames are paid the same')]
    return [
      ratioStatistic(
        name,
        goals,
        excesses.map(({ best }) => best),
        excesses.map(({ random }) => random),
      ),
    ]
  },
}

interface Candidates {
  readonly frames: FrameList
  readonly embeddings: ReturnType<typeof gatherRows>
  readonly states: ReturnType<typeof gatherRows>
}

function excessOfBest(
  data: EmbeddedEpisodes,
  { frames, embeddings, states }: Candidates,
  position: number,
): { best: number; random: number; tied: boolean } {
  const { goal, goals } = data.episodes[position]!
  const size = data.embeddingSize
  const images = goals!.length / size
  const embedded: number[] = []
  const truth: number[] = []
  for (let i = 0; i < frames.count; i++) {
    if (frames.episode[i] === position) continue
    let sum = 0
    for (let k = 0; k < images; k++) sum += rowDistance(embeddings.data, i, goals!, k, size)
    embedded.push(sum)
    truth.push(data.goalDistance!(states.data.subarray(i * states.size, (i + 1) * states.size), goal!))
  }
  const count = Math.max(1, Math.ceil(truth.length * TOP))
  const nearest = meanWhere(truth, truth, count)
  return {
    best: meanWhere(truth, embedded, count) - nearest,
    random: truth.reduce((sum, d) => sum + d, 0) / truth.length - nearest,
    tied: embedded.every((distance) => distance === embedded[0]),
  }
}

/** Mean of the values at the `count` smallest keys, and at all that tie with the last of them. */
function meanWhere(values: readonly number[], keys: readonly number[], count: number): number {
  const limit = keys.toSorted((a, b) => a - b)[count - 1]!
  const kept = values.filter((_, i) => keys[i]! <= limit)
  return kept.reduce((sum, value) => sum + value, 0) / kept.length
}

/** Whether goals mean what they should. */
export const goalMeasures: readonly Measure[] = [imageVariance, falseMaxima]
