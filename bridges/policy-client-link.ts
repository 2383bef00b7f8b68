import { randomBytes } from 'node:crypto'
import type { Dealer, Socket, Subscriber } from 'zeromq'
import { ArmatureError } from '../src/core/errors.ts'
import { encodeMessage } from './protocol/codec.ts'
import type { BridgeMode, Message } from './protocol/messages.ts'
import type { SendCounts } from './zmq/queue.ts'
import { SendQueue } from './zmq/queue.ts'
import type { ClientSecurity, ClientSockets, ControlConnection, Endpoints } from './zmq/sockets.ts'
import { connectControl, makeClientSockets } from './zmq/sockets.ts'

/** What is done with the messages of each socket. */
export interface LinkHandlers {
  readonly control: (bytes: Uint8Array) => void
  readonly observation: (bytes: Uint8Array) => void
  readonly telemetry: (bytes: Uint8Array) => void
}

/** In real time no old action may wait; in lock-step there is never more than one. */
const BACKLOG: Readonly<Record<BridgeMode, number>> = { realtime: 2, lockstep: 64 }

const NOTHING: SendCounts = {
  offered: 0,
  sent: 0,
  sentBytes: 0,
  dropped: 0,
  refused: 0,
  again: 0,
  unreachable: 0,
  failed: 0,
}

/** The four sockets of a client. */
export class ClientLink {
  /** Of control and action; nobody else can know it. */
  readonly routingId: string = randomBytes(16).toString('hex')
  readonly #security: ClientSecurity | undefined
  readonly #handlers: LinkHandlers
  readonly #connection: ControlConnection
  readonly #controlQueue: SendQueue
  #sockets: ClientSockets | undefined
  #endpoints: Endpoints | undefined
  #actionQueue: SendQueue | undefined
  #lastProblem: string | undefined

  constructor(endpoint: string, security: ClientSecurity | undefined, handlers: LinkHandlers) {
    this.#security = security
    this.#handlers = handlers
    this.#connection = connectControl(endpoint, security, this.routingId)
    const { control } = this.#connection
    this.#watch(control)
    this.#controlQueue = new SendQueue(control, 64, 'refuse')
    void receive(control, handlers.control)
  }

  get counts(): { readonly control: SendCounts; readonly action: SendCounts } {
    return { control: this.#controlQueue.counts, action: this.#actionQueue?.counts ?? NOTHING }
  }

  /** Why the connection did not come about, as far as the socket knows. */
  get lastProblem(): string | undefined {
    return this.#lastProblem
  }

  /**
   * Connects the other three sockets, and waits until they are. In lock-step, where the robot waits for it, an action is sent until the socket
   * takes it.
   * @throws ArmatureError `env-failed`
   */
  async open(endpoints: Endpoints, topics: readonly string[], timeoutMs: number, mode: BridgeMode): Promise<void> {
    const sockets = makeClientSockets(this.#connection.context, this.#security, this.routingId, topics, BACKLOG[mode])
    this.#sockets = sockets
    const { action, observation, telemetry } = sockets
    this.#watch(action)
    this.#actionQueue = new SendQueue(action, 1, 'newest-wins', undefined, mode === 'lockstep')
    const connected = Promise.all([handshake(action), handshake(observation), handshake(telemetry)])
    this.move(endpoints)
    void receive(observation, this.#handlers.observation)
    void receive(telemetry, this.#handlers.telemetry)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const got = this.#lastProblem ?? `no connection to ${endpoints.action} for ${timeoutMs} ms`
        reject(
          new ArmatureError('env-failed', 'sockets beside control', { got, fix: 'check that all its ports are open' }),
        )
      }, timeoutMs)
    })
    await Promise.race([connected, late]).finally(() => clearTimeout(timer))
  }

  /** Connects to where the robot is now, if that is elsewhere than before. */
  move(endpoints: Endpoints): void {
    for (const name of ['action', 'observation', 'telemetry'] as const) {
      const before = this.#endpoints?.[name]
      if (before === endpoints[name]) continue
      if (before !== undefined) this.#sockets?.[name].disconnect(before)
      this.#sockets?.[name].connect(endpoints[name])
    }
    this.#endpoints = endpoints
  }

  sendControl(message: Message): void {
    this.#controlQueue.push(encodeMessage(message))
  }

  /** The newest wins where the socket is slow; none waits for a connection. */
  sendAction(message: Message): void {
    this.#actionQueue?.push(encodeMessage(message))
  }

  close(): void {
    this.#controlQueue.close()
    this.#actionQueue?.close()
    this.#connection.control.close()
    for (const socket of Object.values(this.#sockets ?? {})) (socket as Socket).close()
  }

  #watch(socket: Socket): void {
    const remember = (event: { readonly error?: Error }): void => {
      this.#lastProblem = event.error?.message
    }
    socket.events.on('handshake:error:auth', remember)
    socket.events.on('handshake:error:protocol', remember)
    socket.events.on('handshake:error:other', remember)
  }
}

/** Resolves once `socket` has a connection. */
export function handshake(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.events.on('handshake', () => resolve()))
}

/** Hands all messages of `socket` to `take` until it is closed. */
export async function receive(socket: Dealer | Subscriber, take: (bytes: Uint8Array) => void): Promise<void> {
  let count = 0
  try {
    for await (const parts of socket) {
      if (parts.length === 1) take(parts[0]!)
      if (++count % 64 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  } catch (error) {
    if (!socket.closed) throw error
  }
}
