import type { Rng } from '../../core/rng.ts'
import type { Interval } from '../statistics.ts'
import type { EmbeddedEpisodes, Need } from './embedded-episodes.ts'

/** Which way a measure points; `none` is to be read beside others. */
export type Direction = 'higher' | 'lower' | 'none'

/**
 * What values a measure can take, and so on which scale its error is about the same everywhere:
 * `real`: any number. `positive`: 0 and above, on a log scale. `at-most-one`: like R2, log(1 - x). `correlation`: -1 to 1, Fisher's z.
 * `unit`: 0 to 1, logit. `share`: a proportion or a chance, 0 to 1, by Wilson's score.
 */
export type Scale = 'real' | 'positive' | 'at-most-one' | 'correlation' | 'unit' | 'share'

/** One number of the table, with its confidence interval over episodes. Where it is undefined all three numbers are NaN. */
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
 * A number that depends on how much each episode counts: all that the jackknife needs. What costs time is done once, when it is made.
 */
export interface EpisodeStatistic {
  /** See {@link Measurement.name}. */
  readonly name: string
  /** Overrides the measure's chance level where the data set it. */
  readonly chance?: number
  /** Positions (in the prepared data) of the episodes that it rests on: those that are left out one at a time. */
  readonly episodes: readonly number[]
  /** Independent trials that it rests on, where they are fewer than its episodes: the rarer of two outcomes. */
  readonly trials?: number
  /** @param counts how much each of all episodes counts, by position; all 1: the estimate. NaN where it is undefined. */
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
  /** What values it can take. */
  readonly scale: Scale
  /** Whether few episodes give systematically other values than many: the interval then lies around the value that many would give. */
  readonly isBiased?: boolean
  readonly chance: number
  readonly best: number
  readonly needs: readonly Need[]
  /** @param data as `prepareEpisodes` gives them */
  statistics(data: EmbeddedEpisodes, rng: Rng): readonly EpisodeStatistic[]
}
