import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ArmatureError } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import {
  bootstrapInterval,
  holmAdjust,
  interquartileMean,
  kendallTau,
  mean,
  pairedDifference,
  pearson,
  performanceProfile,
  probabilityOfImprovement,
  quantile,
  ranks,
  spearman,
  wilsonInterval,
} from '../../src/evaluate/statistics.ts'

function normals(rng: Rng, count: number): number[] {
  return Array.from({ length: count }, () => rng.normal())
}

describe('point estimates', () => {
  it('takes the mean of the middle half', () => {
    expect(interquartileMean([9, 0, 8, 1, 7, 2, 6, 3, 5, 4])).toBe(4.5)
    expect(interquartileMean([1, 2, 3, 4, 100])).toBe(3)
    expect(interquartileMean([0, 0, 0, 1])).toBe(0)
    expect(interquartileMean([1, 2, 6])).toBe(3)
    expect(mean([])).toBeNaN()
  })

  it('interpolates quantiles as numpy does', () => {
    expect(quantile([4, 1, 3, 2], 0.25)).toBe(1.75)
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5)
    expect([quantile([4, 1, 3, 2], 0), quantile([4, 1, 3, 2], 1)]).toEqual([1, 4])
    expect(quantile([10, 2], 0.9)).toBeCloseTo(9.2, 12)
    expect(quantile([], 0.5)).toBeNaN()
    expect(() => quantile([1], 2)).toThrow(ArmatureError)
  })

  it('counts wins and half of the ties', () => {
    expect(probabilityOfImprovement([2, 3], [1, 2])).toBe(0.875)
    expect(probabilityOfImprovement([1, 1], [1])).toBe(0.5)
    expect(probabilityOfImprovement([0], [1, 2, 3])).toBe(0)
  })
})

describe('correlations', () => {
  it('match values by hand', () => {
    expect(pearson([1, 2, 3], [1, 3, 2])).toBeCloseTo(0.5, 14)
    expect(pearson([1, 2, 3, 4], [-2, -4, -6, -8])).toBeCloseTo(-1, 14)
    // Ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4: 4.5 / sqrt(4.5 * 5).
    expect(spearman([1, 2, 2, 4], [10, 30, 20, 40])).toBeCloseTo(0.948683298050514, 14)
    expect(spearman([1, 2, 3, 4], [1, 10, 100, 1000])).toBe(1)
  })

  it('give tied values their mean rank', () => {
    expect(ranks([30, 10, 10, 20, 10])).toEqual([5, 2, 2, 4, 2])
    expect(ranks([])).toEqual([])
  })

  it('are undefined, not 1, for a constant side', () => {
    expect(pearson([0.1, 0.1, 0.1], [1, 2, 3])).toBeNaN()
    expect(spearman([1, 2, 3], [5, 5, 5])).toBeNaN()
    expect(spearman([1, NaN, 3], [1, 2, 3])).toBeNaN()
  })

  it('refuse sides of different length', () => {
    expect(() => pearson([1, 2], [1])).toThrow(ArmatureError)
    expect(() => spearman([1, 2], [1])).toThrow(ArmatureError)
  })
})

describe('Wilson interval', () => {
  it('matches values by hand', () => {
    const { estimate, low, high } = wilsonInterval(8, 10)
    expect(estimate).toBe(0.8)
    expect(low).toBeCloseTo(0.490162, 6)
    expect(high).toBeCloseTo(0.943318, 6)
  })

  it('stays within [0, 1] at both ends', () => {
    // z^2 / (n + z^2)
    expect(wilsonInterval(0, 10)).toMatchObject({ low: 0, high: expect.closeTo(0.277533, 6) as number })
    expect(wilsonInterval(10, 10)).toMatchObject({ low: expect.closeTo(0.722467, 6) as number, high: 1 })
    expect(() => wilsonInterval(3, 2)).toThrow(ArmatureError)
    expect(() => wilsonInterval(0, 0)).toThrow(ArmatureError)
  })
})

describe('bootstrap', () => {
  it('finds the quantiles of a distribution that can be enumerated', () => {
    // Means of two draws from {0, 1}: 0, 1/2, 1 with chances 1/4, 1/2, 1/4.
    const interval = (confidence: number): [number, number] => {
      const { low, high } = bootstrapInterval([[0, 1]], mean, { rng: new Rng(1), confidence })
      return [low, high]
    }
    expect(interval(0.95)).toEqual([0, 1])
    expect(interval(0.4)).toEqual([0.5, 0.5])
  })

  it('resamples within each task, never across', () => {
    const options = { rng: new Rng(1), repetitions: 200 }
    const constant = bootstrapInterval([[0, 0, 0], [1, 1, 1], [5]], mean, options)
    expect(constant).toEqual({ estimate: 8 / 7, low: 8 / 7, high: 8 / 7 })
    const pooled = bootstrapInterval([[0, 0, 0, 1, 1, 1, 5]], mean, options)
    expect(pooled.high - pooled.low).toBeGreaterThan(1)
  })

  it('has the width that theory gives for the mean of many runs', () => {
    const runs = normals(new Rng(5), 200)
    const { low, high } = bootstrapInterval([runs], mean, { rng: new Rng(6) })
    const m = mean(runs)
    const std = Math.sqrt(mean(runs.map((x) => (x - m) ** 2)))
    expect((high - low) / ((2 * 1.96 * std) / Math.sqrt(200))).toBeCloseTo(1, 1)
  })

  it('covers the true mean about as often as it says', () => {
    const rng = new Rng(7)
    let covered = 0
    for (let trial = 0; trial < 400; trial++) {
      const { low, high } = bootstrapInterval([normals(rng, 40)], mean, { rng, repetitions: 300 })
      if (low <= 0 && high >= 0) covered++
    }
    expect(covered / 400).toBeGreaterThan(0.91)
    expect(covered / 400).toBeLessThan(0.98)
  })

  it('is the same for the same seed', () => {
    const scores = [normals(new Rng(1), 5), normals(new Rng(2), 5)]
    const run = (seed: number): unknown => bootstrapInterval(scores, interquartileMean, { rng: new Rng(seed) })
    expect(run(3)).toEqual(run(3))
    expect(run(3)).not.toEqual(run(4))
  })

  it('pairs seeds: a constant gain is certain however much the seeds differ', () => {
    const b = [0, 100, -50, 7]
    const a = b.map((x) => x + 2)
    expect(pairedDifference(a, b, { rng: new Rng(1) })).toEqual({ estimate: 2, low: 2, high: 2 })
    expect(() => pairedDifference([1], [1, 2], { rng: new Rng(1) })).toThrow(ArmatureError)
  })

  it('refuses a task without runs', () => {
    expect(() => bootstrapInterval([[1], []], mean, { rng: new Rng(1) })).toThrow(ArmatureError)
    expect(() => bootstrapInterval([], mean, { rng: new Rng(1) })).toThrow(ArmatureError)
  })
})

interface ScipyCase {
  readonly a: number[]
  readonly b: number[]
  readonly pearson: number
  readonly spearman: number
  readonly kendall: number
  readonly mannWhitneyU: number
}

describe('beside SciPy (vectors from scipy_vectors.py)', () => {
  const cases = JSON.parse(readFileSync(new URL('scipy-vectors.json', import.meta.url), 'utf8')) as ScipyCase[]

  it.each(cases.map((vectors, i) => [i, vectors] as const))('agrees on case %i', (_, vectors) => {
    const { a, b } = vectors
    expect(pearson(a, b)).toBeCloseTo(vectors.pearson, 10)
    expect(spearman(a, b)).toBeCloseTo(vectors.spearman, 10)
    expect(kendallTau(a, b)).toBeCloseTo(vectors.kendall, 10)
    expect(probabilityOfImprovement(a, b) * a.length * b.length).toBeCloseTo(vectors.mannWhitneyU, 10)
  })

  it('leaves Kendall undefined for a constant side', () => {
    expect(kendallTau([1, 1, 1], [1, 2, 3])).toBeNaN()
    expect(() => kendallTau([1, 2], [1])).toThrow(ArmatureError)
  })
})

describe("Holm's correction", () => {
  it('multiplies the smallest by all tests, the next by one fewer, and never falls', () => {
    // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") = 0.03 0.06 0.06 0.02
    const adjusted = [0.03, 0.06, 0.06, 0.02].map((p) => expect.closeTo(p, 12) as number)
    expect(holmAdjust([0.01, 0.04, 0.03, 0.005])).toEqual(adjusted)
  })

  it('stops at 1 and skips what was not tested', () => {
    expect(holmAdjust([0.6, NaN, 0.7])).toEqual([1, NaN, 1])
    expect(holmAdjust([])).toEqual([])
  })
})

describe('performance profile', () => {
  it('is the share of runs above each threshold, every task weighing the same', () => {
    const profile = performanceProfile([[1, 3], [2]], [0, 1.5, 2, 5], { rng: new Rng(0), repetitions: 200 })
    expect(profile.map(({ estimate }) => estimate)).toEqual([1, 0.75, 0.25, 0])
    // Of two runs with 1 and 3, a resample has none, one or two above 1.5; the other task is always above.
    expect([profile[1]!.low, profile[1]!.high]).toEqual([0.5, 1])
  })
})
