import type { Metrics } from '../core/ndarray.ts'
import type { Rows } from './probes.ts'
import { collapseMeasures } from './probes.ts'
import { quantile } from './statistics.ts'

/** Latents of more dimensions are first written in a basis of the space that they span, so that small or dependent sets stay cheap. */
const WIDE = 64
/** What is left of a row is rounding below this part of it. */
const ROUNDING = 1e-6

/**
 * Whether an embedding is alive, from latents [count, size] of a varied set of frames: standard deviations, effective rank and mean
 * cosine of {@link collapseMeasures} and the spread around the mean, under their names in `docs/metrics.md`.
 */
export function embeddingHealth(latents: Float32Array, count: number): Metrics {
  const rows = { data: latents, count, size: latents.length / count }
  const isWide = rows.size > WIDE
  const { effectiveRank, meanCosine } = collapseMeasures(isWide ? inSpan(rows) : rows)
  const { minStd, medianStd, spread } = spreadOf(rows)
  return {
    'embed/min_std': minStd,
    'embed/median_std': medianStd,
    'embed/effective_rank': effectiveRank,
    'embed/mean_cosine': meanCosine,
    'embed/spread': spread,
  }
}

/** The rows in an orthonormal basis of their span (modified Gram-Schmidt): all inner products stay, so do rank and cosines. */
function inSpan({ data, count, size }: Rows): Rows {
  const basis: Float64Array[] = []
  const coordinates = Array.from({ length: count }, (_, row) => {
    const rest = Float64Array.from(data.subarray(row * size, (row + 1) * size))
    const norm = Math.hypot(...rest)
    const own = basis.map((direction) => {
      const along = direction.reduce((sum, x, i) => sum + x * rest[i]!, 0)
      for (let i = 0; i < size; i++) rest[i]! -= along * direction[i]!
      return along
    })
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

interface Spread {
  readonly minStd: number
  readonly medianStd: number
  /** Root mean square distance from the mean. */
  readonly spread: number
}

function spreadOf({ data, count, size }: Rows): Spread {
  const std = Array.from({ length: size }, (_, k) => {
    let mean = 0
    let square = 0
    for (let i = k; i < data.length; i += size) mean += data[i]! / count
    for (let i = k; i < data.length; i += size) square += (data[i]! - mean) ** 2 / count
    return Math.sqrt(square)
  })
  return { minStd: Math.min(...std), medianStd: quantile(std, 0.5), spread: Math.hypot(...std) }
}
