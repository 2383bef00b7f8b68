import { describe, expect, it } from 'vitest'
import { reacherExpert } from '../../envs/experts/reacher.ts'
import { makeEnv } from '../../envs/index.ts'
import { reacherAngles } from '../../envs/tasks/reacher.ts'
import type { SimulatedGoalEnv } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import { score } from './expert-score.ts'

const QUICK = { size: 1, supersample: 'off' } as const

function make(options: Readonly<Record<string, unknown>>): Promise<SimulatedGoalEnv> {
  return makeEnv('armature/Reacher-v0', options) as Promise<SimulatedGoalEnv>
}

describe('reacherAngles', () => {
  it('takes the tip to the point, with the wrist on the asked side', () => {
    const rng = new Rng(4)
    for (let i = 0; i < 50; i++) {
      const [angle, radius] = [rng.uniform(-Math.PI, Math.PI), rng.uniform(0.05, 0.2)]
      const [x, y] = [radius * Math.cos(angle), radius * Math.sin(angle)]
      for (const side of [-1, 1] as const) {
        const [shoulder, wrist] = reacherAngles(x, y, side)
        expect(0.12 * (Math.cos(shoulder) + Math.cos(shoulder + wrist))).toBeCloseTo(x, 9)
        expect(0.12 * (Math.sin(shoulder) + Math.sin(shoulder + wrist))).toBeCloseTo(y, 9)
        expect(Math.sign(wrist)).toBe(side)
      }
    }
  })

  it('stretches out towards a point beyond its reach', () => {
    const [shoulder, wrist] = reacherAngles(3, 3, 1)
    expect(shoulder).toBeCloseTo(Math.PI / 4, 12)
    expect(wrist).toBe(0)
  })
})

describe('armature/Reacher-v0', () => {
  it('turns at first as a stretched arm with its masses must', async () => {
    const env = await make({ ...QUICK, start: 'stretched' })
    const { observation } = await env.reset({ seed: 0 })
    await env.step(Float32Array.of(0, 0.1))
    const [, , , , , shoulderSpeed, wristSpeed] = observation.state
    // An arm that pushes its lower link one way is itself turned the other way.
    expect(wristSpeed).toBeGreaterThan(0)
    expect(shoulderSpeed).toBeLessThan(0)
    await env.close()
  })

  it('comes to rest where its dampers alone act, having turned by the lost momentum', async () => {
    const env = await make({ ...QUICK, start: 'stretched' })
    const { observation } = await env.reset({ seed: 0 })
    for (let step = 0; step < 10; step++) await env.step(Float32Array.of(0.4, 0))
    for (let step = 0; step < 400; step++) await env.step(Float32Array.of(0, 0))
    expect(Math.abs(observation.state[5]!)).toBeLessThan(1e-3)
    // At rest the shoulder's impulse has gone into its damper: 0.02 N m x 0.2 s / 0.01 N m s.
    expect(Math.atan2(observation.state[3]!, observation.state[2]!)).toBeCloseTo(0.4, 2)
    await env.close()
  })

  it('stops the wrist at 160 degrees', async () => {
    const env = await make({ ...QUICK, start: 'stretched' })
    const { observation } = await env.reset({ seed: 0 })
    for (let step = 0; step < 100; step++) await env.step(Float32Array.of(0, 1))
    expect(observation.state[4]).toBeCloseTo((160 * Math.PI) / 180, 6)
    expect(observation.state[6]).toBe(0)
    await env.close()
  })

  it('succeeds while tip and target touch', async () => {
    for (const [target, touchM] of [
      ['easy', 0.06],
      ['hard', 0.025],
    ] as const) {
      const env = await make({ ...QUICK, start: 'stretched', target })
      await env.reset({ seed: 0 })
      for (const [offset, success] of [
        [-1e-4, 1],
        [1e-4, 0],
      ] as const) {
        env.setGoal(Float32Array.of(0.24 - touchM - offset, 0))
        expect((await env.step(new Float32Array(2))).info['success']).toBe(success)
      }
      await env.close()
    }
  })

  it('shows the target to its camera, or to people only', async () => {
    const green = (image: Uint8Array): number => {
      let count = 0
      for (let i = 0; i < image.length; i += 3)
        if (image[i + 1]! > 130 && image[i]! < 100 && image[i + 2]! < 140) count++
      return count
    }
    for (const showTarget of ['on', 'off'] as const) {
      const env = await make({ size: 64, showTarget })
      const { observation } = await env.reset({ seed: 2 })
      expect(green(observation.images['front']!) > 20).toBe(showTarget === 'on')
      expect(green(await env.render('human'))).toBeGreaterThan(100)
      await env.close()
    }
  })
})

describe('reacherExpert', () => {
  it('holds the tip on targets of both sizes, which random torques do not', async () => {
    const quick = { ...QUICK, maxEpisodeSteps: 150 }
    for (const [target, byChance] of [
      ['easy', 20],
      ['hard', 10],
    ] as const) {
      expect((await score(await make({ ...quick, target }), reacherExpert)).atEnd).toBeGreaterThanOrEqual(95)
      expect((await score(await make({ ...quick, target }))).atEnd).toBeLessThanOrEqual(byChance)
    }
  })
})
