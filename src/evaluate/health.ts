import type { Metrics } from '../core/ndarray.ts'
import { orthogonalize, symmetricEigen } from '../core/linalg.ts'
import type { Rows } from './rows.ts'
import { effectiveRank, momentsOf, scatterMatrix, sumsOfDirections } from './rows.ts'
import { quantile } from './statistics.ts'

/** Latents of more dimensions are first written in a basis of the space that they span, so that small or dependent sets stay cheap. */
const WIDE = 64
/** What is left of a row is rounding below this part of it. */
const ROUNDING = 1e-6

/**
 * Whether an embedding is alive, from latents [count, size] of a varied set of frames, under the names in `docs/metrics.md`: smallest
 * and median standard deviation of a dimension; effective rank; mean cosine of all pairs of different latents, as they are (not
 * centred), which is 1 when all point the same way; and the root mean square distance from the mean.
 */
export function embeddingHealth(latents: Float32Array | Float64Array, count: number): Metrics {
  const rows = { data: latents, count, size: latents.length / count }
  const std = [...momentsOf(rows).std]
  const narrow = rows.size > WIDE ? inSpan(rows) : rows
  return {
    'embed/min_std': Math.min(...std),
    'embed/median_std': quantile(std, 0.5),
    'embed/effective_rank': rankOf(narrow),
    'embed/mean_cosine': meanCosine(narrow),
    'embed/rms_distance': Math.hypot(...std),
  }
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
