import { describe, expect, it } from 'vitest'
import { Rng } from '../../../src/core/rng.ts'
import { measureEpisodes } from '../../../src/evaluate/measures/measures.ts'
import type { NextStep, StepReward } from '../../../src/evaluate/measures/reward-distance.ts'
import { dardDistance, epicDistance } from '../../../src/evaluate/measures/reward-distance.ts'
import { embedWith, perfect, pointEpisodes } from './world.ts'

/** 200 states with random features; an action moves a state on by its number plus one. */
const STATES = 200
const rng = new Rng(5)
const feature = Array.from({ length: STATES }, () => rng.normal())
const potential = Array.from({ length: STATES }, () => 3 * rng.normal())
const follow = (state: number, action: number): number => (state + action + 1) % STATES
const steps = Array.from({ length: 4000 }, () => {
  const state = rng.int(STATES)
  const action = rng.int(4)
  return [state, action, follow(state, action)] as const
})
const states = Array.from({ length: STATES }, (_, state) => state)
const nexts: NextStep[] = states.map((next) => ({ action: rng.int(4), next }))
const feasible = (state: number): NextStep[] => [0, 1, 2, 3].map((action) => ({ action, next: follow(state, action) }))
const gamma = 0.9

const reward: StepReward = (state, action, next) => feature[state]! - 0.5 * feature[next]! + 0.3 * action
const noise = new Map<number, number>()
const unrelated: StepReward = (state, action, next) => {
  const key = (state * 4 + action) * STATES + next
  if (!noise.has(key)) noise.set(key, rng.normal())
  return noise.get(key)!
}

describe.each([
  ['EPIC', (a: StepReward, b: StepReward) => epicDistance(a, b, { steps, gamma, states, nexts })],
  ['DARD', (a: StepReward, b: StepReward) => dardDistance(a, b, { steps, gamma, feasible })],
])('%s distance', (_, distance) => {
  it('is 0 for the same reward, whatever its scale and shift', () => {
    expect(distance(reward, reward)).toBeCloseTo(0, 6)
    expect(distance(reward, (...step) => 7 * reward(...step) - 40)).toBeCloseTo(0, 6)
  })

  it('is 0 for potential shaping', () => {
    const shaped: StepReward = (state, action, next) =>
      reward(state, action, next) + gamma * potential[next]! - potential[state]!
    expect(distance(reward, shaped)).toBeLessThan(0.02)
  })

  it('is 1 for the opposite reward', () => {
    expect(distance(reward, (...step) => -reward(...step))).toBeCloseTo(1, 12)
  })

  it('is sqrt(1/2) for an unrelated one', () => {
    expect(distance(reward, unrelated)).toBeGreaterThan(0.67)
    expect(distance(reward, unrelated)).toBeLessThan(0.74)
  })

  it('is undefined for a constant one', () => {
    expect(distance(reward, () => 1)).toBeNaN()
  })

  it('is undefined for one that is nothing but shaping, of which only rounding is left', () => {
    const shaping: StepReward = (state, _action, next) => gamma * potential[next]! - potential[state]!
    expect(distance(reward, shaping)).toBeNaN()
    expect(distance(shaping, reward)).toBeNaN()
    expect(distance(reward, (...step) => 1e-3 * reward(...step) + 1000 * shaping(...step))).toBeLessThan(0.02)
  })
})

describe('the distances of an embedding', () => {
  const data = embedWith(pointEpisodes(8, new Rng(1)), ([x]) => [x!])
  const rewards = data.episodes.map(({ embeddings, goals }) => embeddings.map((z) => -Math.abs(z - goals![0]!)))
  const only = ['reward/epic', 'reward/dard']
  const options = { rng: new Rng(0), only }

  it('are the general ones where rewards depend on the next state alone', () => {
    // State 100 e + t is frame t of episode e; a feasible step goes to any of three frames of the same episode.
    const frames = data.episodes.flatMap(({ length }, e) => Array.from({ length }, (_, t) => 100 * e + t))
    const of = (values: readonly ArrayLike<number>[]): StepReward => {
      return (_, __, next) => values[Math.floor(next / 100)]![next % 100]!
    }
    const own = of(rewards)
    const truth = of(data.episodes.map(({ goalDistances }) => goalDistances!.map((d) => -d)))
    const after = (state: number): number[] => [0, 7, 13].map((k) => 100 * Math.floor(state / 100) + ((state + k) % 21))
    const toNext = (next: number): NextStep => ({ action: 0, next })
    const taken = frames.filter((state) => state % 100 < 20).map((state) => [state, 0, state + 1] as const)
    const sample = { steps: taken, gamma, states: frames, nexts: frames.map(toNext) }
    const withModel = {
      ...data,
      feasibleNext: ({ index }: { readonly index: number }, time: number) => ({
        rewards: after(100 * index + time).map((next) => own(0, 0, next)),
        trueRewards: after(100 * index + time).map((next) => truth(0, 0, next)),
      }),
    }
    const [epic, dard] = measureEpisodes(withModel, options).measurements
    expect(epic!.interval.estimate).toBeCloseTo(epicDistance(own, truth, sample), 6)
    const feasibleSteps = (state: number): NextStep[] => after(state).map(toNext)
    expect(dard!.interval.estimate).toBeCloseTo(dardDistance(own, truth, { ...sample, feasible: feasibleSteps }), 6)
    expect(dard!.interval.estimate).toBeGreaterThan(0.05)
  })

  it('are 1 for a reward that runs away from the goal, and NaN for one that never changes', () => {
    const away = { ...data, episodes: data.episodes.map((e) => ({ ...e, rewards: e.goalDistances! })) }
    expect(measureEpisodes(away, options).measurements[0]!.interval.estimate).toBeCloseTo(1, 12)
    const flat = { ...data, episodes: data.episodes.map((e) => ({ ...e, rewards: e.goalDistances!.map(() => 2) })) }
    expect(measureEpisodes(flat, options).measurements[0]).toMatchObject({
      interval: { estimate: NaN },
      undefinedBecause: 'the reward is the same at every step',
    })
  })

  it('find a perfect embedding perfect on feasible steps from the data', () => {
    const perfectData = embedWith(pointEpisodes(8, new Rng(1)), perfect)
    for (const { interval } of measureEpisodes(perfectData, options).measurements) {
      expect(interval.estimate).toBeCloseTo(0, 3)
      expect(interval.high).toBeCloseTo(0, 3)
    }
  })
})
