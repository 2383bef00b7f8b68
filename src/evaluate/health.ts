import type { Metrics } from '../core/ndarray.ts'
import { collapseMeasures } from './probes.ts'

/**
 * Whether an embedding is alive, from latents [count, size] of a varied set of frames: standard deviations, effective rank and mean
 * cosine of {@link collapseMeasures}, under their names in `docs/metrics.md`.
 */
export function embeddingHealth(latents: Float32Array, count: number): Metrics {
  const { minStd, medianStd, effectiveRank, meanCosine } = collapseMeasures({
    data: latents,
    count,
    size: latents.length / count,
  })
  return {
    'embed/min_std': minStd,
    'embed/median_std': medianStd,
    'embed/effective_rank': effectiveRank,
    'embed/mean_cosine': meanCosine,
  }
}
