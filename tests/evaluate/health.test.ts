import { describe, expect, it, test } from 'vitest'
import { Rng } from '../../src/core/rng.ts'
import { embeddingHealth } from '../../src/evaluate/health.ts'

test('two independent dimensions of standard deviation 1 and 3 around 0', () => {
  const latents = Float32Array.from([1, 3, 1, -3, -1, 3, -1, -3])
  const { 'embed/min_std': min, 'embed/median_std': median, ...rest } = embeddingHealth(latents, 4)
  expect([min, median]).toEqual([expect.closeTo(1, 6), expect.closeTo(2, 6)])
  // Singular values 1 : 3 have the entropy of the distribution (1/4, 3/4).
  expect(rest['embed/effective_rank']).toBeCloseTo(Math.exp(0.25 * Math.log(4) + 0.75 * Math.log(4 / 3)), 6)
  expect(rest['embed/mean_cosine']).toBeCloseTo(-1 / 3, 6)
})

test('wide embeddings of few directions measure as those directions do', () => {
  const rng = new Rng(4)
  const [count, size, rank] = [30, 100, 3]
  const narrow = rng.fillNormal(new Float32Array(count * rank))
  // Rows of an orthogonal [rank, size] matrix: each direction is spread over its own third of the dimensions.
  const wide = new Float32Array(count * size)
  for (let row = 0; row < count; row++) {
    for (let k = 0; k < 99; k++) wide[row * size + k] = narrow[row * rank + (k % rank)]! / Math.sqrt(33)
  }
  const [a, b] = [embeddingHealth(wide, count), embeddingHealth(narrow, count)]
  expect(a['embed/effective_rank']).toBeCloseTo(b['embed/effective_rank']!, 4)
  expect(a['embed/mean_cosine']).toBeCloseTo(b['embed/mean_cosine']!, 4)
  // The last dimension is 0 throughout; the others are a third each of the three directions.
  expect(a['embed/min_std']).toBe(0)
  expect(a['embed/median_std']! * Math.sqrt(33)).toBeCloseTo(b['embed/median_std']!, 1)
})

describe('signs of a collapsed embedding', () => {
  const health = (...rows: number[][]): Record<string, number> =>
    embeddingHealth(Float64Array.from(rows.flat()), rows.length)
  const cross = (a: number, b: number): number[][] => [
    [a, 0],
    [-a, 0],
    [0, b],
    [0, -b],
  ]

  it('have the rank of the spread of singular values', () => {
    const rank = (...rows: number[][]): number => health(...rows)['embed/effective_rank']!
    expect(rank(...cross(1, 1))).toBeCloseTo(2, 12)
    // Singular values 3 : 1.
    expect(rank(...cross(3, 1))).toBeCloseTo(Math.exp(-(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25))), 12)
    expect(rank([1, 2, 3], [2, 4, 6], [5, 10, 15])).toBeCloseTo(1, 5)
    expect(rank([1, 2], [1, 2])).toBe(0)
  })

  it('do not depend on rotation, offset or scale', () => {
    const rng = new Rng(3)
    const z = Array.from({ length: 200 }, () => [1, 2, 3, 0.1].map((std) => std * rng.normal()))
    // A Hadamard matrix is twice a rotation.
    const moved = z.map(([a, b, c, d]) =>
      [a! + b! + c! + d!, a! - b! + c! - d!, a! + b! - c! - d!, a! - b! - c! + d!].map((x) => 7 * x + 3),
    )
    expect(health(...moved)['embed/effective_rank']).toBeCloseTo(health(...z)['embed/effective_rank']!, 8)
  })

  it('are absent from isotropic embeddings of many dimensions', () => {
    const rng = new Rng(4)
    const normal = rng.fillNormal(new Float32Array(2000 * 32))
    const { 'embed/effective_rank': rank, 'embed/median_std': std } = embeddingHealth(normal, 2000)
    expect(rank).toBeGreaterThan(31.8)
    expect(rank).toBeLessThanOrEqual(32)
    expect(std).toBeCloseTo(1, 1)
  })

  it('give the standard deviation of each dimension, and the distance from the mean', () => {
    const {
      'embed/min_std': min,
      'embed/median_std': median,
      'embed/rms_distance': distance,
    } = health([0, 5, 1], [4, 5, 3])
    expect([min, median, distance]).toEqual([0, 1, Math.sqrt(5)])
    expect(health(...cross(2, 4))['embed/median_std']).toBeCloseTo((Math.SQRT2 + Math.sqrt(8)) / 2, 12)
  })

  it('give the mean cosine of pairs', () => {
    expect(health([1, 0], [0, 5])['embed/mean_cosine']).toBeCloseTo(0, 12)
    expect(health([1, 1], [2, 2], [9, 9])['embed/mean_cosine']).toBeCloseTo(1, 12)
    expect(health([1, 0], [-3, 0])['embed/mean_cosine']).toBeCloseTo(-1, 12)
  })
})
