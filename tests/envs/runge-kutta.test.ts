import { describe, expect, it } from 'vitest'
import { RungeKutta4 } from '../../envs/world/runge-kutta.ts'

describe('RungeKutta4', () => {
  it('is exact for a fall, whose height is a quadratic', () => {
    const state = Float64Array.of(10, 2)
    const fall = new RungeKutta4(2, (s, rate) => {
      rate[0] = s[1]!
      rate[1] = -9.81
    })
    fall.step(state, 0.5)
    expect(state[0]).toBeCloseTo(10 + 2 * 0.5 - (9.81 * 0.25) / 2, 12)
    expect(state[1]).toBeCloseTo(2 - 9.81 * 0.5, 12)
  })

  it('has an error that shrinks with the fourth power of the step', () => {
    const errorAfterOneSecond = (steps: number): number => {
      const state = Float64Array.of(1, 0)
      const oscillator = new RungeKutta4(2, (s, rate) => {
        rate[0] = s[1]!
        rate[1] = -4 * s[0]!
      })
      for (let i = 0; i < steps; i++) oscillator.step(state, 1 / steps)
      return Math.abs(state[0]! - Math.cos(2))
    }
    const ratio = errorAfterOneSecond(20) / errorAfterOneSecond(40)
    expect(ratio).toBeGreaterThan(14)
    expect(ratio).toBeLessThan(18)
  })
})
