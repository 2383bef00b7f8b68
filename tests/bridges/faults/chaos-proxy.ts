import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

/** What a network does to the bytes of one direction. */
export interface Weather {
  /** Every byte arrives so much later. */
  readonly delayMs?: number
  /** At most so many bytes per second. */
  readonly bytesPerSecond?: number
  /** One byte in so many is changed. */
  readonly corruptEvery?: number
  /** Nothing arrives, and nobody is told: what a pulled cable looks like to both ends. */
  readonly isStalled?: boolean
}

/** A TCP proxy on loopback that misbehaves as it is told: between a client and a robot it stands for the network. */
export class ChaosProxy {
  readonly port: number
  readonly #server: Server
  readonly #pipes: Set<Pipe> = new Set()
  #weather: Weather = {}

  private constructor(server: Server) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
  }

  static async to(targetPort: number): Promise<ChaosProxy> {
    const server = createServer()
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const proxy = new ChaosProxy(server)
    server.on('connection', (client) => proxy.#accept(client, targetPort))
    return proxy
  }

  /** From now on, in both directions and on connections that are there. */
  set weather(weather: Weather) {
    this.#weather = weather
    for (const pipe of this.#pipes) pipe.flush()
  }

  /** Resets every connection; new ones are taken. */
  cut(): void {
    for (const pipe of this.#pipes) pipe.destroy()
  }

  /** @returns when nothing is open any more */
  close(): Promise<void> {
    this.cut()
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  #accept(client: Socket, targetPort: number): void {
    const target = connect(targetPort, '127.0.0.1')
    const weather = (): Weather => this.#weather
    for (const pipe of [new Pipe(client, target, weather), new Pipe(target, client, weather)]) {
      this.#pipes.add(pipe)
      pipe.onEnd = () => this.#pipes.delete(pipe)
    }
  }
}

/** One direction of one connection. Bytes wait in order until they are due. */
class Pipe {
  onEnd: () => void = () => {}
  readonly #from: Socket
  readonly #to: Socket
  readonly #weather: () => Weather
  readonly #waiting: { bytes: Buffer; dueMs: number }[] = []
  #timer: NodeJS.Timeout | undefined
  #freeAtMs = 0
  #passed = 0

  constructor(from: Socket, to: Socket, weather: () => Weather) {
    this.#from = from
    this.#to = to
    this.#weather = weather
    from.setNoDelay(true)
    from.on('data', (bytes: Buffer) => {
      this.#waiting.push({ bytes: this.#spoil(bytes), dueMs: this.#dueAfter(bytes.length) })
      this.flush()
    })
    from.on('error', () => this.destroy())
    from.on('close', () => this.destroy())
  }

  /** Passes on what is due and comes back for the rest. */
  flush(): void {
    clearTimeout(this.#timer)
    if (this.#weather().isStalled === true) return
    while (this.#waiting.length > 0 && this.#waiting[0]!.dueMs <= performance.now()) {
      this.#to.write(this.#waiting.shift()!.bytes)
    }
    const next = this.#waiting[0]
    if (next !== undefined) this.#timer = setTimeout(() => this.flush(), Math.max(0, next.dueMs - performance.now()))
  }

  destroy(): void {
    clearTimeout(this.#timer)
    this.#from.destroy()
    this.#to.destroy()
    this.onEnd()
  }

  #dueAfter(length: number): number {
    const { delayMs = 0, bytesPerSecond = Infinity } = this.#weather()
    const now = performance.now()
    this.#freeAtMs = Math.max(now, this.#freeAtMs) + (length / bytesPerSecond) * 1000
    return this.#freeAtMs + delayMs
  }

  #spoil(bytes: Buffer): Buffer {
    const { corruptEvery } = this.#weather()
    if (corruptEvery === undefined) return bytes
    const spoiled = Buffer.from(bytes)
    for (let i = 0; i < spoiled.length; i++) if (++this.#passed % corruptEvery === 0) spoiled[i]!++
    return spoiled
  }
}
