import { randomBytes } from 'node:crypto'
import type { Dealer, Socket, Subscriber } from 'zeromq'
import { ArmatureError } from '../../src/core/errors.ts'
import type { BridgeMode } from '../protocol/messages.ts'
import type { SendCounts } from '../zmq/queue.ts'
import { watchEvents } from '../zmq/events.ts'
import { NO_SENDS, SendQueue } from '../zmq/queue.ts'
import { readAll } from '../zmq/reader.ts'
import type { ClientSecurity, ControlConnection, Endpoints, ObserverSockets } from '../zmq/sockets.ts'
import { connectControl, makeActionSocket, makeClientSockets, makeObserverSockets } from '../zmq/sockets.ts'
import type { Time } from '../time.ts'
import { within } from '../time.ts'
import type { ClientHandlers, ClientTransport } from './transport.ts'

export interface ClientLinkOptions {
  readonly endpoint: string
  readonly security: ClientSecurity | undefined
  readonly time: Pick<Time, 'sleep'>
  /** Only the newest observation, and actions; or all that is published, and no actions. */
  readonly hears: 'newest' | 'all'
  /** Of telemetry, as prefixes of messages; none: none at all. */
  readonly topics: readonly string[]
}

/** In real time no old action may wait; in lock-step there is never more than one. */
const BACKLOG: Readonly<Record<BridgeMode, number>> = { realtime: 2, lockstep: 64 }

/**
 * The four sockets of a client. When the connection of control or action breaks, both are made anew under another routing id: the robot
 * may not have noticed yet, and lets nobody take over an id that it holds to be connected. It then has to be greeted again.
 */
export class ClientLink implements ClientTransport {
  readonly #options: ClientLinkOptions
  readonly #handlers: ClientHandlers
  #routingId = randomBytes(16).toString('hex')
  #connection: ControlConnection
  #controlQueue: SendQueue
  #sockets: (ObserverSockets & { action?: Dealer }) | undefined
  #endpoints: Endpoints | undefined
  #mode: BridgeMode = 'realtime'
  #topic = ''
  #actionQueue: SendQueue | undefined
  #lastProblem: string | undefined
  /** Of the sockets that are open: what ends the reading of their events. */
  readonly #watches = new Map<Socket, () => Promise<void>>()
  /** Of queues whose sockets are closed. */
  #before = { control: NO_SENDS, action: NO_SENDS }
  #isClosed = false

  constructor(options: ClientLinkOptions, handlers: ClientHandlers) {
    this.#options = options
    this.#handlers = handlers
    this.#connection = connectControl(options.endpoint, options.security, this.#routingId)
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
   * Connects the other sockets, and waits until they are. In lock-step, where the robot waits for it, an action is sent until the socket
   * takes it.
   * @throws ArmatureError `env-failed`
   */
  async open(endpoints: Endpoints, timeoutMs: number, mode: BridgeMode, topic: string): Promise<void> {
    this.#mode = mode
    this.#topic = topic
    const sockets = this.#makeSockets(topic)
    this.#sockets = sockets
    const { action, observation, telemetry } = sockets
    if (action !== undefined) this.#actionQueue = this.#actionQueueOf(action)
    const handshakes = Object.values(sockets).map((socket: Socket) => this.#watch(socket, socket === action))
    const connected = Promise.all(handshakes).then(() => true)
    this.move(endpoints)
    void receive(observation, this.#handlers.observation)
    void receive(telemetry, this.#handlers.telemetry)
    if (await within(this.#options.time, connected, timeoutMs, false)) return
    const got = this.#lastProblem ?? `no connection to ${endpoints.action} for ${timeoutMs} ms`
    throw new ArmatureError('env-failed', 'sockets beside control', { got, fix: 'check that all its ports are open' })
  }

  move(endpoints: Endpoints): void {
    for (const name of ['action', 'observation', 'telemetry'] as const) {
      const before = this.#endpoints?.[name]
      if (before === endpoints[name]) continue
      if (before !== undefined) this.#sockets?.[name]?.disconnect(before)
      this.#sockets?.[name]?.connect(endpoints[name])
    }
    this.#endpoints = endpoints
  }

  sendControl(message: Buffer): void {
    this.#controlQueue.push(message)
  }

  sendAction(message: Buffer): void {
    this.#actionQueue?.push(message)
  }

  /**
   * libzmq 4.3.5 aborts the process ("Assertion failed: !_io_error") when messages come to a socket that is being closed, the peer then goes away and a
   * heartbeat is due: so none should be on its way.
   */
  unsubscribe(): void {
    if (this.#sockets === undefined) return
    const { observation, telemetry } = this.#sockets
    const { hears, topics } = this.#options
    observation.unsubscribe(this.#topic)
    telemetry.unsubscribe(...(hears === 'all' ? [''] : topics))
  }

  close(): void {
    this.#isClosed = true
    this.#controlQueue.close()
    this.#actionQueue?.close()
    for (const socket of this.#watches.keys()) this.#end(socket)
  }

  #makeSockets(topic: string): ObserverSockets & { action?: Dealer } {
    const { hears, security, topics } = this.#options
    const { context } = this.#connection
    if (hears === 'all') return makeObserverSockets(context, security, topic)
    return makeClientSockets(
      context,
      security,
      this.#routingId,
      { observation: topic, telemetry: topics },
      BACKLOG[this.#mode],
    )
  }

  #actionQueueOf(action: Dealer): SendQueue {
    return new SendQueue(action, 1, 'newest-wins', undefined, this.#mode === 'lockstep')
  }

  #serve(control: Dealer): SendQueue {
    void this.#watch(control, true)
    void receive(control, this.#handlers.control)
    return new SendQueue(control, 64, 'refuse')
  }

  /** Control and action as new connections of a client that the robot does not know. */
  #renew(): void {
    this.#controlQueue.close()
    this.#actionQueue?.close()
    this.#before = this.counts
    this.#end(this.#connection.control)
    this.#routingId = randomBytes(16).toString('hex')
    const { context } = this.#connection
    const { endpoint, security } = this.#options
    this.#connection = connectControl(endpoint, security, this.#routingId, context)
    this.#controlQueue = this.#serve(this.#connection.control)
    if (this.#sockets?.action === undefined || this.#endpoints === undefined) return
    this.#end(this.#sockets.action)
    const action = makeActionSocket(context, security, this.#routingId, BACKLOG[this.#mode])
    this.#sockets.action = action
    void this.#watch(action, true)
    this.#actionQueue = this.#actionQueueOf(action)
    action.connect(this.#endpoints.action)
  }

  /** Resolves once `socket` has a connection. @param renews when that breaks, control and action are made anew */
  #watch(socket: Socket, renews: boolean): Promise<void> {
    return new Promise((resolve) => {
      let wasConnected = false
      const end = watchEvents(socket, (event) => {
        if (event.type === 'handshake') {
          wasConnected = true
          resolve()
        } else if (event.type === 'disconnect') {
          // One that was never let in would not be let in under another name.
          if (renews && wasConnected && !socket.closed && !this.#isClosed) this.#renew()
        } else if (renews && event.type.startsWith('handshake:error')) {
          this.#lastProblem = 'error' in event ? event.error.message : undefined
        }
      })
      this.#watches.set(socket, end)
    })
  }

  #end(socket: Socket): void {
    socket.close()
    void this.#watches.get(socket)?.()
    this.#watches.delete(socket)
  }
}

function sum(a: SendCounts, b: SendCounts): SendCounts {
  const names = Object.keys(a) as (keyof SendCounts)[]
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as unknown as SendCounts
}

/** Hands all messages of `socket` to `take` until it is closed. */
function receive(socket: Dealer | Subscriber, take: (bytes: Uint8Array) => void): Promise<void> {
  return readAll(socket, (parts) => {
    if (parts.length === 1) take(parts[0]!)
  })
}
