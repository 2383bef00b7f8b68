import { describe, expect, test } from 'vitest'
import type { ActMode, Agent, TransitionBatch } from '../../src/core/agent.ts'
import type { Env, EnvState, SimulatedEnv, StepResult } from '../../src/core/env.ts'
import type { GoalReward, GoalSource } from '../../src/core/goals.ts'
import type { Learner } from '../../src/core/learner.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { boxSpace } from '../../src/core/spaces.ts'
import { EpisodeStore } from '../../src/replay/episode-store.ts'
import { differenceForm } from '../../src/compose/goal-forms.ts'
import { latentDistanceReward } from '../../src/compose/goal-rewards.ts'
import { agentLearner } from '../../src/run/learners.ts'
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

/** A {@link CountingEnv} as a robot is: it cannot be brought back to where it was. */
function robotLike(env: CountingEnv): Env {
  return {
    spec: env.spec,
    reset: (options) => env.reset(options),
    step: (action) => env.step(action),
    render: () => env.render(),
    close: () => env.close(),
  }
}

/** Acts by a counter that is part of its state; remembers the batches that it was given. */
class CountingAgent implements Agent {
  readonly spec = { name: 'counting', observationSize: 2, actionSize: 1 }
  modes: ActMode[] = []
  counts: number[] = []
  batches: TransitionBatch[] = []
  #counter = 0

  async act(observations: Float32Array, count: number, mode: ActMode): Promise<Float32Array> {
    this.modes.push(mode)
    this.counts.push(count)
    const size = observations.length / count
    const counter = this.#counter++
    return Float32Array.from({ length: count }, (_, row) => Math.sin(counter + observations[row * size + 1]!))
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
  logEvery: 20,
  evalEvery: 25,
  checkpointEvery: 30,
}

const paid = { reward: latentDistanceReward(1), form: differenceForm }

function createTrainer(
  overrides: Partial<TrainerSchedule> = {},
  withGoals = true,
): { env: CountingEnv; agent: CountingAgent; store: EpisodeStore; trainer: Trainer } {
  const env = new CountingEnv()
  const agent = new CountingAgent()
  const store = new EpisodeStore({ capacity: 40, featureSize: 2, actionSize: 1, frameSize: 0 })
  const sampling = { mix: { kept: 0.25, source: 0.25, future: 0.5 }, source: normalGoals, ...paid }
  const goals = withGoals ? { goals: sampling } : {}
  const turns = { startsAt: schedule.learningStarts, every: 2, updates: 3, batchSize: 8 }
  const learner = agentLearner(agent, [store], { ...turns, sampling: { gamma: 0.9, nStep: 2 }, ...goals }, new Rng(6))
  const parts = { env, representation: proprioRepresentation(env), agent, store, learners: [learner], ...goals }
  const trainer = new Trainer(parts, { ...schedule, ...overrides }, new Rng(5))
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

describe('several envs', () => {
  const COUNT = 3
  function createLanes(overrides: Partial<TrainerSchedule> = {}): {
    readonly envs: readonly CountingEnv[]
    readonly stores: readonly EpisodeStore[]
    readonly agent: CountingAgent
    readonly trainer: Trainer
  } {
    const envs = Array.from({ length: COUNT }, () => new CountingEnv())
    const stores = envs.map(() => new EpisodeStore({ capacity: 20, featureSize: 2, actionSize: 1, frameSize: 0 }))
    const agent = new CountingAgent()
    const sampling = { mix: { kept: 0.25, source: 0.25, future: 0.5 }, source: normalGoals, ...paid }
    const turns = { startsAt: schedule.learningStarts, every: 2, updates: 3, batchSize: 8 }
    const learner = agentLearner(
      agent,
      stores,
      { ...turns, sampling: { gamma: 0.9, nStep: 2 }, goals: sampling },
      new Rng(6),
    )
    const [first, ...beside] = envs.map((env, i) => ({ env, store: stores[i]! }))
    const representation = proprioRepresentation(envs[0]!)
    const parts = { ...first!, beside, representation, agent, learners: [learner], goals: sampling }
    const trainer = new Trainer(parts, { ...schedule, ...overrides }, new Rng(5))
    return { envs, stores, agent, trainer }
  }

  test('share the steps and play episodes of their own; the agent acts in all at once, and learns as often as in one', async () => {
    const { envs, stores, agent, trainer } = createLanes()
    const hooks = recordingHooks()
    const lengths: number[] = []
    await trainer.run({ ...hooks, episode: ({ length }) => void lengths.push(length) })
    expect(trainer.step).toBe(60)
    expect(envs.map(({ actions }) => actions.length)).toEqual([20, 20, 20])
    // Random play up to step 12, the first that is a multiple of 3 after learningStarts.
    expect(agent.counts).toEqual(Array.from({ length: 16 }, () => COUNT))
    expect(agent.batches.length).toBe(3 * 26)
    expect(new Set(stores.map((store) => store.featuresAt(store.oldest)[0])).size).toBe(COUNT)
    expect(new Set(envs.map(({ actions }) => actions[0])).size).toBe(COUNT)
    expect(lengths).toEqual([7, 7, 7, 7, 7, 7])
    expect(hooks.rows.map(([step]) => step)).toEqual([21, 27, 42, 51, 60, 60])
    // Every env is learned from.
    const seeds = new Set(agent.batches.flatMap(({ observation }) => [...observation].filter((_, i) => i % 4 === 0)))
    expect(seeds.size).toBeGreaterThanOrEqual(6)
  })

  test.each([3, 12, 30, 45])(
    'stopping after step %i and going on from the saved state changes nothing',
    async (stop) => {
      const straight = createLanes()
      const straightHooks = recordingHooks()
      await straight.trainer.run(straightHooks)
      const first = createLanes({ steps: stop, evalEvery: 1000, checkpointEvery: 1000 })
      await first.trainer.run({ ...recordingHooks(), evaluate: async () => ({}), checkpoint: async () => {} })
      const saved = await first.trainer.save()
      const second = createLanes()
      const json = JSON.parse(JSON.stringify(saved.json)) as typeof saved.json
      await second.trainer.restore({ arrays: saved.arrays, json })
      second.agent.restore(first.agent.save())
      const secondHooks = recordingHooks()
      await second.trainer.run(secondHooks)
      expect([...first.agent.batches, ...second.agent.batches]).toEqual(straight.agent.batches)
      expect(second.stores.map((store) => store.save())).toEqual(straight.stores.map((store) => store.save()))
      expect(secondHooks.rows).toEqual(straightHooks.rows.filter(([step]) => step > stop))
    },
  )

  test('need steps that they can share evenly, and a state that can be saved', () => {
    expect(() => createLanes({ steps: 61 })).toThrow(/multiple of training.envs=3.*--steps 63/)
    const env = new CountingEnv()
    const robot = robotLike(env)
    const store = new EpisodeStore({ capacity: 20, featureSize: 2, actionSize: 1, frameSize: 0 })
    const representation = proprioRepresentation(env)
    const parts = { env, store, representation, agent: new CountingAgent(), learners: [] }
    expect(() => new Trainer({ ...parts, beside: [{ env: robot, store }] }, schedule, new Rng(5))).toThrow(
      'envs whose state can be saved',
    )
  })
})

describe('an env that cannot be saved', () => {
  function createRobotTrainer(overrides: Partial<TrainerSchedule> = {}): ReturnType<typeof createTrainer> {
    const made = createTrainer()
    const { env } = made
    const robot = robotLike(env)
    const representation = proprioRepresentation(robot)
    const parts = { env: robot, representation, agent: made.agent, store: made.store, learners: [] }
    return { ...made, trainer: new Trainer(parts, { ...schedule, ...overrides }, new Rng(5)) }
  }

  test('is evaluated and saved between two episodes', async () => {
    const { trainer } = createRobotTrainer()
    const hooks = recordingHooks()
    await trainer.run(hooks)
    // Asked for at 25, 50 and 30, 60; an episode lasts 7 steps, and the last one is cut.
    expect(hooks.evaluations).toEqual([28, 56, 60])
    expect(hooks.checkpoints).toEqual([35, 60])
  })

  test('refuses to be saved within an episode, and leaves it when it is stopped', async () => {
    const { trainer } = createRobotTrainer()
    const abort = new AbortController()
    const saved: unknown[] = []
    const hooks = {
      ...recordingHooks(),
      progress: (step: number) => {
        if (step === 10) saved.push(trainer.save().catch((error: unknown) => error))
        if (step === 11) abort.abort()
      },
    }
    expect(await trainer.run(hooks, abort.signal)).toBe(false)
    expect(await saved[0]).toMatchObject({ code: 'unsupported-op' })
    expect((await trainer.save()).json.lanes[0]!.env).toBeNull()
  })
})

describe('learners', () => {
  const learnerOf = (parts: Partial<Learner>): Learner => ({
    name: 'other',
    startsAt: 0,
    every: 10,
    updates: 2,
    rngs: [new Rng(1)],
    step: async () => ({}),
    ...parts,
  })
  const trainerWith = (learners: readonly Learner[], store = filledStoreOf()): Trainer => {
    const env = new CountingEnv()
    const representation = proprioRepresentation(env)
    return new Trainer({ env, representation, agent: new CountingAgent(), store, learners }, schedule, new Rng(5))
  }
  const filledStoreOf = (): EpisodeStore =>
    new EpisodeStore({ capacity: 100, featureSize: 2, actionSize: 1, frameSize: 0 })

  test('have their turns in order, from their start on', async () => {
    const turns: string[] = []
    const note = (name: string) => async (): Promise<{}> => (turns.push(name), {})
    const first = learnerOf({ name: 'a', startsAt: 25, every: 10, step: note('a') })
    const second = learnerOf({ name: 'b', startsAt: 40, every: 20, updates: 1, step: note('b') })
    const after = async (): Promise<void> => void turns.push('after b')
    await trainerWith([first, { ...second, after }]).run({ log: () => {} })
    expect(turns).toEqual(['a', 'a', 'a', 'a', 'b', 'after b', 'a', 'a', 'a', 'a', 'b', 'after b'])
  })

  test('that wrote the features of the replay anew are seen by the agent at once', async () => {
    const store = filledStoreOf()
    const after = async (): Promise<void> => {
      store.featuresAt(store.end - 1).fill(77)
    }
    const agent = new CountingAgent()
    const seen: number[][] = []
    const act = agent.act.bind(agent)
    agent.act = async (observations, count, mode) => (seen.push([...observations]), act(observations, count, mode))
    const env = new CountingEnv()
    const parts = { env, representation: proprioRepresentation(env), agent, store, learners: [learnerOf({ after })] }
    await new Trainer(parts, { ...schedule, steps: 21 }, new Rng(5)).run({ log: () => {} })
    // Step 21 is taken from the observation of step 20.
    expect(seen.at(-1)).toEqual([77, 77])
  })

  test.each<[string, Partial<Learner>, string]>([
    ['every 0', { every: 0 }, 'every of learner other: expected a whole number >= 1, got 0'],
    ['every NaN', { every: NaN }, 'got NaN'],
    ['updates -1', { updates: -1 }, 'updates of learner other: expected a whole number >= 0, got -1'],
    ['startsAt 0.5', { startsAt: 0.5 }, 'startsAt of learner other: expected a whole number >= 0, got 0.5'],
  ])('with %s are refused', (_what, parts, message) => {
    expect(() => trainerWith([learnerOf(parts)])).toThrow(message)
  })

  test('have names of their own', () => {
    expect(() => trainerWith([learnerOf({}), learnerOf({})])).toThrow('a name of its own for each, got other, other')
  })
})

test.each<[string, number]>([
  ['steps', 0],
  ['steps', NaN],
  ['steps', 2.5],
  ['steps', Infinity],
  ['learningStarts', -1],
  ['learningStarts', NaN],
  ['logEvery', 0],
  ['logEvery', NaN],
  ['evalEvery', -5],
  ['evalEvery', 0],
  ['checkpointEvery', 0],
  ['checkpointEvery', 1.5],
])('a schedule with %s %d is refused in one line', (name, value) => {
  expect(() => createTrainer({ [name]: value })).toThrow(
    new RegExp(`^${name}: expected a whole number [^;]*, got ${value}$`),
  )
})

test('a goal is drawn for the start of its episode, and a reward is told the time within it', async () => {
  const starts: number[][] = []
  const source: GoalSource = {
    name: 'spy',
    sample: (_rng, start) => {
      starts.push([...start!.features])
      return { features: new Float32Array(2) }
    },
  }
  const reward: GoalReward = {
    name: 'time',
    needsFrames: false,
    compute: ({ times }, rewards) => rewards.set(times),
  }
  const env = new CountingEnv()
  const agent = new CountingAgent()
  const store = new EpisodeStore({ capacity: 100, featureSize: 2, actionSize: 1, frameSize: 0 })
  const goals = { mix: { kept: 0, source: 1, future: 0 }, source, reward, form: differenceForm }
  const turns = { startsAt: 20, every: 20, updates: 1, batchSize: 50, sampling: { gamma: 1, nStep: 1 }, goals }
  const learners = [agentLearner(agent, [store], turns, new Rng(6))]
  const parts = { env, representation: proprioRepresentation(env), agent, store, learners, goals }
  await new Trainer(parts, { ...schedule, steps: 21 }, new Rng(5)).run({ log: () => {} })
  // Collected: 1 to 7 in each episode.
  const collected = Array.from({ length: 14 }, (_, i) => store.rewardAt(i + Math.floor(i / 7)))
  expect(collected).toEqual([1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7])
  const batch = agent.batches[0]!
  for (let row = 0; row < batch.size; row++) {
    const [seed, step] = batch.observation.subarray(4 * row, 4 * row + 2)
    expect(batch.reward[row]).toBe(step! + 1)
    // After those of the three episodes: one draw for each row, at the start of the row's episode.
    expect(starts[3 + row]).toEqual([seed, 0])
  }
})
