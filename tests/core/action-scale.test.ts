import { fc } from '../fast-check.ts'
import { describe, expect, test } from 'vitest'
import { ActionScale } from '../../src/core/action-scale.ts'
import { boxSpace, whyOutside } from '../../src/core/spaces.ts'

describe('actions between agent and env', () => {
  test('are scaled element by element, and back', () => {
    const space = { dtype: 'float32', shape: [3], low: [0, -2, 10], high: [10, 2, 30] } as const
    const scale = new ActionScale(space, 'test/Env-v0')
    expect([...scale.toEnv(Float32Array.of(0, 1, -1))]).toEqual([5, 2, 10])
    expect([...scale.toAgent(Float32Array.of(5, 2, 10))]).toEqual([0, 1, -1])
  })

  test('pass as they are where the bounds are -1 and 1', () => {
    const scale = new ActionScale(boxSpace([2], -1, 1), 'test/Env-v0')
    const action = Float32Array.of(0.1, -0.7)
    expect([scale.isIdentity, scale.toEnv(action), scale.toAgent(action)]).toEqual([true, action, action])
  })

  test('never leave the space, whatever its bounds round to in float32', () => {
    const bounds = fc.tuple(
      fc.double({ min: -50, max: 50, noNaN: true }),
      fc.double({ min: 0.001, max: 50, noNaN: true }),
    )
    fc.assert(
      fc.property(bounds, fc.double({ min: -1, max: 1, noNaN: true }), ([low, width], x) => {
        const space = boxSpace([1], low, low + width)
        const scale = new ActionScale(space, 'test/Env-v0')
        for (const action of [-1, x, 1]) {
          const given = scale.toEnv(Float32Array.of(action))
          expect(whyOutside(space, given)).toBeUndefined()
          expect(Math.abs(scale.toAgent(given)[0]! - Math.fround(action))).toBeLessThan(0.02)
        }
      }),
    )
  })

  test.each([
    [-Infinity, Infinity],
    [0, Infinity],
    [NaN, 1],
    [2, 2],
    [1, -1],
  ])('are refused in one line for bounds [%d, %d]', (low, high) => {
    expect(() => new ActionScale(boxSpace([1], low, high, ['torque_nm']), 'my/Arm-v0')).toThrow(
      `action space of my/Arm-v0: element torque_nm: expected finite bounds with room between them, got [${low}, ${high}]`,
    )
  })
})
