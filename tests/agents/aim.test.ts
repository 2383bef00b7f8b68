import { beforeAll, expect, test } from 'vitest'
import { aimConfigSchema } from '../../agents/aim/config.ts'
import { AimAgent } from '../../agents/aim/aim.ts'
import { makeAgent } from '../../src/compose/make.ts'
import { Rng } from '../../src/core/rng.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { tf } from '../../src/tensor/tf.ts'

beforeAll(() => startEngine({ threads: 1 }))

const seen = Float32Array.of(0.2, -0.4, 7, 0.9, -0.1, 7)

test('the first numbers that it sees, times gains, are its first actions, within [-1, 1]', async () => {
  const config = aimConfigSchema.parse({ gains: [2, 3], noise: 0 })
  const agent = new AimAgent({ observationSize: 3, actionSize: 3 }, config, new Rng(0))
  const expected = [0.4, -1, 0, 1, -0.3, 0]
  const exported = [...agent.policyFunction({ observation: tf.tensor2d(seen, [2, 3]) }).dataSync()]
  for (const mode of ['mean', 'sample'] as const) {
    const actions = await agent.act(seen, 2, mode)
    for (const [i, value] of expected.entries()) expect(actions[i]).toBeCloseTo(value, 6)
  }
  for (const [i, value] of expected.entries()) expect(exported[i]).toBeCloseTo(value, 6)
})

test('it explores about that with noise', async () => {
  const agent = makeAgent('aim', { observationSize: 3, actionSize: 3 }, new Rng(0), { gains: [1, 1], noise: 0.1 })
  const many = await agent.act(new Float32Array(3 * 500), 500, 'sample')
  const deviation = Math.sqrt(many.reduce((sum, x) => sum + x * x, 0) / many.length)
  expect(Math.abs(deviation - 0.1)).toBeLessThan(0.01)
})

test('more gains than numbers to see or actions to take are refused', () => {
  expect(() => makeAgent('aim', { observationSize: 4, actionSize: 1 }, new Rng(0), { gains: [1, 1] })).toThrow(
    'gains of agent aim: expected at most 1: there are 4 numbers to see and 1 actions, got 2',
  )
})
