import { kendallTau } from '../statistics.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from './embedded-episodes.ts'
import { isExpert, rowDistance } from './embedded-episodes.ts'
import { meanStatistic, positionsWhere, undefinedStatistic } from './episode-statistics.ts'
import type { EpisodeStatistic, Measure } from './measurement.ts'

/** Expert episodes that are compared pair by pair, and frames of each, evenly spaced. */
const MAX_EPISODES = 24
const MAX_FRAMES = 50

/** For each frame of one sequence: the frames of another that are nearest to it; several where they tie. */
type NearestFrames = readonly (readonly number[])[]

/** @param distances [rows, columns] */
function nearestFrames(distances: Float64Array, rows: number, columns: number, transposed = false): NearestFrames {
  const at = (i: number, j: number): number => distances[transposed ? j * rows + i : i * columns + j]!
  return Array.from({ length: rows }, (_, i) => {
    let ties = [0]
    for (let j = 1; j < columns; j++) {
      const gap = at(i, j) - at(i, ties[0]!)
      if (gap < 0) ties = [j]
      else if (gap === 0) ties.push(j)
    }
    return ties
  })
}

/** Nearest frames in b of those of a, and in a of those of b. */
function nearestBothWays(a: Float32Array, b: Float32Array, size: number): [NearestFrames, NearestFrames] {
  const rows = a.length / size
  const columns = b.length / size
  const distances = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) distances[i * columns + j] = rowDistance(a, i, b, j, size)
  return [nearestFrames(distances, rows, columns), nearestFrames(distances, columns, rows, true)]
}

/** Whether every frame is as near to all of `columns` frames. */
function isBlind(nearest: NearestFrames, columns: number): boolean {
  return columns > 1 && nearest.every(({ length }) => length === columns)
}

/** Mean of `value` over frames that tie: what one of them drawn at random gives. */
function meanOver(ties: readonly number[], value: (index: number) => number): number {
  let sum = 0
  for (const index of ties) sum += value(index)
  return sum / ties.length
}

/**
 * Alignment error of synchronised cameras (Sermanet et al. 2018): for each frame of one view the time of its nearest frame in the
 * other, mean |t - t_nn| / T over frames, ordered pairs of views and episodes. 0 to 1, best 0, chance 1/3. Depends on the frame
 * rate and on how long nothing moves: compare on the same data only. Where frames
 * tie for the nearest, one of them is drawn; NaN where all tie everywhere.
 */
const alignmentError: Measure = {
  name: 'views/alignment_error',
  title: 'Alignment error between cameras',
  direction: 'lower',
  scale: 'unit',
  chance: 1 / 3,
  best: 0,
  needs: ['views'],
  statistics(data) {
    const name = 'views/alignment_error'
    const positions = positionsWhere(
      data,
      ({ views, length }) => views !== undefined && Object.keys(views).length > 0 && length > 1,
    )
    if (positions.length === 0)
      return [undefinedStatistic(name, 'no episode of two frames or more with a second camera')]
    const nearest = positions.map((position) => betweenViews(data.episodes[position]!, data.embeddingSize))
    if (nearest.every((pairs) => pairs.every((pair) => isBlind(pair, pair.length)))) {
      return [undefinedStatistic(name, 'every frame is as near to all frames of the other view')]
    }
    return [meanStatistic(name, positions, nearest.map(meanError))]
  },
}

function betweenViews(episode: EmbeddedEpisode, size: number): NearestFrames[] {
  const views = [episode.embeddings, ...Object.values(episode.views!)]
  return views.flatMap((a, i) => views.slice(i + 1).flatMap((b) => nearestBothWays(a, b, size)))
}

function meanError(pairs: readonly NearestFrames[]): number {
  let sum = 0
  let count = 0
  for (const nearest of pairs) {
    for (const [t, ties] of nearest.entries()) sum += meanOver(ties, (index) => Math.abs(t - index)) / nearest.length
    count += nearest.length
  }
  return sum / count
}

/** Two numbers of each ordered pair of expert episodes: Kendall's tau, and the share of frames that come back. */
interface EpisodePairs {
  readonly positions: readonly number[]
  /** [episodes, episodes] */
  readonly tau: Float64Array
  readonly cycle: Float64Array
  readonly cycleChance: number
  readonly blind: boolean
}

const pairsOf = new WeakMap<EmbeddedEpisodes, EpisodePairs>()

/** Both measures below read the same nearest frames. */
function expertPairs(data: EmbeddedEpisodes): EpisodePairs {
  const known = pairsOf.get(data)
  if (known !== undefined) return known
  const pairs = compareExperts(data)
  pairsOf.set(data, pairs)
  return pairs
}

function compareExperts(data: EmbeddedEpisodes): EpisodePairs {
  const experts = positionsWhere(data, (episode) => isExpert(data, episode) && episode.length > 1)
  const step = Math.max(1, experts.length / MAX_EPISODES)
  const positions = Array.from(
    { length: Math.min(experts.length, MAX_EPISODES) },
    (_, i) => experts[Math.floor(i * step)]!,
  )
  const sequences = positions.map((position) => thinned(data.episodes[position]!, data.embeddingSize))
  const n = positions.length
  const tau = new Float64Array(n * n).fill(NaN)
  const cycle = new Float64Array(n * n).fill(NaN)
  let blind = true
  let chance = 0
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const [there, back] = nearestBothWays(sequences[i]!, sequences[j]!, data.embeddingSize)
      blind &&= isBlind(there, back.length) && isBlind(back, there.length)
      tau[i * n + j] = orderOf(there)
      tau[j * n + i] = orderOf(back)
      cycle[i * n + j] = returning(there, back)
      cycle[j * n + i] = returning(back, there)
      chance += chanceToReturn(there.length, back.length) / ((n * (n - 1)) / 2)
    }
  }
  return { positions, tau, cycle, cycleChance: chance, blind }
}

/** At most 50 frames, evenly spaced, the last one included. */
function thinned({ embeddings, length }: EmbeddedEpisode, size: number): Float32Array {
  const count = Math.min(length, MAX_FRAMES)
  const rows = new Float32Array(count * size)
  for (let i = 0; i < count; i++) {
    const t = Math.round((i * (length - 1)) / (count - 1))
    rows.set(embeddings.subarray(t * size, (t + 1) * size), i * size)
  }
  return rows
}

/** Kendall's tau of time and the mean nearest frame; an order that is undefined counts 0. */
function orderOf(nearest: NearestFrames): number {
  const tau = kendallTau(
    nearest.map((_, t) => t),
    nearest.map((ties) => meanOver(ties, (index) => index)),
  )
  return Number.isNaN(tau) ? 0 : tau
}

/** Share of frames that come back to within one frame; where frames tie, on the way there or back, one of them is drawn. */
function returning(there: NearestFrames, back: NearestFrames): number {
  let returned = 0
  for (const [t, ties] of there.entries()) {
    returned += meanOver(ties, (index) => meanOver(back[index]!, (end) => (Math.abs(end - t) <= 1 ? 1 : 0)))
  }
  return returned / there.length
}

/**
 * If all distances were drawn at random: the smallest of a row is that of its column too with chance m / (n + m - 1), and the
 * others end anywhere.
 */
function chanceToReturn(n: number, m: number): number {
  const mutual = m / (n + m - 1)
  return mutual + (1 - mutual) * Math.min(1, 2 / n)
}

/** Mean over ordered pairs of different episodes; a pair counts as often as the product of its counts. */
function pairMean(
  name: string,
  { positions, blind }: EpisodePairs,
  values: Float64Array,
  chance?: number,
): EpisodeStatistic {
  if (positions.length < 2) return undefinedStatistic(name, 'fewer than two expert episodes of two frames or more')
  if (blind) return undefinedStatistic(name, 'every frame is as near to all frames of other episodes')
  const n = positions.length
  return {
    name,
    episodes: positions,
    ...(chance === undefined ? {} : { chance }),
    evaluate(counts) {
      let sum = 0
      let weight = 0
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          if (i === j) continue
          const both = counts[positions[i]!]! * counts[positions[j]!]!
          weight += both
          sum += both * values[i * n + j]!
        }
      }
      return weight === 0 ? NaN : sum / weight
    },
  }
}

/**
 * Kendall's tau of the times of the frames of one expert episode with those of their nearest frames in another, mean over ordered
 * pairs (Zakka et al. 2021, XIRL; Dwibedi et al. 2019). -1 to 1, best 1 where all experts go the same way, chance 0. Pauses and
 * repeated phases lower it, a clock scores 1. Up to 24 episodes of 50 frames.
 */
const kendall: Measure = {
  name: 'order/kendall_tau',
  title: "Experts pass the same places in the same order (Kendall's tau)",
  direction: 'higher',
  scale: 'correlation',
  chance: 0,
  best: 1,
  needs: ['experts'],
  statistics(data) {
    const pairs = expertPairs(data)
    return [pairMean('order/kendall_tau', pairs, pairs.tau)]
  },
}

/**
 * Share of frames of one expert episode whose nearest frame in another has its own nearest within one frame of where they began
 * (two-way cycle consistency, Dwibedi et al. 2019). 0 to 1, best 1, chance about 0.5 (not 3 / T: whoever is nearest is likely to be
 * near in turn). Where frames tie, one of them is drawn, so that a collapsed embedding scores about 3 / T.
 */
const cycle: Measure = {
  name: 'order/cycle_consistency',
  title: 'Frames that return from another expert episode',
  direction: 'higher',
  scale: 'share',
  chance: NaN,
  best: 1,
  needs: ['experts'],
  statistics(data) {
    const pairs = expertPairs(data)
    return [pairMean('order/cycle_consistency', pairs, pairs.cycle, pairs.cycleChance)]
  },
}

/** Agreement in time: of the cameras of an episode, and of episodes. */
export const alignmentMeasures: readonly Measure[] = [alignmentError, kendall, cycle]
