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

  /** @param at where it listens; default: a port of 127.0.0.1 that the system chooses */
  static async to(
    targetPort: number,
    at: { host: string; port: number } = { host: '127.0.0.1', port: 0 },
  ): Promise<ChaosProxy> {
    const server = createServer()
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(at.port, at.host, resolve)
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

  /** Resets the client's end of every connection; the target is not told, and waits for the rest. */
  cutHalf(): void {
    for (const pipe of this.#pipes) pipe.abandon()
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
    for (const pipe of [new Pipe(client, target, weather, true), new Pipe(target, client, weather, false)]) {
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
  #isOver = false
  #isAbandoned = false
  readonly #isFromClient: boolean

  constructor(from: Socket, to: Socket, weather: () => Weather, isFromClient: boolean) {
    this.#from = from
    this.#to = to
    this.#weather = weather
    this.#isFromClient = isFromClient
    from.setNoDelay(true)
    from.on('data', (bytes: Buffer) => {
      this.#waiting.push({ bytes: this.#spoil(bytes), dueMs: this.#dueAfter(bytes.length) })
      this.flush()
    })
    from.on('error', () => this.#end())
    from.on('close', () => this.#end())
  }

  /** Passes on what is due and comes back for the rest. */
  flush(): void {
    clearTimeout(this.#timer)
    if (this.#weather().isStalled === true || this.#isAbandoned) return
    if (this.#isOver) return this.destroy()
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

  /** One end is closed, and the other learns nothing of it. */
  abandon(): void {
    this.#isAbandoned = true
    if (this.#isFromClient) this.#from.destroy()
  }

  /** A closed connection is told to the other end, unless nothing gets through. */
  #end(): void {
    this.#isOver = true
    this.flush()
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
