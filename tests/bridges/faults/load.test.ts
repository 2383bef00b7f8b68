import { afterEach, describe, expect, it } from 'vitest'
import { Subscriber } from 'zeromq'
import type { TestBridge } from '../helpers.ts'
import { openBridge, PATIENT, until, wait } from '../helpers.ts'
import { mockRobot } from '../../../bridges/adapters/mock-robot.ts'
import { clock } from '../simple-robot.ts'
import { RobotServer } from '../../../bridges/server/robot-server.ts'
import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { ask, expectConserved, networkTo, spawnScript, TimedRobot } from './harness.ts'

const STOPS = 200
const HZ = 100

let bridge: TestBridge | undefined
afterEach(async () => bridge?.close())

const percentile = (sorted: readonly number[], p: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))]!

describe('a flood of actions at 1 kHz', () => {
  it(`does not keep any of ${STOPS} stops, and nothing of it moves the robot after one`, async () => {
    const robot = new TimedRobot({ controlHz: HZ })
    bridge = await openBridge({ messagesPerSecond: 1e5 }, robot)
    const { server } = bridge
    const operator = await bridge.connect({ role: 'operator', timeoutMs: 20_000 })
    const { child } = await spawnScript('flood-process.ts', server.endpoints.control)
    const tookMs: number[] = []
    let rateHz = 0
    try {
      for (let stop = 0; stop < STOPS; stop++) {
        const before = robot.changes().length
        rateHz = await ask<number>(child, 'begin')
        expect(await until(() => robot.changes().length > before + 2)).toBe(true)
        const startUs = clock()
        await operator.stop('hold')
        tookMs.push((clock() - startUs) / 1000)
        const stoppedAt = robot.told.length
        const applied = server.counters['actions_applied']
        await wait(2000 / HZ)
        expect(robot.changes(stoppedAt)).toEqual([])
        expect(server.counters['actions_applied']).toBe(applied)
      }
    } finally {
      child.kill('SIGKILL')
    }
    tookMs.sort((a, b) => a - b)
    const told = [50, 90, 99, 100].map((p) => `p${p} ${percentile(tookMs, p).toFixed(1)}`).join(', ')
    console.log(`${STOPS} stops acknowledged under ${rateHz.toFixed(0)} actions a second, ms: ${told}`)
    expect(rateHz).toBeGreaterThan(900)
    // The aim is 20 ms for all but one in a hundred; half of that is in the median even of a busy machine.
    expect(percentile(tookMs, 50)).toBeLessThan(20)
    expect(percentile(tookMs, 90)).toBeLessThan(100)
    expectConserved(server.counters)
  }, 120_000)
})

describe('ten observers, a slow subscriber and a recorder that has died', () => {
  it('take nothing from the controller', { retry: 1, timeout: 60_000 }, async () => {
    const robot = mockRobot({ clock, controlHz: 50, imageSize: 64 })
    const server = new RobotServer({ robot, clock, ...PATIENT })
    await server.start()
    const { endpoints } = server
    const connect = (role: 'controller' | 'observer'): Promise<PolicyClient> =>
      PolicyClient.connect({ endpoint: endpoints.control, clock, role, timeoutMs: 20_000 })
    const controller = await connect('controller')
    /** Share of the published observations that came to the controller. */
    const share = async (): Promise<number> => {
      const count = (): number => controller.counters['observations_received']!
      const published = (): number => server.counters['observations_sent']!
      const [received, sent] = [count(), published()]
      expect(await until(() => published() - sent >= 100, 20_000)).toBe(true)
      return (count() - received) / (published() - sent)
    }
    const alone = await share()
    const observers = await Promise.all(Array.from({ length: 10 }, () => connect('observer')))
    const slow = new Subscriber({ linger: 0, receiveHighWaterMark: 1 })
    slow.connect(endpoints.observation)
    slow.subscribe()
    const network = await networkTo(endpoints)
    const recorder = new Subscriber({ linger: 0 })
    for (const port of [endpoints.observation, endpoints.telemetry].map((endpoint) => endpoint.split(':').at(-1)!)) {
      recorder.connect(`${network.endpoint.replace(/:\d+$/, '')}:${port}`)
    }
    recorder.subscribe()
    await recorder.receive()
    network.weather = { isStalled: true }
    const inCompany = await share()
    console.log(`observations at the controller: ${alone.toFixed(3)} of all alone, ${inCompany.toFixed(3)} in company`)
    expect(inCompany).toBeGreaterThan(0.95 * alone)
    expect(observers.every((observer) => observer.counters['observations_received']! > 0)).toBe(true)
    slow.close()
    recorder.close()
    await Promise.all([controller, ...observers].map((client) => client.close()))
    await network.close()
    await server.close()
  })
})
