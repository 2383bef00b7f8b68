import { describe, expect, test } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import type { Observation, SimulatedGoalEnv } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import { collectEpisodes, collectGoals } from '../../src/run/collect.ts'

const OPTIONS = { cameras: ['front'], count: 11, resetEvery: 4, start: 'goal' }

describe('episodes of random play', () => {
  test('start over from the named state every so many steps, and hold all that an encoder may learn from', async () => {
    const env = await makeEnv('armature/PushPuck-v0')
    const episodes = await collectEpisodes(env, new Rng(1), OPTIONS)
    const again = await collectEpisodes(env, new Rng(1), OPTIONS)
    await env.close()
    expect(episodes).toEqual(again)
    expect(episodes.map(({ info }) => [info.index, info.length])).toEqual([
      [0, 4],
      [1, 4],
      [2, 3],
    ])
    const { images, actions, rewards, state } = episodes[0]!
    const size = images['front']!.length / 4
    expect(images['front']!.subarray(size, 2 * size)).not.toEqual(images['front']!.subarray(0, size))
    expect([actions.length, rewards.length, state.length % 4]).toEqual([3 * 2, 3, 0])
    expect(new Set(actions).size).toBe(6)
  })

  test('are played by whom the player names, from the observation that is there', async () => {
    const env = await makeEnv('armature/PushPuck-v0')
    const seen: number[] = []
    const player = (index: number) => ({
      name: `player-${index}`,
      begin:
        async (_env: unknown, seed: number) =>
        async ({ state }: Observation) => {
          seen.push(seed, state[0]!)
          return Float32Array.of(1, 0)
        },
    })
    const episodes = await collectEpisodes(env, new Rng(1), { ...OPTIONS, player })
    await env.close()
    expect(episodes.map(({ info }) => info.policy)).toEqual(['player-0', 'player-1', 'player-2'])
    expect([...episodes[0]!.actions]).toEqual([1, 0, 1, 0, 1, 0])
    const { seed } = episodes[0]!.info
    const at = (time: number): number => episodes[0]!.state[4 * time]!
    expect(seen.slice(0, 6)).toEqual([seed, at(0), seed, at(1), seed, at(2)])
  })

  test('begin anew where the env ends them', async () => {
    const env = await makeEnv('armature/Pendulum-v1')
    const episodes = await collectEpisodes(env, new Rng(1), {
      cameras: [],
      count: 450,
      resetEvery: 400,
      start: 'random',
    })
    await env.close()
    // An episode of Pendulum lasts 200 steps.
    expect(episodes.map(({ info }) => info.length)).toEqual([201, 201, 48])
  })

  test.each([
    [{ count: 0 }, 'frames to collect: expected a whole number >= 1, got 0'],
    [{ count: NaN }, 'frames to collect'],
    [{ resetEvery: 0 }, 'steps between resets: expected a whole number >= 1, got 0'],
    [{ cameras: ['top'] }, 'camera of armature/PushPuck-v0: expected front, got top'],
  ])('are refused for %o', async (options, message) => {
    const env = await makeEnv('armature/PushPuck-v0')
    await expect(collectEpisodes(env, new Rng(1), { ...OPTIONS, ...options })).rejects.toThrow(message)
    await env.close()
  })
})

test('each action is held for as many steps as asked', async () => {
  const env = await makeEnv('armature/PushPuck-v0', { size: 1 })
  const options = { ...OPTIONS, count: 13, resetEvery: 13, holdActions: 4 }
  const { actions } = (await collectEpisodes(env, new Rng(1), options))[0]!
  await env.close()
  const first = Array.from({ length: 12 }, (_, t) => actions[2 * t]!)
  for (const [t, action] of first.entries()) expect(action).toBe(first[t - (t % 4)])
  expect(new Set(first).size).toBe(3)
})

describe('pictures of goals', () => {
  const OF_GOALS = { cameras: ['front'], count: 11, resetEvery: 4, start: 'goal' }
  const make = (): Promise<SimulatedGoalEnv> =>
    makeEnv('armature/PushMulti-v0', { objects: 1, appearance: 'hues' }) as Promise<SimulatedGoalEnv>

  test('are in the colours of the observation before them, with things at other places', async () => {
    const env = await make()
    const episodes = await collectGoals(env, new Rng(1), OF_GOALS)
    const again = await collectGoals(env, new Rng(1), OF_GOALS)
    await env.close()
    expect(again).toEqual(episodes)
    expect(episodes.map(({ info }) => info.length)).toEqual([4, 4, 3])
    const colours = episodes.map(({ images, info }) => {
      const size = images['front']!.length / info.length
      const frames = Array.from({ length: info.length }, (_, i) => images['front']!.subarray(i * size, (i + 1) * size))
      const vivid = frames.map(mostVivid)
      for (const [i, frame] of frames.entries()) {
        // Shaded by a degree or two of hue at most.
        expect(Math.abs(((vivid[i]! - vivid[0]! + 540) % 360) - 180)).toBeLessThan(8)
        for (const other of frames.slice(0, i)) expect(frame).not.toEqual(other)
      }
      return vivid[0]!
    })
    expect(Math.max(...colours) - Math.min(...colours)).toBeGreaterThan(20)
  })

  test('are refused in numbers that make no sense', async () => {
    const env = await make()
    await expect(collectGoals(env, new Rng(1), { ...OF_GOALS, resetEvery: 1 })).rejects.toThrow('steps between resets')
    await expect(collectGoals(env, new Rng(1), { ...OF_GOALS, cameras: ['top'] })).rejects.toThrow('expected front')
    await env.close()
  })
})

/** Hue, degrees, of the pixel whose channels differ most. */
function mostVivid(frame: Uint8Array): number {
  let [most, at] = [-1, 0]
  for (let i = 0; i < frame.length; i += 3) {
    const spread = Math.max(frame[i]!, frame[i + 1]!, frame[i + 2]!) - Math.min(frame[i]!, frame[i + 1]!, frame[i + 2]!)
    if (spread > most) [most, at] = [spread, i]
  }
  const [r, g, b] = [frame[at]!, frame[at + 1]!, frame[at + 2]!]
  return (Math.atan2(Math.sqrt(3) * (g - b), 2 * r - g - b) * 180) / Math.PI + 180
}
