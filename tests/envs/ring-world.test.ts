import { describe, expect, it } from 'vitest'
import { ringWorldExpert } from '../../envs/experts/ring-world.ts'
import { makeEnv } from '../../envs/index.ts'
import { ringArcM } from '../../envs/tasks/ring-world.ts'
import type { SimulatedEnv } from '../../src/core/env.ts'
import { score } from './expert-score.ts'

const QUICK = { size: 1, supersample: 'off' } as const
const RADIUS_M = 0.15

function make(options: Readonly<Record<string, unknown>> = QUICK): Promise<SimulatedEnv> {
  return makeEnv('armature/RingWorld-v0', options) as Promise<SimulatedEnv>
}

describe('ringArcM', () => {
  const at = (angle: number): number[] => [RADIUS_M * Math.sin(angle), RADIUS_M * Math.cos(angle)]

  it('is the shorter way around', () => {
    expect(ringArcM(at(0), at(0))).toBe(0)
    expect(ringArcM(at(0.3), at(1.1))).toBeCloseTo(RADIUS_M * 0.8, 12)
    expect(ringArcM(at(-3), at(3))).toBeCloseTo(RADIUS_M * (2 * Math.PI - 6), 12)
    expect(ringArcM(at(0), at(Math.PI))).toBeCloseTo(RADIUS_M * Math.PI, 12)
  })
})

describe('armature/RingWorld-v0', () => {
  it('turns counter-clockwise by 0.1 rad per unit, and around without a seam', async () => {
    const env = await make({ ...QUICK, start: 'opposite', maxEpisodeSteps: 100 })
    const { observation } = await env.reset({ seed: 0 })
    expect(observation.state[1]).toBeCloseTo(-RADIUS_M, 6)
    const before = observation.state.slice()
    const { info } = await env.step(Float32Array.of(0.5))
    expect(ringArcM(before, observation.state)).toBeCloseTo(0.05 * RADIUS_M, 6)
    // From the bottom, counter-clockwise is to the right.
    expect(observation.state[0]).toBeGreaterThan(0)
    expect(info['arc_m']).toBeCloseTo((Math.PI - 0.05) * RADIUS_M, 6)
    for (let step = 0; step < 63; step++) await env.step(Float32Array.of(1))
    expect(ringArcM(before, observation.state)).toBeCloseTo(RADIUS_M * (6.35 - 2 * Math.PI), 5)
    await env.close()
  })

  it('pays 1 at the mark and 0 opposite to it', async () => {
    const env = await make({ ...QUICK, start: 'opposite' })
    await env.reset({ seed: 0 })
    expect((await env.step(Float32Array.of(0))).reward).toBeCloseTo(0, 12)
    let last = await env.step(Float32Array.of(1))
    for (let step = 0; step < 30; step++) last = await env.step(Float32Array.of(1))
    expect(last.reward).toBeCloseTo(3.1 / Math.PI, 9)
    expect(last.info['success']).toBe(1)
    await env.close()
  })

  it('slips as often as it is told to, the same after a restored state', async () => {
    const env = await make({ ...QUICK, slipPercent: 30, maxEpisodeSteps: 2000 })
    const { observation } = await env.reset({ seed: 2 })
    const play = async (steps: number): Promise<number[]> => {
      const moves: number[] = []
      for (let i = 0; i < steps; i++) {
        await env.step(Float32Array.of(1))
        moves.push(observation.proprio[0]!)
      }
      return moves
    }
    const moves = await play(1000)
    const slipped = moves.filter((move) => Math.abs(move - 0.1) > 1e-6).length
    // 300 and four standard deviations of 14.5.
    expect(Math.abs(slipped - 300)).toBeLessThan(58)
    const saved = await env.saveState()
    const rest = await play(50)
    await env.restoreState(saved)
    expect(await play(50)).toEqual(rest)
    await env.close()
  })

  it('draws the dot where the state says', async () => {
    const env = await make({ size: 64 })
    for (let seed = 0; seed < 6; seed++) {
      const { observation } = await env.reset({ seed })
      const image = observation.images['front']!
      let [x, y, count] = [0, 0, 0]
      for (let i = 0; i < 64 * 64; i++) {
        if (image[i * 3]! < 200 || image[i * 3 + 1]! > 110) continue
        x += (i % 64) - 31.5
        y += 31.5 - Math.floor(i / 64)
        count++
      }
      expect(count).toBeGreaterThan(20)
      expect(ringArcM([x, y], observation.state)).toBeLessThan(0.01)
    }
    await env.close()
  })
})

describe('ringWorldExpert', () => {
  it('goes to the mark, which random steps seldom do', async () => {
    expect((await score(await make(), ringWorldExpert)).atEnd).toBe(100)
    expect((await score(await make())).ever).toBeLessThanOrEqual(25)
  })
})
