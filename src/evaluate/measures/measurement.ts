import type { Rng } from '../../core/rng.ts'
import type { Interval } from '../statistics.ts'
import type { EmbeddedEpisodes, Need } from './embedded-episodes.ts'

/** Which way a measure points; `none` is to be read beside others. */
export type Direction = 'higher' | 'lower' | 'none'

/** One number of the table, with its bootstrap interval over episodes. Where it is undefined all three numbers are NaN. */
export interface Measurement {
  /** The measure's name, with the variable behind it where it has several: `probe/linear_r2/puck_x`. */
  readonly name: string
  /** Name of the {@link Measure} that gave it. */
  readonly measure: string
  readonly title: string
  readonly direction: Direction
  readonly interval: Interval
  /** What blind guessing scores on these data; NaN where there is no such number. */
  readonly chance: number
  /** What a perfect embedding scores; NaN where there is no such number. */
  readonly best: number
  /** Episodes that the number rests on. */
  readonly episodes: number
  readonly undefinedBecause?: string
}

/**
 * A number that depends on how often each episode counts: all that the bootstrap needs. What costs time is done once, when it is
 * made.
 */
export interface EpisodeStatistic {
  /** See {@link Measurement.name}. */
  readonly name: string
  /** Overrides the measure's chance level where the data set it. */
  readonly chance?: number
  /** Positions (in the prepared data) of the episodes that it rests on: those that are resampled. */
  readonly episodes: readonly number[]
  /** @param counts how often each of all episodes counts, by position; all 1: the estimate. NaN where it is undefined. */
  evaluate(counts: Float64Array): number
  /** Why the estimate is NaN. */
  readonly undefinedBecause?: string
}

/** How one measure, or one family of them that differ in the variable, is found from embedded episodes. */
export interface Measure {
  /** `family/name`, e.g. `distance/spearman`. */
  readonly name: string
  readonly title: string
  readonly direction: Direction
  readonly chance: number
  readonly best: number
  readonly needs: readonly Need[]
  /** @param data as `prepareEpisodes` gives them */
  statistics(data: EmbeddedEpisodes, rng: Rng): readonly EpisodeStatistic[]
}
