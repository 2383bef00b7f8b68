import { beforeAll, expect, it } from 'vitest'
import { sacConfigSchema } from '../../agents/sac/config.ts'
import { Sac } from '../../agents/sac/sac.ts'
import { makePendulum } from '../../envs/tasks/pendulum.ts'
import type { Agent } from '../../src/core/agent.ts'
import { Rng } from '../../src/core/rng.ts'
import { EpisodeStore } from '../../src/replay/episode-store.ts'
import { sampleTransitions } from '../../src/replay/sampler.ts'
import { startEngine } from '../../src/tensor/engine.ts'

const STEPS = 5000
const RANDOM_STEPS = 500
const EPISODES = 20

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

/** Mean return of the mean action over episodes with fixed starts. */
async function evaluate(agent: Agent): Promise<number> {
  const env = await makePendulum()
  let total = 0
  for (let episode = 0; episode < EPISODES; episode++) {
    let { observation } = await env.reset({ seed: 1000 + episode })
    for (let truncated = false; !truncated;) {
      const result = await env.step(await agent.act(observation.proprio, 1, 'mean'))
      total += result.reward / EPISODES
      observation = result.observation
      truncated = result.truncated
    }
  }
  await env.close()
  return total
}

/**
 * Random play earns -1231 on average and a hand-made controller -150. SAC reaches -150 after 4000 steps on most seeds, with a dip
 * to -450 now and then; -700 is out of reach of anything that has not learned to swing up.
 */
it('SAC swings the pendulum up within 5000 steps', async () => {
  const env = await makePendulum()
  const rng = new Rng(0)
  const agent = new Sac(
    { observationSize: 3, actionSize: 1 },
    sacConfigSchema.parse({ hidden: [64, 64], learningRate: 1e-3 }),
    rng.split('agent'),
  )
  expect(await evaluate(agent)).toBeLessThan(-1000)

  const store = new EpisodeStore({ capacity: STEPS + 100, featureSize: 3, actionSize: 1, frameSize: 0 })
  let { observation } = await env.reset({ seed: 0 })
  store.begin(observation.proprio)
  for (let step = 1; step <= STEPS; step++) {
    const action =
      step <= RANDOM_STEPS ? Float32Array.of(rng.uniform(-1, 1)) : await agent.act(observation.proprio, 1, 'sample')
    const result = await env.step(action)
    store.append({ action, ...result }, result.observation.proprio)
    observation = result.observation
    if (result.truncated) {
      observation = (await env.reset()).observation
      store.begin(observation.proprio)
    }
    if (step > RANDOM_STEPS) await agent.update(sampleTransitions(store, 256, { gamma: 0.99, nStep: 1 }, rng))
  }
  expect(await evaluate(agent)).toBeGreaterThan(-700)
  agent.dispose()
  await env.close()
})
