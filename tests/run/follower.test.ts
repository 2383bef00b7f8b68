import { describe, expect, test } from 'vitest'
import type { FollowOptions } from '../../src/run/follower.ts'
import { Demonstration, Follower, huber } from '../../src/run/follower.ts'

const OPTIONS: FollowOptions = { alignment: 'nearest', pace: 0.25, reach: 2, alpha: 1, beta: 0, gamma: 1 }

/** A demonstration that goes along a line, `step` a moment, for five of them. */
function line(step = 1): Demonstration {
  const demonstration = new Demonstration(2)
  demonstration.learn(Float32Array.from([0, 1, 2, 3, 4].flatMap((x) => [x * step, 0])))
  return demonstration
}

/** Where an episode that is at (x, 0) stands in the demonstration, times the number of its last moment, and what it is paid. */
function followed(places: readonly number[], options: Partial<FollowOptions> = {}, step = 1) {
  const demonstration = line(step)
  const follower = new Follower(demonstration, { ...OPTIONS, ...options })
  return places.map((x) => {
    follower.observe(Float32Array.of(x * step, 0))
    return { moment: follower.phase * demonstration.last, reward: follower.reward }
  })
}

const moments = (places: readonly number[], options?: Partial<FollowOptions>): number[] =>
  followed(places, options).map(({ moment }) => moment)
const rewards = (places: readonly number[], options?: Partial<FollowOptions>, step?: number): number[] =>
  followed(places, options, step).map(({ reward }) => reward)
const total = (places: readonly number[], options?: Partial<FollowOptions>): number =>
  rewards(places, options).reduce((sum, reward) => sum + reward, 0)

describe('an episode beside a demonstration', () => {
  test('by time stands where that was at the same time, and then at its end', () => {
    expect(moments([9, 9, 9, 9, 9, 9, 9], { alignment: 'time' })).toEqual([0, 1, 2, 3, 4, 4, 4])
  })

  test('by nearest stands at the nearest moment, at whatever speed above its pace', () => {
    expect(moments([0, 0.4, 0.6, 1.1, 1.4, 3.2, 4])).toEqual([0, 0.25, 1, 1.25, 1.5, 3, 4])
  })

  test('never goes back, and does not wait for who stands still', () => {
    expect(moments([0, 1, 2, 1, 0, 0, 3])).toEqual([0, 1, 2, 2.25, 2.5, 2.75, 3])
    expect(moments([0, 0, 0, 0, 0, 0, 0, 0, 0, 0], { pace: 0.5 })).toEqual([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4])
  })

  test('is by time where the pace is a moment a step and its reach, too', () => {
    const places = [0, 3, 1, 4, 4, 0, 2]
    expect(followed(places, { pace: 1, reach: 1 })).toEqual(followed(places, { alignment: 'time' }))
  })

  test('goes forward by its reach at most, so that nothing can be left out', () => {
    expect(moments([0, 4, 4, 4])).toEqual([0, 2, 4, 4])
    expect(moments([4, 4], { reach: 1 })).toEqual([0, 1])
  })

  test('is paid for being near, relative to the distances within the demonstration', () => {
    // Squared distances of pairs of 0, 1, 2, 3, 4 are 5 on average.
    expect(rewards([1, 3], { reach: 1 })).toEqual([huber(1 / 5, OPTIONS), huber(4 / 5, OPTIONS)])
    const [as, bs] = [rewards([0, 1.5, 2, 3], {}, 1), rewards([0, 1.5, 2, 3], {}, 40)]
    for (const [i, b] of bs.entries()) expect(b).toBeCloseTo(as[i]!, 5)
  })

  test.each(['time', 'nearest'] as const)(
    'by %s, who waits is paid less than who follows or turns back',
    (alignment) => {
      const paid = (places: readonly number[]): number => total(places, { alignment })
      const follows = [0, 1, 2, 3, 4, 4, 4, 4]
      for (const moment of [0, 1, 2, 3])
        expect(paid(follows.map((x) => Math.min(x, moment)))).toBeLessThan(paid(follows))
      expect(paid([0, 1, 2, 1, 0, 0, 0, 0])).toBeLessThan(paid(follows))
    },
  )

  test('by nearest, who follows at half the speed is paid more than by time', () => {
    const slowly = [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    expect(total(slowly, { pace: 0.5 })).toBeGreaterThan(total(slowly, { alignment: 'time' }))
  })

  test.each(['time', 'nearest'] as const)('by %s goes on where it was saved', (alignment) => {
    const places = [0, 1, 1.6, 2.2, 1, 3.4, 4]
    const through = followed(places, { alignment })
    const demonstration = line()
    const first = new Follower(demonstration, { ...OPTIONS, alignment })
    for (const x of places.slice(0, 4)) first.observe(Float32Array.of(x, 0))
    const again = new Follower(demonstration, { ...OPTIONS, alignment })
    again.restore(first.save())
    expect(again.reward).toBe(through[3]!.reward)
    for (const [i, x] of places.slice(4).entries()) {
      again.observe(Float32Array.of(x, 0))
      expect([again.phase * 4, again.reward]).toEqual([through[4 + i]!.moment, through[4 + i]!.reward])
    }
  })
})

describe('a demonstration', () => {
  test('is saved and restored', () => {
    const other = new Demonstration(2)
    other.restore(line().save())
    expect(other.last).toBe(4)
    expect(other.distance(Float32Array.of(2, 0), 0)).toBeCloseTo(4 / 5)
    expect(new Demonstration(2).save()).toEqual({})
  })

  test('in which nothing moves is refused, as is one that was not shown', () => {
    const still = new Demonstration(2)
    expect(() => still.learn(Float32Array.of(1, 1, 1, 1))).toThrow(
      'expected moments that its encoder tells apart, got 2 that it sees as one',
    )
    expect(() => still.learn(Float32Array.of(1, 1))).toThrow('expected moments that its encoder tells apart')
    expect(() => still.last).toThrow('expected one that was shown first')
  })
})
