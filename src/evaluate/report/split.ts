import type { EpisodeInfo } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import type { Rng } from '../../core/rng.ts'

/** Numbers of the episodes to fit on and of those held out. */
export interface EpisodeSplit {
  readonly train: readonly number[]
  readonly test: readonly number[]
}

/**
 * Splits whole episodes at random, each class on its own, so that both sides have all classes.
 *
 * @param testShare part of each class that is held out, rounded up
 * @throws ArmatureError `bad-value` when there are fewer than two episodes.
 */
export function splitEpisodes(episodes: readonly EpisodeInfo[], testShare: number, rng: Rng): EpisodeSplit {
  if (episodes.length < 2) {
    throw new ArmatureError('bad-value', 'dataset', { expected: 'two episodes or more', got: String(episodes.length) })
  }
  const test: number[] = []
  for (const policy of new Set(episodes.map((episode) => episode.policy))) {
    const indices = episodes.filter((episode) => episode.policy === policy).map(({ index }) => index)
    const held = rng.split(policy).shuffle(indices).slice(0, Math.ceil(indices.length * testShare))
    test.push(...held)
  }
  // A class of one episode goes to the held-out side; with nothing but such classes nothing would be left to fit on.
  if (test.length === episodes.length) test.pop()
  const held = new Set(test)
  return {
    train: episodes.map(({ index }) => index).filter((index) => !held.has(index)),
    test: test.toSorted((a, b) => a - b),
  }
}
