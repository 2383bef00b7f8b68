import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  evaluatePolicy,
  loadAgent,
  makeAgent,
  Rng,
  saveAgent,
  startEngine,
  summarize,
  trainAgent,
} from '../../src/index.ts'
import type { Agent, BoxSpace, Env, Metrics, StepResult, TrainAgentOptions } from '../../src/index.ts'
import { boxSpace } from '../../src/core/spaces.ts'

/** Pays for an action near 7 of 0 to 10; it can do nothing that the contract does not ask for. */
class SevenEnv implements Env {
  readonly spec
  actions: number[] = []
  #step = 0

  constructor(actionSpace: BoxSpace = boxSpace([1], 0, 10), proprioSize = 1) {
    this.spec = {
      id: 'test/Seven-v0',
      actionSpace,
      imageSpaces: {},
      proprioSpace: boxSpace([proprioSize], -1, 1),
      stateSpace: boxSpace([0], -1, 1),
      controlHz: 10,
      maxEpisodeSteps: 5,
    }
  }

  async reset(): Promise<Pick<StepResult, 'observation' | 'info'>> {
    this.#step = 0
    return { observation: this.#observation(), info: {} }
  }

  async step(action: Float32Array): Promise<StepResult> {
    this.actions.push(action[0]!)
    const truncated = ++this.#step === 5
    const reward = -Math.abs(action[0]! - 7)
    return { observation: this.#observation(), reward, terminated: false, truncated, info: {} }
  }

  #observation(): StepResult['observation'] {
    const { proprioSpace } = this.spec
    return { images: {}, proprio: new Float32Array(proprioSpace.shape[0]!), state: new Float32Array(0) }
  }

  render = async (): Promise<Uint8Array> => new Uint8Array(0)
  close = async (): Promise<void> => {}
}

const quick = { learningStarts: 100, batchSize: 32, gamma: 0.5, config: { hidden: [32], learningRate: 3e-3 } }
let folder = ''

beforeAll(async () => {
  await startEngine({ threads: 1 })
  folder = await mkdtemp(join(tmpdir(), 'armature-agent-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('an agent in an env of one’s own', () => {
  test('learns, acts within the bounds, is saved, and acts the same from its file', async () => {
    const [env, other] = [new SevenEnv(), new SevenEnv()]
    const rows: [number, Metrics][] = []
    const evaluation = { env: other, every: 400, episodes: 2 }
    const onLog = (step: number, metrics: Metrics): number => rows.push([step, metrics])
    const { agent, policy, steps } = await trainAgent({ env, steps: 800, ...quick, logEvery: 400, onLog, evaluation })
    expect([steps, env.actions.length]).toEqual([800, 800])
    expect(Math.min(...env.actions)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...env.actions)).toBeLessThanOrEqual(10)
    // Random play covers the space.
    expect([Math.min(...env.actions.slice(0, 100)) < 1, Math.max(...env.actions.slice(0, 100)) > 9]).toEqual([
      true,
      true,
    ])
    expect(rows.map(([step]) => step)).toEqual([400, 400, 800, 800])
    const result = summarize(await evaluatePolicy(new SevenEnv(), policy, { episodes: 1, firstSeed: 0 }))
    // Random play loses 2.9 a step, 14.5 an episode.
    expect(result['eval/mean_reward']).toBeGreaterThan(-4)

    const file = join(folder, 'agent.safetensors')
    await saveAgent(agent, file)
    const loaded = await loadAgent(file)
    const observation = Float32Array.of(0.3)
    expect(await loaded.act(observation, 1, 'mean')).toEqual(await agent.act(observation, 1, 'mean'))
    expect(loaded.save()).toEqual(agent.save())
    await trainAgent({ env: new SevenEnv(), steps: 120, agent: loaded, learningStarts: 100, batchSize: 32 })
  })

  test('comes out the same from the same seed', async () => {
    const train = async (): Promise<ReturnType<Agent['save']>> =>
      (await trainAgent({ env: new SevenEnv(), steps: 130, ...quick, seed: 5 })).agent.save()
    expect(await train()).toEqual(await train())
  })

  const unbounded = new SevenEnv(boxSpace([1], -Infinity, Infinity))
  test.each<[string, Partial<TrainAgentOptions>, string]>([
    ['actions without bounds', { env: unbounded }, 'expected finite bounds'],
    ['nothing to see', { env: new SevenEnv(undefined, 0) }, 'expected proprioception for the agent to see'],
    ['steps NaN', { steps: NaN }, 'steps: expected a whole number >= 1, got NaN'],
    ['steps 0', { steps: 0 }, 'steps: expected a whole number >= 1, got 0'],
    ['steps 1.5', { steps: 1.5 }, 'got 1.5'],
    ['steps Infinity', { steps: Infinity }, 'got Infinity'],
    ['updateEvery 0', { updateEvery: 0 }, 'every of learner agent: expected a whole number >= 1, got 0'],
    ['updates -1', { updates: -1 }, 'updates of learner agent: expected a whole number >= 0, got -1'],
    ['logEvery 0', { logEvery: 0 }, 'logEvery: expected a whole number >= 1, or Infinity for never, got 0'],
    ['learningStarts -1', { learningStarts: -1 }, 'learningStarts: expected a whole number >= 0, got -1'],
    ['learningStarts NaN', { learningStarts: NaN }, 'learningStarts'],
    ['batchSize 0', { batchSize: 0 }, 'transitions of a batch: expected a whole number >= 1, got 0'],
    ['gamma 1.5', { gamma: 1.5 }, 'gamma: expected a number from 0 to 1, got 1.5'],
    ['gamma NaN', { gamma: NaN }, 'gamma'],
    ['nStep 0', { nStep: 0 }, 'nStep: expected a whole number >= 1, got 0'],
    ['capacity 0', { capacity: 0 }, 'replay capacity: expected a whole number >= 2, got 0'],
    ['capacity NaN', { capacity: NaN }, 'replay capacity'],
    ['seed 1.5', { seed: 1.5 }, 'seed: expected a whole number, got 1.5'],
    ['an unknown agent', { agent: 'sacc' }, 'unknown agent "sacc"; did you mean sac?'],
    ['an unknown setting', { config: { hiden: [3] } }, 'did you mean hidden?'],
    [
      'evaluation every 0',
      { evaluation: { env: new SevenEnv(), every: 0, episodes: 1 } },
      'evalEvery: expected a whole number >= 1, or Infinity for never, got 0',
    ],
    [
      'no episodes',
      { evaluation: { env: new SevenEnv(), every: 10, episodes: 0 } },
      'episodes: expected a whole number >= 1, got 0',
    ],
  ])('is refused in one line: %s', async (_what, options, message) => {
    const env = new SevenEnv()
    await expect(trainAgent({ env, steps: 20, learningStarts: 20, ...options })).rejects.toThrow(message)
    expect(env.actions).toEqual([])
  })

  test('an agent for another env is refused', async () => {
    const agent = makeAgent('random', { observationSize: 2, actionSize: 1 }, new Rng(0))
    await expect(trainAgent({ env: new SevenEnv(), steps: 20, agent })).rejects.toThrow(
      'agent random: expected one of 1 observations and 1 actions, as the env has, got 2 and 1',
    )
  })
})

test('a file without an agent is named', async () => {
  const file = join(folder, 'other.safetensors')
  await writeFile(file, 'no arrays')
  await expect(loadAgent(file)).rejects.toMatchObject({ code: 'corrupt-file' })
  await expect(loadAgent(join(folder, 'absent'))).rejects.toMatchObject({ code: 'not-found' })
})
