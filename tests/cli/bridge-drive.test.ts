import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import type { RobotProcess } from './bridge-robot.ts'
import { startRobot } from './bridge-robot.ts'
import type { Finished } from './helpers.ts'
import { runCli, sets, SLOW_MS, startCli, temporaryFolder, TINY_PUSH, until } from './helpers.ts'

const cwd = temporaryFolder()
const PUSH = 'armature/PushPuck-v0'
/** As TINY_PUSH has it. */
const SHORT = ['--set', 'maxEpisodeSteps=25']
const TRAIN = ['train', 'rig-push', ...TINY_PUSH, ...sets({ 'training.evalEvery': 70 }), '--steps', '120', '--quiet']
const HERE = join(cwd, 'here')

beforeAll(async () => {
  expect((await runCli(cwd, [...TRAIN, '--out', HERE])).code).toBe(0)
}, SLOW_MS)

function json({ code, stdout, stderr }: Finished): Record<string, unknown> {
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Record<string, unknown>
}

/** Rows of a file of a run, without what the clock decides. */
function rowsOf(run: string, file: string): string[] {
  const rows = readFileSync(join(run, file), 'utf8').split('\n')
  return file === 'monitor.csv' ? rows.slice(1).map((row) => row.split(',').slice(0, 2).join()) : rows
}

async function withRobot(args: readonly string[], work: (robot: RobotProcess) => Promise<void>): Promise<Finished> {
  const robot = await startRobot(cwd, args)
  await work(robot)
  return robot.stop()
}

describe('in lock-step', { timeout: SLOW_MS }, () => {
  test('train, eval and collect across the bridge do what they do in process', async () => {
    const stopped = await withRobot([PUSH, ...SHORT, '--lockstep'], async ({ address }) => {
      const there = join(cwd, 'there')
      const trained = await runCli(cwd, [...TRAIN, '--out', there, '--env', address])
      expect(trained, trained.stderr).toMatchObject({ code: 0 })
      for (const file of ['monitor.csv', 'metrics.jsonl']) {
        expect(rowsOf(there, file), file).toEqual(rowsOf(HERE, file))
        expect(rowsOf(there, file).length).toBeGreaterThan(2)
      }
      const evaluate = ['eval', HERE, '--episodes', '2', '--json']
      const [local, remote] = [await runCli(cwd, evaluate), await runCli(cwd, [...evaluate, '--env', address])]
      expect(json(remote)).toEqual(json(local))
      const driven = json(
        await runCli(cwd, ['drive', HERE, '--to', address, '--episodes', '2', '--lockstep', '--json']),
      )
      expect(driven.means).toEqual(json(local).means)
      const [a, b] = [join(cwd, 'data here'), join(cwd, 'data there')]
      json(await runCli(cwd, ['collect', PUSH, ...SHORT, '--out', a, '--episodes', '1', '--json']))
      json(await runCli(cwd, ['collect', address, '--out', b, '--episodes', '1', '--json']))
      const [first, second] = [await openDataset(a), await openDataset(b)]
      expect(await second.readEpisode(0)).toEqual(await first.readEpisode(0))
    })
    expect(json(stopped)).toMatchObject({ robot: PUSH, mode: 'lockstep' })
  })
})

describe('in real time', { timeout: SLOW_MS }, () => {
  test('drive plays episodes and lets go; killed in motion, the robot stops for good until an operator clears it', async () => {
    await withRobot([PUSH], async (robot) => {
      const { address } = robot
      const report = json(await runCli(cwd, ['drive', HERE, '--to', address, '--max-seconds', '0.5', '--json']))
      expect(report).toMatchObject({
        policy: 'rig-push-step120-driven',
        episodes: 1,
        means: { 'eval/mean_ep_length': 10 },
      })
      expect(readdirSync(join(HERE, 'eval'))).toContain('rig-push-step120-driven.json')
      await robot.saying(({ code }) => code === 'lease_released')
      expect(robot.said.some(({ toState }) => toState === 'SAFE_STOP')).toBe(false)

      const driver = startCli(cwd, ['drive', HERE, '--to', address, '--episodes', '1000', '--quiet'])
      const isStarted = ({ code }: Readonly<Record<string, unknown>>): boolean => code === 'started'
      const before = robot.said.filter(isStarted).length
      await until(() => robot.said.filter(isStarted).length > before, driver)
      driver.child.kill('SIGKILL')
      await robot.saying(({ toState }) => toState === 'SAFE_STOP')
      const refused = await runCli(cwd, ['drive', HERE, '--to', address])
      expect(refused.code).not.toBe(0)
      expect(refused.stderr).toContain('fault_latched')
      expect(json(await runCli(cwd, ['clear', address, '--json']))).toMatchObject({ state: 'IDLE', armed: false })
    })
  })

  test('serve waits for a robot, and for an operator to arm it', async () => {
    await withRobot([PUSH, '--operator-arms'], async (robot) => {
      const server = startCli(cwd, [
        'serve',
        HERE,
        '--to',
        robot.address,
        '--max-seconds',
        '0.3',
        '--episodes',
        '2',
        '--json',
      ])
      await robot.saying(({ code }) => code === 'lease_granted')
      expect(robot.said.some(({ code }) => code === 'started')).toBe(false)
      await runCli(cwd, ['arm', robot.address, '--json'])
      expect(json(await server.finished)).toMatchObject({ run: HERE, step: 120, episodes: 2 })
    })
  })
})

describe('refusals', { timeout: SLOW_MS }, () => {
  test('a robot of another kind is refused with both named, and never moves', async () => {
    const stopped = await withRobot(['mock'], async (robot) => {
      const { code, stderr } = await runCli(cwd, ['drive', HERE, '--to', robot.address, '--max-seconds', '1'])
      expect(code).toBe(2)
      expect(stderr).toContain(
        'expected armature/PushPuck-v0, got mock, which has action kind position instead of velocity',
      )
      expect(stderr).toMatch(/action names \[joint1_rad, joint2_rad.*\] instead of \[hand_dx_2cm, hand_dy_2cm\]/)
      expect(robot.said.some(({ code: event }) => event === 'lease_granted')).toBe(false)
    })
    expect(json(stopped)).toMatchObject({ counters: { actions_received: 0 } })
  })

  test.each([
    ['an unknown scene', ['robot', 'armature/Nothing-v0'], 'unknown env'],
    ['an address that others can reach', ['robot', 'mock', '--bind', 'tcp://0.0.0.0:*'], 'key'],
    ['hardware in lock-step', ['robot', 'mock', '--lockstep'], 'simulated robot'],
    ['limits that are missing', ['robot', 'mock', '--limits', 'none.json'], 'none.json'],
    ['half a pair of keys', ['clear', 'tcp://127.0.0.1:9', '--key', 'a.key'], '--robot-key'],
  ])('%s', async (_what, args, text) => {
    const { code, stderr } = await runCli(cwd, args)
    expect({ code, lines: stderr.split('\n').length }, stderr).toEqual({ code: 2, lines: 2 })
    expect(stderr).toContain(text)
  })
})
