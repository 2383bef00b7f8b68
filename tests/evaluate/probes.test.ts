import { describe, expect, it } from 'vitest'
import { ArmatureError } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import { ridgeProbe } from '../../src/evaluate/probes.ts'
import type { Rows } from '../../src/evaluate/rows.ts'

function rows(...values: number[][]): Rows {
  return { data: Float64Array.from(values.flat()), count: values.length, size: values[0]!.length }
}

function normalRows(rng: Rng, count: number, size: number): Rows {
  return { data: Float64Array.from({ length: count * size }, () => rng.normal()), count, size }
}

/** `input` times a matrix [size, outputs], plus noise. */
function linear(input: Rows, matrix: number[][], rng = new Rng(0), noise = 0): Rows {
  return rows(
    ...range(0, input.count).map((row) =>
      matrix[0]!.map((_, j) => {
        let sum = noise * rng.normal()
        for (let i = 0; i < input.size; i++) sum += input.data[row * input.size + i]! * matrix[i]![j]!
        return sum
      }),
    ),
  )
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

describe('ridge probe', () => {
  const corners = rows([1, 1], [1, -1], [-1, 1], [-1, -1])
  const all = { train: range(0, 4), test: range(0, 4) }

  it('shrinks as the closed form says', () => {
    // Orthogonal inputs of variance 1: every weight is 1 / (1 + ridge) of the true one, so R2 = 1 - (ridge / (1 + ridge))^2.
    const targets = linear(corners, [
      [3, 0.5],
      [-1, 0.5],
    ])
    expect([...ridgeProbe(corners, targets, all, 1)]).toEqual([expect.closeTo(0.75, 12), expect.closeTo(0.75, 12)])
    expect(ridgeProbe(corners, targets, all, 0.1)[0]).toBeCloseTo(1 - (0.1 / 1.1) ** 2, 12)
  })

  it('solves correlated inputs', () => {
    // Standardised inputs with correlation 0.5 and target = first input: (C + I) w = (1, 0.5), w = (7, 2) / 15,
    // R2 = 1 - e' C e with e = (8, -2) / 15.
    const inputs = rows([1, 1], [1, 1], [1, 1], [1, -1], [-1, 1], [-1, -1], [-1, -1], [-1, -1])
    const split = { train: range(0, 8), test: range(0, 8) }
    const expected = 1 - (64 + 4 - 16) / 225
    expect(ridgeProbe(inputs, linear(inputs, [[1], [0]]), split, 1)[0]).toBeCloseTo(expected, 12)
  })

  it('reads a linear target and not an unrelated one, on rows it has not seen', () => {
    const rng = new Rng(1)
    const z = normalRows(rng, 6000, 8)
    const split = { train: range(0, 3000), test: range(3000, 6000) }
    const w = range(0, 8).map(() => [rng.normal()])
    expect(ridgeProbe(z, linear(z, w), split)[0]).toBeGreaterThan(0.9999)
    // Signal variance 1, noise variance 1: half of the variance can be read.
    const unit = linear(z, [[1], ...range(1, 8).map(() => [0])], rng, 1)
    expect(ridgeProbe(z, unit, split)[0]).toBeCloseTo(0.5, 1)
    expect(ridgeProbe(z, normalRows(rng, 6000, 1), split)[0]).toBeLessThan(0.02)
  })

  it('does not depend on the scale and offset of the embedding', () => {
    const rng = new Rng(2)
    const z = normalRows(rng, 100, 3)
    const y = linear(z, [[1], [2], [3]], rng, 1)
    const split = { train: range(0, 60), test: range(60, 100) }
    const scaled = { ...z, data: z.data.map((v, i) => v * [1e-3, 1, 1e4][i % 3]! + [5, 0, -1e5][i % 3]!) }
    expect(ridgeProbe(scaled, y, split)[0]).toBeCloseTo(ridgeProbe(z, y, split)[0]!, 8)
  })

  it('fits on the training rows alone', () => {
    const inputs = rows([-1], [1], [-1], [1])
    const targets = rows([-1], [1], [1], [-1])
    expect(ridgeProbe(inputs, targets, { train: [0, 1], test: [2, 3] }, 1e-9)[0]).toBeCloseTo(-3, 6)
  })

  it('bears dead dimensions, and calls a constant target undefined', () => {
    const inputs = rows([1, 0.1, 0], [-1, 0.1, 0], [2, 0.1, 0], [-2, 0.1, 0])
    const targets = rows([2, 7], [-2, 7], [4, 7], [-4, 7])
    const [line, constant] = ridgeProbe(inputs, targets, all, 1e-9)
    expect(line).toBeCloseTo(1, 6)
    expect(constant).toBeNaN()
  })

  it('reads what the other dimensions say where one fires that hardly ever did before', () => {
    const rng = new Rng(3)
    const seen = normalRows(rng, 200, 2)
    const target = linear(seen, [[1], [-2]])
    const withRare = rows(
      ...range(0, 200).map((row) => {
        const rare = row === 7 ? 1e-6 : row > 140 && row % 10 === 0 ? 3 : 0
        return [seen.data[2 * row]!, seen.data[2 * row + 1]!, rare]
      }),
    )
    const split = { train: range(0, 140), test: range(140, 200) }
    expect(ridgeProbe(seen, target, split)[0]).toBeGreaterThan(0.99)
    expect(ridgeProbe(withRare, target, split)[0]).toBeGreaterThan(0.9)
  })

  it('refuses what cannot be fitted', () => {
    const short = rows([1], [2])
    expect(() => ridgeProbe(corners, short, all)).toThrow(ArmatureError)
    expect(() => ridgeProbe(corners, corners, { train: [], test: [0] })).toThrow(ArmatureError)
    expect(() => ridgeProbe(corners, corners, { train: [0], test: [4] })).toThrow(ArmatureError)
    expect(() => ridgeProbe(corners, corners, all, 0)).toThrow(ArmatureError)
    expect(() => ridgeProbe(rows([NaN], [1]), short, { train: [0], test: [1] })).toThrow(/NaN/)
  })
})
