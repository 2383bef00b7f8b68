import { describe, expect, it } from 'vitest'
import type { MemoryClient } from '../memory-network.ts'
import type { SimulatedBridge } from '../simulated-bridge.ts'
import { simulatedBridge } from '../simulated-bridge.ts'

const HOMING_MS = 4000

/** A robot that has been homing for a second, by `driver`. */
async function homing(listens = true): Promise<SimulatedBridge & { driver: MemoryClient; operator: MemoryClient }> {
  const bridge = await simulatedBridge()
  bridge.robot.homingMs = HOMING_MS
  bridge.robot.listens = listens
  const driver = bridge.client()
  const operator = bridge.client('operator')
  driver.take()
  expect(driver.command('reset')).toBe('')
  for (let i = 0; i < 10; i++) {
    await bridge.time.advance(100)
    driver.ping()
  }
  expect(bridge.robot.times('reset')).toHaveLength(1)
  expect(bridge.server.state).toBe('READY')
  return { ...bridge, driver, operator }
}

describe('a robot that is being reset', () => {
  it.each(['safe', 'hold'] as const)('is told at once of "stop %s"', async (category) => {
    const { time, robot, server, operator, driver, nowMs } = await homing()
    const stoppedMs = nowMs()
    expect(operator.command('stop', { category })).toBe('')
    await time.advance(5)
    expect(server.state).toBe(category === 'safe' ? 'SAFE_STOP' : 'READY')
    expect(robot.told.filter(({ what }) => what === 'stop')).toEqual([
      { what: 'stop', atMs: stoppedMs, value: category },
    ])
    expect(robot.times('interrupted')).toEqual([stoppedMs])
    expect(driver.heard.some((m) => m.kind === 'error' && m.text.includes('stopped while it was reset'))).toBe(true)
    await time.advance(HOMING_MS)
    expect(robot.times('home')).toEqual([])
    // It did what it was told: no failure, and an operator or the same client can go on.
    expect(server.state).toBe(category === 'safe' ? 'SAFE_STOP' : 'IDLE')
  })

  it('is told at once when its client says goodbye, is cut off, or falls silent', async () => {
    for (const [how, withinMs] of [
      ['bye', 0],
      ['cut', 1001],
      ['silent', 1010],
    ] as const) {
      const { time, robot, driver, server, nowMs } = await homing()
      const goneMs = nowMs()
      if (how === 'bye') driver.ask({ kind: 'bye', reason: 'tired' })
      if (how === 'cut') driver.leave()
      await time.advance(1100)
      expect(robot.times('stop')[0]! - goneMs, how).toBeLessThanOrEqual(withinMs)
      expect(robot.times('interrupted')).toHaveLength(1)
      expect(server.state, how).toBe('IDLE')
    }
  })

  it('is told at once of the emergency stop and of the end of the server', async () => {
    let isPressed = false
    const bridge = await simulatedBridge({ estop: () => isPressed })
    bridge.robot.homingMs = HOMING_MS
    const driver = bridge.client()
    driver.take()
    driver.command('reset')
    await bridge.time.advance(500)
    isPressed = true
    await bridge.time.advance(10)
    expect(bridge.server.state).toBe('ESTOP')
    expect(bridge.robot.stops).toEqual(['safe'])

    const other = await homing()
    const closedMs = other.nowMs()
    await other.time.during(other.server.close())
    expect(other.robot.times('stop')).toEqual([closedMs])
    expect(other.robot.times('interrupted')).toEqual([closedMs])
    expect(other.nowMs() - closedMs).toBeLessThan(1000)
  })

  it('that does not listen is told all the same, and counts as failed when it goes on', async () => {
    const { time, robot, server, operator, nowMs, events, driver } = await homing(false)
    const stoppedMs = nowMs()
    operator.command('stop', { category: 'hold' })
    await time.advance(0)
    expect(robot.times('stop')).toEqual([stoppedMs])
    driver.ping()
    await time.advance(1100)
    expect(server.state).toBe('SAFE_STOP')
    expect(events.some(({ event, text }) => event === 'fault' && text.includes('has not answered'))).toBe(true)
    // What it says at last of where it is comes too late to count.
    await time.advance(HOMING_MS)
    expect(robot.times('home')).toHaveLength(1)
    expect(server.state).toBe('SAFE_STOP')
  })

  it('takes no start, no arming of an unarmed one, and no second reset meanwhile', async () => {
    const { driver, time, server } = await homing()
    expect(driver.command('start')).toMatch(/^busy: .*reset/)
    expect(driver.command('reset')).toMatch(/^busy: .*reset/)
    for (let i = 0; i < 31; i++) {
      await time.advance(100)
      driver.ping()
    }
    expect(driver.command('start')).toBe('')
    expect(server.state).toBe('ACTIVE')
  })
})

describe('a reset', () => {
  it.each([false, true])('moves no unarmed robot, operatorArms %s', async (operatorArms) => {
    const { robot, client, time } = await simulatedBridge({ operatorArms })
    const driver = client()
    const operator = client('operator')
    driver.take()
    operator.command('stop')
    expect(driver.command('reset')).toMatch(/^not_armed/)
    await time.advance(100)
    expect(robot.resets).toBe(0)
    operator.command('arm')
    expect(driver.command('reset')).toBe('')
    await time.advance(100)
    expect(robot.resets).toBe(1)
  })
})

describe('a stop', () => {
  it('reaches a robot that is stuck in a command', async () => {
    const { robot, client, time, nowMs, server } = await simulatedBridge()
    const driver = client()
    driver.take()
    driver.command('start')
    robot.delay = () => new Promise(() => {})
    driver.act(0.5)
    await time.advance(30)
    const stoppedMs = nowMs()
    expect(driver.command('stop')).toBe('')
    await time.advance(300)
    expect(robot.stops[0]).toBe('hold')
    expect(robot.times('stop')[0]! - stoppedMs).toBeLessThanOrEqual(200)
    driver.ping()
    await time.advance(1200)
    expect(server.state).not.toBe('READY')
  })

  it('during the first reading ends the start', async () => {
    const { server, robot, time } = await simulatedBridge()
    await time.during(server.close())
    expect(robot.isClosed).toBe(true)
    let hung: SimulatedBridge['robot'] | undefined
    const never = simulatedBridge({}, { isSimulated: true }, (made) => {
      hung = made
      made.homingMs = 60_000
    })
    await expect(never).rejects.toThrow(/no first reading for 30 s/)
    expect(hung!.told.map(({ what }) => what)).toEqual(['reset', 'stop', 'interrupted'])
  })
})
