import { randomBytes } from 'node:crypto'
import type { Socket } from 'zeromq'
import { ArmatureError } from '../../src/core/errors.ts'
import { handshake, receive } from './client-link.ts'
import { ClockSync } from '../protocol/clock-sync.ts'
import { decodeMessage, encodeMessage } from '../protocol/codec.ts'
import type {
  EventMessage,
  Message,
  MetricsMessage,
  ObservationMessage,
  PongMessage,
  WelcomeMessage,
} from '../protocol/messages.ts'
import { PROTOCOL_VERSION } from '../protocol/messages.ts'
import { proveKey } from '../zmq/key-proof.ts'
import { SendQueue } from '../zmq/queue.ts'
import type { ClientSecurity, ControlConnection, Endpoints, ObserverSockets } from '../zmq/sockets.ts'
import { connectControl, endpointsSeenFrom, makeObserverSockets } from '../zmq/sockets.ts'

/** What an observer is shown: the greeting of each robot process, and all that it publishes. */
export type ObservedMessage = WelcomeMessage | ObservationMessage | EventMessage | MetricsMessage

/** How a message came. */
export interface Arrival {
  /** As they came; a welcome without the session of this client, which is nobody else's business. */
  readonly bytes: Uint8Array
  /** By this side's clock. */
  readonly arrivalUs: number
  /** When an observation was captured, by this side's clock; absent until clocks are compared. */
  readonly captureUs?: number
}

/** What became of the connection; `other`: there is another robot now, and nothing more will come. */
export type ObserverChange = 'lost' | 'back' | 'restarted' | 'bye' | 'bad_message' | 'other'

export interface ObserverClientOptions {
  /** Of the robot's control socket, e.g. `tcp://127.0.0.1:5600`. */
  readonly endpoint: string
  /** Monotonic, whole microseconds. */
  readonly clock: () => number
  /** For the robot's events and logs; default `observer`. */
  readonly name?: string
  /** Keys, for a robot that wants them. */
  readonly security?: ClientSecurity
  /** For each answer; default 3000. */
  readonly timeoutMs?: number
  readonly onMessage?: (message: ObservedMessage, arrival: Arrival) => void
  readonly onChange?: (change: ObserverChange, text: string) => void
}

const PING_MS = 250
const LOST_US = 1_000_000
const HELLO_RETRY_MS = 100

interface Pending {
  readonly resolve: (message: Message) => void
  readonly reject: (error: Error) => void
}

/**
 * Looks on: hears all that a robot publishes, and never asks for the lease. A robot that is restarted is found again, if it is the same one.
 *
 * @example
 * const observer = await ObserverClient.connect({ endpoint: 'tcp://127.0.0.1:5600', clock, onMessage: (m) => console.log(m.kind) })
 * await observer.close()
 *
 * Errors: `env-failed` when the robot refuses or does not answer in time; `closed`.
 */
export class ObserverClient {
  readonly #options: ObserverClientOptions
  readonly #routingId = randomBytes(16).toString('hex')
  readonly #connection: ControlConnection
  readonly #queue: SendQueue
  readonly #sockets: ObserverSockets
  /** Settled when both subscriptions have a connection. */
  readonly #connected: Promise<unknown>
  readonly #pending = new Map<number, Pending>()
  #endpoints: Endpoints | undefined
  #clockSync = new ClockSync()
  #welcome: WelcomeMessage | undefined
  #session = ''
  #seq = 0
  #epoch = 0
  #lastHeardUs: number
  #isLost = false
  #isGreeting = false
  #isClosed = false
  #lastProblem: string | undefined
  #pinger: NodeJS.Timeout | undefined

  private constructor(options: ObserverClientOptions) {
    const { endpoint, security, clock } = options
    this.#options = options
    this.#lastHeardUs = clock()
    this.#connection = connectControl(endpoint, security, this.#routingId)
    const { control, context } = this.#connection
    this.#rememberProblems(control)
    this.#queue = new SendQueue(control, 64, 'refuse')
    this.#sockets = makeObserverSockets(context, security)
    this.#connected = Promise.all([handshake(this.#sockets.observation), handshake(this.#sockets.telemetry)])
    void receive(control, (bytes) => this.#receive(bytes, (message) => this.#onControl(message)))
    for (const socket of Object.values(this.#sockets)) {
      void receive(socket, (bytes) => this.#receive(bytes, (message) => this.#onPublished(message, bytes)))
    }
  }

  /**
   * Says hello as an observer, connects what the robot publishes, and compares clocks.
   * @throws ArmatureError `env-failed` where there is no robot in time, or it refuses
   */
  static async connect(options: ObserverClientOptions): Promise<ObserverClient> {
    const client = new ObserverClient(options)
    try {
      await client.#greet()
      await client.#open()
    } catch (error) {
      await client.close()
      throw error
    }
    return client
  }

  /** All that the robot said at the start. */
  get welcome(): WelcomeMessage {
    return this.#welcome!
  }

  get clockSync(): ClockSync {
    return this.#clockSync
  }

  /** Asks the robot for its time, and gives the round trip in microseconds. @throws ArmatureError `env-failed` without an answer in a second */
  async ping(): Promise<number> {
    const { clock } = this.#options
    const t1Us = clock()
    const { t2Us, t3Us } = await this.#request<PongMessage>({ kind: 'ping', t1Us }, 1000)
    const t4Us = clock()
    this.#clockSync.addSample(t1Us, t2Us, t3Us, t4Us)
    return t4Us - t1Us - (t3Us - t2Us)
  }

  /** Says goodbye and closes all sockets. May be called twice. */
  async close(reason = 'the observer is done'): Promise<void> {
    if (this.#isClosed) return
    if (this.#session !== '') this.#send({ kind: 'bye', reason })
    this.#isClosed = true
    clearInterval(this.#pinger)
    for (const { reject } of this.#pending.values()) reject(new ArmatureError('closed', 'observer'))
    // Handed to the I/O thread already; it needs a moment to write, because nothing lingers.
    if (this.#session !== '') await new Promise((resolve) => setTimeout(resolve, 20))
    this.#queue.close()
    this.#connection.control.close()
    for (const socket of Object.values(this.#sockets)) socket.close()
  }

  /** Hello until there is an answer: the socket refuses messages before it is connected. */
  async #greet(): Promise<void> {
    const { timeoutMs = 3000, clock, endpoint, security } = this.#options
    const deadlineUs = clock() + timeoutMs * 1000
    for (;;) {
      try {
        return this.#accept(await this.#request<WelcomeMessage>(this.#hello(), HELLO_RETRY_MS))
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        if (clock() < deadlineUs) continue
        throw new ArmatureError('env-failed', `no robot at ${endpoint}`, {
          got: this.#lastProblem ?? `no answer for ${timeoutMs} ms`,
          fix: security
            ? 'check that it runs, that its list has this key, and that the robot key is right'
            : 'check that it runs, and whether it wants keys',
        })
      }
    }
  }

  #hello(): ClientContent {
    const { name = 'observer', security } = this.#options
    return {
      kind: 'hello',
      name,
      software: 'armature',
      role: 'observer',
      protocols: [PROTOCOL_VERSION],
      arrayCodecs: ['openpi'],
      ...(security && {
        publicKey: security.keys.publicKey,
        keyProof: proveKey(security.keys.secretKey, security.robotKey, Buffer.from(this.#routingId)),
      }),
    }
  }

  #accept(welcome: WelcomeMessage): void {
    const { endpoint, clock } = this.#options
    const before = this.#welcome
    const isOther =
      before !== undefined &&
      (before.observationDigest !== welcome.observationDigest || before.actionDigest !== welcome.actionDigest)
    if (isOther) {
      clearInterval(this.#pinger)
      const text = `${welcome.schema.name} with another schema is at ${endpoint} now: connect again`
      this.#tell('other', text)
      throw new ArmatureError('env-failed', text)
    }
    this.#welcome = welcome
    this.#session = welcome.session
    this.#epoch = welcome.epoch
    this.#lastHeardUs = clock()
    const shown = { ...welcome, session: welcome.run }
    this.#options.onMessage?.(shown, { bytes: encodeMessage(shown), arrivalUs: clock() })
    this.#move(endpointsSeenFrom(endpoint, welcome.endpoints))
  }

  #move(endpoints: Endpoints): void {
    for (const name of ['observation', 'telemetry'] as const) {
      const before = this.#endpoints?.[name]
      if (before === endpoints[name]) continue
      if (before !== undefined) this.#sockets[name].disconnect(before)
      this.#sockets[name].connect(endpoints[name])
    }
    this.#endpoints = endpoints
  }

  async #open(): Promise<void> {
    const { timeoutMs = 3000 } = this.#options
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const got = `no connection to ${this.#endpoints!.observation} for ${timeoutMs} ms`
      const error = new ArmatureError('env-failed', 'sockets beside control', {
        got,
        fix: 'check that all its ports are open',
      })
      timer = setTimeout(() => reject(error), timeoutMs)
    })
    await Promise.race([this.#connected, late]).finally(() => clearTimeout(timer))
    await this.#compareClocks()
    this.#pinger = setInterval(() => this.#beat(), PING_MS)
  }

  async #compareClocks(): Promise<void> {
    const { timeoutMs = 3000, clock } = this.#options
    const deadlineUs = clock() + timeoutMs * 1000
    while (!this.#clockSync.ready && !this.#isClosed && clock() < deadlineUs) await this.ping().catch(() => undefined)
  }

  #beat(): void {
    this.ping().catch(() => undefined)
    if (this.#isLost || this.#options.clock() - this.#lastHeardUs <= LOST_US) return
    this.#isLost = true
    this.#tell('lost', 'the robot has been silent for a second')
  }

  async #request<M extends Message>(content: ClientContent, timeoutMs: number): Promise<M> {
    if (this.#isClosed) throw new ArmatureError('closed', 'observer')
    const seq = this.#send(content)
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<M>((resolve, reject) => {
        this.#pending.set(seq, { resolve: (message) => resolve(message as M), reject })
        timer = setTimeout(() => reject(new NoAnswer(content.kind, timeoutMs)), timeoutMs)
      })
    } finally {
      clearTimeout(timer)
      this.#pending.delete(seq)
    }
  }

  #send(content: ClientContent): number {
    const seq = ++this.#seq
    const header = { session: this.#session, seq, timeUs: this.#options.clock(), epoch: this.#epoch }
    this.#queue.push(encodeMessage({ ...content, ...header }))
    return seq
  }

  #receive(bytes: Uint8Array, take: (message: Message) => void): void {
    if (this.#isClosed) return
    try {
      take(decodeMessage(bytes))
    } catch (error) {
      this.#tell('bad_message', error instanceof Error ? error.message : String(error))
    }
  }

  #onControl(message: Message): void {
    if (message.kind === 'bye') return this.#tell('bye', message.reason)
    if (!('bridgeState' in message)) return
    this.#hear(message.epoch)
    const isStranger = message.kind === 'error' && message.code === 'unauthorized' && message.session === ''
    if (isStranger && this.#session !== '' && !this.#isGreeting) return void this.#greetAgain()
    const refSeq = 'refSeq' in message ? message.refSeq : undefined
    const pending = refSeq === undefined ? undefined : this.#pending.get(refSeq)
    if (message.kind !== 'error') pending?.resolve(message)
    else pending?.reject(new ArmatureError('env-failed', `the robot refuses (${message.code})`, { got: message.text }))
  }

  #onPublished(message: Message, bytes: Uint8Array): void {
    if (message.kind !== 'observation' && message.kind !== 'event' && message.kind !== 'metrics') return
    const { clock, onMessage } = this.#options
    this.#hear(message.epoch)
    const isTimed = message.kind === 'observation' && this.#clockSync.ready
    const captured = isTimed ? { captureUs: this.#clockSync.toLocal(message.captureUs) } : {}
    onMessage?.(message, { bytes, arrivalUs: clock(), ...captured })
  }

  #hear(epoch: number): void {
    this.#epoch = epoch
    this.#lastHeardUs = this.#options.clock()
    if (!this.#isLost) return
    this.#isLost = false
    this.#tell('back', 'the robot is heard again')
  }

  /** The robot does not know this client: it was restarted, or has forgotten it. */
  async #greetAgain(): Promise<void> {
    const run = this.#welcome?.run
    this.#isGreeting = true
    this.#session = ''
    try {
      await this.#greet()
      if (this.#welcome?.run === run) return
      this.#clockSync = new ClockSync()
      this.#tell('restarted', 'the robot was restarted')
      await this.#compareClocks()
    } catch {
      // Gone again, or another: the next sign of life begins anew.
      this.#session = 'none'
    } finally {
      this.#isGreeting = false
    }
  }

  #rememberProblems(socket: Socket): void {
    const remember = (event: { readonly error?: Error }): void => {
      this.#lastProblem = event.error?.message
    }
    socket.events.on('handshake:error:auth', remember)
    socket.events.on('handshake:error:protocol', remember)
    socket.events.on('handshake:error:other', remember)
  }

  #tell(change: ObserverChange, text: string): void {
    this.#options.onChange?.(change, text)
  }
}

type WithoutHeader<M> = M extends Message ? Omit<M, 'session' | 'seq' | 'timeUs' | 'epoch'> : never
type ClientContent = WithoutHeader<Extract<Message, { readonly kind: 'hello' | 'ping' | 'bye' }>>

class NoAnswer extends ArmatureError {
  constructor(what: string, timeoutMs: number) {
    super('env-failed', what, { got: `no answer from the robot for ${timeoutMs} ms` })
  }
}
