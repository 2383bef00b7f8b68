import { describe, expect, it } from 'vitest'
import { mountainCarExpert } from '../../envs/experts/mountain-car.ts'
import { makeEnv } from '../../envs/index.ts'
import { mountainCarStep } from '../../envs/tasks/mountain-car.ts'
import { score } from './expert-score.ts'

const ID = 'armature/MountainCarContinuous-v0'
const QUICK = { size: 1, supersample: 'off' } as const

describe('mountainCarStep', () => {
  it('gives the values of the published equations', () => {
    // cos(0) = 1: 0.01 + 0.0015 - 0.0025
    const [x, speed] = mountainCarStep(0, 0.01, 1)
    expect([x, speed]).toEqual([expect.closeTo(0.009, 12), expect.closeTo(0.009, 12)])
    // cos(3 x) = -1: gravity pushes by 0.0025 the other way.
    expect(mountainCarStep(-Math.PI / 3, 0, -0.5)[1]).toBeCloseTo(0.0025 - 0.00075, 12)
  })

  it('limits the speed, stops at the wall and not at the other end', () => {
    expect(mountainCarStep(-0.5, 0.0699, 1)[1]).toBe(0.07)
    expect(mountainCarStep(-0.5, -0.0699, -1)[1]).toBe(-0.07)
    expect(mountainCarStep(-1.19, -0.05, -1)).toEqual([-1.2, 0])
    const [x, speed] = mountainCarStep(0.59, 0.05, 1)
    expect(x).toBe(0.6)
    expect(speed).toBeGreaterThan(0.05)
  })
})

describe(ID, () => {
  it('starts at rest in the valley and terminates at the goal, which pays once', async () => {
    for (const [reward, goalPays, stepPays] of [
      ['dense', 100, -0.1],
      ['sparse', 1, 0],
    ] as const) {
      const env = await makeEnv(ID, { ...QUICK, reward })
      const { observation } = await env.reset({ seed: 4 })
      const [x, speed] = observation.state
      expect(x).toBeGreaterThanOrEqual(-0.6)
      expect(x).toBeLessThanOrEqual(-0.4)
      expect(speed).toBe(0)
      const expert = mountainCarExpert()
      const paid: number[] = []
      for (let isOver = false; !isOver;) {
        const step = await env.step(expert(observation, undefined))
        paid.push(step.reward)
        isOver = step.terminated
        expect(step.truncated).toBe(false)
        expect(step.info['success']).toBe(isOver ? 1 : 0)
        expect(observation.proprio).toEqual(observation.state)
      }
      expect(observation.state[0]).toBeGreaterThanOrEqual(Math.fround(0.45))
      expect(paid.pop()).toBeCloseTo(goalPays + stepPays, 9)
      expect(paid.every((r) => Math.abs(r - stepPays) < 1e-9)).toBe(true)
      await env.close()
    }
  })

  it('is cut after 999 steps', async () => {
    const env = await makeEnv(ID, QUICK)
    await env.reset({ seed: 0 })
    let steps = 0
    for (let isOver = false; !isOver; steps++) isOver = (await env.step(Float32Array.of(0))).truncated
    expect(steps).toBe(999)
    await env.close()
  })

  it('shows the car where it is', async () => {
    const env = await makeEnv(ID, { size: 96 })
    const columns: number[] = []
    for (const push of [-1, 1]) {
      const { observation } = await env.reset({ seed: 1 })
      for (let step = 0; step < 30; step++) await env.step(Float32Array.of(push))
      const image = observation.images['front']!
      const seen = [...Array(96 * 96).keys()].filter((i) => image[3 * i]! > 150 && image[3 * i + 2]! < 90)
      expect(seen.length).toBeGreaterThan(5)
      columns.push(seen.reduce((sum, i) => sum + (i % 96), 0) / seen.length)
    }
    expect(columns[1]! - columns[0]!).toBeGreaterThan(3)
    await env.close()
  })

  it('is solved by its expert and not by random play', async () => {
    expect((await score(await makeEnv(ID, QUICK), mountainCarExpert)).atEnd).toBe(100)
    expect((await score(await makeEnv(ID, { ...QUICK, maxEpisodeSteps: 300 }))).ever).toBeLessThanOrEqual(2)
  })
})
