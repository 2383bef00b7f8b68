import { describe, expect, test } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import type { Observation } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import { collectEpisodes } from '../../src/run/collect.ts'

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
