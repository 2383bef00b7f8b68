import { expect, test } from 'vitest'
import { embeddingHealth } from '../../src/evaluate/health.ts'

test('two independent dimensions of standard deviation 1 and 3 around 0', () => {
  const latents = Float32Array.from([1, 3, 1, -3, -1, 3, -1, -3])
  const { 'embed/min_std': min, 'embed/median_std': median, ...rest } = embeddingHealth(latents, 4)
  expect([min, median]).toEqual([expect.closeTo(1, 6), expect.closeTo(2, 6)])
  // Singular values 1 : 3 have the entropy of the distribution (1/4, 3/4).
  expect(rest['embed/effective_rank']).toBeCloseTo(Math.exp(0.25 * Math.log(4) + 0.75 * Math.log(4 / 3)), 6)
  expect(rest['embed/mean_cosine']).toBeCloseTo(-1 / 3, 6)
})
