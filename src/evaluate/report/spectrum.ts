import { dot, symmetricEigen } from '../../core/linalg.ts'
import type { EmbeddedEpisodes } from '../measures/embedded-episodes.ts'
import { scatterMatrix } from '../rows.ts'
import type { Figures } from './model.ts'

/** Frames, evenly spaced, that the principal axes are found from, where the embedding has more dimensions than this. */
const MAX_GRAM = 160
const MAX_DIMENSIONS_SHOWN = 64

/** How an embedding spreads over its dimensions and over its principal axes, each largest first and the first 64 only. */
export function dimensionSpread({
  episodes,
  embeddingSize: size,
}: EmbeddedEpisodes): Pick<Figures, 'std' | 'spectrum'> {
  const rows: Float32Array[] = []
  for (const { embeddings, length } of episodes) {
    for (let t = 0; t < length; t++) rows.push(embeddings.subarray(t * size, (t + 1) * size))
  }
  const mean = new Float64Array(size)
  const variance = new Float64Array(size)
  for (const row of rows) for (let i = 0; i < size; i++) mean[i]! += row[i]! / rows.length
  for (const row of rows) for (let i = 0; i < size; i++) variance[i]! += (row[i]! - mean[i]!) ** 2 / rows.length
  const eigenvalues = size <= MAX_GRAM ? covarianceEigenvalues(rows, mean) : gramEigenvalues(rows, mean)
  const total = eigenvalues.reduce((sum, value) => sum + Math.max(0, value), 0)
  return {
    std: largest(variance.map(Math.sqrt)),
    spectrum: largest(eigenvalues.map((value) => (total > 0 ? Math.max(0, value) / total : 0))),
  }
}

function largest(values: Float64Array): number[] {
  return [...values.toSorted().toReversed().subarray(0, MAX_DIMENSIONS_SHOWN)]
}

function covarianceEigenvalues(rows: readonly Float32Array[], mean: Float64Array): Float64Array {
  const size = mean.length
  const data = new Float32Array(rows.length * size)
  rows.forEach((row, i) => data.set(row, i * size))
  return symmetricEigen(scatterMatrix({ data, count: rows.length, size }, mean), size).values
}

/** Inner products of a few centred rows have the same eigenvalues but for zeros, up to the choice of the rows. */
function gramEigenvalues(rows: readonly Float32Array[], mean: Float64Array): Float64Array {
  const count = Math.min(MAX_GRAM, rows.length)
  const chosen = Array.from({ length: count }, (_, k) => {
    const row = rows[Math.floor((k * rows.length) / count)]!
    return Float64Array.from(row, (value, i) => value - mean[i]!)
  })
  const gram = new Float64Array(count * count)
  for (let a = 0; a < count; a++) {
    for (let b = 0; b <= a; b++) gram[a * count + b] = gram[b * count + a] = dot(chosen[a]!, chosen[b]!)
  }
  return symmetricEigen(gram, count).values
}
