import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import { planOf } from '../../src/compose/behaviours.ts'
import type { Dataset, EpisodeData, EpisodeInfo } from '../../src/core/dataset.ts'
import type { SimulatedGoalEnv } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { runCli, SLOW_MS, startCli, temporaryFolder, until } from './helpers.ts'

const cwd = temporaryFolder()
const PUSH = 'armature/PushPuck-v0'

async function collect(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runCli(cwd, ['collect', ...args, '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as Record<string, unknown>
}

async function refusal(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(cwd, ['collect', ...args])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  return stderr
}

async function episodesOf(dataset: Dataset): Promise<EpisodeData[]> {
  return Promise.all(dataset.episodes.map(({ index }) => dataset.readEpisode(index)))
}

describe('collect', { timeout: SLOW_MS }, () => {
  test('records each class of behaviour, and a reset and the actions of an episode give it again', async () => {
    const classes = ['scripted', 'random', 'partial', 'noisy', 'slow', 'adversarial']
    const report = await collect(PUSH, '--episodes', '6', '--policy', classes.join(','), '--out', 'all', '--seed', '3')
    expect(report).toMatchObject({ folder: 'all', env: PUSH, cameras: ['front'], episodes: 6, frames: 306 })
    const dataset = await openDataset(join(cwd, 'all'))
    const episodes = await episodesOf(dataset)
    expect(dataset.episodes.map(({ policy }) => policy).toSorted()).toEqual(classes.toSorted())
    const env = (await makeEnv(PUSH)) as SimulatedGoalEnv
    expect(dataset.spec).toMatchObject({ source: PUSH, fps: 20, goalSpace: env.goalSpace })
    for (const { info, images, state, actions, rewards, goalImages } of episodes) {
      let { observation } = await env.reset({ seed: info.seed! })
      expect(info.goal).toEqual(env.goal)
      expect(goalImages).toEqual(await env.renderGoal(env.goal))
      const isSame = (t: number): void => {
        expect(state.subarray(4 * t, 4 * t + 4)).toEqual(observation.state)
        expect(Buffer.from(images['front']!.buffer, 6912 * t, 6912).equals(observation.images['front']!)).toBe(true)
      }
      isSame(0)
      for (let t = 0; t + 1 < info.length; t++) {
        const step = await env.step(actions.slice(2 * t, 2 * t + 2))
        ;({ observation } = step)
        expect(rewards[t]).toBeCloseTo(step.reward, 6)
        isSame(t + 1)
      }
    }
    await env.close()
    const of = (policy: string): EpisodeData => episodes.find(({ info }) => info.policy === policy)!
    expect([of('scripted').info.success, of('partial').info.success, of('adversarial').info.success]).toEqual([
      true,
      false,
      false,
    ])
    const { state, info } = of('adversarial')
    const last = state.subarray(-4)
    // The hand is where the goal has it, the puck where it was.
    expect(Math.hypot(last[0]! - info.goal![0]!, last[1]! - info.goal![1]!)).toBeLessThan(0.01)
    expect(Math.hypot(last[2]! - state[2]!, last[3]! - state[3]!)).toBeLessThan(0.0101)
    expect(Math.max(...of('slow').actions)).toBeCloseTo(0.4, 6)
    const stopped = of('partial').actions.subarray(-6)
    expect([...stopped]).toEqual([0, 0, 0, 0, 0, 0])
    const { record } = JSON.parse(readFileSync(join(cwd, 'all/meta/armature.json'), 'utf8')) as Record<string, object>
    expect(record).toMatchObject({ seed: 3, command: expect.arrayContaining(['collect', PUSH]) as unknown })
  })

  test('ends episodes with their first success, if asked', async () => {
    await collect(PUSH, '--episodes', '3', '--policy', 'scripted:2,random:1', '--out', 'ended', '--end-at-success')
    const { episodes } = await openDataset(join(cwd, 'ended'))
    const of = (policy: string): EpisodeInfo[] => episodes.filter((episode) => episode.policy === policy)
    for (const { length, success, terminated } of of('scripted')) {
      expect({ success, terminated }).toEqual({ success: true, terminated: false })
      expect(length).toBeLessThan(40)
    }
    expect(of('random')).toMatchObject([{ length: 51, success: false }])
  })

  test('several cameras, objects, distractors and options of the env; the same seed gives the same', async () => {
    const args = ['armature/PushMulti-v0', '--episodes', '1', '--policy', 'random', '--cameras', 'top,side']
    const options = ['--set', 'maxEpisodeSteps=3', '--set', 'distractor=discs', '--set', 'size=20']
    await collect(...args, ...options, '--out', 'multi')
    await collect(...args, ...options, '--out', 'again')
    const [first, second] = await Promise.all(['multi', 'again'].map((name) => openDataset(join(cwd, name))))
    expect(await first!.readEpisode(0)).toEqual(await second!.readEpisode(0))
    const { info, images, goalImages } = await first!.readEpisode(0)
    expect(info).toMatchObject({
      length: 4,
      objects: [9, 10],
      distractor: expect.stringMatching(/^clip-\d+$/) as unknown,
    })
    expect(Object.keys(images)).toEqual(['top', 'side'])
    expect(images['top']).toHaveLength(4 * 20 * 20 * 3)
    expect(Object.keys(goalImages!)).toEqual(['top', 'side'])
  })

  test('how each episode looked, as its reset says, and none of what cannot be seen', async () => {
    const randomize = { hue: 1, texture: 1, light: 1, camera: 1, mass: 1, actionDelay: 2 }
    const scene = { maxEpisodeSteps: 1, size: 8, randomize }
    const settings = Object.entries({ maxEpisodeSteps: 1, size: 8 }).map(([key, value]) => `${key}=${value}`)
    for (const [key, value] of Object.entries(randomize)) settings.push(`randomize.${key}=${value}`)
    const flags = ['--episodes', '2', '--policy', 'random', ...settings.flatMap((set) => ['--set', set])]
    await collect(PUSH, ...flags, '--out', 'looks')
    const { episodes } = await openDataset(join(cwd, 'looks'))
    const env = await makeEnv(PUSH, scene)
    for (const { seed, looks } of episodes) {
      const { info } = await env.reset({ seed: seed! })
      const seen = Object.entries(info).filter(([name]) => /^random_(hue|texture|light|camera)/.test(name))
      expect(seen.length).toBeGreaterThan(10)
      expect(looks).toEqual(Object.fromEntries(seen.map(([name, value]) => [name.replace('random_', ''), value])))
    }
    await env.close()
    expect(episodes[0]!.looks!['light_x']).not.toBe(episodes[1]!.looks!['light_x'])
  })

  test('however many envs and threads play them, the episodes are the same, byte for byte', async () => {
    const play = ['--episodes', '7', '--policy', 'scripted,random,noisy,adversarial', '--set', 'maxEpisodeSteps=12']
    const copies = { one: [], three: ['--envs', '3'], threads: ['--envs', '4', '--workers', '2'] }
    for (const [name, flags] of Object.entries(copies)) await collect(PUSH, ...play, ...flags, '--out', name)
    const [one, ...others] = await Promise.all(
      Object.keys(copies).map(async (name) => episodesOf(await openDataset(join(cwd, name)))),
    )
    for (const other of others) expect(other).toEqual(one)
  })

  test('Ctrl-C keeps what is finished, and says so', async () => {
    const path = join(cwd, 'stopped')
    const running = startCli(cwd, ['collect', PUSH, '--episodes', '100000', '--policy', 'random', '--out', 'stopped'])
    const count = (): number => {
      const info = join(path, 'meta/info.json')
      return existsSync(info)
        ? (JSON.parse(readFileSync(info, 'utf8')) as { total_episodes: number }).total_episodes
        : 0
    }
    await until(() => count() >= 2, running)
    running.child.kill('SIGINT')
    const { code, stderr } = await running.finished
    expect(code).toBe(130)
    const { episodes, problems } = await openDataset(path)
    expect(problems).toEqual([])
    expect(stderr.trimEnd().split('\n').at(-1)).toBe(
      `armature: stopped; stopped keeps ${episodes.length} whole episodes`,
    )
    expect(existsSync(join(path, 'meta/stats.json'))).toBe(true)
  })

  test('refuses in one line what it cannot do, and writes nothing', async () => {
    const refusals = await Promise.all([
      refusal('armature/Reach-v0', '--policy', 'adversarial', '--out', 'none'),
      refusal('armature/Pendulum-v1', '--policy', 'partial', '--out', 'none'),
      refusal(PUSH, '--cameras', 'back', '--out', 'none'),
      refusal(PUSH, '--policy', 'scripted:0', '--out', 'none'),
      refusal(PUSH, '--policy', 'no-such-run', '--out', 'none'),
      refusal(PUSH, '--episodes', '1', '--out', '.'),
      refusal('tcp://127.0.0.1:5600', '--envs', '2', '--out', 'none'),
      refusal('tcp://127.0.0.1:5600', '--workers', '1', '--out', 'none'),
    ])
    expect(refusals).toEqual([
      expect.stringMatching(
        /^armature: --policy adversarial in armature\/Reach-v0: expected a goal for the robot and one for an object, got a goal of hand_x_m, .*\n$/,
      ),
      expect.stringMatching(/^armature: armature\/Pendulum-v1 has no scripted policy, which "partial" varies; .*\n$/),
      expect.stringMatching(/^armature: camera "back" of armature\/PushPuck-v0; there is front, side, human\n$/),
      expect.stringMatching(/^armature: .*Expected different policies, .*\n$/),
      expect.stringMatching(/^armature: no-such-run is not a run folder.*\n$/),
      expect.stringMatching(/^armature: \. exists; name another folder\n$/),
      'armature: --envs: expected 1 for a robot, which exists once, got 2; leave it out\n',
      'armature: --workers: expected 0 for a robot, which exists once, got 1; leave it out\n',
    ])
    expect(existsSync(join(cwd, 'none'))).toBe(false)
  })
})

test('shares become numbers of episodes that are as near as can be, in random order', () => {
  const shares = [0.5, 0.25, 0.25].map((share, i) => ({ name: String(i), share }))
  const plan = planOf(shares, 10, new Rng(1))
  const counts = [0, 1, 2].map((i) => plan.filter((x) => x === i).length)
  expect([counts[0], counts[1]! + counts[2]!, Math.abs(counts[1]! - counts[2]!)]).toEqual([5, 5, 1])
  expect(plan).not.toEqual(plan.toSorted((a, b) => a - b))
  expect(planOf(shares, 10, new Rng(1))).toEqual(plan)
})
