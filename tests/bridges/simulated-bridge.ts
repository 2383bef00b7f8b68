import type { RobotServerOptions } from '../../bridges/server/options.ts'
import type { EventContent } from '../../bridges/server/publisher.ts'
import { RobotServer } from '../../bridges/server/robot-server.ts'
import type { RobotReading, RobotResetOptions, RobotSpec, StopCategory } from '../../src/core/robot.ts'
import { PolicyClient } from '../../bridges/client/policy-client.ts'
import type { PolicyClientOptions } from '../../bridges/client/options.ts'
import { MemoryClient, MemoryLink, MemoryNetwork } from './memory-network.ts'
import { SimpleRobot } from './simple-robot.ts'
import { SimulatedTime } from './simulated-time.ts'

/** What happened to a robot, and when, milliseconds of its time. */
export interface Told {
  readonly what: 'apply' | 'reset' | 'stop' | 'close' | 'interrupted' | 'home'
  readonly atMs: number
  readonly value?: number | StopCategory
}

/** Hardware whose driver does what a test wants: homing takes its time, and each method can be replaced. */
export class TestRobot extends SimpleRobot {
  readonly told: Told[] = []
  readonly time: SimulatedTime
  homingMs = 0
  /** Ends homing when it is told to. */
  listens = true
  /** What every reading is changed to. */
  change: (reading: RobotReading) => RobotReading = (reading) => reading
  onRead: () => Promise<void> = async () => {}
  onStop: (category: StopCategory) => Promise<void> = async () => {}
  onReset: () => Promise<void> = async () => {}

  constructor(time: SimulatedTime, spec: Partial<RobotSpec> = {}) {
    super({ isSimulated: false, ...spec })
    this.time = time
  }

  /** Times of one kind of thing, ms. */
  times(what: Told['what']): number[] {
    return this.told.filter((entry) => entry.what === what).map(({ atMs }) => atMs)
  }

  override async reset({ signal }: RobotResetOptions = {}): Promise<RobotReading> {
    this.#tell('reset')
    await this.onReset()
    await this.time.sleep(this.homingMs, this.listens ? signal : undefined)
    if (this.listens && signal?.aborted === true) {
      this.#tell('interrupted')
      throw new Error('homing was interrupted')
    }
    this.#tell('home')
    return this.change(await super.reset())
  }

  override async read(): Promise<RobotReading> {
    await this.onRead()
    return this.change(await super.read())
  }

  override async apply(action: Float32Array): Promise<void> {
    await super.apply(action)
    this.#tell('apply', action[0]!)
  }

  override async stop(category: StopCategory): Promise<void> {
    this.#tell('stop', category)
    await this.onStop(category)
    await super.stop(category)
  }

  override async close(): Promise<void> {
    this.#tell('close')
    await super.close()
  }

  #tell(what: Told['what'], value?: Told['value']): void {
    this.told.push({ what, atMs: this.time.clock() / 1000, ...(value === undefined ? {} : { value }) })
  }
}

/** A policy's client without sockets, and its network. */
export interface SimulatedClient {
  readonly client: PolicyClient
  readonly link: MemoryLink
  /** Of its connection, in order. */
  readonly connection: string[]
}

export async function simulatedClient(
  { time, network }: Pick<SimulatedBridge, 'time' | 'network'>,
  options: Partial<PolicyClientOptions> = {},
): Promise<SimulatedClient> {
  let link: MemoryLink | undefined
  const connection: string[] = []
  const client = await time.during(
    PolicyClient.connect({
      endpoint: 'memory:0',
      clock: time.clock,
      sleep: time.sleep,
      transport: (handlers) => (link = new MemoryLink(network, time, handlers)),
      onEvent: (event) => void (event.source === 'connection' && connection.push(event.code)),
      ...options,
    }),
  )
  return { client, link: link!, connection }
}

/** A robot server without sockets, in simulated time. */
export interface SimulatedBridge {
  readonly time: SimulatedTime
  readonly robot: TestRobot
  readonly network: MemoryNetwork
  readonly server: RobotServer
  readonly events: EventContent[]
  /** A client that has said hello. */
  readonly client: (role?: 'observer' | 'controller' | 'operator', name?: string) => MemoryClient
  readonly nowMs: () => number
}

export async function simulatedBridge(
  options: Partial<RobotServerOptions> = {},
  spec: Partial<RobotSpec> = {},
  prepare: (robot: TestRobot, time: SimulatedTime) => void = () => {},
): Promise<SimulatedBridge> {
  const time = new SimulatedTime()
  const robot = new TestRobot(time, spec)
  const network = new MemoryNetwork()
  const events: EventContent[] = []
  prepare(robot, time)
  const server = new RobotServer({
    robot,
    clock: time.clock,
    sleep: time.sleep,
    transport: network.open,
    onEvent: (event) => events.push(event),
    ...options,
  })
  await time.during(server.start())
  const client: SimulatedBridge['client'] = (role = 'controller', name = role) => {
    const made = new MemoryClient(network, time.clock)
    made.hello(role, name)
    return made
  }
  return { time, robot, network, server, events, client, nowMs: () => time.clock() / 1000 }
}
