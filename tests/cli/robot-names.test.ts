import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { robotsOf } from '../../src/cli/robot-names.ts'
import type { TestBridge } from '../bridges/helpers.ts'
import { openActive, openBridge } from '../bridges/helpers.ts'
import { SimpleRobot } from '../bridges/simple-robot.ts'
import { runCli, SLOW_MS, temporaryFolder } from './helpers.ts'
import { runHere } from './in-process.ts'

const cwd = temporaryFolder()
const open: TestBridge[] = []
afterEach(async () => {
  delete process.env['ARMATURE_ROBOTS']
  for (const bridge of open.splice(0)) await bridge.close()
})

function list(robots: unknown): string {
  const path = join(cwd, 'robots.json')
  writeFileSync(path, typeof robots === 'string' ? robots : JSON.stringify(robots))
  process.env['ARMATURE_ROBOTS'] = path
  return path
}

describe('the name of a robot', () => {
  test('is that of one, or of all below it; keys that are given win', async () => {
    list({
      'lab/left': 'tcp://127.0.0.1:1',
      'lab/right': { endpoint: 'tcp://127.0.0.1:2', key: 'a.key', robotKey: 'b' },
      labour: 'tcp://127.0.0.1:3',
    })
    expect(await robotsOf('lab', {})).toEqual([
      { name: 'lab/left', endpoint: 'tcp://127.0.0.1:1' },
      { name: 'lab/right', endpoint: 'tcp://127.0.0.1:2', key: 'a.key', robotKey: 'b' },
    ])
    expect(await robotsOf('lab/right', { key: 'mine.key' })).toMatchObject([{ key: 'mine.key', robotKey: 'b' }])
    expect(await robotsOf('tcp://arm:5600', { key: 'k' })).toEqual([
      { name: 'tcp://arm:5600', endpoint: 'tcp://arm:5600', key: 'k' },
    ])
    await expect(robotsOf('la', {})).rejects.toThrow(/there is lab\/left, lab\/right, labour/)
  })

  test.each([
    ['{', /robots.json/],
    [{ a: 'arm:5600' }, /address of a robot/],
    [{ 'a//b': 'tcp://a:1' }, /addresses of robots by name/],
    [{ a: { endpoint: 'tcp://a:1', keys: 'x' } }, /Unrecognized key.*keys/],
  ])('is refused with a list that makes no sense: %j', async (robots, reason) => {
    list(robots)
    await expect(robotsOf('a', {})).rejects.toThrow(reason)
  })

  test('is refused in one line where there is no list, or a command is about one robot', async () => {
    const none = await runCli(cwd, ['watch', 'lab/left'], { ARMATURE_ROBOTS: join(cwd, 'none.json') })
    expect(none.code).toBe(2)
    expect(none.stderr).toMatch(/lab\/left.*an address such as tcp.*or a name in/s)
    const path = list({ 'lab/a': 'tcp://127.0.0.1:1', 'lab/b': 'tcp://127.0.0.1:2' })
    const two = await runCli(cwd, ['clear', 'lab'], { ARMATURE_ROBOTS: path })
    expect(two).toMatchObject({ code: 2, stderr: expect.stringContaining('lab/a, lab/b') as unknown })
  })
})

describe('several robots', { timeout: SLOW_MS }, () => {
  async function two(): Promise<TestBridge[]> {
    for (const name of ['test/Left', 'test/Right']) open.push(await openBridge({}, new SimpleRobot({ name })))
    const [left, right] = open
    list({ 'lab/left': left!.server.endpoints.control, 'lab/right': right!.server.endpoints.control })
    return [...open]
  }

  test('are stopped by one word, also where one of them lets nobody in', async () => {
    const bridges = await two()
    for (const bridge of bridges) await openActive(bridge)
    expect(bridges.map(({ server }) => server.state)).toEqual(['ACTIVE', 'ACTIVE'])
    const [left, right] = bridges.map(({ server }) => server.endpoints.control)
    open.push(await openBridge({ maxPeers: 0 }))
    list({ 'lab/left': left, 'lab/full': open[2]!.server.endpoints.control, 'lab/right': right })
    const stopped = await runHere(['stop', 'lab', '--safe', '--json'])
    expect(bridges.map(({ server }) => server.state)).toEqual(['SAFE_STOP', 'SAFE_STOP'])
    expect(stopped.code).toBeGreaterThan(0)
    expect(stopped.stderr).toContain('connected already')
    list({ 'lab/left': left, 'lab/right': right })
    const again = await runHere(['stop', 'lab', '--json'])
    expect(JSON.parse(again.stdout)).toMatchObject({ robots: [{ robot: 'test/Left' }, { robot: 'test/Right' }] })
  })

  test('show their numbers on one page, those that are not there as well', async () => {
    const bridges = await two()
    await openActive(bridges[0]!)
    const over = new AbortController()
    const text = { stdout: '' }
    const { runProgram } = await import('../../src/cli/run-program.ts')
    const stdout = { write: (piece: string) => (text.stdout += piece) }
    const running = runProgram(['prometheus', 'lab', '--port', '0'], { stdout, stderr: stdout, signal: over.signal })
    const page = async (): Promise<string> => {
      const url = /http:\/\/127\.0\.0\.1:\d+\/metrics/.exec(text.stdout)?.[0]
      return url === undefined ? '' : (await fetch(url)).text()
    }
    const shows = async (pattern: RegExp): Promise<boolean> => {
      for (let k = 0; k < 2000; k++) {
        if (pattern.test(await page())) return true
        await sleep(10)
      }
      return false
    }
    expect(await shows(/armature_state\{robot="lab\/left",state="ACTIVE"\} 1/)).toBe(true)
    expect(await shows(/armature_observations_sent_total\{robot="lab\/left"\} \d+/)).toBe(true)
    expect(await shows(/armature_up\{robot="lab\/right"\} 1/)).toBe(true)
    await bridges[1]!.close()
    expect(await shows(/armature_up\{robot="lab\/right"\} 0/)).toBe(true)
    const other = new URL('/other', /http:\S+/.exec(text.stdout)![0])
    expect((await fetch(other)).status).toBe(404)
    over.abort()
    expect([0, 130]).toContain(await running)
  })
})
