import { describe, expect, it } from 'vitest'
import type { Margin } from '../../envs/tasks/tolerance.ts'
import { tolerance } from '../../envs/tasks/tolerance.ts'

describe('tolerance', () => {
  it('is 1 within its bounds, both included', () => {
    for (const x of [-1, 0, 2]) {
      expect(tolerance(x, -1, 2)).toBe(1)
      expect(tolerance(x, -1, 2, { margin: 0.5 })).toBe(1)
    }
    expect(tolerance(3, 2, Infinity, { margin: 1 })).toBe(1)
  })

  it('is 0 outside without a margin', () => {
    expect(tolerance(2.001, -1, 2)).toBe(0)
    expect(tolerance(-1.001, -1, 2)).toBe(0)
  })

  it('has fallen to the value at the margin there, on both sides', () => {
    for (const sigmoid of ['gaussian', 'quadratic', 'linear'] as const) {
      const outside: Margin = { margin: 0.5, sigmoid, valueAtMargin: 0.3 }
      expect(tolerance(2.5, -1, 2, outside)).toBeCloseTo(0.3, 12)
      expect(tolerance(-1.5, -1, 2, outside)).toBeCloseTo(0.3, 12)
    }
    expect(tolerance(4, 0, 0, { margin: 4 })).toBeCloseTo(0.1, 12)
  })

  it('has the published shapes at half the margin', () => {
    const half = (sigmoid: Margin['sigmoid'], valueAtMargin: number): number =>
      tolerance(1, 0, 0, { margin: 2, ...(sigmoid && { sigmoid }), valueAtMargin })
    // exp(-0.5 (d sqrt(-2 ln v))^2), 1 - (d sqrt(1 - v))^2 and 1 - d (1 - v), all at d = 1/2.
    expect(half('gaussian', 0.1)).toBeCloseTo(Math.exp(-0.5 * (0.5 * Math.sqrt(-2 * Math.log(0.1))) ** 2), 12)
    expect(half('quadratic', 0)).toBeCloseTo(0.75, 12)
    expect(half('linear', 0.2)).toBeCloseTo(0.6, 12)
  })

  it('ends at 0 where the value at the margin is 0, and stays above it for the bell curve', () => {
    expect(tolerance(9, 0, 1, { margin: 2, sigmoid: 'quadratic', valueAtMargin: 0 })).toBe(0)
    expect(tolerance(9, 0, 1, { margin: 2, sigmoid: 'linear', valueAtMargin: 0 })).toBe(0)
    expect(tolerance(3, 0, 1, { margin: 1 })).toBeCloseTo(1e-4, 12)
  })
})
