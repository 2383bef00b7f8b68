import { describe, expect, it } from 'vitest'
import { checkEnv } from '../../envs/check.ts'
import type { Dynamics, SimpleEnvSpec } from '../../envs/simple-env.ts'
import { simpleEnv } from '../../envs/simple-env.ts'
import { isSimulatedEnv } from '../../src/core/env.ts'

const SPEC: SimpleEnvSpec = {
  id: 'mine/Cart-v0',
  observation: { x_m: [-9, 9], v_mps: [-9, 9] },
  action: ['push_2mps2'],
  maxEpisodeSteps: 30,
}

/** A cart on rails that a push moves, and a breath of wind. */
class Cart {
  x = 0
  v = 0

  reset(rng: { uniform(low: number, high: number): number }): number[] {
    this.x = rng.uniform(-1, 1)
    this.v = 0
    return [this.x, this.v]
  }

  step(action: Float32Array, rng: { uniform(low: number, high: number): number }) {
    this.v += 0.2 * action[0]! + rng.uniform(-0.01, 0.01)
    this.x += 0.1 * this.v
    return {
      observation: [this.x, this.v],
      reward: -Math.abs(this.x),
      terminated: Math.abs(this.x) > 8,
      info: { distance: Math.abs(this.x) },
    }
  }
}

class SavedCart extends Cart {
  save(): unknown {
    return { x: this.x, v: this.v }
  }

  restore(saved: unknown): void {
    Object.assign(this, saved)
  }
}

describe('an env of two functions', () => {
  it.each([
    ['without saving', () => new Cart(), false],
    ['with saving', () => new SavedCart(), true],
  ])('keeps the contract, %s', async (_what, make, canBeSaved) => {
    const results = await checkEnv(async () => simpleEnv(SPEC, make()))
    expect(results.filter(({ ok }) => !ok)).toEqual([])
    expect(isSimulatedEnv(simpleEnv(SPEC, make()))).toBe(canBeSaved)
  })

  it('may be asynchronous, and is told when to close', async () => {
    let closed = 0
    const env = simpleEnv(SPEC, {
      reset: async () => Float32Array.of(1, 2),
      step: async () => ({ observation: new Set([3, 4]).size === 2 ? [3, 4] : [], reward: 1, terminated: true }),
      close: async () => void closed++,
    })
    expect((await env.reset()).observation.proprio).toEqual(Float32Array.of(1, 2))
    const { observation, terminated, truncated, info } = await env.step(Float32Array.of(0))
    expect([observation.state, terminated, truncated, info]).toEqual([Float32Array.of(3, 4), true, false, {}])
    await env.close()
    await env.close()
    expect(closed).toBe(1)
  })

  it.each<[string, Partial<SimpleEnvSpec>, RegExp]>([
    ['an id without version', { id: 'cart' }, /env "cart": expected namespace\/Name-vN/],
    ['nothing observed', { observation: {} }, /observation of mine\/Cart-v0: expected at least one name/],
    [
      'bounds the wrong way round',
      { observation: { x: [1, -1] } },
      /observation x .*expected a least and a greater value/,
    ],
    ['one bound', { observation: { x: [1] } }, /observation x .*expected a least and a greater value/],
    ['infinite bounds', { observation: { x: [-Infinity, 1] } }, /observation x/],
    ['no action', { action: [] }, /action of mine\/Cart-v0/],
    ['episodes of no length', { maxEpisodeSteps: 0 }, /maxEpisodeSteps .* an integer >= 1, got 0/],
    ['no rate', { controlHz: 0 }, /controlHz/],
  ])('refuses %s', (_what, part, message) => {
    expect(() => simpleEnv({ ...SPEC, ...part }, new Cart())).toThrow(message)
  })

  it.each<[string, Partial<Dynamics>, RegExp]>([
    ['too few numbers', { reset: () => [1] }, /observation of mine\/Cart-v0: expected 2 numbers: x_m, v_mps, got 1/],
    [
      'nothing',
      { step: (() => undefined) as unknown as Dynamics['step'] },
      /expected 2 numbers: x_m, v_mps, got nothing/,
    ],
    ['NaN', { reset: () => [1, Number.NaN] }, /v_mps of mine\/Cart-v0: expected a number, got NaN/],
    ['a reward that is none', { step: () => ({ observation: [1, 2], reward: Infinity }) }, /reward of mine\/Cart-v0/],
    [
      'information that is none',
      { step: () => ({ observation: [1, 2], reward: 0, info: { success: Number.NaN } }) },
      /success of mine\/Cart-v0/,
    ],
  ])('refuses %s from its functions', async (_what, part, message) => {
    const env = simpleEnv(SPEC, { reset: () => [0, 0], step: () => ({ observation: [0, 0], reward: 0 }), ...part })
    await expect(env.reset().then(() => env.step(Float32Array.of(0)))).rejects.toThrow(message)
  })
})
