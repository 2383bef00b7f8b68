import { describe, expect, it } from 'vitest'
import {
  ARENA,
  HAND,
  HAND_GOAL_BOX,
  HAND_START,
  LARGEST_FOOTPRINT_M,
  OBJECT_BOX,
} from '../../envs/tasks/push-multi-layout.ts'
import { makePushMulti, PUSH_MULTI_ID } from '../../envs/tasks/push-multi.ts'
import { Rng } from '../../src/core/rng.ts'
import { envContract } from '../contracts/env-cases.ts'
import { BLIND, solvedEpisodes } from './solved-episodes.ts'

envContract('PushMulti with random looks', () =>
  makePushMulti({ objects: 3, appearance: 'random', physics: 'scalar', size: 24 }),
)

describe('the multi-object push task', () => {
  it('is solved by its expert', async () => {
    expect(await solvedEpisodes(PUSH_MULTI_ID, 'expert')).toBeGreaterThanOrEqual(90)
  })

  it('is solved by its expert with three objects of random looks on scalar physics', async () => {
    const options = { objects: 3, appearance: 'random', start: 'random', physics: 'scalar' }
    expect(await solvedEpisodes(PUSH_MULTI_ID, 'expert', options, 20)).toBeGreaterThanOrEqual(17)
  })

  it('is not solved by chance', async () => {
    expect(await solvedEpisodes(PUSH_MULTI_ID, 'chance', {}, 40)).toBeLessThanOrEqual(3)
  })

  it.each([1, 3, 5])('has %i objects, each with its place in state and goal', async (objects) => {
    const env = await makePushMulti({ ...BLIND, objects })
    const { observation, info } = await env.reset({ seed: 2 })
    expect(observation.state.length).toBe(2 + 2 * objects)
    expect(observation.state.slice(0, 2)).toEqual(Float32Array.from(HAND_START))
    expect(env.goalSpace.names!.length).toBe(2 + 2 * objects)
    const apart = Object.entries(info).filter(([name]) => /^(hand|object_\d)_distance$/.test(name))
    expect(apart).toHaveLength(1 + objects)
    const sum = apart.reduce((total, [, distance]) => total + distance, 0)
    expect(info['distance']).toBeCloseTo(sum, 9)
    await env.close()
  })

  it('succeeds when the mean distance is below 3 cm', async () => {
    const env = await makePushMulti({ ...BLIND, objects: 2 })
    const { observation } = await env.reset({ seed: 5 })
    const goal = env.achievedGoal(observation.state)
    goal[0]! += 0.03
    goal[3]! += 0.05
    env.setGoal(goal)
    expect((await env.step(new Float32Array(2))).info['success']).toBe(1)
    goal[3]! += 0.02
    env.setGoal(goal)
    const { info, reward } = await env.step(new Float32Array(2))
    expect(info['success']).toBe(0)
    expect(reward).toBeCloseTo(-0.1, 3)
    await env.close()
  })

  it.each([1, 2, 5])('puts %i objects in a row across the middle', async (objects) => {
    const env = await makePushMulti({ ...BLIND, objects, start: 'row', appearance: 'random' })
    for (const seed of [1, 2, 3]) {
      const { state } = (await env.reset({ seed })).observation
      const xs = Array.from({ length: objects }, (_, i) => state[2 + 2 * i]!)
      for (let i = 0; i < objects; i++) {
        expect(xs[i]!).toBeCloseTo(-xs.at(-1 - i)!, 3)
        expect(Math.abs(state[3 + 2 * i]!)).toBeLessThan(1e-3)
        if (i > 0) expect(xs[i]! - xs[i - 1]!).toBeGreaterThan(0.07)
      }
      for (const [k, start] of HAND_START.entries()) expect(state[k]!).toBeCloseTo(start, 5)
    }
    await env.close()
  })

  it('draws starts and goals over the whole boxes with nothing inside another', async () => {
    const env = await makePushMulti({ ...BLIND, objects: 4 })
    const rng = new Rng(2)
    const reach = [0, 0, 0, 0]
    const limits = [...HAND_GOAL_BOX, ...OBJECT_BOX]
    for (let i = 0; i < 150; i++) {
      const { state } = (await env.reset({ ...(i === 0 ? { seed: 0 } : {}), options: { start: 'goal' } })).observation
      for (const places of [state, env.sampleGoal(rng)]) {
        for (let a = 0; a < 5; a++) {
          for (let b = 0; b < a; b++) expect(apartM(places, a, b)).toBeGreaterThan(0.055)
        }
        for (const [k, limit] of limits.entries()) {
          expect(Math.abs(places[k]!)).toBeLessThanOrEqual(limit + 1e-6)
          reach[k] = Math.max(reach[k]!, Math.abs(places[k]!) / limit)
        }
      }
    }
    for (const share of reach) expect(share).toBeGreaterThan(0.95)
    await env.close()
  })

  it.each(['simd', 'scalar'])('keeps objects inside the rim and out of each other on %s physics', async (physics) => {
    const options = { ...BLIND, physics, objects: 5, appearance: 'random', start: 'random', maxEpisodeSteps: 150 }
    const env = await makePushMulti(options)
    const rng = new Rng(6)
    const action = new Float32Array(2)
    await env.reset({ seed: 6 })
    let moved = 0
    for (let i = 0; i < 1500; i++) {
      // Long strokes: white noise hardly moves the hand.
      if (i % 7 === 0) rng.fillUniform(action, -1, 1)
      const { observation, truncated } = await env.step(action)
      const { state } = observation
      for (let a = 1; a < 6; a++) {
        expect(Math.abs(state[2 * a]!)).toBeLessThan(ARENA[0] - 0.015)
        expect(Math.abs(state[2 * a + 1]!)).toBeLessThan(ARENA[1] - 0.015)
        // The smallest of them is a box of 4.4 cm.
        for (let b = 1; b < a; b++) expect(apartM(state, a, b)).toBeGreaterThan(0.04)
        if (apartM(state, 0, a) < HAND.radiusM + LARGEST_FOOTPRINT_M - 0.005) moved++
      }
      if (truncated) await env.reset()
    }
    expect(moved).toBeGreaterThan(50)
    await env.close()
  })
})

describe('looks of the objects', () => {
  it('stay within an episode and change with the next when they are random', async () => {
    const env = await makePushMulti({ size: 64, appearance: 'random', objects: 3 })
    const hues: string[] = []
    for (let seed = 0; seed < 8; seed++) {
      await env.reset({ seed })
      const before = colorsSeen(await env.render('top'))
      for (let i = 0; i < 5; i++) await env.step(Float32Array.of(0.3, -1))
      expect(colorsSeen(await env.render('top'))).toEqual(before)
      expect(before.length).toBeGreaterThanOrEqual(3)
      hues.push(before.join(' '))
    }
    expect(new Set(hues).size).toBe(8)
    await env.close()
  })

  it('never change when they are fixed', async () => {
    const env = await makePushMulti({ size: 64 })
    await env.reset({ seed: 0 })
    const before = colorsSeen(await env.render('top'))
    await env.reset({ seed: 1 })
    expect(colorsSeen(await env.render('top'))).toEqual(before)
    await env.close()
  })

  it('are restored with a state, in another env too', async () => {
    const [env, other] = [
      await makePushMulti({ size: 48, appearance: 'random' }),
      await makePushMulti({ size: 48, appearance: 'random' }),
    ]
    await env.reset({ seed: 1 })
    const [saved, image] = [await env.saveState(), await env.render('human')]
    await env.reset({ seed: 2 })
    await other.reset({ seed: 3 })
    expect(Buffer.compare(await env.render('human'), image)).not.toBe(0)
    for (const restored of [env, other]) {
      await restored.restoreState(saved)
      expect(Buffer.compare(await restored.render('human'), image)).toBe(0)
    }
    await env.close()
    await other.close()
  })

  it('are part of the goal image', async () => {
    const env = await makePushMulti({ size: 64, appearance: 'random', cameras: ['top'] })
    await env.reset({ seed: 4 })
    const seen = colorsSeen(await env.render('top'))
    expect(colorsSeen((await env.renderGoal(env.goal))['top']!)).toEqual(seen)
    await env.close()
  })
})

describe('colours that are drawn at every reset', () => {
  const options = { size: 48, objects: 1, cameras: ['top'] }
  const table = (image: Uint8Array): number[] => [...image.subarray(0, 3)]

  it('are those of the objects alone with `hues`, in the part of the circle that is asked for', async () => {
    for (const [hues, isAllowed] of [
      ['seen', (turn: number) => turn < 0.77],
      ['unseen', (turn: number) => turn > 0.73 || turn < 0.02],
    ] as const) {
      const [plain, env] = [await makePushMulti(options), await makePushMulti({ ...options, appearance: 'hues', hues })]
      const drawn = new Set<number>()
      for (let seed = 0; seed < 12; seed++) {
        const [there, here] = [(await plain.reset({ seed })).observation, (await env.reset({ seed })).observation]
        expect(here.state).toEqual(there.state)
        const seen = colorsSeen(here.images['top']!)
        expect(colorsSeen((await env.renderGoal(env.goal))['top']!)).toEqual(seen)
        for (const bin of seen) {
          expect(isAllowed((bin % 64) / 64)).toBe(true)
          drawn.add(bin)
        }
      }
      expect(drawn.size).toBeGreaterThan(3)
      await plain.close()
      await env.close()
    }
  })

  it('are those of the table as well if asked, for as long as the episode, and come back with a saved state', async () => {
    const [plain, env] = [await makePushMulti(options), await makePushMulti({ ...options, ground: 'random' })]
    const grounds = new Set<string>()
    for (let seed = 0; seed < 8; seed++) {
      const [there, here] = [(await plain.reset({ seed })).observation, (await env.reset({ seed })).observation]
      expect(here.state).toEqual(there.state)
      const before = table(here.images['top']!)
      await env.step(Float32Array.of(0.3, 1))
      expect(table(here.images['top']!)).toEqual(before)
      expect(table((await env.renderGoal(env.goal))['top']!)).toEqual(before)
      grounds.add(before.join())
    }
    expect(grounds.size).toBeGreaterThan(5)
    const [saved, image] = [await env.saveState(), await env.render('top')]
    await env.reset({ seed: 20 })
    expect(Buffer.compare(await env.render('top'), image)).not.toBe(0)
    await env.restoreState(saved)
    expect(Buffer.compare(await env.render('top'), image)).toBe(0)
    await plain.close()
    await env.close()
  })
})

envContract('PushMulti in any colour', () =>
  makePushMulti({ objects: 1, appearance: 'hues', ground: 'random', physics: 'scalar', size: 24 }),
)

function apartM(places: Float32Array, a: number, b: number): number {
  return Math.hypot(places[2 * a]! - places[2 * b]!, places[2 * a + 1]! - places[2 * b + 1]!)
}

/** Saturated colours of more than 10 pixels, as sixteenths of a turn of hue, in order. */
function colorsSeen(image: Uint8Array): number[] {
  const counts = new Map<number, number>()
  for (let i = 0; i < image.length; i += 3) {
    const [red, green, blue] = [image[i]!, image[i + 1]!, image[i + 2]!]
    if (Math.max(red, green, blue) - Math.min(red, green, blue) < 100) continue
    const angle = Math.atan2(Math.sqrt(3) * (green - blue), 2 * red - green - blue)
    const bin = Math.round(((angle / (2 * Math.PI) + 1) % 1) * 64)
    counts.set(bin, (counts.get(bin) ?? 0) + 1)
  }
  return [...counts]
    .filter(([, count]) => count > 10)
    .map(([bin]) => bin)
    .toSorted((a, b) => a - b)
}
