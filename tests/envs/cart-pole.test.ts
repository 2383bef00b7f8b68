import { describe, expect, it } from 'vitest'
import { cartPoleExpert } from '../../envs/experts/cart-pole.ts'
import { makeEnv } from '../../envs/index.ts'
import { cartPoleRates, cartPoleReward } from '../../envs/tasks/cart-pole.ts'
import type { SimulatedEnv } from '../../src/core/env.ts'
import { score } from './expert-score.ts'

const ID = 'armature/CartPole-v0'
const QUICK = { size: 1, supersample: 'off' } as const

describe('armature/CartPole-v0', () => {
  it('follows an independent, finer integration', async () => {
    const env = await makeEnv(ID, QUICK)
    const start = (await env.reset({ seed: 3, options: { start: 'random' } })).observation.state
    const reference = [start[0]!, Math.atan2(start[2]!, start[1]!), start[3]!, start[4]!] as Pole
    const action = new Float32Array(1)
    let worst = 0
    for (let step = 0; step < 80; step++) {
      // +-10 N that change at 50 Hz, for 0.8 s.
      action[0] = Math.sin((step >> 1) ** 2) > 0 ? 1 : -1
      const { observation } = await env.step(action)
      advance(reference, action[0] * 10, 0.01, 500)
      const [, cos, sin] = observation.state
      worst = Math.max(worst, Math.abs(wrap(Math.atan2(sin!, cos!) - reference[1])))
    }
    expect(worst).toBeLessThan(1e-4)
    await env.close()
  })

  it('keeps its energy without force', async () => {
    const env = await makeEnv(ID, { ...QUICK, start: 'random' })
    const { observation } = await env.reset({ seed: 14 })
    const before = energy(observation.state)
    for (let step = 0; step < 60; step++) await env.step(new Float32Array(1))
    expect(Math.abs(observation.state[0]!)).toBeLessThan(1.8)
    expect(energy(observation.state)).toBeCloseTo(before, 4)
    await env.close()
  })

  it('stops dead at the end of the rail, where the pole keeps its momentum about the hinge', async () => {
    const env = await makeEnv(ID, QUICK)
    let { observation } = await env.reset({ seed: 0 })
    let before = observation.state.slice()
    while (observation.state[0]! < Math.fround(1.8)) {
      before = observation.state.slice()
      observation = (await env.step(Float32Array.of(1))).observation
    }
    expect(before[3]).toBeGreaterThan(3)
    expect(observation.state[3]).toBe(0)
    const momentum = (s: Float32Array): number => s[1]! * s[3]! + (2 / 3) * s[4]!
    // Gravity turns the pole on for 10 ms, by at most 0.15 rad/s.
    expect(Math.abs(momentum(observation.state) - momentum(before))).toBeLessThan(0.15)
    for (let step = 0; step < 20; step++) await env.step(Float32Array.of(1))
    expect(observation.state[0]).toBe(Math.fround(1.8))
    await env.step(Float32Array.of(-1))
    expect(observation.state[3]).toBeLessThan(0)
    await env.close()
  })

  it('starts as its task says', async () => {
    for (const [task, cos] of [
      ['balance', 1],
      ['swingup', -1],
    ] as const) {
      const env = await makeEnv(ID, { ...QUICK, task })
      for (let seed = 0; seed < 5; seed++) {
        const { state } = (await env.reset({ seed })).observation
        expect(state[1]).toBeCloseTo(cos, 2)
      }
      await env.close()
    }
  })

  it('pays 1 or 0 for being upright in the middle when asked to', async () => {
    const env = await makeEnv(ID, { ...QUICK, reward: 'sparse' })
    const { observation } = await env.reset({ seed: 1 })
    const seen = new Set<number>()
    for (let step = 0; step < 200; step++) {
      const { reward } = await env.step(Float32Array.of(0))
      seen.add(reward)
      const [x, cos] = observation.state
      if (Math.abs(cos! - 0.995) > 1e-6) expect(reward).toBe(cos! > 0.995 && Math.abs(x!) < 0.25 ? 1 : 0)
    }
    expect(seen).toEqual(new Set([1, 0]))
    await env.close()
  })

  it('shows the pole where the state says', async () => {
    const env = await makeEnv(ID, { size: 64, start: 'random', cameras: 'front' })
    for (let seed = 0; seed < 8; seed++) {
      const { observation } = await env.reset({ seed })
      const [, cos, sin] = observation.state
      const pole = centroid(observation.images['front']!, (r, g, b) => r > 110 && g > 80 && b < 90)
      const cart = centroid(observation.images['front']!, (r, g, b) => b > 120 && r < 110 && g < 160)
      const length = Math.hypot(pole[0] - cart[0], pole[1] - cart[1])
      expect(Math.abs((pole[0] - cart[0]) / length - sin!)).toBeLessThan(0.15)
      expect(Math.abs((cart[1] - pole[1]) / length - cos!)).toBeLessThan(0.15)
    }
    await env.close()
  })

  it('turns a heavier pole differently', () => {
    const rates = (poleKg?: number): Float64Array => {
      const rate = new Float64Array(4)
      cartPoleRates(Float64Array.of(0, 1, 0, 2), rate, 5, poleKg)
      return rate
    }
    expect(rates()).toEqual(rates(0.1))
    expect(rates(0.2)[3]).not.toBeCloseTo(rates(0.1)[3]!, 3)
  })
})

describe('cartPoleReward', () => {
  it('is the published product', () => {
    expect(cartPoleReward(0, 0, 0, 0)).toBe(1)
    expect(cartPoleReward(0, Math.PI, 0, 0)).toBeCloseTo(0, 12)
    // cos = 0; a full push costs a fifth; 2 m off the middle and 5 rad/s leave (1 + 0.1) / 2 each.
    expect(cartPoleReward(-2, Math.PI / 2, 5, 1)).toBeCloseTo(0.5 * 0.8 * 0.55 * 0.55, 12)
    expect(cartPoleReward(0, 0, 0, -0.5)).toBeCloseTo((4 + 0.75) / 5, 12)
  })
})

describe('cartPoleExpert', () => {
  for (const [task, maxEpisodeSteps] of [
    ['balance', 300],
    ['swingup', 700],
  ] as const) {
    it(`solves ${task}, which random forces do not`, async () => {
      const make = (): Promise<SimulatedEnv> =>
        makeEnv(ID, { ...QUICK, task, maxEpisodeSteps }) as Promise<SimulatedEnv>
      expect((await score(await make(), cartPoleExpert)).atEnd).toBeGreaterThanOrEqual(95)
      expect((await score(await make())).ever).toBeLessThanOrEqual(2)
    })
  }
})

type Pole = [x: number, theta: number, xDot: number, thetaDot: number]

/**
 * The same mechanism from its mass matrix: [M + m, m l cos; m l cos, 4/3 m l^2] [xDD, thetaDD] = [F + m l thetaD^2 sin, m g l sin],
 * by many semi-implicit Euler steps.
 */
function advance(pole: Pole, forceN: number, seconds: number, steps: number): void {
  const dt = seconds / steps
  for (let i = 0; i < steps; i++) {
    const [sin, cos] = [Math.sin(pole[1]), Math.cos(pole[1])]
    const [a, b, d] = [1.1, 0.05 * cos, (4 / 3) * 0.1 * 0.25]
    const [f, t] = [forceN + 0.05 * pole[3] ** 2 * sin, 0.05 * 9.81 * sin]
    const determinant = a * d - b * b
    pole[2] += (dt * (d * f - b * t)) / determinant
    pole[3] += (dt * (a * t - b * f)) / determinant
    pole[0] += dt * pole[2]
    pole[1] += dt * pole[3]
  }
}

function energy(state: Float32Array): number {
  const [, cos, , speed, spin] = state as unknown as [number, number, number, number, number]
  return 0.55 * speed ** 2 + 0.05 * cos * speed * spin + (2 / 3) * 0.025 * spin ** 2 + 0.05 * 9.81 * cos
}

function wrap(angle: number): number {
  return Math.atan2(Math.sin(angle), Math.cos(angle))
}

function centroid(image: Uint8Array, isPart: (r: number, g: number, b: number) => boolean): [number, number] {
  let [x, y, count] = [0, 0, 0]
  for (let i = 0; i < image.length / 3; i++) {
    if (!isPart(image[i * 3]!, image[i * 3 + 1]!, image[i * 3 + 2]!)) continue
    x += i % 64
    y += Math.floor(i / 64)
    count++
  }
  expect(count).toBeGreaterThan(10)
  return [x / count, y / count]
}
