import { ranks, spearman } from '../statistics.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from './embedded-episodes.ts'
import type { EpisodeStatistic } from './measurement.ts'

/** Below this part of its second moment a variance is rounding noise. */
const NOISE = 1e-13

/** A number that the data do not define, with the reason. */
export function undefinedStatistic(name: string, because: string): EpisodeStatistic {
  return { name, episodes: [], evaluate: () => NaN, undefinedBecause: because }
}

/** Positions of the episodes that `keep` accepts. */
export function positionsWhere(data: EmbeddedEpisodes, keep: (episode: EmbeddedEpisode) => boolean): number[] {
  return data.episodes.flatMap((episode, position) => (keep(episode) ? [position] : []))
}

/** Mean over episodes of one value each; `values[i]` belongs to `episodes[i]`. */
export function meanStatistic(
  name: string,
  episodes: readonly number[],
  values: readonly number[],
  chance?: number,
): EpisodeStatistic {
  return ratioStatistic(
    name,
    episodes,
    values,
    values.map(() => 1),
    chance,
  )
}

/** Sum of `numerators` over sum of `denominators`, one of each an episode. */
export function ratioStatistic(
  name: string,
  episodes: readonly number[],
  numerators: ArrayLike<number>,
  denominators: ArrayLike<number>,
  chance?: number,
): EpisodeStatistic {
  return {
    name,
    episodes,
    ...(chance === undefined ? {} : { chance }),
    evaluate(counts) {
      let above = 0
      let below = 0
      for (let i = 0; i < episodes.length; i++) {
        above += counts[episodes[i]!]! * numerators[i]!
        below += counts[episodes[i]!]! * denominators[i]!
      }
      return below === 0 ? NaN : above / below
    },
  }
}

/** Number pairs (x, y), each of one episode, or of two that must both be drawn. */
export interface PairedNumbers {
  readonly x: number[]
  readonly y: number[]
  /** Position of the episode of each pair. */
  readonly episode: number[]
  /** Position of the second episode, where a pair spans two. */
  readonly other?: number[]
}

/**
 * Pearson's correlation of pooled pairs, from sums taken once for each episode. A pair of two episodes counts as the product of their
 * counts. `transform` turns the correlation into the result.
 */
export function pooledCorrelation(
  name: string,
  pairs: PairedNumbers,
  transform: (correlation: number) => number = (r) => r,
): EpisodeStatistic {
  const { x, y, episode, other } = pairs
  const episodes = [...new Set([...episode, ...(other ?? [])])].toSorted((a, b) => a - b)
  const cells = new Map<string, number[]>()
  for (let i = 0; i < x.length; i++) {
    const key = other === undefined ? String(episode[i]) : `${episode[i]},${other[i]}`
    let cell = cells.get(key)
    if (cell === undefined) cells.set(key, (cell = [episode[i]!, other?.[i] ?? -1, 0, 0, 0, 0, 0, 0]))
    // Shifted by a value of the data: a constant then has exactly no variance.
    const u = x[i]! - x[0]!
    const v = y[i]! - y[0]!
    for (const [at, term] of [1, u, v, u * u, v * v, u * v].entries()) cell[at + 2]! += term
  }
  const table = Float64Array.from([...cells.values()].flat())
  return { name, episodes, evaluate: (counts) => transform(weightedCorrelation(table, counts)) }
}

/** @param table rows of 8: episode, other episode or -1, n, and the sums of x, y, xx, yy, xy */
function weightedCorrelation(table: Float64Array, counts: Float64Array): number {
  let n = 0
  let sx = 0
  let sy = 0
  let sxx = 0
  let syy = 0
  let sxy = 0
  for (let row = 0; row < table.length; row += 8) {
    const weight = counts[table[row]!]! * (table[row + 1]! < 0 ? 1 : counts[table[row + 1]!]!)
    if (weight === 0) continue
    n += weight * table[row + 2]!
    sx += weight * table[row + 3]!
    sy += weight * table[row + 4]!
    sxx += weight * table[row + 5]!
    syy += weight * table[row + 6]!
    sxy += weight * table[row + 7]!
  }
  const vx = sxx - (sx * sx) / n
  const vy = syy - (sy * sy) / n
  if (!(vx > NOISE * sxx && vy > NOISE * syy)) return NaN
  return Math.max(-1, Math.min(1, (sxy - (sx * sy) / n) / Math.sqrt(vx * vy)))
}

/**
 * Spearman's correlation of pooled pairs. When an episode is left out, the ranks of the whole data stay: that hardly changes the interval
 * and is many times faster.
 */
export function pooledSpearman(name: string, pairs: PairedNumbers): EpisodeStatistic {
  return pooledCorrelation(name, { ...pairs, x: ranks(pairs.x), y: ranks(pairs.y) })
}

/** Spearman's correlation of the rewards with `reference`; NaN where `reference` is constant, 0 where only the rewards are. */
export function rewardOrder(rewards: ArrayLike<number>, reference: ArrayLike<number>): number {
  const of = Array.from(reference)
  if (of.length < 2 || of.every((value) => value === of[0])) return NaN
  const correlation = spearman(Array.from(rewards), of)
  return Number.isNaN(correlation) ? 0 : correlation
}

/** Whether all numbers of all arrays are the same. */
export function allEqual(arrays: readonly ArrayLike<number>[]): boolean {
  const first = arrays[0]?.[0]
  for (const array of arrays) for (let i = 0; i < array.length; i++) if (array[i] !== first) return false
  return true
}

/** Pearson's r as a distance, sqrt((1 - r) / 2): 0 for r = 1, 0.707 for r = 0, 1 for r = -1 (Gleave et al. 2021). */
export function pearsonDistance(correlation: number): number {
  return Math.sqrt((1 - correlation) / 2)
}
