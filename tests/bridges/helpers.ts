import type { ClientEvent, PolicyClientOptions } from '../../bridges/client/options.ts'
import { PolicyClient } from '../../bridges/client/policy-client.ts'
import type { EventContent } from '../../bridges/server/publisher.ts'
import type { RobotServerOptions } from '../../bridges/server/options.ts'
import { RobotServer } from '../../bridges/server/robot-server.ts'
import { clock, SimpleRobot } from './simple-robot.ts'

type Watching = Pick<RobotServerOptions, 'watchdogs' | 'overrunUs'>

/** Watchdogs that a busy machine does not wake, for tests whose subject they are not. */
export const PATIENT: Watching = {
  watchdogs: { softUs: 60e6, hardUs: 60e6, leaseUs: 60e6, maxObservationAgeUs: 60e6 },
  overrunUs: 60e6,
}

/** Those of a robot about which nothing is said. */
export const WATCHFUL: Watching = { watchdogs: {}, overrunUs: 50_000 }

/** For what must happen at some time: a busy machine takes its own. */
export const PATIENCE_MS = 20_000

/** A bridge whose two sides are in this process. */
export interface TestBridge {
  readonly robot: SimpleRobot
  readonly server: RobotServer
  readonly events: EventContent[]
  connect(options?: Partial<PolicyClientOptions>): Promise<PolicyClient>
  close(): Promise<void>
}

/** Its watchdogs are {@link PATIENT}, unless `options` say otherwise. */
export async function openBridge(
  options: Partial<RobotServerOptions> = {},
  robot: SimpleRobot = new SimpleRobot(),
): Promise<TestBridge> {
  const events: EventContent[] = []
  const clients: PolicyClient[] = []
  const server = new RobotServer({
    robot,
    clock,
    // A thread takes its time to start, from the sources; what it adds has tests of its own.
    isolated: false,
    onEvent: (event) => events.push(event),
    ...PATIENT,
    ...options,
  })
  await startAt(server)
  return {
    robot,
    server,
    events,
    connect: async (clientOptions = {}) => {
      const client = await PolicyClient.connect({
        endpoint: server.endpoints.control,
        clock,
        timeoutMs: PATIENCE_MS,
        observationTimeoutMs: PATIENCE_MS,
        ...clientOptions,
      })
      clients.push(client)
      return client
    },
    close: async () => {
      await Promise.all(clients.map((client) => client.close()))
      await server.close()
    },
  }
}

/** ZeroMQ gives a port back only some time after its socket was closed. */
async function startAt(server: RobotServer): Promise<void> {
  const endUs = clock() + PATIENCE_MS * 1000
  for (;;) {
    try {
      return await server.start()
    } catch (error) {
      if (!/Address already in use|timed out/.test(String(error)) || clock() > endUs) throw error
      await wait(20)
    }
  }
}

/** Connects a controller and starts the robot. */
export async function openActive(bridge: TestBridge, onEvent?: (event: ClientEvent) => void): Promise<PolicyClient> {
  const client = await bridge.connect(onEvent === undefined ? {} : { onEvent })
  await client.lease({ ttlMs: 10_000 })
  await client.arm()
  await client.start()
  return client
}

/** Waits until `holds`, at most `timeoutMs`; what it then returns says whether it did. */
export async function until(holds: () => boolean, timeoutMs = PATIENCE_MS): Promise<boolean> {
  const endUs = clock() + timeoutMs * 1000
  while (!holds() && clock() < endUs) await new Promise((resolve) => setTimeout(resolve, 5))
  return holds()
}

export const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
