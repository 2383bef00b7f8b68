import { describe, expect, it } from 'vitest'
import { fingerSpinExpert } from '../../envs/experts/finger-spin.ts'
import { makeEnv } from '../../envs/index.ts'
import { FingerPhysics } from '../../envs/tasks/finger-physics.ts'
import { capsuleBody, joinBodies } from '../../envs/world/planar-arm.ts'
import type { SimulatedEnv } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import { whyOutside } from '../../src/core/spaces.ts'
import { score } from './expert-score.ts'

const QUICK = { size: 1, supersample: 'off' } as const
const SPINNER_KG_M2 = 2 * (capsuleBody(0.04, -0.09, 0.09).inertia + capsuleBody(0.04, -0.09, 0.09).massKg * 0.0004)

function make(options: Readonly<Record<string, unknown>> = QUICK): Promise<SimulatedEnv> {
  return makeEnv('armature/FingerSpin-v0', options) as Promise<SimulatedEnv>
}

describe('FingerPhysics', () => {
  it('slows a free spinner by its damper and its dry friction', () => {
    const physics = new FingerPhysics()
    physics.state.set([-Math.PI / 2, 0, 0, 0, 0, -20])
    physics.advance(0, 0, 0.3)
    // I w' = -0.03 w + 0.1 for w < 0: w + 10/3 rad/s decays with I / 0.03.
    const expected = -(20 + 10 / 3) * Math.exp((-0.03 * 0.3) / SPINNER_KG_M2) + 10 / 3
    expect(physics.state[5]).toBeCloseTo(expected, 6)
    physics.advance(0, 0, 2)
    expect(Math.abs(physics.state[5]!)).toBeLessThan(1e-3)
    expect(physics.touchN).toBe(0)
  })

  it('turns the spinner clockwise when its left arm is struck from below', () => {
    const physics = new FingerPhysics()
    strikeReady(physics)
    let [mostTouch, fastest] = [0, 0]
    for (let i = 0; i < 200; i++) {
      physics.advance(1, 0, 0.001)
      mostTouch = Math.max(mostTouch, physics.touchN)
      fastest = Math.min(fastest, physics.state[5]!)
    }
    expect(mostTouch).toBeGreaterThan(50)
    expect(fastest).toBeLessThan(-5)
  })

  it('lets no blow add energy', () => {
    for (const speed of [10, 20, 60]) {
      const physics = new FingerPhysics()
      // The upper arm comes down on the fingertip.
      physics.state.set([0.4, -1.2, 0, 0, Math.PI / 2, speed])
      let [before, struck] = [kineticEnergy(physics.state), false]
      for (let i = 0; i < 300; i++) {
        physics.advance(0, 0, 0.001)
        struck ||= physics.touchN > 0
        // While they touch, some energy is in the contact's spring.
        if (physics.touchN > 0) continue
        const energy = kineticEnergy(physics.state)
        expect(energy).toBeLessThanOrEqual(before * (1 + 1e-9))
        before = energy
      }
      expect(struck).toBe(true)
    }
  })
})

describe('armature/FingerSpin-v0', () => {
  it('starts without contact', async () => {
    const env = await make()
    for (let seed = 0; seed < 100; seed++) {
      const { observation } = await env.reset({ seed })
      await env.step(new Float32Array(2))
      expect(observation.state[4]).toBe(0)
      expect(observation.state[7]).toBe(0)
    }
    await env.close()
  })

  it('stays in its spaces under the hardest actions', async () => {
    const env = await make()
    const rng = new Rng(8)
    const { observation } = await env.reset({ seed: 1 })
    const action = new Float32Array(2)
    let mostTouch = 0
    for (let step = 0; step < 1000; step++) {
      if (step % 7 === 0) action.set([rng.int(2) * 2 - 1, rng.int(2) * 2 - 1])
      await env.step(action)
      mostTouch = Math.max(mostTouch, observation.state[4]!)
      expect(whyOutside(env.spec.stateSpace, observation.state)).toBeUndefined()
      expect(Math.abs(observation.state[7]!)).toBeLessThan(100)
    }
    expect(mostTouch).toBeGreaterThan(3)
    await env.close()
  })

  it('pays for 15 rad/s clockwise, and succeeds when that has been so for long enough', async () => {
    const env = await make()
    const expert = fingerSpinExpert()
    let { observation } = await env.reset({ seed: 0 })
    let [share, successes] = [0, 0]
    for (let step = 0; step < 300; step++) {
      const { reward, info, observation: next } = await env.step(expert(observation, undefined))
      observation = next
      expect(reward).toBe(next.state[7]! <= -15 ? 1 : 0)
      share += (reward - share) / 50
      expect(info['success']).toBe(share > 0.5 ? 1 : 0)
      successes += info['success']!
    }
    expect(successes).toBeGreaterThan(50)
    expect(successes).toBeLessThan(270)
    await env.close()
  })
})

describe('fingerSpinExpert', () => {
  it('keeps the spinner fast, which random torques do not', async () => {
    expect(
      (await score(await make({ ...QUICK, maxEpisodeSteps: 300 }), fingerSpinExpert)).atEnd,
    ).toBeGreaterThanOrEqual(95)
    expect((await score(await make({ ...QUICK, maxEpisodeSteps: 150 }))).ever).toBe(0)
  })
})

/** The spinner lies flat, the finger is bent and below its left arm. */
function strikeReady(physics: FingerPhysics): void {
  physics.state.set([0.1, -1.2, 0, 0, 0, 0])
  expect(physics.isTouching).toBe(false)
}

function kineticEnergy(s: Float64Array): number {
  const upper = capsuleBody(0.03, 0, 0.17)
  const lower = joinBodies(capsuleBody(0.028, 0, 0.16), capsuleBody(0.03, 0.13, 0.161))
  const [v1, turn, bend] = [s[2]!, s[2]! + s[3]!, s[1]!]
  const speed2 = (0.18 * v1) ** 2 + (lower.comM * turn) ** 2 + 2 * 0.18 * lower.comM * v1 * turn * Math.cos(bend)
  const finger = (upper.inertia + upper.massKg * upper.comM ** 2) * v1 ** 2 + lower.massKg * speed2
  return (finger + lower.inertia * turn ** 2 + SPINNER_KG_M2 * s[5]! ** 2) / 2
}
