import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ClientEvent } from '../../../bridges/client/options.ts'
import type { PolicyClient } from '../../../bridges/client/policy-client.ts'
import type { TestBridge } from '../helpers.ts'
import { openBridge, until, wait, WATCHFUL } from '../helpers.ts'
import { clock } from '../simple-robot.ts'
import type { Network } from './harness.ts'
import { expectConserved, networkTo, TimedRobot } from './harness.ts'

const PERIOD_MS = 20
const STEPS = 4096

let robot: TimedRobot
let bridge: TestBridge
let network: Network
let client: PolicyClient
let operator: PolicyClient
let connection: string[]
let states: { state: string; atMs: number }[]
/** When each action was sent and when it was due, microseconds, by its value times {@link STEPS}. */
let sent: Map<number, { atUs: number; dueUs: number }>
let queueLengths: number[]
let driving: NodeJS.Timeout | undefined

beforeEach(async () => {
  robot = new TimedRobot()
  states = []
  connection = []
  sent = new Map()
  queueLengths = []
  bridge = await openBridge(
    {
      ...WATCHFUL,
      onEvent: ({ toState, fromState }) => {
        if (toState !== undefined && toState !== fromState) states.push({ state: toState, atMs: clock() / 1000 })
      },
    },
    robot,
  )
  network = await networkTo(bridge.server.endpoints)
  operator = await bridge.connect({ role: 'operator' })
  const onEvent = (event: ClientEvent): void => void (event.source === 'connection' && connection.push(event.code))
  client = await bridge.connect({ endpoint: network.endpoint, onEvent })
})

afterEach(async () => {
  clearInterval(driving)
  await bridge.close()
  await network.close()
  expectConserved(bridge.server.counters)
})

async function begin(): Promise<void> {
  await client.lease()
  await client.arm()
  await client.start()
}

/** Sends an action in every period, whatever comes back: due `leadUs` after it was sent, or with 0 whenever it arrives. */
function drive(leadUs = 0, ttlUs = 0): void {
  clearInterval(driving)
  driving = setInterval(() => {
    const value = sent.size + 1
    const dueUs = leadUs === 0 ? 0 : client.robotTimeUs() + leadUs
    sent.set(value, { atUs: clock(), dueUs })
    client.act(Float32Array.of(value / STEPS, 0), { observationSeq: 0, dueUs, ttlUs })
    queueLengths.push(bridge.server.counters['actions_pending']!)
  }, PERIOD_MS)
}

async function driven(): Promise<void> {
  await begin()
  drive()
  expect(await until(() => bridge.server.state === 'ACTIVE' && robot.changes().length > 10)).toBe(true)
  states = []
}

/** How long after it was sent each action moved the robot, milliseconds. */
function delaysMs(fromUs = 0): number[] {
  return robot
    .changes()
    .filter(({ atUs }) => atUs >= fromUs)
    .map(({ atUs, value }) => (atUs - sent.get(value * STEPS)!.atUs) / 1000)
}

const indexOf = (state: string): number => states.findIndex((entry) => entry.state === state)

/** Lets nothing through for so long. */
async function stall(ms: number): Promise<number> {
  const startMs = clock() / 1000
  network.weather = { isStalled: true }
  await wait(ms)
  network.weather = {}
  return startMs
}

/** That the robot does not move before it has been cleared, leased, armed and started, and does then. */
async function recover(): Promise<void> {
  const stoppedAt = robot.told.length
  expect(await until(() => client.state === 'SAFE_STOP', 5000)).toBe(true)
  await wait(150)
  expect(bridge.server.state).toBe('SAFE_STOP')
  expect(robot.changes(stoppedAt)).toEqual([])
  await expect(client.lease()).rejects.toThrow('fault_latched')
  await operator.clear()
  await expect(client.arm()).rejects.toThrow(/lease/)
  await client.lease()
  await expect(client.start()).rejects.toThrow('not_armed')
  await client.arm()
  await wait(100)
  expect(robot.changes(stoppedAt)).toEqual([])
  await client.start()
  expect(await until(() => robot.changes(stoppedAt).length > 5)).toBe(true)
  expect(bridge.server.state).toBe('ACTIVE')
}

describe('a network that', () => {
  it('is gone for 50 ms is not noticed', { retry: 2 }, async () => {
    await driven()
    await stall(50)
    const after = robot.changes().length
    expect(await until(() => robot.changes().length > after + 10)).toBe(true)
    expect(bridge.server.counters['watchdog_hard']).toBe(0)
    expect(indexOf('SAFE_STOP')).toBe(-1)
    expect(connection).toEqual([])
  })

  it('is gone for 300 ms makes the robot hold, and it goes on by itself', { retry: 2 }, async () => {
    await driven()
    const startMs = await stall(300)
    expect(states[0]?.state).toBe('HOLD')
    // The last action came up to a period before, and through a proxy.
    expect(states[0]!.atMs - startMs).toBeGreaterThan(60)
    expect(states[0]!.atMs - startMs).toBeLessThan(100 + 2 * PERIOD_MS + 60)
    expect(await until(() => bridge.server.state === 'ACTIVE')).toBe(true)
    const after = robot.changes().length
    expect(await until(() => robot.changes().length > after + 10)).toBe(true)
    expect(indexOf('SAFE_STOP')).toBe(-1)
    // The newest of those that were on their way, and none of the others.
    expect(
      robot.changes().filter(({ atUs }) => atUs / 1000 > startMs + 300 && atUs / 1000 < startMs + 340).length,
    ).toBeLessThan(4)
  })

  it.each([2000, 6500])('is gone for %i ms stops it for good, until someone has looked', { retry: 1 }, async (ms) => {
    await driven()
    const startMs = await stall(ms)
    expect(states.map(({ state }) => state)).toEqual(['HOLD', 'SAFE_STOP'])
    expect(states[1]!.atMs - startMs).toBeGreaterThan(420)
    expect(states[1]!.atMs - startMs).toBeLessThan(700)
    expect(await until(() => connection.some((code) => code === 'back' || code === 'restarted'), 5000)).toBe(true)
    expect(connection[0]).toBe('lost')
    await recover()
  })

  it('resets all connections: the client is back on new ones', { retry: 1 }, async () => {
    await driven()
    network.cut()
    expect(await until(() => bridge.server.state === 'SAFE_STOP')).toBe(true)
    await wait(300)
    await recover()
  })

  it(
    'forgets connections at one end only: the client is back before the robot has missed it',
    { retry: 1 },
    async () => {
      await driven()
      network.cutHalf()
      expect(await until(() => bridge.server.state === 'SAFE_STOP')).toBe(true)
      await wait(600)
      await recover()
    },
  )

  it('lets 1 Mbit/s through carries a robot at 50 Hz', { retry: 2 }, async () => {
    network.weather = { bytesPerSecond: 125_000 }
    await driven()
    await wait(1000)
    expect(indexOf('SAFE_STOP')).toBe(-1)
    expect(Math.max(...queueLengths)).toBeLessThanOrEqual(2)
    const delays = delaysMs().sort((a, b) => a - b)
    expect(delays[Math.floor(delays.length / 2)]).toBeLessThan(100)
  })

  it('stutters as one that loses packets does: what comes in a bunch moves the robot once', { retry: 2 }, async () => {
    await driven()
    for (let k = 0; k < 12; k++) {
      await stall(60)
      await wait(60)
    }
    expect(indexOf('SAFE_STOP')).toBe(-1)
    // What came in one bunch, until the next control period.
    expect(Math.max(...queueLengths)).toBeLessThanOrEqual(6)
    const values = robot.changes().map(({ value }) => value)
    expect(values).toEqual([...values].sort((a, b) => a - b))
  })

  it(
    'becomes 195 ms slower: timed actions are dropped when they are late, and the robot stops',
    { retry: 1 },
    async () => {
      const ttlUs = 30_000
      network.weather = { delayMs: 5 }
      await begin()
      drive(60_000, ttlUs)
      expect(await until(() => robot.changes().length > 20)).toBe(true)
      const before = bridge.server.counters['actions_late']!
      states = []
      network.weather = { delayMs: 200 }
      expect(await until(() => bridge.server.state === 'SAFE_STOP', 5000)).toBe(true)
      expect(states.map(({ state }) => state)).toEqual(['HOLD', 'SAFE_STOP'])
      expect(bridge.server.counters['actions_late']! - before).toBeGreaterThan(5)
      expect(Math.max(...queueLengths)).toBeLessThanOrEqual(5)
      const latenessUs = robot.changes().map(({ atUs, value }) => atUs - sent.get(value * STEPS)!.dueUs)
      // Both clocks are this process's, but the client has measured their difference through the network.
      expect(Math.max(...latenessUs)).toBeLessThan(ttlUs + client.clockSync.errorUs + 5_000)
      expect(Math.min(...latenessUs)).toBeGreaterThan(-client.clockSync.errorUs - 5_000)
    },
  )
})
