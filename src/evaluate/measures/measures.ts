import type { Rng } from '../../core/rng.ts'
import { alignmentMeasures } from './alignment.ts'
import { bisimulationMeasures } from './bisimulation.ts'
import { collapseFigures } from './collapse.ts'
import { distanceMeasures } from './distance-correlation.ts'
import type { EmbeddedEpisodes, Need } from './embedded-episodes.ts'
import { isAdversarial, isExpert, prepareEpisodes } from './embedded-episodes.ts'
import { episodeInterval } from './episode-interval.ts'
import { goalMeasures } from './goals.ts'
import type { Replicates } from './jackknife.ts'
import { estimateOf, replicatesOf } from './jackknife.ts'
import { lookMeasures } from './looks.ts'
import type { EpisodeStatistic, Measure, Measurement } from './measurement.ts'
import { nearMissMeasures } from './near-miss.ts'
import { neighbourMeasures } from './neighbours.ts'
import { probeMeasures } from './probe-measures.ts'
import { rewardDistanceMeasures } from './reward-distance.ts'
import { successMeasures } from './success.ts'
import { taskProbes } from './task-probes.ts'
import { valueOrderMeasures } from './value-order.ts'

/** All measures, in the order of a table: the reward first, then the embedding. */
export const measures: readonly Measure[] = [
  ...distanceMeasures,
  ...successMeasures,
  ...nearMissMeasures,
  ...valueOrderMeasures,
  ...rewardDistanceMeasures,
  ...goalMeasures,
  ...bisimulationMeasures,
  ...neighbourMeasures,
  ...alignmentMeasures,
  ...lookMeasures,
  ...probeMeasures,
  ...taskProbes,
  ...collapseFigures,
]

export interface MeasureOptions {
  /** Only its seed counts, and it is not advanced: one seed for all encoders makes their numbers pair up. */
  readonly rng: Rng
  /** Default 0.95. */
  readonly confidence?: number
  /** Names of the measures wanted. Default all. */
  readonly only?: readonly string[]
}

/** What was measured on one encoder's episodes. */
export interface MeasureTable {
  readonly measurements: readonly Measurement[]
  /** Measures that the data do not allow, with what is missing. */
  readonly leftOut: readonly { readonly name: string; readonly because: string }[]
  /** What each measurement's interval was made from, by its name, for `comparePaired`; not for JSON. */
  readonly evidence: ReadonlyMap<string, Evidence>
}

/** A statistic with each episode left out once, and how many independent trials it rests on. */
export interface Evidence {
  readonly replicates: Replicates
  readonly trials: number
}

/** Below this many episodes nothing can be said of how much they differ: the interval is NaN. */
const MIN_EPISODES = 3

/**
 * Runs every measure that the data allow. Intervals are by the jackknife over episodes, stratified by class, see `episodeInterval`. The
 * order in which the episodes are given does not matter, and the same seed gives the same numbers.
 *
 * @throws ArmatureError as `prepareEpisodes`.
 */
export function measureEpisodes(data: EmbeddedEpisodes, options: MeasureOptions): MeasureTable {
  const prepared = prepareEpisodes(data)
  const { rng, confidence = 0.95, only } = options
  const measurements: Measurement[] = []
  const leftOut: { name: string; because: string }[] = []
  const evidence = new Map<string, Evidence>()
  for (const measure of measures) {
    if (only !== undefined && !only.includes(measure.name)) continue
    const missing = measure.needs.filter((need) => !available[need](prepared))
    if (missing.length > 0) {
      leftOut.push({ name: measure.name, because: `needs ${missing.map((need) => needNames[need]).join(' and ')}` })
      continue
    }
    for (const statistic of measure.statistics(prepared, rng.split(measure.name))) {
      const measured = evaluateStatistic(measure, statistic, prepared, confidence)
      measurements.push(measured.measurement)
      if (measured.evidence !== undefined) evidence.set(statistic.name, measured.evidence)
    }
  }
  return { measurements, leftOut, evidence }
}

function evaluateStatistic(
  measure: Measure,
  statistic: EpisodeStatistic,
  data: EmbeddedEpisodes,
  confidence: number,
): { readonly measurement: Measurement; readonly evidence?: Evidence } {
  const { name, episodes, chance = measure.chance, trials = episodes.length } = statistic
  const { scale, isBiased = false } = measure
  const estimate = statistic.undefinedBecause === undefined ? estimateOf(data, statistic) : NaN
  const base = {
    name,
    measure: measure.name,
    title: measure.title,
    direction: measure.direction,
    chance,
    best: measure.best,
    episodes: episodes.length,
  }
  if (Number.isNaN(estimate)) {
    const because = statistic.undefinedBecause ?? 'the data do not determine it'
    return { measurement: { ...base, interval: { estimate, low: NaN, high: NaN }, undefinedBecause: because } }
  }
  if (episodes.length < MIN_EPISODES) {
    return { measurement: { ...base, interval: { estimate, low: NaN, high: NaN } } }
  }
  const replicates = replicatesOf(data, statistic)
  const interval = episodeInterval(estimate, replicates, { scale, isBiased, trials, confidence })
  return { measurement: { ...base, interval }, evidence: { replicates, trials } }
}

const available: Readonly<Record<Need, (data: EmbeddedEpisodes) => boolean>> = {
  actions: ({ episodes }) => episodes.some(({ actions }) => actions !== undefined && actions.length > 0),
  adversarial: (data) => data.episodes.some((episode) => isAdversarial(data, episode)),
  experts: (data) => data.episodes.some((episode) => isExpert(data, episode)),
  failures: ({ episodes }) => episodes.some(({ success }) => success === false),
  'future-rewards': ({ episodes, goalDistance }) =>
    goalDistance !== undefined || episodes.some(({ trueRewards }) => trueRewards !== undefined),
  'goal-distance': ({ goalDistance }) => goalDistance !== undefined,
  'goal-distances': ({ episodes }) => episodes.some(({ goalDistances }) => goalDistances !== undefined),
  'goal-images': ({ episodes, embeddingSize }) =>
    episodes.some(({ goals }) => (goals?.length ?? 0) >= 2 * embeddingSize),
  looks: ({ episodes }) => episodes.some(({ looks }) => Object.keys(looks ?? {}).length > 0),
  nuisances: ({ episodes }) =>
    episodes.some(({ nuisances, views }) => nuisances !== undefined || Object.keys(views ?? {}).length > 0),
  objects: ({ episodes }) => episodes.some(({ objects }) => objects !== undefined && objects.length > 0),
  rewards: ({ episodes }) => episodes.some(({ rewards }) => rewards !== undefined),
  'state-distance': ({ stateDistance }) => stateDistance !== undefined,
  states: ({ episodes }) => episodes.some(({ states }) => states !== undefined && states.length > 0),
  successes: ({ episodes }) => episodes.some(({ success }) => success === true),
  'true-rewards': ({ episodes }) => episodes.some(({ trueRewards }) => trueRewards !== undefined),
  views: ({ episodes }) => episodes.some(({ views }) => Object.keys(views ?? {}).length > 0),
}

const needNames: Readonly<Record<Need, string>> = {
  actions: 'actions',
  adversarial: 'unsuccessful episodes of an adversarial class',
  experts: 'successful episodes of an expert class',
  failures: 'failed episodes',
  'future-rewards': "the task's own rewards or the true distance of any state to a goal",
  'goal-distance': 'the true distance of any state to a goal',
  'goal-distances': 'true distances to the goal',
  'goal-images': 'two images of one goal',
  looks: 'frames of a scene of ours, from recorded seeds and actions that lead to the recorded states again',
  nuisances: 'labels of background, light or distractor, or a second camera',
  objects: 'ids of objects',
  rewards: 'goal images or rewards',
  'state-distance': 'the true distance of two states',
  states: 'true states',
  successes: 'successful episodes',
  'true-rewards': "the task's own rewards",
  views: 'a second camera',
}
