import type { Rng } from '../../core/rng.ts'
import type { EmbeddedEpisodes } from './embedded-episodes.ts'
import { rowDistance } from './embedded-episodes.ts'
import type { PairedNumbers } from './episode-statistics.ts'
import {
  allEqual,
  meanStatistic,
  pooledCorrelation,
  pooledSpearman,
  positionsWhere,
  rewardOrder,
  undefinedStatistic,
} from './episode-statistics.ts'
import { gatherRows, spacedFrames } from './frames.ts'
import type { EpisodeStatistic, Measure } from './measurement.ts'

/** Random pairs of frames of different episodes. */
const PAIRS = 5000

/** Positions of the episodes with rewards and true distances. */
function scored(data: EmbeddedEpisodes): number[] {
  return positionsWhere(data, ({ rewards, goalDistances }) => rewards !== undefined && goalDistances !== undefined)
}

/** Reward and minus true distance of every frame. */
function goalPairs(data: EmbeddedEpisodes): PairedNumbers {
  const x: number[] = []
  const y: number[] = []
  const episode: number[] = []
  for (const position of scored(data)) {
    const { rewards, goalDistances, length } = data.episodes[position]!
    for (let t = 0; t < length; t++) {
      x.push(rewards![t]!)
      y.push(-goalDistances![t]!)
      episode.push(position)
    }
  }
  return { x, y, episode }
}

function pooled(
  name: string,
  data: EmbeddedEpisodes,
  correlation: (name: string, pairs: PairedNumbers) => EpisodeStatistic,
): EpisodeStatistic {
  const pairs = goalPairs(data)
  if (pairs.x.length === 0) return undefinedStatistic(name, 'no episode has both a reward and true distances')
  if (allEqual([pairs.x])) return undefinedStatistic(name, 'the reward is the same at every frame')
  if (allEqual([pairs.y])) return undefinedStatistic(name, 'the true distance is the same at every frame')
  return correlation(name, pairs)
}

/**
 * Spearman's correlation of the reward with minus the true distance to the goal, over all frames of all episodes. -1 to 1, best 1,
 * chance 0; NaN where either is constant. Goals differ between episodes: see {@link goalSpearmanEpisode} for one goal at a time.
 */
const goalSpearman: Measure = {
  name: 'distance/spearman',
  title: 'Reward ranks states like the true distance (Spearman, pooled)',
  direction: 'higher',
  scale: 'correlation',
  chance: 0,
  best: 1,
  needs: ['rewards', 'goal-distances'],
  statistics: (data) => [pooled('distance/spearman', data, pooledSpearman)],
}

/** Pearson's correlation in place of Spearman's in {@link goalSpearman}: also asks that the reward be linear in the distance. */
const goalPearson: Measure = {
  name: 'distance/pearson',
  title: 'Reward is linear in the true distance (Pearson, pooled)',
  direction: 'higher',
  scale: 'correlation',
  chance: 0,
  best: 1,
  needs: ['rewards', 'goal-distances'],
  statistics: (data) => [pooled('distance/pearson', data, pooledCorrelation)],
}

/**
 * Mean over episodes of Spearman's correlation of reward and minus true distance within the episode. -1 to 1, best 1, chance 0.
 * Episodes whose true distance never changes are left out, those where only the reward is constant count 0; NaN where it is on
 * all.
 */
const goalSpearmanEpisode: Measure = {
  name: 'distance/spearman_episode',
  title: 'Reward ranks states like the true distance (Spearman, mean of episodes)',
  direction: 'higher',
  scale: 'correlation',
  chance: 0,
  best: 1,
  needs: ['rewards', 'goal-distances'],
  statistics(data) {
    const name = 'distance/spearman_episode'
    const positions = scored(data).filter((position) => !allEqual([data.episodes[position]!.goalDistances!]))
    if (positions.length === 0) return [undefinedStatistic(name, 'the true distance changes in no episode')]
    const episodes = positions.map((position) => data.episodes[position]!)
    if (episodes.every(({ rewards }) => allEqual([rewards!]))) {
      return [undefinedStatistic(name, 'the reward is constant in every episode')]
    }
    const orders = episodes.map(({ rewards, goalDistances }) =>
      rewardOrder(
        rewards!,
        goalDistances!.map((d) => -d),
      ),
    )
    return [meanStatistic(name, positions, orders)]
  },
}

/** Distances in embedding and truth of random pairs of frames of different episodes. */
function statePairs(data: EmbeddedEpisodes, rng: Rng): PairedNumbers {
  const positions = positionsWhere(data, ({ states }) => states !== undefined)
  const frames = spacedFrames(data, positions, PAIRS)
  const states = gatherRows(data, frames, (episode) => episode.states!)
  const embeddings = gatherRows(data, frames, (episode) => episode.embeddings)
  const state = (i: number): Float32Array => states.data.subarray(i * states.size, (i + 1) * states.size)
  const x: number[] = []
  const y: number[] = []
  const episode: number[] = []
  const other: number[] = []
  while (x.length < PAIRS) {
    const i = rng.int(frames.count)
    const j = rng.int(frames.count)
    if (frames.episode[i] === frames.episode[j]) continue
    x.push(rowDistance(embeddings.data, i, embeddings.data, j, embeddings.size))
    y.push(data.stateDistance!(state(i), state(j)))
    episode.push(frames.episode[i]!)
    other.push(frames.episode[j]!)
  }
  return { x, y, episode, other }
}

/**
 * Spearman's correlation of |z_i - z_j| with the true distance of the states, over 5000 random pairs of frames of different
 * episodes: whether the embedding is a map of the states, whatever the goal. -1 to 1, best 1, chance 0; NaN where either distance
 * is constant.
 */
const pairSpearman: Measure = {
  name: 'distance/spearman_pairs',
  title: 'Distances of random pairs rank like the true ones (Spearman)',
  direction: 'higher',
  scale: 'correlation',
  chance: 0,
  best: 1,
  needs: ['states', 'state-distance'],
  statistics(data, rng) {
    const name = 'distance/spearman_pairs'
    if (positionsWhere(data, ({ states }) => states !== undefined).length < 2) {
      return [undefinedStatistic(name, 'fewer than two episodes with states')]
    }
    const pairs = statePairs(data, rng)
    if (allEqual([pairs.x])) return [undefinedStatistic(name, 'all embeddings are as far from each other')]
    if (allEqual([pairs.y])) return [undefinedStatistic(name, 'all states are as far from each other')]
    return [pooledSpearman(name, pairs)]
  },
}

/** Rank correlation of what the embedding calls far with what is far. */
export const distanceMeasures: readonly Measure[] = [goalSpearman, goalSpearmanEpisode, goalPearson, pairSpearman]
