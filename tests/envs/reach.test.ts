import { describe, expect, it } from 'vitest'
import { makeReach, REACH_ID } from '../../envs/tasks/reach.ts'
import { Rng } from '../../src/core/rng.ts'
import { envContract } from '../contracts/env-cases.ts'
import { BLIND, solvedEpisodes } from './solved-episodes.ts'

envContract('Reach on scalar physics from random starts', () =>
  makeReach({ physics: 'scalar', start: 'random', size: 24 }),
)

describe('the reach task', () => {
  it.each([
    { start: 'default', physics: 'simd' },
    { start: 'random', physics: 'scalar' },
  ])('is solved by its expert from $start starts on $physics physics', async (options) => {
    expect(await solvedEpisodes(REACH_ID, 'expert', options)).toBeGreaterThanOrEqual(98)
  })

  it('is seldom solved by chance', async () => {
    expect(await solvedEpisodes(REACH_ID, 'chance')).toBeLessThanOrEqual(15)
  })

  it('pays minus the distance in space and succeeds below 3 cm', async () => {
    const env = await makeReach(BLIND)
    await env.reset({ seed: 0 })
    const { state } = (await env.step(new Float32Array(3))).observation
    const at = [...state]
    env.setGoal(Float32Array.of(at[0]! + 0.02, at[1]! + 0.01, at[2]! - 0.03))
    const far = await env.step(new Float32Array(3))
    expect(far.info['success']).toBe(0)
    expect(far.reward).toBeCloseTo(-Math.hypot(0.02, 0.01, 0.03), 4)
    env.setGoal(Float32Array.of(at[0]!, at[1]!, at[2]! - 0.028))
    expect((await env.step(new Float32Array(3))).info['success']).toBe(1)
    await env.close()
  })

  it('draws goals and random starts over the whole space, which the hand keeps', async () => {
    const env = await makeReach({ ...BLIND, start: 'random' })
    const rng = new Rng(3)
    const [low, high] = [
      [Infinity, Infinity, Infinity],
      [-Infinity, -Infinity, -Infinity],
    ]
    for (let i = 0; i < 200; i++) {
      const { state } = (await env.reset({ seed: i })).observation
      const goal = env.sampleGoal(rng)
      for (let k = 0; k < 3; k++) {
        low[k] = Math.min(low[k]!, state[k]!, goal[k]!)
        high[k] = Math.max(high[k]!, state[k]!, goal[k]!)
      }
    }
    for (const [k, limits] of [
      [-0.2, 0.2],
      [-0.15, 0.15],
      [0.04, 0.24],
    ].entries()) {
      expect(Math.abs(low[k]! - limits[0]!)).toBeLessThan(0.012)
      expect(Math.abs(high[k]! - limits[1]!)).toBeLessThan(0.012)
    }
    for (let i = 0; i < 30; i++) await env.step(Float32Array.of(1, 1, 1))
    const { state } = (await env.step(Float32Array.of(1, 1, 1))).observation
    expect([...state]).toEqual([0.2, 0.15, 0.24].map((limit) => expect.closeTo(limit, 3)))
    await env.close()
  })
})

describe("the reach task's front camera", () => {
  it('tells the height of the hand: alone in the image when low, with its shadow apart when high', async () => {
    const env = await makeReach({ size: 64 })
    await env.reset({ seed: 0 })
    const [x, y] = [0, 0]
    const [low, high] = [
      (await env.renderGoal(Float32Array.of(x, y, 0.05)))['front']!,
      (await env.renderGoal(Float32Array.of(x, y, 0.22)))['front']!,
    ]
    expect(meanRow(high, isHand)).toBeLessThan(meanRow(low, isHand) - 12)
    expect(count(low, isHand)).toBeGreaterThan(40)
    // The shadow stays on the table while the hand goes up.
    expect(count(high, isShadow)).toBeGreaterThan(15)
    expect(meanRow(high, isShadow)).toBeGreaterThan(meanRow(high, isHand) + 8)
    await env.close()
  })

  it('hides the goal, which the view for people shows', async () => {
    const env = await makeReach({ size: 64 })
    await env.reset({ seed: 0 })
    const [front, human] = [await env.render('front'), await env.render('human')]
    env.setGoal(Float32Array.of(-0.1, 0.05, 0.2))
    expect(Buffer.compare(await env.render('front'), front)).toBe(0)
    expect(Buffer.compare(await env.render('human'), human)).not.toBe(0)
    await env.close()
  })
})

type Test = (red: number, green: number, blue: number) => boolean
const isHand: Test = (red, _green, blue) => blue > red + 60
/** Table colours are 92 and more in red when lit; the background is 24. */
const isShadow: Test = (red, _green, blue) => red > 32 && red < 66 && blue < red + 14

function pixels(image: Uint8Array, test: Test): number[] {
  const found: number[] = []
  for (let i = 0; i * 3 < image.length; i++)
    if (test(image[i * 3]!, image[i * 3 + 1]!, image[i * 3 + 2]!)) found.push(i)
  return found
}

function count(image: Uint8Array, test: Test): number {
  return pixels(image, test).length
}

function meanRow(image: Uint8Array, test: Test): number {
  const found = pixels(image, test)
  return found.reduce((sum, i) => sum + Math.floor(i / 64), 0) / found.length
}
