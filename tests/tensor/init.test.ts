import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.ts'
import { constant, deltaOrthogonal, orthogonal, uniformFanIn, zeros } from '../../src/tensor/init.ts'

/** Largest deviation of M^T M (or M M^T for wide matrices) from gain^2 I. */
function orthogonalityError(matrix: Float32Array, rows: number, columns: number, gain: number): number {
  const at = (vector: number, i: number): number =>
    rows >= columns ? matrix[i * columns + vector]! : matrix[vector * columns + i]!
  let worst = 0
  for (let a = 0; a < Math.min(rows, columns); a++) {
    for (let b = 0; b <= a; b++) {
      let sum = 0
      for (let i = 0; i < Math.max(rows, columns); i++) sum += at(a, i) * at(b, i)
      worst = Math.max(worst, Math.abs(sum - (a === b ? gain * gain : 0)))
    }
  }
  return worst
}

describe('initialisation', () => {
  it.each([
    [24, 24],
    [7, 40],
    [40, 7],
  ])('orthogonal %d x %d has orthonormal columns or rows times the gain', (rows, columns) => {
    const matrix = orthogonal(1.5)([rows, columns], new Rng(1))
    expect(orthogonalityError(matrix, rows, columns, 1.5)).toBeLessThan(1e-5)
  })

  it('draws every member of an ensemble on its own', () => {
    const weights = orthogonal(1)([2, 6, 6], new Rng(1))
    expect(orthogonalityError(weights.subarray(0, 36), 6, 6, 1)).toBeLessThan(1e-5)
    expect(orthogonalityError(weights.subarray(36), 6, 6, 1)).toBeLessThan(1e-5)
    expect(weights.subarray(0, 36)).not.toEqual(weights.subarray(36))
  })

  it('treats a filter as the matrix of its patches', () => {
    expect(orthogonalityError(orthogonal(1)([3, 3, 2, 8], new Rng(1)), 18, 8, 1)).toBeLessThan(1e-5)
  })

  it('delta-orthogonal filters are zero but for an orthogonal centre tap', () => {
    const weights = deltaOrthogonal(2)([3, 3, 4, 4], new Rng(1))
    expect(orthogonalityError(weights.slice(4 * 16, 5 * 16), 4, 4, 2)).toBeLessThan(1e-5)
    expect(weights.filter((w) => w !== 0)).toHaveLength(16)
    expect(() => deltaOrthogonal()([2, 2, 4, 4], new Rng(1))).toThrow('odd height and width')
  })

  it('uniform fan-in fills +-1/sqrt(fanIn)', () => {
    const weights = uniformFanIn([100, 50], new Rng(1))
    expect(Math.max(...weights)).toBeLessThan(0.1)
    expect(Math.min(...weights)).toBeGreaterThanOrEqual(-0.1)
    const variance = weights.reduce((sum, w) => sum + w * w, 0) / weights.length
    expect(variance).toBeCloseTo(0.01 / 3, 4)
    const member = uniformFanIn([2, 100, 50], new Rng(1))
    expect(Math.max(...member)).toBeLessThan(0.1)
    expect(Math.max(...member)).toBeGreaterThan(0.099)
  })

  it('is decided by the generator alone', () => {
    expect(orthogonal()([5, 5], new Rng(3))).toEqual(orthogonal()([5, 5], new Rng(3)))
    expect(orthogonal()([5, 5], new Rng(3))).not.toEqual(orthogonal()([5, 5], new Rng(4)))
  })

  it('constants and zeros', () => {
    expect([...constant(2.5)([2, 2], new Rng(1))]).toEqual([2.5, 2.5, 2.5, 2.5])
    expect([...zeros([3], new Rng(1))]).toEqual([0, 0, 0])
  })

  it('refuses a bias where a matrix is needed', () => {
    expect(() => orthogonal()([5], new Rng(1))).toThrow('at least 2 axes')
  })
})
