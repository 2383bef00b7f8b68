import { describe, expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.ts'
import { Augmenter } from '../../src/replay/augment.ts'
import type { RelabelMix } from '../../src/replay/relabel.ts'
import { relabelGoals } from '../../src/replay/relabel.ts'
import { differenceForm, goalForm } from '../../src/compose/goal-forms.ts'
import { latentDistanceReward, pixelMseReward } from '../../src/compose/goal-rewards.ts'
import { frameMemory, sampleAcross, sampleTransitions } from '../../src/replay/sampler.ts'
import { filledStore, gradientStore } from './helpers.ts'

const gamma = 0.9

describe('sampling transitions', () => {
  test('one-step batches are the stored transitions; only termination stops the bootstrap', () => {
    const store = filledStore([
      { length: 3, terminated: true },
      { length: 3, terminated: false },
    ])
    const batch = sampleTransitions(store, 400, { gamma, nStep: 1 }, new Rng(1))
    const seen = new Set<string>()
    for (let row = 0; row < batch.size; row++) {
      const [episode, step] = batch.observation.subarray(2 * row, 2 * row + 2)
      seen.add(`${episode}/${step}`)
      expect([...batch.nextObservation.subarray(2 * row, 2 * row + 2)]).toEqual([episode, step! + 1])
      expect(batch.action[row]).toBe(step)
      expect(batch.reward[row]).toBe(100 * episode! + step!)
      expect(batch.discount[row]).toBeCloseTo(episode === 0 && step === 2 ? 0 : gamma, 6)
    }
    expect(seen.size).toBe(6)
  })

  test('n-step windows stop at the end of the episode: nothing after a termination, a bootstrap after a time limit', () => {
    const store = filledStore([
      { length: 4, terminated: true },
      { length: 4, terminated: false },
    ])
    const batch = sampleTransitions(store, 400, { gamma, nStep: 3 }, new Rng(2))
    for (let row = 0; row < batch.size; row++) {
      const [episode, step] = batch.observation.subarray(2 * row, 2 * row + 2) as unknown as [number, number]
      const steps = Math.min(3, 4 - step)
      let expected = 0
      for (let k = 0; k < steps; k++) expected += gamma ** k * (100 * episode + step + k)
      expect(batch.reward[row]).toBeCloseTo(expected, 3)
      expect([...batch.nextObservation.subarray(2 * row, 2 * row + 2)]).toEqual([episode, step + steps])
      const terminates = episode === 0 && step + steps === 4
      expect(batch.discount[row]).toBeCloseTo(terminates ? 0 : gamma ** steps, 6)
    }
  })

  test('stacks end at the observation and at the one to bootstrap from; before its start an episode stands still', () => {
    const store = filledStore(
      [
        { length: 4, terminated: true },
        { length: 4, terminated: false },
      ],
      1000,
      6,
    )
    const frames = { frameShape: [1, 2, 3], stack: 3 } as const
    const batch = sampleTransitions(store, 200, { gamma, nStep: 2, frames }, new Rng(3))
    for (let row = 0; row < batch.size; row++) {
      const [episode, step] = batch.observation.subarray(2 * row, 2 * row + 2) as unknown as [number, number]
      const [, nextStep] = batch.nextObservation.subarray(2 * row, 2 * row + 2) as unknown as [number, number]
      const stackOf = (at: number): number[] => {
        const times = [at - 2, at - 1, at]
        return times.flatMap((t) => Array.from({ length: 6 }, () => 10 * episode + Math.max(0, t)))
      }
      expect([...batch.frames!.subarray(18 * row, 18 * row + 18)]).toEqual(stackOf(step))
      expect([...batch.nextFrames!.subarray(18 * row, 18 * row + 18)]).toEqual(stackOf(nextStep))
    }
  })

  test('frames of the observation and of the next one are shifted apart from each other, all of a stack alike', () => {
    const side = 5
    const store = gradientStore(side)
    const augmenter = new Augmenter([{ kind: 'shift', maxPixels: 1 }], [side, side, 1])
    const frames = { frameShape: [side, side, 1], stack: 2, augmenter } as const
    const batch = sampleTransitions(store, 100, { gamma, nStep: 1, frames }, new Rng(4))
    const middle = (all: Uint8Array, row: number): number[] => [all[row * 50 + 12]!, all[row * 50 + 25 + 12]!]
    const pairs = Array.from({ length: 100 }, (_, row) => [middle(batch.frames!, row), middle(batch.nextFrames!, row)])
    for (const [now, next] of pairs) expect([now![0], next![0]]).toEqual([now![1], next![1]])
    expect(new Set(pairs.map(([now, next]) => `${now![0]! - next![0]!}`))).toEqual(
      new Set(['0', '10', '-10', '20', '-20']),
    )
  })

  test('stacks of several stores go to the memory that is given, row by row, each batch over the one before', () => {
    const stores = [1, 3].map((count) =>
      filledStore(
        Array.from({ length: count }, () => ({ length: 4, terminated: false })),
        1000,
        6,
      ),
    )
    const sampling = { frameShape: [1, 2, 3], stack: 1 } as const
    const frames = { ...sampling, memory: frameMemory(50, sampling) }
    const rng = new Rng(3)
    for (let draw = 0; draw < 2; draw++) {
      const batch = sampleAcross(stores, 50, { gamma, nStep: 1, frames }, rng)
      expect(batch.frames).toBe(frames.memory.frames)
      expect(batch.nextFrames).toBe(frames.memory.nextFrames)
      for (let row = 0; row < batch.size; row++) {
        const [episode, step] = batch.observation.subarray(2 * row, 2 * row + 2) as unknown as [number, number]
        expect(batch.frames![6 * row]).toBe(10 * episode + step)
        expect(batch.nextFrames![6 * row + 5]).toBe(10 * episode + step + 1)
      }
    }
    const own = { gamma, nStep: 1, frames: sampling }
    const [first, second] = [sampleAcross(stores, 50, own, new Rng(4)), sampleAcross(stores, 50, own, new Rng(4))]
    expect(first.frames).not.toBe(second.frames)
    expect(first.frames).toEqual(second.frames)
  })

  test('several stores are drawn from in proportion to their transitions, none that is empty', () => {
    const small = filledStore([{ length: 10, terminated: true }])
    const large = filledStore(Array.from({ length: 3 }, () => ({ length: 10, terminated: true })))
    const stores = [filledStore([]), small, large]
    const batch = sampleAcross(stores, 4000, { gamma, nStep: 1 }, new Rng(5))
    const episodes = Array.from({ length: batch.size }, (_, row) => batch.observation[2 * row]!)
    // Episode 0 is in both, 1 and 2 in the larger one alone: each of the four is drawn as often.
    const share = (episode: number): number => episodes.filter((e) => e === episode).length / 4000
    expect(share(0)).toBeCloseTo(0.5, 1)
    expect(share(1)).toBeCloseTo(0.25, 1)
    for (let row = 0; row < batch.size; row++) {
      expect(batch.reward[row]).toBe(100 * episodes[row]! + batch.observation[2 * row + 1]!)
    }
    expect(() => sampleAcross([filledStore([]), filledStore([])], 1, { gamma, nStep: 1 }, new Rng(1))).toThrow('empty')
  })

  test('an empty store cannot be sampled', () => {
    const store = filledStore([])
    expect(() => sampleTransitions(store, 1, { gamma, nStep: 1 }, new Rng(1))).toThrow('empty store')
  })
})

/** [features | goal - features] */
type Row = [number, number, number, number]

describe('hindsight relabelling', () => {
  const source = {
    name: 'prior',
    sample: () => ({ features: Float32Array.of(55, 55), frame: new Uint8Array(4).fill(55) }),
  }
  const store = filledStore(
    [
      { length: 5, terminated: false },
      { length: 2, terminated: true },
    ],
    100,
    4,
  )

  test('rows are [kept | source | future] in the asked shares; future goals were achieved later in the same episode', () => {
    const positions = Array.from({ length: 200 }, (_, i) => [0, 1, 2, 3, 4, 6, 7][i % 7]!)
    const goals = relabelGoals(store, positions, { kept: 0.25, source: 0.25, future: 0.5 }, source, new Rng(3), gamma)
    positions.forEach((position, row) => {
      const [a, b] = goals.features.subarray(2 * row, 2 * row + 2)
      const [episode, step] = store.featuresAt(position)
      if (row < 50) expect([a! + episode!, b! + episode!]).toEqual([0, 0])
      else if (row < 100) expect([a, b]).toEqual([55, 55])
      else {
        expect(a).toBe(episode)
        expect(b).toBeGreaterThan(step!)
        expect(b).toBeLessThanOrEqual(episode === 0 ? 5 : 2)
        expect(goals.frame(row)[0]).toBe(10 * episode! + b!)
      }
    })
    expect(goals.frame(0)[0]).toBe(200)
    expect(goals.frame(60)[0]).toBe(55)
  })

  test.each<[string, RelabelMix]>([
    ['kept', { kept: 1, source: 0, future: 0 }],
    ['future', { kept: 0, source: 0, future: 1 }],
  ])('rewards are recomputed against the goal of the row (%s)', (name, mix) => {
    const goals = { mix, source, reward: latentDistanceReward(2), form: differenceForm }
    const batch = sampleTransitions(store, 100, { gamma, nStep: 1 }, new Rng(4), goals)
    for (let row = 0; row < batch.size; row++) {
      const [a, b, wayA, wayB] = batch.observation.subarray(4 * row, 4 * row + 4) as unknown as Row
      const [nextA, nextB, nextWayA, nextWayB] = batch.nextObservation.subarray(4 * row, 4 * row + 4) as unknown as Row
      const goal = [a + wayA, b + wayB]
      if (name === 'kept') expect(goal).toEqual([0 - a, 0 - a])
      else expect([wayA, wayB > 0]).toEqual([0, true])
      expect([nextA + nextWayA, nextB + nextWayB]).toEqual(goal)
      expect(batch.reward[row]).toBeCloseTo(-2 * Math.hypot(nextWayA, nextWayB), 4)
    }
  })

  test.each([0, 0.5, 0.9, 1])(
    'geometric futures fall off by gamma = %s, cut off at the end of the episode',
    (discount) => {
      const mix = { kept: 0, source: 0, future: 1, futureSteps: 'geometric' } as const
      for (const [position, left] of [
        [0, 5],
        [3, 2],
        [4, 1],
        [7, 1],
      ] as const) {
        const size = 20_000
        const positions = Array.from({ length: size }, () => position)
        const { features } = relabelGoals(store, positions, mix, source, new Rng(3), discount)
        const [episode, step] = store.featuresAt(position)
        const counts = Array.from({ length: left }, () => 0)
        for (let row = 0; row < size; row++) {
          expect(features[2 * row]).toBe(episode)
          counts[features[2 * row + 1]! - step! - 1]!++
        }
        const weights = counts.map((_, k) => discount ** k)
        const total = weights.reduce((sum, weight) => sum + weight, 0)
        counts.forEach((count, k) => expect(Math.abs(count / size - weights[k]! / total)).toBeLessThan(0.015))
      }
    },
  )

  test('posthoc goals were reached by the very step, auxiliary ones by any step in replay', () => {
    const positions = Array.from({ length: 200 }, (_, i) => [0, 1, 2, 3, 4, 6, 7][i % 7]!)
    const mix = { kept: 0.1, source: 0.1, future: 0, posthoc: 0.4, auxiliary: 0.4 }
    const goals = relabelGoals(store, positions, mix, source, new Rng(3), gamma)
    const seen = new Set<string>()
    positions.forEach((position, row) => {
      const [a, b] = goals.features.subarray(2 * row, 2 * row + 2)
      if (row < 40) return
      expect(goals.frame(row)[0]).toBe(10 * a! + b!)
      if (row < 120) expect([a, b]).toEqual([...store.featuresAt(position + 1)])
      else seen.add(`${a}/${b}`)
    })
    expect([...seen].toSorted()).toEqual(['0/1', '0/2', '0/3', '0/4', '0/5', '1/1', '1/2'])
  })

  test.each([1, 2, 3, 5, 7, 256])('no row of %d is left to a share of 0', (size) => {
    const positions = Array.from({ length: size }, () => 0)
    const mix = { kept: 0, source: 0, future: 0, posthoc: 0.5, auxiliary: 0.5 }
    const { features } = relabelGoals(
      filledStore([{ length: 1, terminated: true }]),
      positions,
      mix,
      source,
      new Rng(1),
      gamma,
    )
    expect(new Set(features)).toEqual(new Set([0, 1]))
    const half = Math.round(size / 2)
    const long = relabelGoals(store, positions, mix, source, new Rng(1), gamma).features
    for (let row = 0; row < size - half; row++) expect([...long.subarray(2 * row, 2 * row + 2)]).toEqual([0, 1])
  })

  test('where goals have a space of their own, rewards and goals are of what was reached there', () => {
    const own = filledStore([{ length: 4, terminated: true }], 100, 0, true)
    const mix = { kept: 0, source: 0.5, future: 0, posthoc: 0.5 }
    const wanted = { name: 'fixed', sample: () => ({ features: Float32Array.of(1000, 1002) }) }
    const goals = { mix, source: wanted, reward: latentDistanceReward(1), form: goalForm }
    const batch = sampleTransitions(own, 60, { gamma, nStep: 1 }, new Rng(4), goals)
    for (let row = 0; row < batch.size; row++) {
      const [, step, a, b] = batch.observation.subarray(4 * row, 4 * row + 4)
      expect([a, b]).toEqual(row < 30 ? [1000, 1002] : [1000, 1001 + step!])
      expect(batch.reward[row]).toBeCloseTo(row < 30 ? -Math.abs(1001 + step! - 1002) : 0, 4)
    }
  })

  test('the pixel reward compares frames', () => {
    const rewards = new Float32Array(1)
    pixelMseReward(3).compute(
      {
        size: 1,
        featureSize: 0,
        reached: new Float32Array(0),
        goals: new Float32Array(0),
        times: Int32Array.of(1),
        reachedFrame: () => Uint8Array.of(0, 255, 0, 0),
        goalFrame: () => Uint8Array.of(255, 255, 0, 0),
      },
      rewards,
    )
    expect(rewards[0]).toBeCloseTo(-0.75, 6)
  })
})
