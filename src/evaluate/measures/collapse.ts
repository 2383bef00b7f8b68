import { symmetricEigen } from '../../core/linalg.ts'
import type { Rng } from '../../core/rng.ts'
import type { Rows } from '../rows.ts'
import { effectiveRank, momentsOf, scatterMatrix, sumsOfDirections } from '../rows.ts'
import type { EmbeddedEpisodes } from './embedded-episodes.ts'
import { ratioStatistic, undefinedStatistic } from './episode-statistics.ts'
import type { FrameList } from './frames.ts'
import { gatherRows, sketchRows, spacedFrames } from './frames.ts'
import type { EpisodeStatistic, Measure } from './measurement.ts'

/** Frames that the figures are taken over, evenly from all episodes. */
const FRAMES = 4000
/** A dimension that varies less than this part of its magnitude is dead: 10 times float32's rounding. */
const DEAD_STD = 1e-6
/** Below this effective rank the embedding is a line in all but name. */
const LINE_RANK = 1.5

/** What is left of an embedding: `collapsed` to a point, `line` (effective rank below 1.5), or `varied`. */
export type CollapseVerdict = 'collapsed' | 'line' | 'varied'

/** Where the embeddings of a sample of frames lie, and along which axes they vary. */
interface Spread {
  readonly frames: FrameList
  readonly rows: Rows
  readonly episodes: readonly number[]
  /** Standard deviation of each dimension. */
  readonly std: Float64Array
  /** Mean of each dimension. */
  readonly center: Float64Array
  /** Variances along the principal axes, and the axes as columns [size, size]. */
  readonly variances: Float64Array
  readonly axes: Float64Array
}

/** What the figures of {@link collapseFigures} amount to, as a word. */
export function collapseVerdict(data: EmbeddedEpisodes, rng: Rng): CollapseVerdict {
  const spread = spreadOf(data, rng)
  if (!isAlive(spread)) return 'collapsed'
  return effectiveRank(spread.variances) < LINE_RANK ? 'line' : 'varied'
}

function isAlive({ std, center }: Spread): boolean {
  return std.some((value, i) => value > DEAD_STD * Math.abs(center[i]!))
}

function spreadOf(data: EmbeddedEpisodes, rng: Rng): Spread {
  const episodes = data.episodes.map((_, position) => position)
  const frames = spacedFrames(data, episodes, FRAMES)
  const rows = sketchRows(
    gatherRows(data, frames, (episode) => episode.embeddings),
    rng,
  )
  const { size, count } = rows
  const center = momentsOf(rows).mean
  const covariance = scatterMatrix(rows, center, count)
  const std = Float64Array.from({ length: size }, (_, i) => Math.sqrt(covariance[i * size + i]!))
  const { values, vectors } = symmetricEigen(covariance, size)
  return { frames, rows, episodes, std, center, variances: values, axes: vectors }
}

/** Entropy rank of each resample: its variances are taken along the axes of the whole data (exact to first order). */
function rankStatistic(name: string, spread: Spread): EpisodeStatistic {
  const { frames, rows, episodes, center, axes } = spread
  const { size } = rows
  const counts = new Float64Array(episodes.length)
  const sums = new Float64Array(episodes.length * size)
  const squares = new Float64Array(episodes.length * size)
  for (let row = 0; row < rows.count; row++) {
    const episode = frames.episode[row]!
    counts[episode]!++
    for (let axis = 0; axis < size; axis++) {
      let along = 0
      for (let i = 0; i < size; i++) along += (rows.data[row * size + i]! - center[i]!) * axes[i * size + axis]!
      sums[episode * size + axis]! += along
      squares[episode * size + axis]! += along * along
    }
  }
  const variances = new Float64Array(size)
  return {
    name,
    episodes,
    evaluate(weights) {
      let n = 0
      for (const episode of episodes) n += weights[episode]! * counts[episode]!
      for (let axis = 0; axis < size; axis++) {
        let sum = 0
        let square = 0
        for (const episode of episodes) {
          sum += weights[episode]! * sums[episode * size + axis]!
          square += weights[episode]! * squares[episode * size + axis]!
        }
        variances[axis] = Math.max(0, square / n - (sum / n) ** 2)
      }
      return effectiveRank(variances)
    },
  }
}

const POINT = 'collapsed: all frames have the same embedding'

/**
 * Effective rank: exp of the entropy of the normalised singular values of the centred embeddings (Roy and Vetterli 2007). 1 = a
 * line, D = as wide in all directions. No best value: more than the state has is nuisance. NaN for a point, which is collapsed.
 * Embeddings wider than 256 are sketched, which caps it there.
 */
const effectiveRankFigure: Measure = {
  name: 'collapse/effective_rank',
  title: 'Effective rank',
  direction: 'none',
  chance: NaN,
  best: NaN,
  needs: [],
  statistics(data, rng) {
    const spread = spreadOf(data, rng)
    if (!isAlive(spread)) return [undefinedStatistic('collapse/effective_rank', POINT)]
    return [rankStatistic('collapse/effective_rank', spread)]
  },
}

/**
 * Dimensions whose standard deviation is below 1e-6 of their mean, as a share: they carry rounding noise. 0 to 1, best 0; 1 =
 * collapsed to a point.
 */
const deadDimensions: Measure = {
  name: 'collapse/dead_dimensions',
  title: 'Dead dimensions (share)',
  direction: 'lower',
  chance: NaN,
  best: 0,
  needs: [],
  statistics(data) {
    const size = data.embeddingSize
    const episodes = data.episodes.map((_, position) => position)
    const rows = gatherRows(data, spacedFrames(data, episodes, FRAMES), (episode) => episode.embeddings)
    let dead = 0
    for (let i = 0; i < size; i++) {
      let low = Infinity
      let high = -Infinity
      for (let row = 0; row < rows.count; row++) {
        low = Math.min(low, rows.data[row * size + i]!)
        high = Math.max(high, rows.data[row * size + i]!)
      }
      if (high - low <= DEAD_STD * Math.max(Math.abs(low), Math.abs(high))) dead++
    }
    return [
      ratioStatistic(
        'collapse/dead_dimensions',
        episodes,
        episodes.map(() => dead / size),
        episodes.map(() => 1),
      ),
    ]
  },
}

/**
 * Mean cosine of pairs of frames of different episodes, embeddings as they are. 1 = all point the same way, which a large common
 * offset is enough for: harmless to distances, fatal to rewards that use the cosine. No best value; NaN for a zero embedding.
 */
const meanCosine: Measure = {
  name: 'collapse/mean_cosine',
  title: 'Mean cosine of different episodes',
  direction: 'none',
  chance: NaN,
  best: NaN,
  needs: [],
  statistics(data) {
    const size = data.embeddingSize
    const episodes = data.episodes.map((_, position) => position)
    const frames = spacedFrames(data, episodes, FRAMES)
    const rows = gatherRows(data, frames, (episode) => episode.embeddings)
    const { sums, hasZero } = sumsOfDirections(rows, frames.episode, episodes.length)
    if (hasZero) return [undefinedStatistic('collapse/mean_cosine', 'some embedding is 0: it has no direction')]
    const counts = new Float64Array(episodes.length)
    for (const episode of frames.episode) counts[episode]!++
    return [cosineStatistic(episodes, sums, counts, size)]
  },
}

/** Sum of cosines over pairs of episodes = |sum of all directions|^2 - sum of |those of one episode|^2. */
function cosineStatistic(
  episodes: readonly number[],
  directions: Float64Array,
  counts: Float64Array,
  size: number,
): EpisodeStatistic {
  const own = episodes.map((episode) =>
    directions.subarray(episode * size, (episode + 1) * size).reduce((sum, v) => sum + v * v, 0),
  )
  const total = new Float64Array(size)
  return {
    name: 'collapse/mean_cosine',
    episodes,
    ...(episodes.length < 2 ? { undefinedBecause: 'fewer than two episodes' } : {}),
    evaluate(weights) {
      total.fill(0)
      let n = 0
      let same = 0
      let samePairs = 0
      for (const episode of episodes) {
        const weight = weights[episode]!
        if (weight === 0) continue
        n += weight * counts[episode]!
        same += weight * weight * own[episode]!
        samePairs += (weight * counts[episode]!) ** 2
        for (let i = 0; i < size; i++) total[i]! += weight * directions[episode * size + i]!
      }
      const pairs = n * n - samePairs
      return pairs === 0 ? NaN : (total.reduce((sum, v) => sum + v * v, 0) - same) / pairs
    },
  }
}

/** Signs of a collapsed embedding. */
export const collapseFigures: readonly Measure[] = [effectiveRankFigure, deadDimensions, meanCosine]
