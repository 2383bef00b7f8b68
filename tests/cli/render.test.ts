import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { describe, expect, test } from 'vitest'
import { envs, makeEnv } from '../../envs/index.ts'
import { scenePlayer } from '../../src/compose/scene-player.ts'
import type { Observation } from '../../src/core/env.ts'
import { isGoalEnv } from '../../src/core/env.ts'
import { decodeGif } from '../io/gif-reader.ts'
import { runCli, SLOW_MS, temporaryFolder } from './helpers.ts'

const cwd = temporaryFolder()
const PUSH = 'armature/PushPuck-v0'

interface Report {
  readonly [key: string]: unknown
  readonly info: Readonly<Record<string, number>>
}

async function render(...args: string[]): Promise<Report> {
  const { code, stdout, stderr } = await runCli(cwd, ['render', ...args, '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as Report
}

function pixels(file: string): { width: number; height: number; data: Uint8Array } {
  const { width, height, data } = decode(readFileSync(join(cwd, file)))
  return { width, height, data: Uint8Array.from(data) }
}

describe.concurrent('render', { timeout: SLOW_MS }, () => {
  test('a PNG is what the camera sees after the reset', async () => {
    const report = await render(PUSH, '--out', 'new/one.png', '--cameras', 'front', '--size', '32x24', '--seed', '3')
    expect(report).toMatchObject({
      file: 'new/one.png',
      cameras: ['front'],
      width: 32,
      height: 24,
      steps: 0,
      frames: 1,
    })
    const env = await makeEnv(PUSH)
    await env.reset({ seed: 3 })
    expect(pixels('new/one.png')).toEqual({
      width: 32,
      height: 24,
      data: await env.render('front', { width: 32, height: 24 }),
    })
    await env.close()
  })

  test('cameras stand side by side under their names, later in the episode, with options of the env', async () => {
    const args = [PUSH, '--cameras', 'front,human', '--size', '40', '--policy', 'random', '--steps', '8']
    const report = await render(...args, '--out', 'two.png', '--set', 'start=random', '--set', 'maxEpisodeSteps=5')
    // The episode ends before the eighth step.
    expect(report).toMatchObject({ cameras: ['front', 'human'], width: 82, height: 51, steps: 5, policy: 'random' })
    expect(report.info).toHaveProperty('success')
  })

  test('a GIF shows an episode at the pace of the scene', async () => {
    const report = await render(
      'armature/Pendulum-v1',
      '--out',
      'e.gif',
      '--cameras',
      'front',
      '--size',
      '24',
      '--policy',
      'still',
      '--steps',
      '9',
    )
    expect(report).toMatchObject({ cameras: ['front'], policy: 'still', steps: 9, frames: 10, fps: 20 })
    const { width, height, frames } = decodeGif(readFileSync(join(cwd, 'e.gif')))
    expect({ width, height, delays: frames.map(({ delay }) => delay) }).toEqual({
      width: 24,
      height: 24,
      delays: Array.from({ length: 10 }, () => 5),
    })
    // A pendulum that nothing holds falls.
    expect(frames[9]!.rgb).not.toEqual(frames[0]!.rgb)
  })

  test('an MP4 shows it too', async () => {
    const args = ['armature/Pendulum-v1', '--out', 'e.mp4', '--size', '33', '--policy', 'still', '--steps', '4']
    expect(await render(...args)).toMatchObject({ steps: 4, frames: 5, fps: 20 })
    expect(readFileSync(join(cwd, 'e.mp4')).subarray(4, 8).toString('latin1')).toBe('ftyp')
  })

  test('a file that is there is replaced only where that is asked for', async () => {
    writeFileSync(join(cwd, 'mine.png'), 'mine')
    const args = ['render', PUSH, '--out', 'mine.png', '--size', '8']
    const { code, stdout, stderr } = await runCli(cwd, args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toBe('armature: mine.png exists; name another file or use --overwrite\n')
    expect(readFileSync(join(cwd, 'mine.png'), 'utf8')).toBe('mine')
    await render(PUSH, '--out', 'mine.png', '--size', '8', '--overwrite')
    expect(pixels('mine.png').width).toBe(8)
  })
})

const scriptless = Object.entries(envs).find(([, { expert }]) => expert === undefined)?.[0]

describe.concurrent('render refuses', { timeout: SLOW_MS }, () => {
  test.each<[what: string, args: string[], text: string]>([
    ['an unknown env', ['armature/PushPuk-v0', '--out', 'no.png'], 'did you mean armature/PushPuck-v0?'],
    ['no file', [PUSH], "required option '--out <file>'"],
    ['an unknown format', [PUSH, '--out', 'no.jpg'], 'expected a file that ends in .png, .gif or .mp4'],
    [
      'an unknown camera',
      [PUSH, '--out', 'no.png', '--cameras', 'left'],
      'camera "left" of armature/PushPuck-v0; there is',
    ],
    ['a size of no pixels', [PUSH, '--out', 'no.png', '--size', '64x0'], 'Expected WIDTHxHEIGHT'],
    [
      'more pixels than memory',
      [PUSH, '--out', 'no.gif', '--size', '4096'],
      'choose a smaller --size or fewer --steps',
    ],
    ['an unknown option of the env', [PUSH, '--out', 'no.png', '--set', 'siz=8'], 'did you mean size?'],
    ['a folder that is a file', [PUSH, '--out', 'file/no.png'], 'cannot write file/no.png'],
  ])('%s', async (_what, args, text) => {
    writeFileSync(join(cwd, 'file'), '')
    const { code, stdout, stderr } = await runCli(cwd, ['render', ...args])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^armature: .*\n$/)
    expect(stderr).toContain(text)
    for (const name of ['no.png', 'no.gif', 'no.jpg']) expect(existsSync(join(cwd, name))).toBe(false)
  })

  test.skipIf(scriptless === undefined)('a scripted policy of a scene that has none', async () => {
    const { code, stderr } = await runCli(cwd, ['render', scriptless!, '--out', 'no.png', '--policy', 'scripted'])
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `armature: ${scriptless!} has no scripted policy; use --policy random or still\n`,
    })
  })
})

test('random play repeats with its seed', async () => {
  const env = await makeEnv(PUSH, { size: 1 })
  const { observation } = await env.reset({ seed: 1 })
  const actions = async (seed: number): Promise<Float32Array[]> => {
    const player = scenePlayer('random', env, undefined, seed)
    return [await player(observation), await player(observation)]
  }
  expect(await actions(1)).toEqual(await actions(1))
  expect(await actions(1)).not.toEqual(await actions(2))
  await env.close()
})

test('a scripted policy is made afresh for each episode and told observation and goal', async () => {
  const env = await makeEnv(PUSH, { size: 1 })
  const { observation } = await env.reset({ seed: 1 })
  const seen: [Observation, Float32Array | undefined][] = []
  const expert = () => {
    let calls = 0
    return (at: Observation, goal: Float32Array | undefined): Float32Array => {
      seen.push([at, goal?.slice()])
      return Float32Array.of(++calls, 0)
    }
  }
  for (let episode = 0; episode < 2; episode++) {
    const player = scenePlayer('scripted', env, expert, 0)
    expect([...(await player(observation))]).toEqual([1, 0])
  }
  if (!isGoalEnv(env)) throw new Error('no goal')
  expect(seen).toEqual([
    [observation, env.goal],
    [observation, env.goal],
  ])
  await env.close()
})
