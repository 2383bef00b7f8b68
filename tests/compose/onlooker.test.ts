import { beforeAll, describe, expect, test } from 'vitest'
import { resolveConfig } from '../../src/compose/config.ts'
import { Onlooker } from '../../src/compose/onlooker.ts'
import type { Parts } from '../../src/compose/parts.ts'
import { buildParts } from '../../src/compose/parts.ts'
import type { GoalEnv } from '../../src/core/env.ts'
import type { GoalView } from '../../src/core/policy.ts'
import { startEngine } from '../../src/tensor/engine.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

async function looking(preset: string, ...set: string[]): Promise<Parts> {
  return buildParts(resolveConfig(preset, { set: ['agent.config.hidden=[8]', ...set] }))
}

async function goalOf(env: GoalEnv): Promise<GoalView> {
  return { images: await env.renderGoal(env.goal), state: env.goal.slice() }
}

describe('what a run makes of an episode', () => {
  test('the oracle is paid minus the distance of what it reached to the goal, in its own units', async () => {
    const parts = await looking('oracle-push')
    const env = parts.env as GoalEnv
    const onlooker = new Onlooker(parts)
    for (const seed of [1, 2]) {
      const { observation } = await env.reset({ seed })
      const goal = await goalOf(env)
      onlooker.begin(goal)
      expect(await onlooker.see(observation, undefined)).toEqual({})
      const step = await env.step(Float32Array.of(1, -0.5))
      const reached = env.achievedGoal(step.observation.state)
      const distance = Math.hypot(...reached.map((x, i) => 10 * (x - goal.state[i]!)))
      expect((await onlooker.see(step.observation, step.reward)).reward).toBeCloseTo(-distance, 4)
    }
    await env.close()
  })

  test.each(['latent-distance', 'pixel-mse'])(
    'RIG is paid by its own reward (%s) and decodes what it sees',
    async (name) => {
      const parts = await looking('rig-push', `goals.reward.name=${name}`)
      const env = parts.env as GoalEnv
      const { observation } = await env.reset({ seed: 1 })
      // The goal is where it will be: nothing is missing then.
      const state = env.achievedGoal((await env.step(new Float32Array(2))).observation.state).slice()
      const onlooker = new Onlooker(parts)
      onlooker.begin({ images: { front: observation.images['front']!.slice() }, state })
      const { decoded } = await onlooker.see(observation, undefined)
      expect(decoded).toHaveLength(48 * 48 * 3)
      expect((await onlooker.see(observation, -7)).reward).toBeCloseTo(0, 5)
      const away = { ...observation, images: { front: observation.images['front']!.map((x) => 255 - x) } }
      expect((await onlooker.see(away, -7)).reward).toBeLessThan(-1e-4)
      await env.close()
    },
  )

  test('without goals the env pays; the newest frame of a stack is decoded where there is a decoder', async () => {
    const parts = await looking('sac-ae')
    const { observation } = await parts.env.reset({ seed: 1 })
    const onlooker = new Onlooker(parts)
    onlooker.begin(undefined)
    const [height, width] = parts.encoder!.spec.frameShape
    expect((await onlooker.see(observation, undefined)).decoded).toHaveLength(height * width * 3)
    expect((await onlooker.see(observation, 0.25)).reward).toBe(0.25)
    await parts.env.close()
  })
})
