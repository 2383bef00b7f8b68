import { describe, expect, test } from 'vitest'
import { resolveConfig } from '../../src/compose/config.ts'
import { differenceForm, goalForm } from '../../src/compose/goal-forms.ts'
import { cosineReward, goalRewards, latentDistanceReward, pixelMseReward } from '../../src/compose/goal-rewards.ts'
import { huberReward } from '../../src/compose/tracking-reward.ts'
import { goalSources, priorGoals } from '../../src/compose/goal-sources.ts'
import type { Parts } from '../../src/compose/parts.ts'
import { buildParts } from '../../src/compose/parts.ts'
import { buildTrainer } from '../../src/compose/trainer.ts'
import { encodeGoal } from '../../src/core/encoder.ts'
import type { GoalReward } from '../../src/core/goals.ts'
import { agentInput } from '../../src/core/goals.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { tf } from '../../src/tensor/tf.ts'
import { markEncoder } from '../contracts/fake-encoders.ts'

describe('the form in which a goal is put before an agent', () => {
  const [features, goal] = [Float32Array.of(2, 3), Float32Array.of(5, 1)]

  test.each([
    [differenceForm, [2, 3, 3, -2]],
    [goalForm, [2, 3, 5, 1]],
  ])('$name', (form, expected) => {
    expect([...agentInput(features, goal, form)]).toEqual(expected)
    const exported = form.graph(tf.tensor2d(features, [1, 2]), tf.tensor2d(goal, [1, 2]))
    expect([...exported.dataSync()]).toEqual(expected.slice(2))
  })

  test('no goal, nothing beside the features', () => {
    expect(agentInput(features, undefined, differenceForm)).toBe(features)
  })
})

describe('goals in a configuration', () => {
  const config = (...set: string[]): object => resolveConfig('rig-push', { set }).goals!

  test('have a source, a form and a reward with settings of their own', () => {
    expect(config('goals.source.name=env', 'goals.source.config.bankSize=7', 'goals.form.name=goal')).toMatchObject({
      source: { name: 'env', config: { bankSize: 7 } },
      form: { name: 'goal', config: {} },
      reward: { name: 'latent-distance', config: { scale: 1 } },
      relabel: { kept: 0.2, source: 0.5, future: 0.3 },
    })
  })

  test.each([
    ['goals.source.name=priors', 'unknown source of goals "priors"; did you mean prior?'],
    ['goals.form.name=diference', 'unknown form of goals "diference"; did you mean difference?'],
    ['goals.reward.name=pixel-mes', 'unknown reward "pixel-mes"; did you mean pixel-mse?'],
    ['goals.reward.config.scales=2', 'unknown key goals.reward.config.scales; did you mean goals.reward.config.scale?'],
    ['goals.reward.config.scale=-1', 'goals.reward.config.scale: expected number to be >0, got -1'],
    ['goals.exploration=env', 'unknown key goals.exploration'],
  ])('%s: the nearest name', (assignment, message) => {
    expect(() => config(assignment)).toThrow(message)
  })
})

describe('goals imagined by an encoder', () => {
  test('belong to the episode that they are for', () => {
    const encoder = { ...markEncoder({}), imagine: (_rng: Rng, start?: Float32Array) => start!.map((x) => x + 1) }
    const { features } = priorGoals(encoder).sample(new Rng(0), { features: Float32Array.of(41) })
    expect([...features]).toEqual([42])
  })

  test('are refused for an encoder that imagines none', () => {
    const parts = { env: undefined, encoder: markEncoder({}), representation: undefined }
    expect(() => goalSources['prior']!.check(parts as never, false)).toThrow('set goals.source.name=env')
  })

  test.each(['goals.reward.name=pixel-mse', 'representation.refresh.everySteps=100'])(
    'that belong to an episode have no pictures beforehand: %s is refused before anything is learned',
    async (setting) => {
      await startEngine({ threads: 1 })
      const build = (...more: string[]): Promise<Parts> =>
        buildParts(resolveConfig('rig-push', { set: ['representation.encoder=cc-vae', ...more] }))
      await expect(build(setting)).rejects.toThrow('cc-vae, whose goals depend on how their episode starts')
      await (await build()).env.close()
    },
  )
})

describe('goals with a tower of their own', () => {
  const set = (...more: string[]): string[] => [
    'representation.encoder=grasp2vec',
    'representation.config={"width":4,"outcomeCamera":"front"}',
    'goals.source={"name":"env","config":{"bankSize":3}}',
    'goals.form.name=goal',
    'goals.reward.name=cosine',
    'goals.relabel={"kept":0.2,"source":0.2,"future":0.2,"posthoc":0.2,"auxiliary":0.2}',
    'env.options={"cameras":["front","human"],"size":16}',
    'agent.config.hidden=[8]',
    'training.learningStarts=12',
    'training.batchSize=20',
    ...more,
  ]
  const built = (...more: string[]): Promise<Parts> =>
    buildParts(resolveConfig('rig-push', { steps: 16, set: set(...more) }))

  test('rewards compare them with what was reached, seen through the same tower', async () => {
    await startEngine({ threads: 1 })
    const parts = await built('representation.goalCamera=human')
    const trainer = await buildTrainer(parts)
    await trainer.run({ log: () => {} })
    const { features, reached, goals, rewards } = (await trainer.save()).arrays.replay!
    const size = parts.representation.size
    const row = ({ data }: NdArray, at: number): number[] => [...data.subarray(at * size, (at + 1) * size)].map(Number)
    for (let step = 0; step < 16; step++) {
      const [a, b] = [row(reached!, step + 1), row(goals!, step)]
      const dot = (x: number[], y: number[]): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0)
      expect(rewards!.data[step]).toBeCloseTo(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)), 4)
      expect(a).not.toEqual(row(features!, step + 1))
    }
    const { images, state } = (await parts.env.reset({ seed: 1 })).observation
    const byHuman = await encodeGoal(parts.encoder!, { frames: images['human']!, count: 1 })
    expect(await parts.representation.begin().goal({ images, state })).toEqual(byHuman)
    await parts.env.close()
  })

  test.each([
    [['representation.goalCamera=side'], 'representation.goalCamera: expected front or human, got side'],
    [
      ['representation.encoder=random', 'representation.config={}', 'representation.goalCamera=human'],
      'representation.goalCamera: expected front, as encoder random has one tower for what is seen and what is wanted, got human',
    ],
    [
      ['representation.goalCamera=human', 'representation.refresh.everySteps=10'],
      'representation.refresh: got encoder grasp2vec, which sees goals by camera human',
    ],
    [
      ['goals.reward={"name":"tracking","config":{"data":"runs/data"}}'],
      'goals.reward tracking: expected a demonstration in the space of what is reached, got encoder grasp2vec',
    ],
    [['goals.form.name=difference'], 'goals.form difference: expected goals in the space of the features'],
  ])('%s is refused', async (more, message) => {
    await expect(built(...more)).rejects.toThrow(message)
  })
})

describe('an agent that learns from what was reached alone', () => {
  const built = (...set: string[]): Promise<Parts> => buildParts(resolveConfig('crl-push', { set }))

  test('is told which part of its observation is the goal, and draws goals from the future by the discount', async () => {
    await startEngine({ threads: 1 })
    const set = ['agent.config.hidden=[8]', 'training.learningStarts=60', 'training.batchSize=16']
    const parts = await buildParts(resolveConfig('crl-push', { steps: 70, set }))
    expect(parts.agent.spec).toEqual({ name: 'crl', observationSize: 8, actionSize: 2, goalSize: 4 })
    const before = structuredClone(parts.agent.save())
    await (await buildTrainer(parts)).run({ log: () => {} })
    expect(parts.agent.save()).not.toEqual(before)
    await parts.env.close()
    parts.agent.dispose()
  })

  test.each([
    ['goals.relabel={"kept":0.2,"source":0.5,"future":0.3}', 'goals.relabel: expected goals that were reached'],
    ['goals.relabel.futureSteps=uniform', 'goals.relabel: expected goals that were reached, after a geometric number'],
    ['goals.form.name=difference', 'set goals.form.name=goal'],
  ])('%s is refused', async (set, message) => {
    await expect(built(set)).rejects.toThrow(message)
  })
})

test.each([0, -1, NaN, Infinity])('a reward is not scaled by %d', (scale) => {
  for (const make of [latentDistanceReward, pixelMseReward, cosineReward]) {
    expect(() => make(scale)).toThrow(`scale of a reward: expected a finite number > 0, got ${scale}`)
  }
})

describe('rewards', () => {
  const nothing = new Uint8Array(0)
  const paid = (reward: GoalReward, reached: readonly number[], goals: readonly number[]): number[] => {
    const size = reached.length / 2
    const rewards = new Float32Array(size)
    reward.compute(
      {
        size,
        featureSize: 2,
        reached: Float32Array.from(reached),
        goals: Float32Array.from(goals),
        times: new Int32Array(size).fill(1),
        reachedFrame: () => nothing,
        goalFrame: () => nothing,
      },
      rewards,
    )
    return [...rewards].map((value) => Number(value.toFixed(5)))
  }

  test('cosine knows directions alone, and pays nothing for an embedding that has none', () => {
    expect(paid(cosineReward(2), [3, 0, 3, 0, 3, 0, 0, 0], [9, 0, 0, 1, -1, 0, 1, 1])).toEqual([2, 0, -2, 0])
  })

  test('huber is the squared distance from afar and a root near the goal', () => {
    const [far, near] = paid(huberReward({ alpha: 1, beta: 0.5, gamma: 1e-4 }), [3, 4, 0, 0], [0, 0, 0, 0])
    expect(far).toBeCloseTo(-25 - 0.5 * Math.sqrt(25.0001), 4)
    expect(near).toBeCloseTo(-0.005, 6)
    expect(goalRewards['huber']!.configSchema.parse({})).toEqual({ alpha: 1, beta: 0.1, gamma: 0.001 })
  })
})
