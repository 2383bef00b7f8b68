import type { EpisodeInfo } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import type { Rng } from '../../core/rng.ts'

/**
 * Splits whole episodes at random into parts of the given shares, since frames of one episode are nearly alike. The shares need not add
 * up to 1. Each class of policy is split on its own, so each part has its share of every class.
 *
 * @param shares by part, e.g. `{ train: 0.6, validation: 0.2, test: 0.2 }`
 * @returns numbers of episodes by part, ascending; every episode is in exactly one.
 * @throws ArmatureError `bad-argument` for shares that are negative or add up to 0.
 */
export function splitByEpisode<P extends string>(
  episodes: readonly EpisodeInfo[],
  shares: Readonly<Record<P, number>>,
  rng: Rng,
): Record<P, number[]> {
  const names = Object.keys(shares) as P[]
  const total = names.reduce((sum, name) => sum + shares[name], 0)
  if (names.some((name) => !(shares[name] >= 0)) || !(total > 0)) {
    throw new ArmatureError('bad-argument', 'shares', { expected: 'numbers from 0 up, not all 0' })
  }
  const parts = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<P, number[]>
  for (const policy of new Set(episodes.map((episode) => episode.policy))) {
    const of = episodes.filter((episode) => episode.policy === policy).map(({ index }) => index)
    rng.split(policy).shuffle(of)
    let share = 0
    let start = 0
    for (const name of names) {
      share += shares[name]
      const end = Math.round((share / total) * of.length)
      parts[name].push(...of.slice(start, end))
      start = end
    }
  }
  for (const name of names) parts[name].sort((a, b) => a - b)
  return parts
}

/** What {@link splitByObject} gives: numbers of episodes, ascending. */
export interface ObjectSplit {
  /** Without any held-out object. */
  readonly seen: readonly number[]
  /** With nothing but held-out objects. */
  readonly novel: readonly number[]
  /** Episodes with objects of both kinds, or with none: neither for learning nor for measuring. */
  readonly mixed: readonly number[]
}

/** Splits by what can be seen: what an encoder makes of objects that it never learned from. */
export function splitByObject(episodes: readonly EpisodeInfo[], heldOut: ReadonlySet<number>): ObjectSplit {
  const split = { seen: [] as number[], novel: [] as number[], mixed: [] as number[] }
  for (const { index, objects } of episodes) {
    const novel = objects.filter((object) => heldOut.has(object)).length
    if (objects.length > 0 && novel === 0) split.seen.push(index)
    else if (objects.length > 0 && novel === objects.length) split.novel.push(index)
    else split.mixed.push(index)
  }
  return split
}

/**
 * Draws which objects to hold out: a share of all that occur, at least one where there are two.
 * @throws ArmatureError `bad-argument` for a share outside 0 to 1.
 */
export function heldOutObjects(episodes: readonly EpisodeInfo[], share: number, rng: Rng): ReadonlySet<number> {
  if (!(share > 0 && share < 1)) {
    throw new ArmatureError('bad-argument', 'share of objects', { expected: 'between 0 and 1', got: String(share) })
  }
  const all = [...new Set(episodes.flatMap(({ objects }) => objects))].toSorted((a, b) => a - b)
  const count = all.length < 2 ? 0 : Math.min(all.length - 1, Math.max(1, Math.round(share * all.length)))
  return new Set(rng.shuffle(all).slice(0, count))
}
