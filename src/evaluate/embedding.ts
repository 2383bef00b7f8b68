import type { Metrics } from '../core/ndarray.ts'
import type { Rng } from '../core/rng.ts'
import { embeddingHealth } from './health.ts'
import { ridgeProbe } from './probes.ts'
import { spearman } from './statistics.ts'

/** Random pairs that the rank correlation is taken over. */
const PAIRS = 5000
/** Share of the episodes that the probe is fitted on; the others score it. */
const PROBE_TRAIN_SHARE = 0.7

/** Held-out latents with the privileged states that they should tell apart, row-major, `count` rows. */
export interface EmbeddingData {
  readonly count: number
  /** [count, latentSize] */
  readonly latents: Float32Array
  /** [count, stateSize] */
  readonly states: Float32Array
  /** Name of each state variable. */
  readonly stateNames: readonly string[]
  /** Episode of each row: the probe's train and test rows share none. */
  readonly episodes: Int32Array
  /** True distance of two states, e.g. hand distance plus puck distance in metres. */
  readonly trueDistance: (a: Float32Array, b: Float32Array) => number
}

/**
 * Judges an embedding as a state and as a reward, without any RL: `embed/spearman` is the rank correlation of latent and true distance
 * over random pairs, `embed/r2_<state>` are linear probes on unseen episodes, and {@link embeddingHealth} completes them.
 */
export function embeddingMeasures(data: EmbeddingData, rng: Rng): Metrics {
  const { count, latents, states, stateNames, episodes } = data
  const latentRows = { data: latents, count, size: latents.length / count }
  const stateRows = { data: states, count, size: states.length / count }
  const r2 = ridgeProbe(latentRows, stateRows, splitByEpisode(episodes, rng))
  return {
    'embed/spearman': distanceRankCorrelation(data, rng),
    ...Object.fromEntries(stateNames.map((name, i) => [`embed/r2_${name}`, r2[i]!])),
    ...embeddingHealth(latents, count),
  }
}

/** Spearman correlation of |z_i - z_j| with the true distance of the states, over random pairs of rows. */
export function distanceRankCorrelation({ count, latents, states, trueDistance }: EmbeddingData, rng: Rng): number {
  const row = (all: Float32Array, i: number): Float32Array => {
    const size = all.length / count
    return all.subarray(i * size, (i + 1) * size)
  }
  const latentDistances: number[] = []
  const trueDistances: number[] = []
  for (let pair = 0; pair < PAIRS; pair++) {
    const i = rng.int(count)
    const j = rng.int(count)
    const other = row(latents, j)
    latentDistances.push(Math.sqrt(row(latents, i).reduce((sum, x, k) => sum + (x - other[k]!) ** 2, 0)))
    trueDistances.push(trueDistance(row(states, i), row(states, j)))
  }
  return spearman(latentDistances, trueDistances)
}

function splitByEpisode(episodes: Int32Array, rng: Rng): { readonly train: number[]; readonly test: number[] } {
  const shuffled = rng.shuffle([...new Set(episodes)])
  const trainEpisodes = new Set(shuffled.slice(0, Math.round(shuffled.length * PROBE_TRAIN_SHARE)))
  const rows = [...episodes.keys()]
  return {
    train: rows.filter((row) => trainEpisodes.has(episodes[row]!)),
    test: rows.filter((row) => !trainEpisodes.has(episodes[row]!)),
  }
}
