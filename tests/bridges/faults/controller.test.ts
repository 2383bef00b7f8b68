import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { MockRobot } from '../../../bridges/adapters/mock-robot.ts'
import { mockRobot } from '../../../bridges/adapters/mock-robot.ts'
import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { RobotServer } from '../../../bridges/server/robot-server.ts'
import { LimitEngine } from '../../../bridges/safety/limit-engine.ts'
import { loadLimits } from '../../../bridges/safety/limits.ts'
import { until, wait } from '../helpers.ts'
import { clock } from '../simple-robot.ts'

const HZ = 50
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

let robot: MockRobot
let server: RobotServer
let operator: PolicyClient
let controller: ChildProcess
/** When each state was entered last, milliseconds of the clock. */
let enteredMs: Record<string, number> = {}

const nowMs = (): number => clock() / 1000

async function spawnController(): Promise<ChildProcess> {
  const execArgv = ['--import', fileURLToPath(import.meta.resolve('tsx'))]
  const script = fileURLToPath(new URL('driving-process.ts', import.meta.url))
  const child = fork(script, [server.endpoints.control], { execArgv })
  await once(child, 'message')
  return child
}

beforeAll(async () => {
  robot = mockRobot({ clock, controlHz: HZ, imageSize: 0 })
  server = new RobotServer({
    robot,
    clock,
    limits: LIMITS,
    messagesPerSecond: 100_000,
    estop: () => robot.faults.isEstopPressed,
    onEvent: ({ toState, fromState }) => {
      if (toState !== undefined && toState !== fromState) enteredMs[toState] = nowMs()
    },
  })
  await server.start()
  operator = await PolicyClient.connect({
    endpoint: server.endpoints.control,
    clock,
    role: 'operator',
    timeoutMs: 20_000,
  })
  controller = await spawnController()
}, 90_000)

afterAll(async () => {
  controller?.kill('SIGKILL')
  await operator?.close()
  await server?.close()
})

beforeEach(async () => {
  robot.faults.isEstopPressed = false
  if (controller.signalCode === null) controller.kill('SIGCONT')
  await wait(50)
  if (server.state === 'SAFE_STOP' || server.state === 'ESTOP') await operator.clear()
})

/** Lets the controller move the robot, and looks that it does. */
async function inMotion(command: 'drive' | 'flood'): Promise<void> {
  if (controller.exitCode !== null || controller.signalCode !== null) controller = await spawnController()
  controller.send(command)
  expect(await until(() => server.state === 'ACTIVE', 20_000)).toBe(true)
  const before = robot.record.length
  expect(await until(() => robot.record.length > before + 30, 10_000)).toBe(true)
  expect(changesSince(before)).toBeGreaterThan(10)
  enteredMs = {}
}

/** Control periods since entry `from` of the record in which the command changed. */
function changesSince(from: number): number {
  const told = robot.record
    .slice(Math.max(0, from - 1))
    .flatMap((entry) => (entry.kind === 'apply' ? [entry.action] : []))
  return told.filter((action, k) => k > 0 && action.some((x, i) => x !== told[k - 1]![i])).length
}

describe('a controller that', () => {
  it.each<[string, () => void, boolean]>([
    ['is suspended', () => controller.kill('SIGSTOP'), true],
    ['blocks its event loop', () => controller.send('block'), true],
    ['is killed', () => controller.kill('SIGKILL'), false],
  ])(
    '%s: the robot holds, comes to rest in its braking time, and stops for good',
    // In real time: another process may have taken the machine for a moment.
    { timeout: 60_000, retry: 1 },
    async (_, fail, isSilent) => {
      await inMotion('drive')
      const failedMs = nowMs()
      const failedAt = robot.record.length
      fail()
      expect(await until(() => server.state === 'SAFE_STOP', 5000)).toBe(true)
      // Its last action came within a period of the fault; margins are for a busy machine.
      expect(enteredMs['SAFE_STOP']! - failedMs).toBeLessThan(500 + 50 + 100)
      if (isSilent) {
        expect(enteredMs['HOLD']! - failedMs).toBeLessThan(100 + 1000 / HZ + 100)
        expect(Math.abs(enteredMs['SAFE_STOP']! - enteredMs['HOLD']! - 400)).toBeLessThan(100)
      }
      expect(await until(() => robot.record.some((entry, k) => k >= failedAt && entry.kind === 'stop'))).toBe(true)
      const holdTicks = ((100 + 1000 / HZ) / 1000) * HZ
      expect(changesSince(failedAt)).toBeLessThanOrEqual(holdTicks + BRAKING_TICKS + 5)
      // What it still has on its way when it goes on moves nothing.
      const stoppedAt = robot.record.length
      if (controller.signalCode === null) controller.kill('SIGCONT')
      await wait(300)
      expect(changesSince(stoppedAt)).toBe(0)
      expect(server.state).toBe('SAFE_STOP')
    },
  )

  it('floods at 1 kHz is stopped at once, and none of its actions moves the robot after that', async () => {
    const tookMs: number[] = []
    for (let trial = 0; trial < 4; trial++) {
      await inMotion('flood')
      const startMs = nowMs()
      await operator.stop('safe')
      tookMs.push(nowMs() - startMs)
      const stoppedAt = robot.record.length
      expect(server.state).toBe('SAFE_STOP')
      await wait((BRAKING_TICKS / HZ) * 1000 + 150)
      expect(changesSince(stoppedAt)).toBeLessThanOrEqual(BRAKING_TICKS)
      const restAt = robot.record.length
      await wait(150)
      expect(changesSince(restAt)).toBe(0)
      await operator.clear()
    }
    tookMs.sort((a, b) => a - b)
    console.log(`stop acknowledged after ${tookMs.map((ms) => ms.toFixed(1)).join(', ')} ms under a flood of actions`)
    // How soon exactly is measured under load of its own, see faults/load.test.ts.
    expect(tookMs[1]).toBeLessThan(100)
  }, 90_000)

  it('comes back finds the emergency stop latched, and only an operator can clear it, once it is released', async () => {
    await inMotion('drive')
    robot.faults.isEstopPressed = true
    expect(await until(() => server.state === 'ESTOP')).toBe(true)
    controller.kill('SIGKILL')
    const again = await PolicyClient.connect({ endpoint: server.endpoints.control, clock, timeoutMs: 20_000 })
    try {
      await expect(again.lease()).rejects.toThrow('fault_latched')
      await expect(again.clear()).rejects.toThrow('role_forbidden')
      await expect(operator.clear()).rejects.toThrow('fault_latched')
      robot.faults.isEstopPressed = false
      await wait(50)
      expect(server.state).toBe('ESTOP')
      await operator.clear()
      expect(server.state).toBe('IDLE')
      await again.lease()
    } finally {
      await again.close()
    }
  }, 60_000)
})
