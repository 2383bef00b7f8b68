import type { Rng } from '../../core/rng.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from './embedded-episodes.ts'
import { rowDistance } from './embedded-episodes.ts'
import type { PairedNumbers } from './episode-statistics.ts'
import { allEqual, pooledSpearman, positionsWhere, undefinedStatistic } from './episode-statistics.ts'
import type { Measure } from './measurement.ts'

const PAIRS = 3000
/** Steps that are looked ahead. */
const HORIZON = 10
const GAMMA = 0.9

/**
 * Spearman's correlation of |z_i - z_j| with the bisimulation distance of the two states under the recorded behaviour: the sum over
 * the next 10 steps of 0.9^k |r_i - r_j|, which in a deterministic world is the on-policy bisimulation metric (Castro 2020), cut
 * off. Rewards of both are minus the true distance to the goal of the first, or, where that is not known, what the task paid. 3000
 * random pairs of frames of different episodes. -1 to 1, best 1, chance 0; NaN where either is constant. Only an embedding that keeps
 * values and drops the rest reaches 1: a perfect map of the states does not.
 */
const bisimulation: Measure = {
  name: 'bisimulation/spearman',
  title: 'Distances rank like the difference of future rewards (Spearman)',
  direction: 'higher',
  scale: 'correlation',
  chance: 0,
  best: 1,
  needs: ['future-rewards'],
  statistics(data, rng) {
    const name = 'bisimulation/spearman'
    const byGoal = data.goalDistance !== undefined && data.episodes.some(hasGoal)
    const positions = positionsWhere(
      data,
      (episode) => episode.length > HORIZON && (byGoal ? hasGoal(episode) : episode.trueRewards !== undefined),
    )
    if (positions.length < 2) return [undefinedStatistic(name, `fewer than two episodes of more than ${HORIZON} steps`)]
    const pairs = futurePairs(data, positions, byGoal, rng)
    if (allEqual([pairs.x])) return [undefinedStatistic(name, 'all embeddings are as far from each other')]
    if (allEqual([pairs.y])) return [undefinedStatistic(name, 'the rewards are the same everywhere')]
    return [pooledSpearman(name, pairs)]
  },
}

function hasGoal({ goal, states }: EmbeddedEpisode): boolean {
  return goal !== undefined && states !== undefined
}

function futurePairs(data: EmbeddedEpisodes, positions: readonly number[], byGoal: boolean, rng: Rng): PairedNumbers {
  const rewardAfter = (episode: EmbeddedEpisode, time: number, goal: Float32Array | undefined): number => {
    if (!byGoal) return episode.trueRewards![time - 1]!
    const size = episode.states!.length / episode.length
    return -data.goalDistance!(episode.states!.subarray(time * size, (time + 1) * size), goal!)
  }
  const x: number[] = []
  const y: number[] = []
  const first: number[] = []
  const other: number[] = []
  while (x.length < PAIRS) {
    const p = positions[rng.int(positions.length)]!
    const q = positions[rng.int(positions.length)]!
    if (p === q) continue
    const a = data.episodes[p]!
    const b = data.episodes[q]!
    const i = rng.int(a.length - HORIZON)
    const j = rng.int(b.length - HORIZON)
    let difference = 0
    for (let k = 1; k <= HORIZON; k++) {
      difference += GAMMA ** (k - 1) * Math.abs(rewardAfter(a, i + k, a.goal) - rewardAfter(b, j + k, a.goal))
    }
    x.push(rowDistance(a.embeddings, i, b.embeddings, j, data.embeddingSize))
    y.push(difference)
    first.push(p)
    other.push(q)
  }
  return { x, y, episode: first, other }
}

/** Whether states that will be paid alike are near. */
export const bisimulationMeasures: readonly Measure[] = [bisimulation]
