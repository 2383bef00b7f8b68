import { randomBytes } from 'node:crypto'
import type { Dealer, Socket, Subscriber } from 'zeromq'
import { ArmatureError } from '../../src/core/errors.ts'
import { encodeMessage } from '../protocol/codec.ts'
import type { BridgeMode, Message } from '../protocol/messages.ts'
import type { SendCounts } from '../zmq/queue.ts'
import { NO_SENDS, SendQueue } from '../zmq/queue.ts'
import { readAll } from '../zmq/reader.ts'
import type { ClientSecurity, ClientSockets, ControlConnection, Endpoints } from '../zmq/sockets.ts'
import { connectControl, makeActionSocket, makeClientSockets } from '../zmq/sockets.ts'

/** What is done with the messages of each socket. */
export interface LinkHandlers {
  readonly control: (bytes: Uint8Array) => void
  readonly observation: (bytes: Uint8Array) => void
  readonly telemetry: (bytes: Uint8Array) => void
}

/** In real time no old action may wait; in lock-step there is never more than one. */
const BACKLOG: Readonly<Record<BridgeMode, number>> = { realtime: 2, lockstep: 64 }

/**
 * The four sockets of a client. When the connection of control or action breaks, both are made anew under another routing id: the robot
 * may not have noticed yet, and lets nobody take over an id that it holds to be connected. It then has to be greeted again.
 */
export class ClientLink {
  readonly #endpoint: string
  readonly #security: ClientSecurity | undefined
  readonly #handlers: LinkHandlers
  #routingId = randomBytes(16).toString('hex')
  #connection: ControlConnection
  #controlQueue: SendQueue
  #sockets: ClientSockets | undefined
  #endpoints: Endpoints | undefined
  #mode: BridgeMode = 'realtime'
  #actionQueue: SendQueue | undefined
  #lastProblem: string | undefined
  /** Of queues whose sockets are closed. */
  #before = { control: NO_SENDS, action: NO_SENDS }
  #isClosed = false

  constructor(endpoint: string, security: ClientSecurity | undefined, handlers: LinkHandlers) {
    this.#endpoint = endpoint
    this.#security = security
    this.#handlers = handlers
    this.#connection = connectControl(endpoint, security, this.#routingId)
    this.#controlQueue = this.#serve(this.#connection.control)
  }

  /** Of control and action; nobody else can know it. */
  get routingId(): string {
    return this.#routingId
  }

  get counts(): { readonly control: SendCounts; readonly action: SendCounts } {
    return {
      control: sum(this.#before.control, this.#controlQueue.counts),
      action: sum(this.#before.action, this.#actionQueue?.counts ?? NO_SENDS),
    }
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
    this.#mode = mode
    const sockets = makeClientSockets(this.#connection.context, this.#security, this.#routingId, topics, BACKLOG[mode])
    this.#sockets = sockets
    const { action, observation, telemetry } = sockets
    this.#watch(action)
    this.#actionQueue = this.#actionQueueOf(action)
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
    this.#isClosed = true
    this.#controlQueue.close()
    this.#actionQueue?.close()
    this.#connection.control.close()
    for (const socket of Object.values(this.#sockets ?? {})) (socket as Socket).close()
  }

  #actionQueueOf(action: Dealer): SendQueue {
    return new SendQueue(action, 1, 'newest-wins', undefined, this.#mode === 'lockstep')
  }

  #serve(control: Dealer): SendQueue {
    this.#watch(control)
    void receive(control, this.#handlers.control)
    return new SendQueue(control, 64, 'refuse')
  }

  /** Control and action as new connections of a client that the robot does not know. */
  #renew(): void {
    this.#controlQueue.close()
    this.#actionQueue?.close()
    this.#before = this.counts
    this.#connection.control.close()
    this.#routingId = randomBytes(16).toString('hex')
    const { context } = this.#connection
    this.#connection = connectControl(this.#endpoint, this.#security, this.#routingId, context)
    this.#controlQueue = this.#serve(this.#connection.control)
    if (this.#sockets === undefined || this.#endpoints === undefined) return
    this.#sockets.action.close()
    this.#sockets.action = makeActionSocket(context, this.#security, this.#routingId, BACKLOG[this.#mode])
    this.#watch(this.#sockets.action)
    this.#actionQueue = this.#actionQueueOf(this.#sockets.action)
    this.#sockets.action.connect(this.#endpoints.action)
  }

  #watch(socket: Socket): void {
    let wasConnected = false
    socket.events.on('handshake', () => {
      wasConnected = true
    })
    socket.events.on('disconnect', () => {
      // One that was never let in would not be let in under another name.
      if (wasConnected && !socket.closed && !this.#isClosed) this.#renew()
    })
    const remember = (event: { readonly error?: Error }): void => {
      this.#lastProblem = event.error?.message
    }
    socket.events.on('handshake:error:auth', remember)
    socket.events.on('handshake:error:protocol', remember)
    socket.events.on('handshake:error:other', remember)
  }
}

function sum(a: SendCounts, b: SendCounts): SendCounts {
  const names = Object.keys(a) as (keyof SendCounts)[]
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as unknown as SendCounts
}

/** Resolves once `socket` has a connection. */
export function handshake(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.events.on('handshake', () => resolve()))
}

/** Hands all messages of `socket` to `take` until it is closed. */
export function receive(socket: Dealer | Subscriber, take: (bytes: Uint8Array) => void): Promise<void> {
  return readAll(socket, (parts) => {
    if (parts.length === 1) take(parts[0]!)
  })
}
