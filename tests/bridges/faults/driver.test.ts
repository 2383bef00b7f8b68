import { describe, expect, it, vi } from 'vitest'
import { loadLimits } from '../../../bridges/safety/limits.ts'
import type { RobotReading } from '../../../src/core/robot.ts'
import type { MemoryClient } from '../memory-network.ts'
import type { SimulatedBridge } from '../simulated-bridge.ts'
import { simulatedBridge } from '../simulated-bridge.ts'

const LIMITS = loadLimits({
  name: 'test',
  actionKind: 'position',
  elements: ['a_rad', 'b_rad'].map((name) => ({ name, min: -1, max: 1, maxVelocity: 0.5, startTolerance: 0.2 })),
})

async function active(
  options: Parameters<typeof simulatedBridge>[0] = {},
): Promise<SimulatedBridge & { driver: MemoryClient; drive: (ms: number) => Promise<void> }> {
  const bridge = await simulatedBridge({ limits: LIMITS, ...options })
  const driver = bridge.client()
  driver.take()
  expect(driver.command('start')).toBe('')
  /** Actions at each period, for so long. */
  const drive = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 20) {
      driver.act(0.1, { observationSeq: driver.observations.at(-1)?.observationSeq ?? 0 })
      await bridge.time.advance(20)
    }
  }
  await drive(200)
  expect(bridge.server.state).toBe('ACTIVE')
  return { ...bridge, driver, drive }
}

const withProprio = (values: readonly number[]) => (reading: RobotReading) => ({
  ...reading,
  observation: { ...reading.observation, proprio: Float32Array.from(values) },
})

const NONSENSE: [string, (reading: RobotReading) => RobotReading, RegExp][] = [
  ['NaN', withProprio([0.9, NaN]), /b_rad is NaN/],
  ['infinity', withProprio([-Infinity, 0]), /a_rad is -Infinity/],
  ['one number too few', withProprio([0]), /proprioception has 1 elements instead of 2/],
  ['an age of NaN', (reading) => ({ ...reading, ageUs: NaN }), /ageUs is NaN/],
  ['a reward of NaN', (reading) => ({ ...reading, reward: NaN }), /reward is NaN/],
  [
    'a camera that it has not',
    (reading) => ({ ...reading, observation: { ...reading.observation, images: { side: new Uint8Array(3) } } }),
    /camera side/,
  ],
  ['no observation', (reading) => ({ ...reading, observation: undefined as never }), /undefined/],
]

describe('a robot that reads', () => {
  it.each(NONSENSE)('%s does not begin', async (_, change, reason) => {
    const opened = simulatedBridge({ limits: LIMITS }, {}, (robot) => (robot.change = change))
    await expect(opened).rejects.toThrow(reason)
  })

  it.each(NONSENSE)('%s before the start is not started, for that one reason', async (_, change, reason) => {
    const { client, robot, time, server, events } = await simulatedBridge({ limits: LIMITS })
    const driver = client()
    driver.take()
    robot.change = change
    await time.advance(25)
    expect(driver.command('start')).toMatch(/^fault_latched/)
    expect(server.state).toBe('SAFE_STOP')
    expect(events.filter(({ event }) => event === 'fault').every(({ text }) => reason.test(text))).toBe(true)
    expect(robot.applied).toEqual([])
  })

  it.each(NONSENSE)('%s while it moves is stopped for good', async (_, change, reason) => {
    const { robot, server, time, events } = await active()
    robot.change = change
    await time.advance(25)
    expect(server.state).toBe('SAFE_STOP')
    expect(robot.stops).toEqual(['safe'])
    expect(events.some(({ event, text }) => event === 'fault' && reason.test(text))).toBe(true)
    const count = robot.applied.length
    await time.advance(500)
    expect(robot.applied).toHaveLength(count)
  })

  it('only old news is not started, holds, and is stopped for good in the end', async () => {
    const { robot, server, time, drive, driver, client, events } = await active()
    robot.change = (reading) => ({ ...reading, ageUs: 10e6 })
    await drive(140)
    expect(server.state).toBe('HOLD')
    await drive(200)
    expect(server.state).toBe('HOLD')
    await drive(300)
    expect(server.state).toBe('SAFE_STOP')
    expect(events.some(({ code }) => code === 'stale_readings')).toBe(true)
    expect(robot.stops).toContain('safe')
    expect(client('operator').command('clear')).toBe('')
    driver.take()
    await time.advance(20)
    expect(driver.command('start')).toMatch(/^bad_reading/)
    expect(server.state).toBe('READY')
    robot.change = (reading) => reading
    await time.advance(40)
    expect(driver.command('start')).toBe('')
  })

  it('begins its limits where it is', async () => {
    const { client, robot, time } = await simulatedBridge({ limits: LIMITS })
    robot.change = withProprio([0.9, 0.9])
    await time.advance(25)
    const driver = client()
    driver.take()
    driver.command('start')
    driver.act(0)
    driver.act(0.85)
    await time.advance(60)
    expect(robot.applied[0]![0]).toBeCloseTo(0.89)
  })
})

const FAILURES: [string, () => Promise<void>][] = [
  ['rejects', () => Promise.reject(new Error('motor 3 is hot'))],
  [
    'throws',
    () => {
      throw new Error('motor 3 is hot')
    },
  ],
  ['never answers', () => new Promise(() => {})],
]

describe('a driver whose', () => {
  it.each(FAILURES)('apply %s is stopped for good', async (_, failure) => {
    const { robot, server, drive } = await active()
    robot.delay = failure
    await drive(300)
    expect(server.state).toBe('SAFE_STOP')
    expect(robot.stops).toContain('safe')
  })

  it.each(FAILURES)('read %s is stopped for good', async (_, failure) => {
    const { robot, server, drive } = await active()
    robot.onRead = failure
    await drive(300)
    expect(server.state).toBe('SAFE_STOP')
    expect(robot.stops).toContain('safe')
  })

  it.each(FAILURES)('stop %s is told again, and the server goes on', async (_, failure) => {
    const { robot, server, time, driver, events, client } = await active()
    robot.onStop = failure
    driver.command('stop', { category: 'safe' })
    await time.advance(1500)
    expect(robot.times('stop').length).toBeGreaterThan(2)
    robot.onStop = async () => {}
    await time.advance(1000)
    const told = robot.times('stop').length
    await time.advance(2000)
    expect(robot.times('stop')).toHaveLength(told)
    expect(events.some(({ event, text }) => event === 'fault' && text.startsWith('stop: '))).toBe(true)
    expect(client('operator').command('clear')).toBe('')
    expect(server.state).toBe('IDLE')
  })

  it.each(FAILURES)('stop and close %s ends in less than a second, with a goodbye', async (_, failure) => {
    const { robot, server, time, driver, nowMs } = await active()
    robot.onStop = failure
    robot.close = failure
    const beganMs = nowMs()
    await time.during(server.close())
    expect(nowMs() - beganMs).toBeLessThan(1000)
    expect(driver.heard.at(-1)).toMatchObject({ kind: 'bye', bridgeState: 'SAFE_STOP', armed: false })
    await time.advance(5000)
  })

  it.each(FAILURES)('reset %s is stopped for good', async (_, failure) => {
    const { robot, server, driver, client, time, drive } = await active()
    robot.onReset = failure
    driver.command('reset')
    await drive(100)
    if (server.state === 'READY') client('operator').command('stop', { category: 'safe' })
    await time.advance(10)
    expect(server.state).toBe('SAFE_STOP')
    expect(robot.stops).toContain('safe')
  })

  it('answer comes when nobody waits for it any more changes nothing', async () => {
    const { robot, server, time, drive } = await active()
    let answer = (): void => {}
    robot.delay = () => new Promise((resolve) => (answer = resolve))
    await drive(300)
    expect(server.state).toBe('SAFE_STOP')
    robot.delay = async () => {}
    answer()
    await time.advance(1000)
    expect(server.state).toBe('SAFE_STOP')
    // The command that was stuck went through; no other followed.
    const last = robot.times('apply').at(-1)!
    expect(robot.times('apply').filter((atMs) => atMs >= last - 500).length).toBeLessThan(30)
    expect(robot.stops).toContain('safe')
  })
})

describe('an emergency stop that', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'throws',
      () => {
        throw new Error('GPIO 7 is busy')
      },
      /cannot be read: GPIO 7 is busy/,
    ],
    ['promises', () => Promise.reject(new Error('not now')), /neither true nor false/],
    ['says nothing', () => undefined, /neither true nor false/],
  ])('%s counts as pressed', async (_, estop, text) => {
    let isBroken = false
    const { server, robot, time, events, client } = await active({
      estop: () => (isBroken ? (estop() as boolean) : false),
    })
    isBroken = true
    await time.advance(10)
    expect(server.state).toBe('ESTOP')
    expect(robot.stops).toEqual(['safe'])
    expect(events.some((event) => event.code === 'estop' && text.test(event.text))).toBe(true)
    isBroken = false
    await time.advance(10)
    expect(client('operator').command('clear')).toBe('')
  })
})

describe('a listener that', () => {
  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('disk full')
      },
    ],
    ['rejects', () => Promise.reject(new Error('disk full'))],
    ['never answers', () => new Promise(() => {})],
  ])('%s keeps nothing from its way', async (_, onEvent) => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const wallClock = (): number => {
      throw new Error('no clock')
    }
    const { server, drive, driver } = await active({ onEvent, wallClock })
    await drive(200)
    expect(server.state).toBe('ACTIVE')
    expect(driver.command('stop', { category: 'safe' })).toBe('')
    await drive(40)
    expect(server.state).toBe('SAFE_STOP')
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})
