import { expect, test } from 'vitest'
import {
  Rng,
  agentPolicy,
  evaluatePolicy,
  makeAgent,
  makeEncoder,
  makeEnv,
  proprioRepresentation,
  startEngine,
  summarize,
} from '../src/index.ts'

test('the library plays a registered agent in a registered scene', async () => {
  await startEngine({ threads: 1 })
  const env = await makeEnv('armature/Pendulum-v1', { maxEpisodeSteps: 20 })
  const agent = makeAgent('sac', { observationSize: 3, actionSize: 1 }, new Rng(0), { hidden: [16] })
  const policy = agentPolicy({ env, representation: proprioRepresentation(env), agent })
  const results = await evaluatePolicy(env, policy, { episodes: 2, firstSeed: 5 })
  expect(results.map(({ seed, length }) => [seed, length])).toEqual([
    [5, 20],
    [6, 20],
  ])
  expect(summarize(results)['eval/mean_reward']).toBeLessThan(0)
  await env.close()
  agent.dispose()
})

test('names and settings that do not exist are refused by name', () => {
  expect(() => makeAgent('sax', { observationSize: 1, actionSize: 1 }, new Rng(0))).toThrow('did you mean sac')
  expect(() => makeEncoder('beta-vae', [48, 48, 3], new Rng(0), { latentsize: 3 })).toThrow('latentSize')
})
