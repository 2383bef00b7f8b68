import type { EmbeddedEpisode, EmbeddedEpisodes } from './embedded-episodes.ts'
import { isAdversarial } from './embedded-episodes.ts'
import { allEqual, positionsWhere, undefinedStatistic } from './episode-statistics.ts'
import type { EpisodeStatistic, Measure } from './measurement.ts'

/** Episodes in the order of their final reward, highest first, with which of them are positive. */
interface Ranked {
  readonly positions: readonly number[]
  readonly positive: readonly boolean[]
  readonly scores: readonly number[]
}

type RankedMeasure = (ranked: Ranked, counts: Float64Array) => number

/**
 * Area under the ROC curve: chance that a positive scores above a negative, ties counting half (Mann-Whitney U / (n m)). NaN
 * where one side is empty.
 *
 * @param ranked highest score first
 */
const areaUnderCurve: RankedMeasure = ({ positions, positive, scores }, counts) => {
  let positives = 0
  let negatives = 0
  let wins = 0
  for (let start = 0, end = 0; start < positions.length; start = end) {
    let tiedPositives = 0
    let tiedNegatives = 0
    for (; end < positions.length && scores[end] === scores[start]; end++) {
      if (positive[end]) tiedPositives += counts[positions[end]!]!
      else tiedNegatives += counts[positions[end]!]!
    }
    wins += tiedNegatives * (positives + tiedPositives / 2)
    positives += tiedPositives
    negatives += tiedNegatives
  }
  return positives * negatives === 0 ? NaN : wins / (positives * negatives)
}

/** Sum over thresholds of precision times the rise in recall (scikit-learn's `average_precision_score`); ties share a threshold. */
const averagePrecision: RankedMeasure = ({ positions, positive, scores }, counts) => {
  let positives = 0
  let seen = 0
  let area = 0
  for (let start = 0, end = 0; start < positions.length; start = end) {
    let tiedPositives = 0
    for (; end < positions.length && scores[end] === scores[start]; end++) {
      seen += counts[positions[end]!]!
      if (positive[end]) tiedPositives += counts[positions[end]!]!
    }
    positives += tiedPositives
    if (seen > 0) area += (tiedPositives * positives) / seen
  }
  return positives === 0 || positives === seen ? NaN : area / positives
}

/** Mean of the positives minus mean of the negatives, in standard deviations of all of them. */
const standardMargin: RankedMeasure = ({ positions, positive, scores }, counts) => {
  const sums = { positive: [0, 0], negative: [0, 0] }
  let squares = 0
  const shift = scores[0]!
  for (let i = 0; i < positions.length; i++) {
    const count = counts[positions[i]!]!
    const score = scores[i]! - shift
    const side = positive[i] ? sums.positive : sums.negative
    side[0]! += count
    side[1]! += count * score
    squares += count * score * score
  }
  const [n, up] = sums.positive as [number, number]
  const [m, down] = sums.negative as [number, number]
  const variance = squares / (n + m) - ((up + down) / (n + m)) ** 2
  if (n * m === 0) return NaN
  return variance <= 0 ? 0 : (up / n - down / m) / Math.sqrt(variance)
}

function separation(
  name: string,
  data: EmbeddedEpisodes,
  isNegative: (episode: EmbeddedEpisode) => boolean,
  measure: RankedMeasure,
): EpisodeStatistic {
  const scored = positionsWhere(
    data,
    (episode) => episode.rewards !== undefined && (episode.success === true || isNegative(episode)),
  )
    .map((position) => {
      const episode = data.episodes[position]!
      return { position, positive: episode.success === true, score: episode.rewards![episode.length - 1]! }
    })
    .toSorted((a, b) => b.score - a.score)
  const successes = scored.filter(({ positive }) => positive).length
  if (successes === 0 || successes === scored.length) {
    return undefinedStatistic(
      name,
      successes === 0 ? 'no successful episode has rewards' : 'no episode to tell from successes',
    )
  }
  if (allEqual(scored.map(({ position }) => data.episodes[position]!.rewards!))) {
    return undefinedStatistic(name, 'the reward is the same at every frame of all episodes')
  }
  const ranked = {
    positions: scored.map(({ position }) => position),
    positive: scored.map(({ positive }) => positive),
    scores: scored.map(({ score }) => score),
  }
  return {
    name,
    episodes: ranked.positions.toSorted((a, b) => a - b),
    trials: Math.min(successes, scored.length - successes),
    ...(measure === averagePrecision ? { chance: successes / scored.length } : {}),
    evaluate: (counts) => measure(ranked, counts),
  }
}

const failed = (episode: EmbeddedEpisode): boolean => episode.success === false

/**
 * Chance that a successful episode ends with more reward than a failed one (area under the ROC curve of the final reward). 0 to
 * 1, best 1, chance 0.5, ties half. NaN without both outcomes, or where the reward never changes. Depends on which failures were
 * recorded: random ones are easy.
 */
const successAuc: Measure = {
  name: 'success/auc',
  title: 'Success told from failure by final reward (AUC)',
  direction: 'higher',
  scale: 'share',
  chance: 0.5,
  best: 1,
  needs: ['rewards', 'successes', 'failures'],
  statistics: (data) => [separation('success/auc', data, failed, areaUnderCurve)],
}

/** Average precision of success by final reward. 0 to 1, best 1, chance the share of successes; NaN as {@link successAuc}. */
const successPrecision: Measure = {
  name: 'success/average_precision',
  title: 'Success found by final reward (average precision)',
  direction: 'higher',
  scale: 'share',
  chance: NaN,
  best: 1,
  needs: ['rewards', 'successes', 'failures'],
  statistics: (data) => [separation('success/average_precision', data, failed, averagePrecision)],
}

/**
 * Mean final reward of successes minus that of failures, in standard deviations of the final reward over both. Chance 0, at most
 * 1 / sqrt(p (1 - p)) for a share p of successes; NaN as {@link successAuc}.
 */
const successMargin: Measure = {
  name: 'success/margin',
  title: 'Final reward, success minus failure (SD)',
  direction: 'higher',
  scale: 'real',
  chance: 0,
  best: NaN,
  needs: ['rewards', 'successes', 'failures'],
  statistics: (data) => [separation('success/margin', data, failed, standardMargin)],
}

/**
 * {@link successAuc} against adversarial episodes alone (arm at the goal without the object, ...): what an agent would find and
 * exploit. A clock scores 0.5.
 */
const adversarialAuc: Measure = {
  name: 'adversarial/auc',
  title: 'Success told from adversarial episodes (AUC)',
  direction: 'higher',
  scale: 'share',
  chance: 0.5,
  best: 1,
  needs: ['rewards', 'successes', 'adversarial'],
  statistics: (data) => [
    separation('adversarial/auc', data, (episode) => isAdversarial(data, episode), areaUnderCurve),
  ],
}

/** {@link successMargin} against adversarial episodes alone: above 0, or the reward pays the wrong thing. */
const adversarialMargin: Measure = {
  name: 'adversarial/margin',
  title: 'Final reward, success minus adversarial (SD)',
  direction: 'higher',
  scale: 'real',
  chance: 0,
  best: NaN,
  needs: ['rewards', 'successes', 'adversarial'],
  statistics: (data) => [
    separation('adversarial/margin', data, (episode) => isAdversarial(data, episode), standardMargin),
  ],
}

/** Whether the final reward tells success from what only looks like it. */
export const successMeasures: readonly Measure[] = [
  successAuc,
  successPrecision,
  successMargin,
  adversarialAuc,
  adversarialMargin,
]
