import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { envRobot } from '../../bridges/adapters/env-robot.ts'
import { ObserverClient } from '../../bridges/client/observer-client.ts'
import { PolicyClient } from '../../bridges/client/policy-client.ts'
import type { ObservationContent } from '../../bridges/protocol/messages.ts'
import { LogFiles } from '../../bridges/recording/log-files.ts'
import { RobotServer } from '../../bridges/server/robot-server.ts'
import { Authorization } from '../../bridges/zmq/authorization.ts'
import { authorizeKey, createKeyFile } from '../../bridges/zmq/keys.ts'
import { makeEnv } from '../../envs/index.ts'
import type { RobotReading } from '../../src/core/robot.ts'
import { imageSpace } from '../../src/core/spaces.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { clock, SimpleRobot } from '../bridges/simple-robot.ts'
import type { RecordReport } from '../../src/cli/record.ts'
import { runCli, SLOW_MS, startCli, temporaryFolder, until } from './helpers.ts'
import { PATIENCE_MS } from '../bridges/helpers.ts'

/** About 2.5 MB a second. */
class CameraRobot extends SimpleRobot {
  static readonly bytes = 128 * 128 * 3

  constructor() {
    super({ imageSpaces: { top: imageSpace(128, 128) } })
  }

  override async read(): Promise<RobotReading> {
    const reading = await super.read()
    return { ...reading, observation: { ...reading.observation, images: { top: new Uint8Array(CameraRobot.bytes) } } }
  }
}

const cwd = temporaryFolder()
const open: { close(): Promise<void> }[] = []
let endpoint: string
let robot: SimpleRobot
let driver: PolicyClient
const end = new AbortController()
let driving: Promise<void>

/** A robot in real time, driven from this process for as long as the tests run. */
beforeAll(async () => {
  robot = new SimpleRobot({ controlHz: 20, isSimulated: false })
  // The tests look on; how late a busy machine is, is no matter of theirs.
  const watchdogs = { softUs: 5_000_000, hardUs: 20_000_000, leaseUs: 20_000_000 }
  const server = new RobotServer({ robot, clock, watchdogs })
  await server.start()
  open.push(server)
  endpoint = server.endpoints.control
  driver = await PolicyClient.connect({ endpoint, clock, timeoutMs: PATIENCE_MS, name: 'driver', role: 'operator' })
  open.push(driver)
  driving = drive()
})

/** A machine that is too busy for 20 Hz stops the robot: then it is started again. */
async function drive(): Promise<void> {
  for (let i = 0; !end.signal.aborted; i++) {
    try {
      if (driver.state !== 'ACTIVE' && driver.state !== 'HOLD') await startAgain()
      const { observationSeq } = await driver.nextObservation()
      driver.act(Float32Array.of((i % 1000) / 1000, 0), { observationSeq })
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

async function startAgain(): Promise<void> {
  if (driver.state === 'SAFE_STOP') await driver.clear()
  if (driver.state === 'IDLE' || !driver.hasLease) await driver.lease({ ttlMs: 10_000 })
  await driver.arm()
  await driver.start()
}

afterAll(async () => {
  end.abort()
  await driving
  for (const it of open.toReversed()) await it.close()
})

async function within(ms: number, holds: () => boolean): Promise<boolean> {
  for (const endUs = clock() + ms * 1000; !holds() && clock() < endUs;) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return holds()
}

describe('commands that look at a robot', { timeout: SLOW_MS }, () => {
  test('watch: a line a second, and one snapshot under --json', async () => {
    const { code, stdout, stderr } = await runCli(cwd, ['watch', endpoint, '--seconds', '2'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^ACTIVE armed {2}epoch \d+ {2}[\d.]+\/s observed {2}[\d.]+\/s applied {2}latency p50 /m)
    const snapshot = await runCli(cwd, ['watch', endpoint, '--json'])
    const seen = JSON.parse(snapshot.stdout) as Record<string, unknown>
    expect(seen).toMatchObject({ robot: 'test/Simple', mode: 'realtime', controlHz: 20 })
    expect(seen['observations']).toBeGreaterThan(5)
  })

  test('doctor: a report, and exit code 1 where there is no robot', async () => {
    const { code, stdout } = await runCli(cwd, ['doctor', endpoint, '--seconds', '2', '--json'])
    const report = JSON.parse(stdout) as { ok: boolean; checks: { name: string; result: string; detail: string }[] }
    const check = (name: string) => report.checks.find((it) => it.name === name)
    expect(code).toBe(report.ok ? 0 : 1)
    expect(check('hello')).toMatchObject({ result: 'ok', detail: 'test/Simple (1), protocol 1.0, as observer' })
    expect(check('security')).toMatchObject({ result: 'ok', detail: 'no keys: only this machine can reach it' })
    expect(check('state')!.detail).toMatch(/epoch \d+, lease: /)
    // Hardware with a range only.
    expect(check('limits')).toMatchObject({
      result: 'warn',
      detail: expect.stringContaining('nothing limits speed') as unknown,
    })
    expect(report).toMatchObject({
      endpoint,
      robot: { name: 'test/Simple' },
      clockUs: { error: expect.any(Number) as unknown },
    })
    const gone = await runCli(cwd, ['doctor', 'tcp://127.0.0.1:1'])
    expect(gone.code).toBe(1)
    expect(gone.stdout).toContain('bad   hello  no robot at tcp://127.0.0.1:1')
  })

  test('record: dies without the robot noticing, and what it wrote can be read', async () => {
    const running = startCli(cwd, ['record', endpoint, '--out', 'killed.rblog'])
    const path = join(cwd, 'killed.rblog')
    await until(() => existsSync(path) && statSync(path).size > 4000, running)
    running.child.kill('SIGKILL')
    await running.finished
    const applied = robot.applied.length
    expect(await within(5000, () => robot.applied.length > applied + 10)).toBe(true)
    const log = await LogFiles.open(path)
    expect(await log.welcome()).toMatchObject({ schema: { name: 'test/Simple' }, role: 'observer' })
    await log.close()
    const again = await runCli(cwd, ['record', endpoint, '--out', 'killed.rblog'])
    expect(again.code).toBe(2)
    expect(again.stderr).toContain('there is a file killed.rblog')
  })

  test('record ends before its files are larger than --max-mb, and says so', async () => {
    const camera = new CameraRobot()
    const server = new RobotServer({ robot: camera, clock })
    await server.start()
    open.push(server)
    const { control } = server.endpoints
    const { code, stdout } = await runCli(cwd, ['record', control, '--out', 'full.rblog', '--max-mb', '1', '--json'])
    const report = JSON.parse(stdout) as RecordReport
    const { size } = statSync(join(cwd, 'full.rblog'))
    expect(code).toBe(0)
    expect(report).toMatchObject({ robot: 'test/Simple', files: ['full.rblog'], bytes: size })
    // The next observation would not have fitted.
    expect(size).toBeLessThanOrEqual(1_000_000)
    expect(size).toBeGreaterThan(1_000_000 - CameraRobot.bytes - 2000)
    const log = await LogFiles.open(join(cwd, 'full.rblog'))
    expect(log.problems).toEqual([])
    await log.close()
    const none = await runCli(cwd, ['record', control, '--out', 'no.rblog', '--max-mb', '0'])
    expect([none.code, existsSync(join(cwd, 'no.rblog'))]).toEqual([2, false])
  })

  test('replay: with keys for those who may look on', async () => {
    await runCli(cwd, ['record', endpoint, '--out', 'three.rblog', '--max-seconds', '3'])
    const keys = await createKeyFile(join(cwd, 'player.key'), 'player')
    const own = await createKeyFile(join(cwd, 'onlooker.key'), 'onlooker')
    const access = ['--key', 'player.key', '--authorized', 'onlookers.json']
    await authorizeKey(join(cwd, 'onlookers.json'), { publicKey: own.publicKey, name: 'onlooker', role: 'observer' })
    const refused = await runCli(cwd, ['replay', 'three.rblog', '--bind', 'tcp://0.0.0.0:0'])
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('can be reached by others')])
    const replaying = startCli(cwd, ['replay', 'three.rblog', '--speed', '6', ...access])
    let shown = ''
    replaying.child.stdout!.on('data', (piece: string) => (shown += piece))
    await until(() => / at tcp:\S+\n/.test(shown) && shown.includes(`robot key ${keys.publicKey}\n`), replaying)
    const [, at] = / at (tcp:\S+)\n/.exec(shown)!
    const arrivals: number[] = []
    const observer = await ObserverClient.connect({
      endpoint: at!,
      clock,
      timeoutMs: PATIENCE_MS,
      security: { keys: own, robotKey: keys.publicKey },
      onMessage: ({ kind }, { arrivalUs }) => void (kind === 'observation' && arrivals.push(arrivalUs)),
    })
    open.push(observer)
    expect((await replaying.finished).code).toBe(0)
    expect(arrivals.length).toBeGreaterThan(20)
  })

  test('record ends at Ctrl-C; a dataset has the actions as the robot applied them', async () => {
    const running = startCli(cwd, ['record', endpoint, '--out', 'live.rblog'])
    await until(() => existsSync(join(cwd, 'live.rblog')) && statSync(join(cwd, 'live.rblog')).size > 20_000, running)
    running.child.kill('SIGINT')
    const { code, stdout } = await running.finished
    expect(code).toBe(0)
    expect(stdout).toMatch(/live\.rblog {2}test\/Simple: \d+ observations and \d+ events in/)
    const made = await runCli(cwd, ['replay', 'live.rblog', '--dataset', 'live', '--policy', 'ramp', '--json'])
    const report = JSON.parse(made.stdout) as { episodes: number; frames: number }
    const dataset = await openDataset(join(cwd, 'live'))
    expect(dataset.episodes).toHaveLength(report.episodes)
    expect(dataset.spec).toMatchObject({ source: 'test/Simple', fps: 20 })
    const told = robot.applied.map(([x]) => x!.toFixed(4)).join(' ')
    for (const { index, policy } of dataset.episodes) {
      expect(policy).toBe('ramp')
      const { actions } = await dataset.readEpisode(index)
      const did = [...actions].filter((_, i) => i % 2 === 0).map((x) => x.toFixed(4))
      expect(told).toContain(did.join(' '))
    }
  })

  test('a lock-step recording becomes the very episodes that were played, and replays for watch', async () => {
    const env = await makeEnv('armature/PushPuck-v0', { maxEpisodeSteps: 12 })
    const server = new RobotServer({ robot: envRobot(env), clock, mode: 'lockstep' })
    await server.start()
    open.push(server)
    const player = await PolicyClient.connect({ endpoint: server.endpoints.control, clock, timeoutMs: PATIENCE_MS })
    open.push(player)
    await player.lease()
    await player.arm()
    const address = server.endpoints.control
    const running = startCli(cwd, ['record', address, '--out', 'steps.rblog', '--max-seconds', '6', '--json'])
    await until(() => server.peerCount > 1, running)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const played: { observations: ObservationContent[]; actions: number[][] }[] = []
    for (const seed of [1, 2]) {
      const observations = [await player.reset({ seed })]
      const actions: number[][] = []
      await player.start()
      while (!observations.at(-1)!.truncated) {
        const action = Float32Array.of(Math.fround(Math.sin(actions.length)), 0.25 * seed)
        actions.push([...action])
        observations.push(await player.step(action, observations.at(-1)!.observationSeq))
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      played.push({ observations, actions })
    }
    expect(JSON.parse((await running.finished).stdout)).toMatchObject({ missed: 0, dropped: 0 })
    const made = await runCli(cwd, ['replay', 'steps.rblog', '--dataset', 'steps', '--json'])
    expect(JSON.parse(made.stdout)).toMatchObject({ episodes: 2, frames: 26, missed: 0, stale: 0, problems: [] })
    const dataset = await openDataset(join(cwd, 'steps'))
    for (const [i, { observations, actions }] of played.entries()) {
      const episode = await dataset.readEpisode(i)
      expect([...episode.actions]).toEqual(actions.flat())
      expect([...episode.state]).toEqual(observations.flatMap(({ state }) => [...state]))
      expect(episode.info).toMatchObject({ length: 13, terminated: false, success: false, policy: 'recorded' })
      expect(episode.info.goal).toEqual(observations[0]!.goal!.state)
      expect(episode.goalImages?.['front']).toEqual(observations[0]!.goal!.images['front']!.pixels.data)
      const pixels = observations.map(({ images }) => images['front']!.pixels.data)
      expect(Buffer.from(episode.images['front']!).equals(Buffer.concat(pixels))).toBe(true)
    }
    const replaying = startCli(cwd, ['replay', 'steps.rblog'])
    let shown = ''
    replaying.child.stdout!.on('data', (piece: string) => (shown += piece))
    await until(() => / at tcp:\S+\n/.test(shown), replaying)
    const [, at] = / at (tcp:\S+)\n/.exec(shown)!
    const watched = await runCli(cwd, ['watch', at!, '--seconds', '4', '--json'])
    expect(JSON.parse(watched.stdout)).toMatchObject({
      robot: 'armature/PushPuck-v0',
      mode: 'lockstep',
      observations: 26,
    })
    expect((await replaying.finished).code).toBe(0)
  })

  test('keys: an observer with one is let in, and half of them is refused at once', async () => {
    const robotKeys = await createKeyFile(join(cwd, 'robot.key'), 'robot')
    const own = await createKeyFile(join(cwd, 'me.key'), 'me')
    const list = join(cwd, 'authorized_keys.json')
    await authorizeKey(list, { publicKey: own.publicKey, name: 'me', role: 'observer' })
    const security = { keys: robotKeys, authorization: await Authorization.open(list, Date.now) }
    const server = new RobotServer({ robot: new SimpleRobot(), clock, security })
    await server.start()
    open.push(server)
    const { control } = server.endpoints
    const admitted = await runCli(cwd, [
      'doctor',
      control,
      '--key',
      'me.key',
      '--robot-key',
      robotKeys.publicKey,
      '--seconds',
      '1',
    ])
    expect(admitted.stdout).toContain('both sides have shown their keys')
    const file = await runCli(cwd, ['watch', control, '--key', 'me.key', '--robot-key', 'robot.key', '--json'])
    expect(JSON.parse(file.stdout)).toMatchObject({ state: 'IDLE', lease: 'none' })
    const half = await runCli(cwd, ['watch', control, '--key', 'me.key'])
    expect([half.code, half.stderr]).toEqual([2, expect.stringContaining('expected both --key')])
    const none = await runCli(cwd, ['record', control, '--out', 'none.rblog'])
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining(`no robot at ${control}`)])
    expect(existsSync(join(cwd, 'none.rblog'))).toBe(false)
  })
})
