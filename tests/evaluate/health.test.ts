import { expect, test } from 'vitest'
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
