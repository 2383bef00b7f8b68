import type { Metrics } from '../core/ndarray.ts'
import { orthogonalize, symmetricEigen } from '../core/linalg.ts'
import type { Rows } from './rows.ts'
import { effectiveRank, momentsOf, scatterMatrix, sumsOfDirections } from './rows.ts'
import { quantile } from './statistics.ts'

/** Latents of more dimensions are first written in a basis of the space that they span, so that small or dependent sets stay cheap. */
const WIDE = 64
/** Rows whose neighbours are looked for, evenly among all. */
const QUERIES = 128
/** What is left of a row is rounding below this part of it. */
const ROUNDING = 1e-6

/**
 * Whether an embedding is alive, from latents [count, size] of a varied set of frames, under the names in `docs/metrics.md`: smallest
 * and median standard deviation of a dimension; effective rank; mean cosine of all pairs of different latents, as they are (not
 * centred), which is 1 when all point the same way; the root mean square distance from the mean, and that as a part of the root mean
 * square length.
 */
export function embeddingHealth(latents: Float32Array | Float64Array, count: number): Metrics {
  const rows = { data: latents, count, size: latents.length / count }
  const { mean, std: deviations } = momentsOf(rows)
  const std = [...deviations]
  const spread = Math.hypot(...std)
  const length = Math.hypot(spread, ...mean)
  const narrow = rows.size > WIDE ? inSpan(rows) : rows
  return {
    'embed/min_std': Math.min(...std),
    'embed/median_std': quantile(std, 0.5),
    'embed/effective_rank': rankOf(narrow),
    'embed/mean_cosine': meanCosine(narrow),
    'embed/rms_distance': spread,
    'embed/relative_spread': length === 0 ? 0 : spread / length,
  }
}

/**
 * How far apart in truth a frame and the one of another episode with the nearest latent are, beyond the nearest that there is: 0 the truly
 * nearest, 1 as far as a random one. Differences of states count in standard deviations of each variable.
 *
 * @param latents [count, latentSize]
 * @param states [count, stateSize]
 * @param episodes of each row
 * @returns NaN where there is but one episode, or states do not differ
 */
export function neighbourError(latents: Rows, states: Rows, episodes: ArrayLike<number>): number {
  const { mean, std } = momentsOf(states)
  const data = Float64Array.from(states.data, (x, at) => {
    const column = at % states.size
    return std[column]! > ROUNDING * Math.abs(mean[column]!) ? (x - mean[column]!) / std[column]! : 0
  })
  const truth = { data, count: states.count, size: states.size }
  let [error, chance] = [0, 0]
  const queries = Math.min(QUERIES, latents.count)
  for (let query = 0; query < queries; query++) {
    const row = Math.floor((query * latents.count) / queries)
    let [near, nearTruth, best, sum, others] = [Infinity, NaN, Infinity, 0, 0]
    for (let other = 0; other < latents.count; other++) {
      if (episodes[other] === episodes[row]) continue
      const [latent, apart] = [distanceOf(latents, row, other), distanceOf(truth, row, other)]
      if (latent < near) [near, nearTruth] = [latent, apart]
      best = Math.min(best, apart)
      sum += apart
      others++
    }
    if (others === 0) continue
    error += nearTruth - best
    chance += sum / others - best
  }
  return chance === 0 ? NaN : error / chance
}

function distanceOf({ data, size }: Rows, a: number, b: number): number {
  let sum = 0
  for (let i = 0; i < size; i++) sum += (data[a * size + i]! - data[b * size + i]!) ** 2
  return Math.sqrt(sum)
}

function rankOf(rows: Rows): number {
  return effectiveRank(symmetricEigen(scatterMatrix(rows, momentsOf(rows).mean), rows.size).values)
}

function meanCosine(rows: Rows): number {
  const { count } = rows
  const { sums } = sumsOfDirections(rows, new Int32Array(count), 1)
  // The diagonal of all pairs adds 1 for each row.
  return (sums.reduce((sum, v) => sum + v * v, 0) - count) / (count * (count - 1))
}

/** The rows in an orthonormal basis of their span (modified Gram-Schmidt): all inner products stay, so do rank and cosines. */
function inSpan({ data, count, size }: Rows): Rows {
  const basis: Float64Array[] = []
  const coordinates = Array.from({ length: count }, (_, row) => {
    const rest = Float64Array.from(data.subarray(row * size, (row + 1) * size))
    const norm = Math.hypot(...rest)
    const own = orthogonalize(rest, basis)
    const left = Math.hypot(...rest)
    if (left > ROUNDING * norm) {
      basis.push(rest.map((x) => x / left))
      own.push(left)
    }
    return own
  })
  const width = Math.max(1, basis.length)
  const result = new Float64Array(count * width)
  coordinates.forEach((own, row) => result.set(own, row * width))
  return { data: result, count, size: width }
}
