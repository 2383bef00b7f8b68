import { describe, expect, it } from 'vitest'
import { mockRobot } from '../../../bridges/adapters/mock-robot.ts'
import { RobotServer } from '../../../bridges/server/robot-server.ts'
import { LimitEngine } from '../../../bridges/safety/limit-engine.ts'
import { loadLimits } from '../../../bridges/safety/limits.ts'
import { MemoryNetwork } from '../memory-network.ts'
import { simulatedClient } from '../simulated-bridge.ts'
import { SimulatedTime } from '../simulated-time.ts'

const HZ = 50
const PERIOD_MS = 1000 / HZ
const LIMITS = loadLimits({
  name: 'test',
  actionKind: 'position',
  elements: [1, 2].map((i) => ({
    name: `joint${i}_rad`,
    min: -1,
    max: 1,
    maxVelocity: 2,
    maxAcceleration: 8,
    maxJerk: 200,
  })),
})
const BRAKING_TICKS = Math.ceil(new LimitEngine(LIMITS, 'position', 1 / HZ).brakingTimeS * HZ)

async function inMotion() {
  const time = new SimulatedTime()
  const network = new MemoryNetwork()
  const robot = mockRobot({ clock: time.clock, controlHz: HZ, imageSize: 0 })
  const enteredMs: Record<string, number> = {}
  const server = new RobotServer({
    robot,
    clock: time.clock,
    sleep: time.sleep,
    transport: network.open,
    limits: LIMITS,
    messagesPerSecond: 100_000,
    estop: () => robot.faults.isEstopPressed,
    onEvent: ({ toState, fromState }) => {
      if (toState !== undefined && toState !== fromState) enteredMs[toState] = time.clock() / 1000
    },
  })
  await time.during(server.start())
  const { client: operator } = await simulatedClient({ time, network }, { role: 'operator' })
  const { client, link } = await simulatedClient({ time, network })
  await time.during(client.lease())
  await time.during(client.arm())
  await time.during(client.start())
  /** Too fast for the limits, so that the robot is never at rest; so many actions in each period. */
  const drive = async (ms: number, perPeriod = 1): Promise<void> => {
    for (let passed = 0; passed < ms; passed += PERIOD_MS) {
      const angle = 2 * Math.PI * (time.clock() / 1e6)
      for (let k = 0; k < perPeriod; k++) {
        client.act(Float32Array.of(0.6 * Math.sin(angle), 0.6 * Math.cos(angle)), { observationSeq: 0 })
      }
      await time.advance(PERIOD_MS)
    }
  }
  /** Control periods since entry `from` of the record in which the command changed. */
  const changesSince = (from: number): number => {
    const told = robot.record
      .slice(Math.max(0, from - 1))
      .flatMap((entry) => (entry.kind === 'apply' ? [entry.action] : []))
    return told.filter((action, k) => k > 0 && action.some((x, i) => x !== told[k - 1]![i])).length
  }
  await drive(600)
  expect(server.state).toBe('ACTIVE')
  expect(changesSince(0)).toBeGreaterThan(10)
  return { time, network, robot, server, operator, client, link, drive, changesSince, enteredMs }
}

describe('a controller that', () => {
  it.each(['falls silent', 'dies'] as const)(
    '%s: the robot holds, comes to rest in its braking time, and stops for good',
    async (how) => {
      const { time, robot, server, link, changesSince, enteredMs } = await inMotion()
      const failedMs = time.clock() / 1000
      const failedAt = robot.record.length
      if (how === 'dies') link.close()
      else link.weather = { isStalled: true }
      await time.advance(700)
      expect(server.state).toBe('SAFE_STOP')
      if (how === 'falls silent') {
        expect(enteredMs['HOLD']! - failedMs).toBeLessThanOrEqual(100 + PERIOD_MS)
        expect(enteredMs['SAFE_STOP']! - failedMs).toBeLessThanOrEqual(500 + PERIOD_MS)
        expect(enteredMs['SAFE_STOP']! - failedMs).toBeGreaterThan(500 - 2 * PERIOD_MS)
      } else expect(enteredMs['SAFE_STOP']! - failedMs).toBeLessThanOrEqual(1)
      expect(robot.record.slice(failedAt).some(({ kind }) => kind === 'stop')).toBe(true)
      expect(changesSince(failedAt)).toBeLessThanOrEqual(BRAKING_TICKS + 100 / PERIOD_MS + 2)
      // What it still has on its way when it goes on moves nothing.
      const stoppedAt = robot.record.length
      link.clear()
      await time.advance(500)
      expect(changesSince(stoppedAt)).toBe(0)
      expect(server.state).toBe('SAFE_STOP')
    },
  )

  it.each(['hold', 'safe'] as const)(
    'floods at 1 kHz is stopped at once by "%s", and none of its actions moves the robot after that',
    async (category) => {
      const { time, robot, server, operator, drive, changesSince } = await inMotion()
      await drive(200, 20)
      const sentMs = time.clock() / 1000
      const stopped = operator.stop(category)
      await time.advance(0)
      await stopped
      // It takes no time but that of the network.
      expect(time.clock() / 1000).toBe(sentMs)
      expect(server.state).toBe(category === 'safe' ? 'SAFE_STOP' : 'READY')
      const stoppedAt = robot.record.length
      await drive(BRAKING_TICKS * PERIOD_MS + 100, 20)
      expect(changesSince(stoppedAt)).toBeLessThanOrEqual(BRAKING_TICKS)
      const restAt = robot.record.length
      expect(robot.record.slice(stoppedAt).some((entry) => entry.kind === 'stop' && entry.category === category)).toBe(
        true,
      )
      await drive(200, 20)
      expect(changesSince(restAt)).toBe(0)
    },
  )

  it('comes back finds the emergency stop latched, and only an operator can clear it, once it is released', async () => {
    const { time, network, robot, server, operator, link } = await inMotion()
    robot.faults.isEstopPressed = true
    await time.advance(10)
    expect(server.state).toBe('ESTOP')
    link.close()
    const { client: again } = await simulatedClient({ time, network })
    await expect(time.during(again.lease())).rejects.toThrow('fault_latched')
    await expect(time.during(again.clear())).rejects.toThrow('role_forbidden')
    await expect(time.during(operator.clear())).rejects.toThrow('fault_latched')
    robot.faults.isEstopPressed = false
    await time.advance(20)
    expect(server.state).toBe('ESTOP')
    await time.during(operator.clear())
    expect(server.state).toBe('IDLE')
    await time.during(again.lease())
  })

  it('whose loop is blocked is given no old observation', async () => {
    const { time, client } = await inMotion()
    const before = await time.during(client.nextObservation())
    await time.advance(400)
    const next = await time.during(client.nextObservation())
    expect(next.observationSeq).toBeGreaterThan(before.observationSeq + 15)
    expect(client.robotTimeUs() - next.captureUs).toBeLessThanOrEqual(2 * PERIOD_MS * 1000)
  })

  it('throws where it is told of something is told of the rest', async () => {
    const { time, network, server } = await inMotion()
    const onEvent = (): never => {
      throw new Error('a bug')
    }
    const { client } = await simulatedClient({ time, network }, { onEvent, onMetrics: onEvent, name: 'buggy' })
    await time.advance(1500)
    await time.during(client.nextObservation())
    await expect(time.during(client.lease())).rejects.toThrow(/lease_denied|fault_latched/)
    expect(server.peerCount).toBe(3)
  })
})
