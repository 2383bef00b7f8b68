import { fc } from '../fast-check.ts'
import { describe, expect, test } from 'vitest'
import { ArmatureError } from '../../src/core/errors.ts'
import type { StoreEncoding } from '../../src/replay/episode-store.ts'
import { EpisodeStore } from '../../src/replay/episode-store.ts'
import { addEpisode, filledStore } from './helpers.ts'

const positions = (store: EpisodeStore): number[] =>
  Array.from({ length: store.end - store.oldest }, (_, i) => store.oldest + i)

/** Features of a frame are its first byte and a half, twice. */
function byFrame(store: EpisodeStore): StoreEncoding {
  const one = (frame: Uint8Array): number[] => [frame[0]! + 0.5, frame[0]! + 0.5]
  return {
    observations: async (at) => Float32Array.from(at.flatMap((position) => one(store.frameAt(position)))),
    start: async (frame) => Float32Array.from(one(frame)),
    goal: async (frame) => Float32Array.from(one(frame)),
  }
}

describe('episode store', () => {
  test('counts transitions, not observations, and ends episodes where they end', () => {
    const store = filledStore([
      { length: 3, terminated: true },
      { length: 2, terminated: false },
    ])
    expect(store.transitions).toBe(5)
    expect(positions(store).filter((p) => store.startsTransition(p))).toEqual([0, 1, 2, 4, 5])
    expect(positions(store).map((p) => store.lastOfEpisode(p))).toEqual([3, 3, 3, 3, 6, 6, 6])
    expect([store.terminatedAt(3), store.terminatedAt(6)]).toEqual([true, false])
  })

  test('the newest observation of an open episode starts no transition', () => {
    const store = filledStore([{ length: 2, terminated: false }])
    store.begin(Float32Array.of(1, 0))
    store.append({ action: Float32Array.of(0), reward: 1, terminated: false, truncated: false }, Float32Array.of(1, 1))
    expect(store.transitions).toBe(3)
    expect(positions(store).filter((p) => store.startsTransition(p))).toEqual([0, 1, 3])
    expect(store.lastOfEpisode(3)).toBe(4)
  })

  test('overwrites the oldest; what is left stays consistent (any capacity, any episodes)', () => {
    const plan = fc.record({ length: fc.integer({ min: 1, max: 6 }), terminated: fc.boolean() })
    fc.assert(
      fc.property(
        fc.array(plan, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 8, max: 30 }),
        (plans, capacity) => {
          const store = filledStore(plans, capacity)
          const starts = positions(store).filter((p) => store.startsTransition(p))
          expect(starts.length).toBe(store.transitions)
          for (const p of starts) {
            const [episode, step] = store.featuresAt(p)
            const [nextEpisode, nextStep] = store.featuresAt(p + 1)
            expect([nextEpisode, nextStep]).toEqual([episode, step! + 1])
            expect(store.actionAt(p)[0]).toBe(step)
            expect(store.rewardAt(p)).toBe(100 * episode! + step!)
            expect([...store.goalAt(p)]).toEqual([-episode!, -episode!])
            const last = store.lastOfEpisode(p)
            expect([...store.featuresAt(last)]).toEqual([episode, plans[episode!]!.length])
            expect(store.terminatedAt(last)).toBe(plans[episode!]!.terminated)
          }
        },
      ),
    )
  })

  test('save and restore continue exactly, frames and an open episode included', () => {
    const plans = [3, 5, 4].map((length) => ({ length, terminated: false }))
    const original = filledStore(plans, 11, 4)
    original.begin(Float32Array.of(9, 0), new Uint8Array(4).fill(90), { features: Float32Array.of(1, 2) })
    const copy = new EpisodeStore(original.options)
    copy.restore(original.save())
    for (const store of [original, copy]) {
      const step = { action: Float32Array.of(0), reward: 7, terminated: true, truncated: false }
      store.append(step, Float32Array.of(9, 1), new Uint8Array(4).fill(91))
      addEpisode(store, 5, { length: 2, terminated: true })
    }
    expect(copy.save()).toEqual(original.save())
  })

  test('re-encodes features from frames, and goals from goal frames', async () => {
    const store = filledStore(
      [
        { length: 2, terminated: false },
        { length: 1, terminated: true },
      ],
      100,
      3,
    )
    await store.reencode(byFrame(store), 2)
    expect(positions(store).map((p) => store.featuresAt(p)[1])).toEqual([0.5, 1.5, 2.5, 10.5, 11.5])
    expect(positions(store).map((p) => store.goalAt(p)[0])).toEqual([200.5, 200.5, 200.5, 201.5, 201.5])
  })

  test('what was reached is kept as a goal, saved, restored, and encoded anew', async () => {
    const plans = [2, 3].map((length) => ({ length, terminated: true }))
    const reachedOf = (store: EpisodeStore): number[][] =>
      positions(store).map((p) => {
        const target = new Float32Array(3)
        store.readReached(p, target, 1)
        return [...target.subarray(1)]
      })
    const ends = [
      [1000, 1001],
      [1000, 1002],
      [0, 0],
      [1001, 1001],
      [1001, 1002],
      [1001, 1003],
    ]
    const store = filledStore(plans, 6, 3, true)
    expect(reachedOf(store)).toEqual(ends)
    const copy = new EpisodeStore(store.options)
    copy.restore(store.save())
    expect(reachedOf(copy)).toEqual(ends)
    await copy.reencode({
      ...byFrame(copy),
      reached: async (all) => Float32Array.from(all.flatMap((p) => [copy.frameAt(p)[0]! + 0.25, 7])),
    })
    expect(reachedOf(copy)[1]).toEqual([2.25, 7])
    expect(copy.featuresAt(2)[1]).toBe(2.5)
    expect(reachedOf(filledStore(plans))[1]).toEqual([0, 1])
    const step = { action: Float32Array.of(0), reward: 0, terminated: false, truncated: false }
    store.begin(Float32Array.of(0, 0), new Uint8Array(3))
    expect(() => store.append(step, Float32Array.of(0, 0), new Uint8Array(3))).toThrow(
      'what a step has reached: expected 2 numbers, got undefined',
    )
  })

  test('misuse is an error that says what happened', () => {
    const store = filledStore([{ length: 1, terminated: true }])
    const step = { action: Float32Array.of(0), reward: 0, terminated: false, truncated: false }
    expect(() => store.append(step, Float32Array.of(0, 0))).toThrow('append() before begin()')
    store.begin(Float32Array.of(0, 0))
    expect(() => store.begin(Float32Array.of(0, 0))).toThrow('begin() within an episode')
    expect(() => store.frameAt(0)).toThrow(ArmatureError)
  })
})

describe('the start of an episode', () => {
  const filled = (): EpisodeStore => {
    const plans = [2, 5, 3].map((length) => ({ length, terminated: false }))
    return filledStore(plans, 6, 4)
  }
  const startsOf = (store: EpisodeStore): unknown[] =>
    positions(store).map((p) => {
      const { features, frame } = store.startOf(p)
      return [...features, ...frame!]
    })

  test('is known for as long as any of the episode is stored, also where the ring has overwritten it', () => {
    const store = filled()
    // Of 3 + 6 + 4 observations the last 6 are left: the second episode lost its first four.
    expect(startsOf(store)).toEqual([
      [1, 0, 10, 10, 10, 10],
      [1, 0, 10, 10, 10, 10],
      ...Array.from({ length: 4 }, () => [2, 0, 20, 20, 20, 20]),
    ])
  })

  test('is what a window that reaches back to it begins with', () => {
    const store = filled()
    const [second, third] = [store.oldest, store.end - 1]
    const seen = (position: number): number[] => [0, 1, 2, 3].map((time) => store.frameWithin(position, time)[0]!)
    // Of the second episode the first observation is kept, and of 1 to 3 the oldest that is left stands for them.
    expect(seen(second)).toEqual([10, 14, 14, 14])
    expect(seen(third)).toEqual([20, 21, 22, 23])
  })

  test('is saved, restored, and encoded anew with the rest', async () => {
    const store = new EpisodeStore(filled().options)
    store.restore(filled().save())
    expect(startsOf(store)).toEqual(startsOf(filled()))
    await store.reencode(byFrame(store))
    expect([...store.startOf(store.oldest).features]).toEqual([10.5, 10.5])
  })
})

test.each([
  ['capacity', 0],
  ['capacity', 1],
  ['capacity', NaN],
  ['capacity', 2.5],
  ['capacity', Infinity],
  ['capacity', -3],
  ['featureSize', 0],
  ['featureSize', NaN],
  ['actionSize', 0],
  ['frameSize', -1],
  ['frameSize', 1.5],
])('a store with %s %d is refused in one line', (name, value) => {
  const options = { capacity: 10, featureSize: 2, actionSize: 1, frameSize: 0, [name]: value }
  expect(() => new EpisodeStore(options)).toThrow(
    new RegExp(`^replay ${name}: expected a whole number >= \\d, got ${value}$`),
  )
})
