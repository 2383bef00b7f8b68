import { describe, expect, test } from 'vitest'
import type { ActMode, Agent, TransitionBatch } from '../../src/core/agent.ts'
import type { EnvState, SimulatedEnv, StepResult } from '../../src/core/env.ts'
import type { GoalSource } from '../../src/core/goals.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { boxSpace } from '../../src/core/spaces.ts'
import { EpisodeStore } from '../../src/replay/episode-store.ts'
import { latentDistanceReward } from '../../src/replay/rewards.ts'

import { proprioRepresentation } from '../../src/run/representation.ts'
import type { TrainerHooks, TrainerSchedule } from '../../src/run/trainer.ts'
import { Trainer } from '../../src/run/trainer.ts'

const EPISODE_LENGTH = 7

/** Counts steps; its proprioception is [episode seed, step]. */
class CountingEnv implements SimulatedEnv {
  readonly spec = {
    id: 'test/Counting-v0',
    actionSpace: boxSpace([1], -1, 1),
    imageSpaces: {},
    proprioSpace: boxSpace([2], -Infinity, Infinity),
    stateSpace: boxSpace([2], -Infinity, Infinity),
    controlHz: 10,
    maxEpisodeSteps: EPISODE_LENGTH,
  }
  actions: number[] = []
  #seed = 0
  #step = 0

  async reset({ seed = 0 }: { seed?: number } = {}): Promise<{ observation: StepResult['observation']; info: {} }> {
    this.#seed = seed % 1000
    this.#step = 0
    return { observation: this.#observation(), info: {} }
  }

  async step(action: Float32Array): Promise<StepResult> {
    this.actions.push(action[0]!)
    this.#step++
    const truncated = this.#step === EPISODE_LENGTH
    return { observation: this.#observation(), reward: action[0]!, terminated: false, truncated, info: {} }
  }

  #observation(): StepResult['observation'] {
    const proprio = Float32Array.of(this.#seed, this.#step)
    return { images: {}, proprio, state: proprio.slice() }
  }

  async saveState(): Promise<EnvState> {
    return { id: this.spec.id, json: JSON.stringify([this.#seed, this.#step]), snapshot: new Uint8Array(0) }
  }

  async restoreState({ json }: EnvState): Promise<void> {
    ;[this.#seed, this.#step] = JSON.parse(json) as [number, number]
  }

  async render(): Promise<Uint8Array> {
    return new Uint8Array(0)
  }

  async close(): Promise<void> {}
}

/** Acts by a counter that is part of its state; remembers the batches that it was given. */
class CountingAgent implements Agent {
  readonly spec = { name: 'counting', observationSize: 2, actionSize: 1 }
  modes: ActMode[] = []
  batches: TransitionBatch[] = []
  #counter = 0

  async act(_observations: Float32Array, _count: number, mode: ActMode): Promise<Float32Array> {
    this.modes.push(mode)
    return Float32Array.of(Math.sin(this.#counter++))
  }

  async update(batch: TransitionBatch): Promise<{ 'train/mean_reward': number }> {
    this.batches.push(batch)
    this.#counter += 0.5
    return { 'train/mean_reward': batch.reward.reduce((sum, r) => sum + r, 0) / batch.size }
  }

  save(): Record<string, ReturnType<typeof ndarray>> {
    return { counter: ndarray(Float64Array.of(this.#counter), [1]) }
  }

  restore(arrays: Record<string, { readonly data: ArrayLike<number> }>): void {
    this.#counter = arrays.counter!.data[0]!
  }

  dispose(): void {}
}

const normalGoals: GoalSource = {
  name: 'prior',
  sample: (rng) => ({ features: rng.fillNormal(new Float32Array(2)) }),
}

const schedule: TrainerSchedule = {
  steps: 60,
  learningStarts: 10,
  batchSize: 8,
  updateEvery: 2,
  updates: 3,
  logEvery: 20,
  evalEvery: 25,
  checkpointEvery: 30,
}

function createTrainer(
  overrides: Partial<TrainerSchedule> = {},
  withGoals = true,
): { env: CountingEnv; agent: CountingAgent; store: EpisodeStore; trainer: Trainer } {
  const env = new CountingEnv()
  const agent = new CountingAgent()
  const store = new EpisodeStore({ capacity: 40, featureSize: 2, actionSize: 1, frameSize: 0 })
  const source = normalGoals
  const goals = {
    exploration: source,
    sampling: { mix: { kept: 0.25, prior: 0.25, future: 0.5 }, source, reward: latentDistanceReward(1) },
  }
  const parts = { env, representation: proprioRepresentation(env), agent, store, sampling: { gamma: 0.9, nStep: 2 } }
  const trainer = new Trainer(withGoals ? { ...parts, goals } : parts, { ...schedule, ...overrides }, new Rng(5))
  return { env, agent, store, trainer }
}

interface Recorded extends TrainerHooks {
  readonly rows: [number, Record<string, number>][]
  readonly evaluations: number[]
  readonly checkpoints: number[]
}

function recordingHooks(): Recorded {
  const rows: Recorded['rows'] = []
  const evaluations: number[] = []
  const checkpoints: number[] = []
  return {
    rows,
    evaluations,
    checkpoints,
    log: (step, metrics) => rows.push([step, metrics]),
    evaluate: async (step) => {
      evaluations.push(step)
      return { 'eval/x': step }
    },
    checkpoint: async (step) => {
      checkpoints.push(step)
    },
  }
}

describe('the trainer', () => {
  test('plays at random first, then explores; updates, logs, evaluates and saves when it should', async () => {
    const { env, agent, trainer } = createTrainer()
    const hooks = recordingHooks()
    expect(await trainer.run(hooks)).toBe(true)
    expect(env.actions.length).toBe(60)
    expect(agent.modes).toEqual(Array.from({ length: 50 }, () => 'sample'))
    expect(agent.batches.length).toBe(3 * 26)
    expect(agent.batches.every((batch) => batch.size === 8 && batch.observation.length === 8 * 4)).toBe(true)
    expect(hooks.evaluations).toEqual([25, 50, 60])
    expect(hooks.checkpoints).toEqual([30, 60])
    expect(hooks.rows.map(([step]) => step)).toEqual([20, 25, 40, 50, 60, 60])
    expect(hooks.rows[0]![1]).toMatchObject({ 'rollout/ep_len_mean': EPISODE_LENGTH })
  })

  test('without goals the env pays, and batches are plain observations', async () => {
    const { agent, store, trainer } = createTrainer({}, false)
    await trainer.run(recordingHooks())
    expect(agent.batches[0]!.observation.length).toBe(8 * 2)
    const position = store.oldest
    expect(store.rewardAt(position)).toBe(store.actionAt(position)[0])
  })

  test.each([1, 9, 13, 30, 44])(
    'stopping after step %i and going on from the saved state changes nothing',
    async (stop) => {
      const straight = createTrainer()
      const straightHooks = recordingHooks()
      await straight.trainer.run(straightHooks)

      const first = createTrainer({ steps: stop, evalEvery: 1000, checkpointEvery: 1000 })
      const firstHooks = recordingHooks()
      await first.trainer.run({ ...firstHooks, evaluate: async () => ({}), checkpoint: async () => {} })
      const saved = await first.trainer.save()
      const second = createTrainer()
      // Through text, as a checkpoint stores it.
      await second.trainer.restore({
        arrays: saved.arrays,
        json: JSON.parse(JSON.stringify(saved.json)) as typeof saved.json,
      })
      second.agent.restore(first.agent.save())
      const secondHooks = recordingHooks()
      await second.trainer.run(secondHooks)

      expect([...first.env.actions, ...second.env.actions]).toEqual(straight.env.actions)
      expect([...first.agent.batches, ...second.agent.batches]).toEqual(straight.agent.batches)
      expect(second.store.save()).toEqual(straight.store.save())
      expect(secondHooks.rows).toEqual(straightHooks.rows.filter(([step]) => step > stop))
    },
  )

  test('an abort stops between two steps', async () => {
    const { env, trainer } = createTrainer()
    const abort = new AbortController()
    const hooks = { ...recordingHooks(), progress: (step: number) => step === 17 && abort.abort() }
    expect(await trainer.run({ ...hooks, progress: (step) => void hooks.progress(step) }, abort.signal)).toBe(false)
    expect([trainer.step, env.actions.length]).toEqual([17, 17])
  })
})
