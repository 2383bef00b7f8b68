import { describe, expect, test } from 'vitest'
import type { Agent } from '../../src/core/agent.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import type { EnvState, GoalEnv, Observation, StepResult } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import { boxSpace, imageSpace } from '../../src/core/spaces.ts'
import { differenceForm } from '../../src/compose/goal-forms.ts'
import { scaledEncoder } from '../../src/compose/scaled-encoder.ts'
import { evaluatePolicy } from '../../src/evaluate/policy.ts'
import { embedEpisodes, encoderEmbedder } from '../../src/evaluate/report/embed.ts'
import { DatasetBatches } from '../../src/run/dataset-batches.ts'
import { EpisodeStore } from '../../src/replay/episode-store.ts'
import { agentPolicy } from '../../src/run/policies.ts'
import { encoderRepresentation, wholeStateRepresentation } from '../../src/run/representation.ts'
import { makeEnv } from '../../envs/index.ts'
import { Lane } from '../../src/run/lane.ts'
import { Trainer } from '../../src/run/trainer.ts'
import { marked, markEncoder } from '../contracts/fake-encoders.ts'
import { FAKE_SPEC, fakeEpisode, FakeDataset } from '../replay/fake-dataset.ts'

const EPISODE_LENGTH = 5
const WINDOW = { window: { frames: 3, stride: 2 } }
const CONTEXT = { takesContext: true }

/** Its frames are marked 10 * seed + step; its goals 99. The array that holds the frame is written to again, as an env may. */
class MarkedEnv implements GoalEnv {
  readonly spec = {
    id: 'test/Marked-v0',
    actionSpace: boxSpace([1], -1, 1),
    imageSpaces: { top: imageSpace(1, 1) },
    proprioSpace: boxSpace([0], -1, 1),
    stateSpace: boxSpace([1], -1, 1),
    controlHz: 10,
    maxEpisodeSteps: EPISODE_LENGTH,
  }
  readonly goalSpace = boxSpace([1], -1, 1)
  readonly goal = Float32Array.of(0)
  readonly #frame = new Uint8Array(3)
  #seed = 0
  #step = 0

  async reset({ seed = 0 }: { seed?: number } = {}): Promise<{ observation: Observation; info: {} }> {
    this.#seed = seed
    this.#step = 0
    return { observation: this.#observation(), info: {} }
  }

  async step(): Promise<StepResult> {
    this.#step++
    const truncated = this.#step === EPISODE_LENGTH
    return { observation: this.#observation(), reward: 0, terminated: false, truncated, info: {} }
  }

  #observation(): Observation {
    this.#frame[0] = 10 * this.#seed + this.#step
    return { images: { top: this.#frame }, proprio: new Float32Array(0), state: new Float32Array(1) }
  }

  async renderGoal(): Promise<Record<string, Uint8Array>> {
    return { top: marked(99) }
  }

  sampleGoal = (): Float32Array => this.goal
  achievedGoal = (state: Float32Array): Float32Array => state
  goalDistances = (): Record<string, number> => ({ distance: 0 })
  setGoal = (): void => {}
  saveState = async (): Promise<EnvState> => ({
    id: this.spec.id,
    json: JSON.stringify([this.#seed, this.#step]),
    snapshot: new Uint8Array(0),
  })
  restoreState = async ({ json }: EnvState): Promise<void> => {
    ;[this.#seed, this.#step] = JSON.parse(json) as [number, number]
  }
  render = async (): Promise<Uint8Array> => new Uint8Array(3)
  close = async (): Promise<void> => {}
}

/** What an agent is shown in two episodes of evaluation, features apart from the way to the goal. */
async function shown(encoder: Encoder): Promise<{ features: number[][]; goals: number[][] }> {
  const { latentSize } = encoder.spec
  const inputs: number[][] = []
  const act = async (input: Float32Array): Promise<Float32Array> => {
    inputs.push([...input])
    return new Float32Array(1)
  }
  const agent = { spec: { name: 'recording' }, act } as unknown as Agent
  const env = new MarkedEnv()
  const policy = agentPolicy({
    env,
    representation: encoderRepresentation(encoder, 'top'),
    agent,
    form: differenceForm,
  })
  await evaluatePolicy(env, policy, { episodes: 2, firstSeed: 1 })
  const features = inputs.map((input) => input.slice(0, latentSize))
  const goals = inputs.map((input, i) => input.slice(latentSize).map((way, k) => way + features[i]![k]!))
  return { features, goals }
}

describe('what an encoder asks for is what a policy shows it', () => {
  test('single frames', async () => {
    const { features, goals } = await shown(markEncoder({}))
    expect(features).toEqual([10, 11, 12, 13, 14, 20, 21, 22, 23, 24].map((mark) => [mark]))
    expect(new Set(goals.flat())).toEqual(new Set([99]))
  })

  test('windows, which end at the start of each episode', async () => {
    const { features, goals } = await shown(markEncoder(WINDOW))
    expect(features.slice(0, 6)).toEqual([
      [10, 10, 10],
      [10, 10, 11],
      [10, 10, 12],
      [10, 11, 13],
      [10, 12, 14],
      [20, 20, 20],
    ])
    expect(goals[4]).toEqual([99, 99, 99])
  })

  test('the first frame of the episode, also beside a goal that was given before it', async () => {
    const { features, goals } = await shown(markEncoder(CONTEXT))
    expect([features[3], features[8]]).toEqual([
      [13, 10],
      [23, 20],
    ])
    expect([goals[3], goals[8]]).toEqual([
      [99, 10],
      [99, 20],
    ])
  })

  test('goals through a tower of their own', async () => {
    const { features, goals } = await shown(markEncoder({ goalTower: true }))
    expect([features[1], goals[1]]).toEqual([[11], [1099]])
  })

  test('all of that in another unit too', async () => {
    const encoder = scaledEncoder(markEncoder({ ...WINDOW, ...CONTEXT, goalTower: true }), 2)
    const { features, goals } = await shown(encoder)
    expect(features[4]).toEqual([20, 24, 28, 20])
    expect(goals[4]).toEqual([2198, 2198, 2198, 2020])
  })
})

test('an episode that is gone on with from what was saved sees what it would have seen', async () => {
  const representation = encoderRepresentation(markEncoder({ ...WINDOW, ...CONTEXT }), 'top')
  const at = (mark: number): Observation =>
    ({ images: { top: marked(mark) }, proprio: new Float32Array(0), state: new Float32Array(0) }) as Observation
  const straight = representation.begin()
  for (const mark of [1, 2, 3, 4, 5, 6]) await straight.observe(at(mark))
  const resumed = representation.begin()
  resumed.restore(structuredClone(straight.save()))
  expect([...(await resumed.observe(at(7)))]).toEqual([3, 5, 7, 1])
  expect(await resumed.observe(at(8))).toEqual((await straight.observe(at(7)), await straight.observe(at(8))))
  const other = representation.begin()
  expect([...(await other.observe(at(50)))]).toEqual([50, 50, 50, 50])
  expect(encoderRepresentation(markEncoder({}), 'top').begin().save()).toEqual({})
})

describe('what an encoder asks for is what offline measures show it', () => {
  const spec = { ...FAKE_SPEC, cameras: { scene: imageSpace(1, 1) } }
  const episode = (index: number) => {
    const data = fakeEpisode(index, 6, spec)
    for (let time = 0; time < 6; time++) data.images.scene![3 * time] = 10 * (index + 1) + time
    return { ...data, goalImages: { scene: marked(99) }, info: { ...data.info, success: true } }
  }
  const dataset = {
    path: '/nowhere',
    spec,
    problems: [],
    episodes: [0, 1].map((index) => episode(index).info),
    readEpisode: async (index: number) => episode(index),
  }

  test.each([
    ['windows', WINDOW, [20, 21, 23], [99, 99, 99]],
    ['context', CONTEXT, [23, 20], [99, 20]],
    ['a tower for goals', { goalTower: true }, [23], [1099]],
  ] as const)('%s', async (_what, parts, atThree, goal) => {
    const embedder = encoderEmbedder('marks', markEncoder(parts), 'scene', dataset)
    const embedded = await embedEpisodes(dataset, [0, 1], [embedder], undefined, () => {})
    const { embeddings, goals } = embedded.get('marks')!.episodes[1]!
    const size = atThree.length
    expect([...embeddings.subarray(3 * size, 4 * size)]).toEqual(atThree)
    expect([...goals!]).toEqual(goal)
  })
})

test('the prior and the health of an encoder are measured on its own inputs', async () => {
  const dataset = new FakeDataset([6, 6, 6])
  const split = { training: [0, 1], validation: [2] }
  const options = { kind: 'frames', camera: 'scene', batchSize: 2, memoryBytes: 1e6, split } as const
  const batches = await DatasetBatches.open(dataset, options, new Rng(1))
  const { frameShape, ...parts } = { frameShape: [4, 5, 3] as const, window: { frames: 2, stride: 2 } }
  const spec = { name: 'mine', frameShape, ...parts, takesContext: true }
  const { count, frames, context } = batches.inputs(spec, 'validation', 100)
  const timesOf = (all: Uint8Array): number[] => Array.from({ length: all.length / 60 }, (_, i) => all[i * 60 + 2]!)
  expect(count).toBe(6)
  expect(timesOf(frames)).toEqual([0, 0, 0, 1, 0, 2, 1, 3, 2, 4, 3, 5])
  expect(timesOf(context!)).toEqual([0, 0, 0, 0, 0, 0])
  expect(batches.inputs(spec, 'training', 100, true).count).toBe(2)
})

test('a training loop without goals asks for none, whatever towers its encoder has', async () => {
  const hooks = { log: () => {} }
  const agent = { spec: { name: 'none', observationSize: 1, actionSize: 1 } } as unknown as Agent
  const representation = encoderRepresentation(markEncoder({ goalTower: true }), 'top', 'a camera that is not there')
  const store = new EpisodeStore({ capacity: 40, featureSize: 1, actionSize: 1, frameSize: 0 })
  const schedule = { steps: 3, learningStarts: 100, logEvery: 100, evalEvery: 100, checkpointEvery: 100 }
  const trainer = new Trainer(
    { env: new MarkedEnv(), representation, agent, store, learners: [] },
    schedule,
    new Rng(5),
  )
  await trainer.run(hooks)
  expect(store.transitions).toBe(3)
})

test('a training loop that is stopped within an episode shows its encoder what it would have seen', async () => {
  const schedule = { steps: 13, learningStarts: 100, logEvery: 100, evalEvery: 100, checkpointEvery: 100 }
  const hooks = { log: () => {}, evaluate: async () => ({}), checkpoint: async () => {} }
  const agent = { spec: { name: 'none', observationSize: 4, actionSize: 1 } } as unknown as Agent
  const create = (steps: number): { store: EpisodeStore; trainer: Trainer } => {
    const env = new MarkedEnv()
    const representation = encoderRepresentation(markEncoder({ ...WINDOW, ...CONTEXT }), 'top')
    const store = new EpisodeStore({ capacity: 40, featureSize: 4, actionSize: 1, frameSize: 0 })
    const parts = { env, representation, agent, store, learners: [] }
    return { store, trainer: new Trainer(parts, { ...schedule, steps }, new Rng(5)) }
  }
  const [straight, first, second] = [create(13), create(8), create(13)]
  await straight.trainer.run(hooks)
  await first.trainer.run(hooks)
  await second.trainer.restore(structuredClone(await first.trainer.save()))
  await second.trainer.run(hooks)
  const features = straight.store.save()
  expect(second.store.save()).toEqual(features)
  const [oldest, , newest, start] = straight.store.featuresAt(straight.store.end - 1)
  expect([newest! - oldest!, newest! - start!]).toEqual([3, 3])
})

describe('the whole privileged state', () => {
  const storeOf = (featureSize: number): EpisodeStore =>
    new EpisodeStore({ capacity: 50, featureSize, actionSize: 2, frameSize: 0 })

  test('shows what the env asks for in each of its episodes, also after a restore within one', async () => {
    const lane = async (): Promise<{ lane: Lane; env: GoalEnv }> => {
      const env = (await makeEnv('armature/Reacher-v0')) as GoalEnv
      const representation = wholeStateRepresentation(env)
      return { lane: new Lane({ env, store: storeOf(representation.size), representation }, new Rng(1)), env }
    }
    const first = await lane()
    const { vector } = await first.lane.view()
    expect(vector).toHaveLength(9)
    expect(vector.slice(7)).toEqual(first.env.goal)
    await first.lane.step(Float32Array.of(0.3, -1))
    const { replay, episode, json } = await first.lane.save()
    const second = await lane()
    await second.lane.restore(replay, episode, json)
    await first.lane.step(Float32Array.of(1, 0))
    await second.lane.step(Float32Array.of(1, 0))
    expect((await second.lane.view()).vector).toEqual((await first.lane.view()).vector)
    expect((await second.lane.view()).vector.slice(7)).toEqual(first.env.goal)
    await Promise.all([first.env.close(), second.env.close()])
  })

  test('is what a policy is shown, with the goal of the episode', async () => {
    const env = (await makeEnv('armature/Reacher-v0', { maxEpisodeSteps: 2 })) as GoalEnv
    const seen: Float32Array[] = []
    const act = async (input: Float32Array): Promise<Float32Array> => {
      seen.push(Float32Array.from(input.slice(7)), Float32Array.from(env.goal))
      return new Float32Array(2)
    }
    const agent = { spec: { name: 'recording' }, act } as unknown as Agent
    const policy = agentPolicy({ env, representation: wholeStateRepresentation(env), agent })
    await evaluatePolicy(env, policy, { episodes: 2, firstSeed: 1 })
    expect(seen[0]).toEqual(seen[1])
    expect(seen.at(-2)).toEqual(seen.at(-1))
    expect(seen[0]).not.toEqual(seen.at(-1))
    expect(() => wholeStateRepresentation(env).begin()).toThrow('what the env asks for, 2 numbers')
    await env.close()
  })
})
