import { ranks } from '../statistics.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from './embedded-episodes.ts'
import { distanceRewards } from './embedded-episodes.ts'
import { allEqual, meanStatistic, positionsWhere, undefinedStatistic } from './episode-statistics.ts'
import { gatherRows, spacedFrames } from './frames.ts'
import type { EpisodeStatistic, Measure } from './measurement.ts'

const NAME = 'success/near_auc'
/** Frames of other episodes that are held against each goal, evenly from all. */
const CANDIDATES = 2000
/** A near miss is outside of the radius of success, but no farther than this many radii. */
const NEAR_RADII = 2

/** The largest true distance to the goal at which a successful episode ended; undefined where that is not known. */
export function successRadius(episodes: readonly EmbeddedEpisode[]): number | undefined {
  const ends = episodes
    .filter(({ success, goalDistances }) => success === true && goalDistances !== undefined)
    .map(({ goalDistances, length }) => goalDistances![length - 1]!)
  return ends.length === 0 ? undefined : Math.max(...ends)
}

/** Frames with what they are paid for one goal, and their true distance to it. */
interface Paid {
  readonly rewards: number[]
  readonly distances: number[]
}

/** The episode's own frames. */
function ownFrames({ rewards, goalDistances }: EmbeddedEpisode): Paid {
  return { rewards: [...rewards!], distances: [...goalDistances!] }
}

/** Whether a frame of another episode would be paid minus its distance to the goal's images, as those of the episode are. */
function isPaidByDistance({ embeddings, goals, rewards }: EmbeddedEpisode, size: number): boolean {
  if (goals === undefined) return false
  const expected = distanceRewards(embeddings, goals, size)
  return expected.every((value, t) => value === rewards![t])
}

/** Adds the frames of other episodes, as they would be paid and are in truth for the goal of the episode at `position`. */
function withOthers(data: EmbeddedEpisodes): (position: number, own: Paid) => Paid {
  const { goalDistance, embeddingSize: size } = data
  const withStates = positionsWhere(data, ({ states }) => states !== undefined)
  if (goalDistance === undefined || withStates.length === 0) return (_, own) => own
  const frames = spacedFrames(data, withStates, CANDIDATES)
  const embeddings = gatherRows(data, frames, (episode) => episode.embeddings)
  const states = gatherRows(data, frames, (episode) => episode.states!)
  return (position, own) => {
    const episode = data.episodes[position]!
    const { goal, goals } = episode
    if (goal === undefined || !isPaidByDistance(episode, size)) return own
    const rewards = distanceRewards(embeddings.data, goals!, size)
    for (let i = 0; i < frames.count; i++) {
      if (frames.episode[i] === position) continue
      own.rewards.push(rewards[i]!)
      own.distances.push(goalDistance(states.data.subarray(i * states.size, (i + 1) * states.size), goal))
    }
    return own
  }
}

/** Area under the ROC curve of frames within the radius against near misses; NaN where there are not both. */
function nearArea({ rewards, distances }: Paid, radius: number): number {
  const near = rewards.flatMap((reward, i) => (distances[i]! <= NEAR_RADII * radius ? [{ reward, i }] : []))
  const rank = ranks(near.map(({ reward }) => reward))
  let [positives, sum] = [0, 0]
  for (const [at, { i }] of near.entries()) {
    if (distances[i]! > radius) continue
    positives++
    sum += rank[at]!
  }
  const pairs = positives * (near.length - positives)
  return pairs === 0 ? NaN : (sum - (positives * (positives + 1)) / 2) / pairs
}

function nearStatistic(data: EmbeddedEpisodes): EpisodeStatistic {
  const radius = successRadius(data.episodes)
  const judged = positionsWhere(
    data,
    ({ rewards, goalDistances }) => rewards !== undefined && goalDistances !== undefined,
  )
  if (radius === undefined) return undefinedStatistic(NAME, 'no success of known distance to its goal')
  if (allEqual(judged.map((position) => data.episodes[position]!.rewards!))) {
    return undefinedStatistic(NAME, 'the reward is the same at every frame of all episodes')
  }
  const widen = withOthers(data)
  const areas = judged.map((position) => nearArea(widen(position, ownFrames(data.episodes[position]!)), radius))
  const both = judged.filter((_, i) => !Number.isNaN(areas[i]!))
  if (both.length === 0)
    return undefinedStatistic(NAME, 'no goal with frames within the radius of success and near misses')
  return meanStatistic(
    NAME,
    both,
    areas.filter((area) => !Number.isNaN(area)),
  )
}

/**
 * Success told from near misses: chance that a frame within the radius of success is paid more than one just outside of it, up to twice as
 * far, for the same goal (area under the ROC curve), mean over goals that have both. Frames are the last moments before the success and,
 * where rewards are distances, all states of other episodes. The radius is the largest distance at which a successful episode ended. 0 to
 * 1, best 1, chance 0.5, ties half. NaN where the reward never changes.
 */
const nearAuc: Measure = {
  name: NAME,
  title: 'Success told from near misses (AUC)',
  direction: 'higher',
  scale: 'share',
  chance: 0.5,
  best: 1,
  needs: ['rewards', 'successes', 'goal-distances'],
  statistics: (data) => [nearStatistic(data)],
}

/** Whether the reward tells success from what is nearly one. */
export const nearMissMeasures: readonly Measure[] = [nearAuc]
