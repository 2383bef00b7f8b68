import type { EmbeddedEpisodes } from './embedded-episodes.ts'
import type { EpisodeStatistic } from './measurement.ts'

/** Classes with fewer episodes than this say too little of how much episodes differ: they are taken together. */
const MIN_STRATUM = 5

/** Places in a list of episodes that are exchangeable. */
export type Strata = readonly (readonly number[])[]

/** A statistic with each episode left out once. */
export interface Replicates {
  /** By place in the statistic's list of episodes: its value without that one. */
  readonly values: Float64Array
  readonly strata: Strata
  /** Equal for two encoders exactly when their values belong to the same episodes. */
  readonly drawnFrom: string
}

/** How sure a number is. */
export interface JackknifeError {
  readonly variance: number
  /** Of Student's t (Welch 1947; Satterthwaite 1946). */
  readonly degreesOfFreedom: number
  /** How much higher the statistic is with so few episodes than it would be with many (Quenouille 1956). */
  readonly bias: number
}

/** The statistic with every episode counted once. */
export function estimateOf(data: EmbeddedEpisodes, statistic: EpisodeStatistic): number {
  return statistic.evaluate(new Float64Array(data.episodes.length).fill(1))
}

/**
 * The stratified delete-one jackknife (Shao & Tu 1995, section 6.2): where an episode is left out, the others of its class count the more,
 * so that the class keeps its weight.
 */
export function replicatesOf(data: EmbeddedEpisodes, statistic: EpisodeStatistic): Replicates {
  const { episodes } = statistic
  const classes = episodes.map((position) => data.episodes[position]!.class)
  const strata = strataOf(classes)
  const counts = new Float64Array(data.episodes.length).fill(1)
  const values = new Float64Array(episodes.length)
  for (const members of strata) {
    const places = members.map((place) => episodes[place]!)
    for (const [i, left] of places.entries()) {
      for (const position of places) counts[position] = places.length / (places.length - 1)
      counts[left] = 0
      values[members[i]!] = statistic.evaluate(counts)
    }
    for (const position of places) counts[position] = 1
  }
  const drawnFrom = episodes.map((position, i) => `${data.episodes[position]!.index}:${classes[i]}`).join(',')
  return { values, strata, drawnFrom }
}

/** Places by class; classes of fewer than five together. What is left alone then joins the smallest other one. */
export function strataOf(classes: readonly string[]): Strata {
  const byClass = new Map<string, number[]>()
  for (const [place, name] of classes.entries()) byClass.set(name, [...(byClass.get(name) ?? []), place])
  const strata = [...byClass.values()].filter(({ length }) => length >= MIN_STRATUM)
  const small = [...byClass.values()].filter(({ length }) => length < MIN_STRATUM).flat()
  if (small.length === 1 && strata.length > 0) strata.toSorted((a, b) => a.length - b.length)[0]!.push(...small)
  else if (small.length > 0) strata.push(small)
  return strata
}

/** Error of a statistic from its replicates, each and the estimate put through `transform` first. NaN where one of them is not finite. */
export function jackknifeError(
  estimate: number,
  { values, strata }: Pick<Replicates, 'values' | 'strata'>,
  transform: (value: number) => number = (value) => value,
): JackknifeError {
  let variance = 0
  let squares = 0
  let bias = 0
  for (const members of strata) {
    const n = members.length
    const moved = members.map((place) => transform(values[place]!))
    const mean = moved.reduce((sum, value) => sum + value, 0) / n
    const part = ((n - 1) / n) * moved.reduce((sum, value) => sum + (value - mean) ** 2, 0)
    variance += part
    squares += (part * part) / (n - 1)
    bias += (n - 1) * (mean - transform(estimate))
  }
  return { variance, degreesOfFreedom: (variance * variance) / squares, bias }
}
