import { describe, expect, it } from 'vitest'
import { ArmatureError } from '../../../src/core/errors.ts'
import { Rng } from '../../../src/core/rng.ts'
import { comparePaired } from '../../../src/evaluate/measures/compare.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from '../../../src/evaluate/measures/embedded-episodes.ts'
import { episodeInterval } from '../../../src/evaluate/measures/episode-interval.ts'
import { meanStatistic, pooledCorrelation } from '../../../src/evaluate/measures/episode-statistics.ts'
import { estimateOf, jackknifeError, replicatesOf, strataOf } from '../../../src/evaluate/measures/jackknife.ts'
import type { Scale } from '../../../src/evaluate/measures/measurement.ts'
import { measureEpisodes } from '../../../src/evaluate/measures/measures.ts'
import type { Interval } from '../../../src/evaluate/statistics.ts'
import { pearson } from '../../../src/evaluate/statistics.ts'
import { studentPValue, studentQuantile } from '../../../src/evaluate/student.ts'
import { clock, embedWith, perfect, pointEpisodes } from './world.ts'

function blank(classes: readonly string[]): EmbeddedEpisodes {
  const episodes = classes.map((name, index) => ({ index, class: name, length: 1, embeddings: Float32Array.of(0) }))
  return { episodes, embeddingSize: 1 }
}

function intervalOfMean(values: readonly number[], classes: readonly string[], scale: Scale = 'real'): Interval {
  const data = blank(classes)
  const statistic = meanStatistic('mean', [...values.keys()], values)
  const options = { scale, isBiased: false, trials: values.length, confidence: 0.95 }
  return episodeInterval(estimateOf(data, statistic), replicatesOf(data, statistic), options)
}

const same = (count: number): string[] => Array.from({ length: count }, () => 'random')

describe("Student's t", () => {
  // SciPy: stats.t.ppf((1 + confidence) / 2, df) and 2 * stats.t.sf(t, df).
  it.each([
    [0.95, 1, 12.706204736432095],
    [0.95, 2.5, 3.574654842004928],
    [0.95, 4, 2.7764451051977987],
    [0.99, 30, 2.74999565],
    [0.95, 1e7, 1.9599642221],
  ])('quantile at %d with %d degrees of freedom', (confidence, df, expected) => {
    expect(studentQuantile(confidence, df)).toBeCloseTo(expected, 5)
  })

  it('p-values', () => {
    expect(studentPValue(0, 3)).toBe(1)
    expect(studentPValue(1, 1)).toBeCloseTo(0.5, 12)
    expect(studentPValue(-2.7764451051977987, 4)).toBeCloseTo(0.05, 10)
    expect(studentPValue(40, 60)).toBeLessThan(1e-40)
  })
})

describe('intervals over episodes', () => {
  it.each([3, 5, 10])('of a mean of %d Gaussian episodes is the textbook one', (count) => {
    const rng = new Rng(count)
    const values = same(count).map(() => rng.normal())
    const mean = values.reduce((sum, x) => sum + x, 0) / count
    const error = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (count * (count - 1)))
    const half = studentQuantile(0.95, count - 1) * error
    const { estimate, low, high } = intervalOfMean(values, same(count))
    expect([estimate, low, high].map((x) => x.toFixed(9))).toEqual(
      [mean, mean - half, mean + half].map((x) => x.toFixed(9)),
    )
  })

  it.each([5, 10])('hold the truth at least 92 times in 100 with %d episodes', (count) => {
    const rng = new Rng(21)
    const trials = 1500
    let covered = 0
    for (let trial = 0; trial < trials; trial++) {
      const { low, high } = intervalOfMean(
        same(count).map(() => rng.normal()),
        same(count),
      )
      if (low <= 0 && high >= 0) covered++
    }
    expect(covered / trials).toBeGreaterThan(0.93)
    expect(covered / trials).toBeLessThan(0.97)
  })

  it('have width where every episode is alone in its class', () => {
    const { low, high } = intervalOfMean([0.8, 0.84, 0.88], ['scripted', 'random', 'partial'])
    expect(low).toBeLessThan(0.75)
    expect(high).toBeGreaterThan(0.93)
  })

  it('take large classes each on its own: what is between them does not count', () => {
    const classes = [...same(5), ...same(5).map(() => 'scripted')]
    const apart = intervalOfMean([0, 1, 2, 3, 4, 100, 101, 102, 103, 104], classes)
    const together = intervalOfMean([0, 1, 2, 3, 4, 0, 1, 2, 3, 4], classes)
    expect(apart.high - apart.low).toBeCloseTo(together.high - together.low, 9)
    expect(strataOf(['a', 'a', 'a', 'a', 'a', 'b', 'c', 'c'])).toEqual([
      [0, 1, 2, 3, 4],
      [5, 6, 7],
    ])
    expect(strataOf(['a', 'a', 'a', 'a', 'a', 'b'])).toEqual([[0, 1, 2, 3, 4, 5]])
  })

  it.each(['share', 'unit', 'correlation'] as const)('of a %s are not points where all episodes agree', (scale) => {
    const { estimate, low, high } = intervalOfMean([1, 1, 1], same(3), scale)
    expect([estimate, high]).toEqual([1, 1])
    expect(low).toBeLessThan(0.5)
    expect(low).toBeGreaterThanOrEqual(scale === 'correlation' ? -1 : 0)
  })

  it.each<[Scale, number[]]>([
    ['share', [0, 0.1, 0, 0, 0.2]],
    ['unit', [0.9, 0.99, 0.999, 1, 1]],
    ['correlation', [0.99, 0.95, 0.999, 1, 0.2]],
    ['positive', [0, 0.1, 5, 0, 0.2]],
    ['at-most-one', [0.9, 0.99, -3, 0.5, 0.2]],
  ])('of a %s stay within its range and hold the estimate', (scale, values) => {
    const { estimate, low, high } = intervalOfMean(values, same(5), scale)
    expect(low).toBeLessThanOrEqual(estimate)
    expect(high).toBeGreaterThanOrEqual(estimate)
    expect(low).toBeGreaterThanOrEqual(scale === 'at-most-one' ? -Infinity : scale === 'correlation' ? -1 : 0)
    expect(high).toBeLessThanOrEqual(scale === 'positive' ? Infinity : 1)
  })

  it("are those of Student's t on the scale of the measure", () => {
    const { variance, degreesOfFreedom } = jackknifeError(
      3,
      { values: Float64Array.of(1, 2, 4), strata: [[0, 1, 2]] },
      Math.log,
    )
    const logs = [Math.log(1), Math.log(2), Math.log(4)]
    const mean = (logs[0]! + logs[1]! + logs[2]!) / 3
    expect(variance).toBeCloseTo((2 / 3) * logs.reduce((sum, x) => sum + (x - mean) ** 2, 0), 12)
    expect(degreesOfFreedom).toBeCloseTo(2, 12)
  })

  it('of an area under a curve are as wide as the rarer outcome asks for', () => {
    const episodes = (failures: number): EmbeddedEpisode[] =>
      Array.from({ length: 9 + failures }, (_, index) => {
        const success = index < 9
        const rewards = Float32Array.of(success ? 1 + index : -index)
        return {
          index,
          class: success ? 'scripted' : 'random',
          length: 1,
          embeddings: Float32Array.of(0),
          success,
          rewards,
        }
      })
    const of = (failures: number): Interval =>
      measureEpisodes({ episodes: episodes(failures), embeddingSize: 1 }, { rng: new Rng(0), only: ['success/auc'] })
        .measurements[0]!.interval
    // Wilson's score of 1 of 1 and 9 of 9.
    expect(of(1)).toMatchObject({ estimate: 1, high: 1 })
    expect(of(1).low).toBeCloseTo(0.2065, 3)
    expect(of(9).low).toBeCloseTo(0.7009, 3)
  })

  it('correlates weighted episodes as if they were written out', () => {
    const x = [1, 4, 2, 8, 5, 7]
    const y = [2, 3, 1, 9, 4, 4]
    const statistic = pooledCorrelation('r', { x, y, episode: [0, 0, 1, 1, 2, 2] })
    const written = [0, 1, 4, 5, 4, 5]
    expect(statistic.evaluate(Float64Array.of(1, 0, 2))).toBeCloseTo(
      pearson(
        written.map((i) => x[i]!),
        written.map((i) => y[i]!),
      ),
      12,
    )
  })

  it('weighs a pair of two episodes by the product of their counts', () => {
    const pairs = { x: [1, 2, 4], y: [1, 3, 2], episode: [0, 0, 1], other: [1, 2, 2] }
    const statistic = pooledCorrelation('r', pairs)
    // Counts 2, 1, 1: the first two pairs twice, the last once.
    expect(statistic.evaluate(Float64Array.of(2, 1, 1))).toBeCloseTo(pearson([1, 1, 2, 2, 4], [1, 1, 3, 3, 2]), 12)
  })
})

describe('paired comparison', () => {
  const episodes = pointEpisodes(12, new Rng(6))
  const only = ['distance/spearman_pairs', 'reward/epic', 'value/voc_failed', 'success/auc']
  const measure = (embed: (state: Float32Array, time: number) => readonly number[], seed = 1) =>
    measureEpisodes(embedWith(episodes, embed), { rng: new Rng(seed), only })
  const best = measure(perfect)
  const blind = measure(clock)

  it('knows better from worse by the direction of the measure', () => {
    const [same, worse] = comparePaired('reward/epic', [best, blind], best)
    expect(same).toMatchObject({
      verdict: 'undecided',
      p: 1,
      adjustedP: 1,
      difference: { estimate: 0, low: 0, high: 0 },
    })
    expect(worse).toMatchObject({ verdict: 'worse' })
    expect(worse!.difference.low).toBeGreaterThan(0.1)
    expect(comparePaired('distance/spearman_pairs', [best], blind)[0]).toMatchObject({ verdict: 'better' })
  })

  it('corrects for the number of encoders', () => {
    const [a, b] = comparePaired('success/auc', [best, best], blind)
    // No episode changes the difference: what is left is the chance that as many signs agree.
    expect(a!.p).toBeCloseTo(2 ** -11, 12)
    expect(a!.adjustedP).toBeCloseTo(2 ** -10, 12)
    expect(b!.adjustedP).toBe(a!.adjustedP)
  })

  it('takes no side where a measure has none, and none where one is undefined', () => {
    expect(comparePaired('value/voc_failed', [blind], best)[0]!.verdict).toBe('undecided')
    const constant = measure(() => [1])
    expect(comparePaired('reward/epic', [constant], best)[0]).toMatchObject({
      verdict: 'undecided',
      p: NaN,
      undefinedBecause: expect.stringMatching(/one side/) as string,
    })
  })

  it('decides nothing where so few episodes could not: five signs agree by chance in one of sixteen', () => {
    const few = pointEpisodes(1, new Rng(6))
    const measured = (embed: (state: Float32Array, time: number) => readonly number[]) =>
      measureEpisodes(embedWith(few, embed), { rng: new Rng(1) })
    const [a, b] = [measured(perfect), measured(clock)]
    for (const { name, episodes: count } of a.measurements) {
      if (count > 5) continue
      expect(comparePaired(name, [a], b)[0]!.verdict).toBe('undecided')
    }
  })

  it.each([
    [5, 1],
    [10, 1],
    [10, 3],
    [20, 3],
  ])('of %d episodes in %d classes finds a difference that is not there in about 5 %% of cases', (count, classes) => {
    const rng = new Rng(count + classes)
    const trials = 600
    let found = 0
    for (let trial = 0; trial < trials; trial++) {
      const noisy = () => {
        const all = Array.from({ length: count }, (_, index): EmbeddedEpisode => {
          const goalDistances = Float32Array.from({ length: 8 }, (__, t) => 8 - t)
          const rewards = goalDistances.map((d) => -d + 2 * rng.normal())
          return {
            index,
            class: `${index % classes}`,
            length: 8,
            embeddings: new Float32Array(8),
            rewards,
            goalDistances,
          }
        })
        return measureEpisodes(
          { episodes: all, embeddingSize: 1 },
          { rng: new Rng(0), only: ['distance/spearman_episode'] },
        )
      }
      if (comparePaired('distance/spearman_episode', [noisy()], noisy())[0]!.verdict !== 'undecided') found++
    }
    expect(found / trials).toBeLessThan(0.08)
    expect(found / trials).toBeGreaterThan(count > 5 ? 0.02 : -1)
  })

  it('refuses tables of different episodes', () => {
    const others = measureEpisodes(embedWith(pointEpisodes(11, new Rng(6)), clock), { rng: new Rng(1), only })
    expect(() => comparePaired('reward/epic', [others], best)).toThrow(ArmatureError)
  })
})
