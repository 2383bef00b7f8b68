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

/** Entropy rank of weighted episodes. Up to this size each weighting gets axes of its own; wider ones keep those of the whole data. */
const MAX_OWN_AXES = 64

/** Sums over the frames of one episode. */
interface EpisodeMoments {
  count: number
  /** [size] */
  readonly sums: Float64Array
  /** [size, size], or [size] where only the axes of the whole data count */
  readonly products: Float64Array
}

function rankStatistic(name: string, spread: Spread): EpisodeStatistic {
  const { rows, episodes } = spread
  const hasOwnAxes = rows.size <= MAX_OWN_AXES
  const moments = hasOwnAxes ? momentsByEpisode(spread, rows) : momentsByEpisode(spread, alongAxes(spread))
  return {
    name,
    episodes,
    evaluate(weights) {
      const total = weightedMoments(moments, weights, rows.size)
      return effectiveRank(hasOwnAxes ? symmetricEigen(total, rows.size).values : total)
    },
  }
}

/** The centred rows along the principal axes. */
function alongAxes({ rows: { data, count, size }, center, axes }: Spread): Rows {
  const turned = new Float64Array(count * size)
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < size; i++) {
      const x = data[row * size + i]! - center[i]!
      for (let axis = 0; axis < size; axis++) turned[row * size + axis]! += x * axes[i * size + axis]!
    }
  }
  return { data: turned, count, size }
}

function momentsByEpisode({ frames, episodes, center }: Spread, rows: Rows): readonly EpisodeMoments[] {
  const { data, size } = rows
  const isSquare = size <= MAX_OWN_AXES
  const moments = episodes.map((): EpisodeMoments => {
    return { count: 0, sums: new Float64Array(size), products: new Float64Array(isSquare ? size * size : size) }
  })
  const x = new Float64Array(size)
  for (let row = 0; row < rows.count; row++) {
    const moment = moments[frames.episode[row]!]!
    moment.count++
    // Rows along the axes are centred already; a shift by the centre keeps small variances beside large means.
    for (let i = 0; i < size; i++) x[i] = data[row * size + i]! - (isSquare ? center[i]! : 0)
    for (let i = 0; i < size; i++) {
      moment.sums[i]! += x[i]!
      if (!isSquare) moment.products[i]! += x[i]! * x[i]!
      else for (let j = 0; j < size; j++) moment.products[i * size + j]! += x[i]! * x[j]!
    }
  }
  return moments
}

/** Covariance [size, size] of the weighted frames, or their variances [size] along the axes. */
function weightedMoments(moments: readonly EpisodeMoments[], weights: Float64Array, size: number): Float64Array {
  const total = new Float64Array(moments[0]!.products.length)
  const means = new Float64Array(size)
  let n = 0
  for (const [episode, { count, sums, products }] of moments.entries()) {
    const weight = weights[episode]!
    n += weight * count
    for (let i = 0; i < size; i++) means[i]! += weight * sums[i]!
    for (let i = 0; i < total.length; i++) total[i]! += weight * products[i]!
  }
  for (let i = 0; i < size; i++) means[i]! /= n
  if (total.length === size) return total.map((sum, i) => Math.max(0, sum / n - means[i]! ** 2))
  return total.map((sum, at) => sum / n - means[Math.floor(at / size)]! * means[at % size]!)
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
  scale: 'positive',
  isBiased: true,
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
  scale: 'share',
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
  scale: 'correlation',
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
