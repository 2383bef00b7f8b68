import { describe, expect, it } from 'vitest'
import { ArmatureError } from '../../../src/core/errors.ts'
import { Rng } from '../../../src/core/rng.ts'
import { comparePaired } from '../../../src/evaluate/measures/compare.ts'
import type { EmbeddedEpisodes } from '../../../src/evaluate/measures/embedded-episodes.ts'
import { meanStatistic, pooledCorrelation } from '../../../src/evaluate/measures/episode-statistics.ts'
import { measureEpisodes, percentiles } from '../../../src/evaluate/measures/measures.ts'
import { Resampler } from '../../../src/evaluate/measures/resampler.ts'
import { pearson } from '../../../src/evaluate/statistics.ts'
import { clock, embedWith, perfect, pointEpisodes } from './world.ts'

function blank(classes: readonly string[]): EmbeddedEpisodes {
  const episodes = classes.map((name, index) => ({ index, class: name, length: 1, embeddings: Float32Array.of(0) }))
  return { episodes, embeddingSize: 1 }
}

describe('bootstrap over episodes', () => {
  it('covers the true mean of Gaussian episodes 93 to 97 times in 100', () => {
    const episodes = 60
    const data = blank(Array.from({ length: episodes }, () => 'random'))
    const positions = data.episodes.map(({ index }) => index)
    const rng = new Rng(21)
    const trials = 1500
    let covered = 0
    for (let trial = 0; trial < trials; trial++) {
      const values = positions.map(() => rng.normal())
      const resampler = new Resampler(data, rng.split(trial), 400)
      const { low, high } = percentiles(resampler.values(meanStatistic('mean', positions, values)), 0.025)
      if (low <= 0 && high >= 0) covered++
    }
    expect(covered / trials).toBeGreaterThan(0.93)
    expect(covered / trials).toBeLessThan(0.97)
  })

  it('draws each class on its own', () => {
    // Without strata the mean of two classes far apart would vary; within them nothing does.
    const data = blank(['a', 'a', 'a', 'b', 'b', 'b', 'b'])
    const statistic = meanStatistic('mean', [0, 1, 2, 3, 4, 5, 6], [0, 0, 0, 7, 7, 7, 7])
    expect(new Set(new Resampler(data, new Rng(1), 50).values(statistic))).toEqual(new Set([4]))
  })

  it('correlates a resample as if its episodes were written out', () => {
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
    measureEpisodes(embedWith(episodes, embed), { rng: new Rng(seed), repetitions: 300, only })
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
    expect(a!.p).toBeCloseTo(2 / 301, 12)
    expect(a!.adjustedP).toBeCloseTo(4 / 301, 12)
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

  it('refuses resamples that do not pair up', () => {
    expect(() => comparePaired('reward/epic', [measure(clock, 2)], best)).toThrow(ArmatureError)
  })
})
