import { describe, expect, it } from 'vitest'
import { Subscriber } from 'zeromq'
import { mockRobot } from '../../../bridges/adapters/mock-robot.ts'
import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { RobotServer } from '../../../bridges/server/robot-server.ts'
import { PATIENT, until } from '../helpers.ts'
import { clock } from '../simple-robot.ts'
import { networkTo } from './harness.ts'

describe('ten observers, a slow subscriber and a recorder that has died', () => {
  it('take nothing from the controller', async () => {
    const robot = mockRobot({ clock, controlHz: 50, imageSize: 64 })
    const server = new RobotServer({ robot, clock, isolated: false, ...PATIENT })
    await server.start()
    const { endpoints } = server
    const connect = (role: 'controller' | 'observer'): Promise<PolicyClient> =>
      PolicyClient.connect({ endpoint: endpoints.control, clock, role, timeoutMs: 20_000 })
    const controller = await connect('controller')
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
    const received = (): number => controller.counters['observations_received']!
    const [before, sent] = [received(), server.counters['observations_sent']!]
    expect(await until(() => received() - before > 50)).toBe(true)
    // None waited for those who do not read: what was published came, but for what is on its way.
    expect(received() - before).toBeGreaterThan(0.5 * (server.counters['observations_sent']! - sent))
    expect(observers.every((observer) => observer.counters['observations_received']! > 0)).toBe(true)
    slow.close()
    recorder.close()
    await Promise.all([controller, ...observers].map((client) => client.close()))
    await network.close()
    await server.close()
  })
})
