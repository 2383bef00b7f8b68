import { describe, expect, test } from 'vitest'
import { resolveConfig } from '../../src/compose/config.ts'
import { differenceForm, goalForm } from '../../src/compose/goal-forms.ts'
import {
  cosineReward,
  goalRewards,
  huberReward,
  latentDistanceReward,
  pixelMseReward,
} from '../../src/compose/goal-rewards.ts'
import { goalSources, priorGoals } from '../../src/compose/goal-sources.ts'
import type { GoalReward } from '../../src/core/goals.ts'
import { agentInput } from '../../src/core/goals.ts'
import { Rng } from '../../src/core/rng.ts'
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
    expect(() => goalSources['prior']!.check(parts as never)).toThrow('set goals.source.name=env')
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
