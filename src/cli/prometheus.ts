import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BridgeMonitor } from '../../bridges/client/bridge-monitor.ts'
import type { ObserverClient } from '../../bridges/client/observer-client.ts'
import { prometheusText } from '../../bridges/client/prometheus.ts'
import { ArmatureError } from '../core/errors.ts'
import type { BridgeKeyFlags } from './robot-names.ts'
import { observeRobot, waitFor } from './bridge-connect.ts'
import type { CliContext } from './context.ts'
import { monotonicUs } from './monotonic-clock.ts'
import type { NamedRobot } from './robot-names.ts'
import { robotsOf } from './robot-names.ts'

export interface PrometheusOptions extends BridgeKeyFlags {
  /** 0: one that the system chooses. */
  readonly port: number
}

export interface PrometheusReport {
  readonly url: string
  readonly robots: readonly string[]
  /** Pages that were read. */
  readonly reads: number
}

const RETRY_MS = 2000

/**
 * `armature prometheus`: what robots tell of themselves, and what is seen of them, as a page that Prometheus reads, for this machine alone, until
 * Ctrl-C. It is an observer in a process of its own: whoever reads the page cannot delay a robot. Robots that are not there are looked for.
 * @throws ArmatureError `bad-argument` for a port that cannot be had, and what names of robots throw
 */
export async function prometheus(
  context: CliContext,
  robot: string,
  { port, ...flags }: PrometheusOptions,
): Promise<PrometheusReport> {
  const watched = (await robotsOf(robot, flags)).map((named) => new Watched(context, named))
  let reads = 0
  const server = createServer((request, response) => {
    const isPage = request.method === 'GET' && request.url === '/metrics'
    if (isPage) reads++
    const body = isPage ? prometheusText(watched.map((one) => one.state)) : 'GET /metrics\n'
    response.writeHead(isPage ? 200 : 404, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(body)
  })
  const url = await listen(server, port)
  try {
    context.print(`${watched.map(({ name }) => name).join(', ')} at ${url}`)
    for (const one of watched) void one.run()
    await waitFor(undefined, context.signal)
  } finally {
    server.close()
    server.closeAllConnections()
    await Promise.all(watched.map((one) => one.close()))
  }
  return { url, robots: watched.map(({ name }) => name), reads }
}

/** One robot, looked for until it is there. */
class Watched {
  readonly #context: CliContext
  readonly #robot: NamedRobot
  #observer: ObserverClient | undefined
  #monitor: BridgeMonitor | undefined
  #isClosed = false

  constructor(context: CliContext, robot: NamedRobot) {
    this.#context = context
    this.#robot = robot
  }

  get name(): string {
    return this.#robot.name
  }

  get state(): Parameters<typeof prometheusText>[0][number] {
    return { name: this.name, snapshot: this.#monitor?.snapshot(monotonicUs()) }
  }

  async run(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.#watch()
      } catch (error) {
        this.#context.print(`${this.name}: ${error instanceof Error ? error.message : String(error)}`)
      }
      await waitFor(RETRY_MS / 1000, this.#context.signal)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#observer?.close()
  }

  async #watch(): Promise<void> {
    let monitor = new BridgeMonitor()
    const { observer, replaced } = await observeRobot(this.#robot.endpoint, this.#robot, {
      name: 'prometheus',
      onMessage: (message, arrival) => monitor.add(message, arrival),
      onChange: (change) => {
        if (change === 'lost' || change === 'bye') this.#monitor = undefined
        if (change === 'restarted') monitor = new BridgeMonitor()
        if (change === 'back' || change === 'restarted') this.#monitor = monitor
      },
    })
    this.#observer = observer
    if (this.#isClosed) return observer.close()
    this.#monitor = monitor
    try {
      await Promise.race([replaced, waitFor(undefined, this.#context.signal)])
    } finally {
      this.#monitor = undefined
      await observer.close()
    }
  }
}

async function listen(server: Server, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const got = error.code === 'EADDRINUSE' ? 'another program has it' : error.message
      reject(new ArmatureError('bad-argument', `port ${port}`, { got, fix: 'choose another --port', cause: error }))
    })
    server.listen(port, '127.0.0.1', resolve)
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`
}
