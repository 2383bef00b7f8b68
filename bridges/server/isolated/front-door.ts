import type { Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { ArmatureError } from '../../../src/core/errors.ts'
import type { FrameLimits } from './frame-meter.ts'
import { FrameMeter } from './frame-meter.ts'

export interface FrontDoorOptions {
  /** `tcp://host:port`, as ZeroMQ has it. */
  readonly endpoint: string
  /** Where the socket behind it listens: a path of this machine. */
  readonly behind: string
  readonly limits: FrameLimits
  readonly maxConnections: number
  readonly maxPerAddress: number
  readonly clock: () => number
  readonly onRefused: (text: string) => void
  readonly onDropped: (frames: number) => void
}

/**
 * Listens where a socket of the robot can be reached, and passes on what its limits allow: so many connections, of so many bytes and frames. libzmq
 * itself keeps whatever comes, subscriptions included, for as long as there is memory.
 */
export class FrontDoor {
  readonly #options: FrontDoorOptions
  readonly #server: Server
  readonly #open = new Set<Socket>()
  readonly #perAddress = new Map<string, number>()

  private constructor(options: FrontDoorOptions) {
    this.#options = options
    this.#server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => this.#admit(socket))
  }

  /** @throws ArmatureError `bad-argument` for an address that cannot be had */
  static async open(options: FrontDoorOptions): Promise<FrontDoor> {
    const door = new FrontDoor(options)
    const { host, port } = addressOf(options.endpoint)
    await new Promise<void>((resolve, reject) => {
      door.#server.once('error', (error) =>
        reject(
          new ArmatureError('bad-argument', `cannot listen on ${options.endpoint}`, {
            got: /EADDRINUSE/.test(error.message) ? 'Address already in use' : error.message,
            fix: 'choose another address or port',
            cause: error,
          }),
        ),
      )
      door.#server.listen({ host, port, exclusive: true }, resolve)
    })
    door.#server.on('error', (error) => options.onRefused(error.message))
    return door
  }

  /** With the port that the system chose, where it did. */
  get endpoint(): string {
    const address = this.#server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const { host } = addressOf(this.#options.endpoint)
    return `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#open) socket.destroy()
  }

  #admit(client: Socket): void {
    const { behind, limits, clock, maxConnections, maxPerAddress } = this.#options
    const address = client.remoteAddress ?? ''
    const count = this.#perAddress.get(address) ?? 0
    client.on('error', () => undefined)
    if (this.#open.size >= 2 * maxConnections || count >= maxPerAddress) {
      this.#options.onRefused(`a connection from ${address} was refused: there are ${count} from there already`)
      client.destroy()
      return
    }
    this.#perAddress.set(address, count + 1)
    const meter = new FrameMeter(limits, clock())
    const socket = connect(behind)
    socket.on('error', () => undefined)
    this.#join(client, socket, () => {
      const left = this.#perAddress.get(address)! - 1
      if (left > 0) this.#perAddress.set(address, left)
      else this.#perAddress.delete(address)
    })
    client.on('data', (chunk) => this.#forward(chunk, { client, socket, meter }))
    socket.on('drain', () => client.resume())
    socket.pipe(client)
    client.resume()
  }

  #forward(chunk: Buffer, { client, socket, meter }: { client: Socket; socket: Socket; meter: FrameMeter }): void {
    const before = meter.dropped
    const parts = meter.pass(chunk, this.#options.clock())
    if (meter.dropped > before) this.#options.onDropped(meter.dropped - before)
    if (typeof parts === 'string') {
      this.#options.onRefused(`a connection from ${client.remoteAddress} was closed: ${parts}`)
      client.destroy()
      return
    }
    let hasRoom = true
    for (const part of parts) hasRoom = socket.write(part)
    if (!hasRoom) client.pause()
  }

  /** Two sides of one connection: each ends with the other. */
  #join(client: Socket, socket: Socket, onEnd: () => void): void {
    const sides = [client, socket]
    for (const side of sides) this.#open.add(side)
    let isEnded = false
    const end = (): void => {
      if (isEnded) return
      isEnded = true
      for (const side of sides) {
        this.#open.delete(side)
        side.destroy()
      }
      onEnd()
    }
    for (const side of sides) side.once('close', end)
  }
}

/** A name of a network interface stands for its first address. */
function addressOf(endpoint: string): { readonly host: string; readonly port: number } {
  const [, name = '', port = ''] = /^tcp:\/\/(.+):(\d+|\*)$/.exec(endpoint) ?? []
  const bare = name.replace(/^\[(.*)\]$/, '$1')
  const host = bare === '*' ? '0.0.0.0' : (networkInterfaces()[bare]?.[0]?.address ?? bare)
  return { host, port: port === '*' ? 0 : Number(port) }
}
