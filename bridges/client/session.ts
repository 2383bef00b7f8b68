import { ArmatureError } from '../../src/core/errors.ts'
import { ClockSync } from '../protocol/clock-sync.ts'
import { decodeMessage, encodeMessage, topicOf } from '../protocol/codec.ts'
import type {
  BridgeState,
  ErrorMessage,
  EventMessage,
  HelloMessage,
  Message,
  MessageOf,
  MetricsMessage,
  AnyObservationMessage,
  PongMessage,
  Role,
  WelcomeMessage,
} from '../protocol/messages.ts'
import { isObservation, PROTOCOL_VERSION } from '../protocol/messages.ts'
import type { RobotSchema } from '../protocol/schema.ts'
import { schemaDifferences } from '../protocol/schema.ts'
import type { Time } from '../time.ts'
import { every, firstLineOf, within } from '../time.ts'
import { proveKey } from '../zmq/key-proof.ts'
import type { ClientSecurity } from '../zmq/sockets.ts'
import { endpointsSeenFrom } from '../zmq/sockets.ts'
import type { ClientContent } from './requests.ts'
import { NoAnswer, whatOf } from './requests.ts'
import { RobotRefusal } from './robot-refusal.ts'
import type { ClientTransport, OpenClientTransport } from './transport.ts'

export interface SessionOptions {
  /** Of the robot's control socket. */
  readonly endpoint: string
  readonly time: Time
  readonly transport: OpenClientTransport
  readonly name: string
  readonly role: Role
  readonly security: ClientSecurity | undefined
  /** More of `hello`. */
  readonly wants?: Pick<HelloMessage, 'observationDigest' | 'actionDigest' | 'acceptMismatch' | 'imageCodec'>
  /** What the client was made for, where it knows: a refusal then says what differs. */
  readonly expectedSchema?: RobotSchema | undefined
  /** For each answer. */
  readonly timeoutMs: number
  readonly pingMs: number
  /** An alarm where the newest observation is older; default: what the robot says. */
  readonly alarmAgeMs?: number | undefined
  /** A robot that is gone is looked for until it is back; otherwise the session then fails. */
  readonly keepsLooking: boolean
}

/**
 * What became of a connection; `other`: there is another robot now; `old`: the newest observation was captured long ago, whyever; `fresh`: no
 * longer.
 */
export type ConnectionChange = 'lost' | 'back' | 'restarted' | 'bye' | 'bad_message' | 'other' | 'old' | 'fresh'

/** Who is told what. None of it may throw. */
export interface SessionListener {
  /** At the first greeting, and at each after a restart or a lost connection. */
  readonly onWelcome: (welcome: WelcomeMessage) => void
  readonly onObservation: (message: AnyObservationMessage, bytes: Uint8Array) => void
  readonly onTelemetry: (message: EventMessage | MetricsMessage, bytes: Uint8Array) => void
  /** The robot refuses something that nobody waits for an answer to. */
  readonly onRefusal: (error: ErrorMessage) => void
  readonly onChange: (change: ConnectionChange, text: string) => void
  /** Every so often, with each ping. */
  readonly onBeat: () => void
  /** Nothing will come any more. */
  readonly onFailure: (failure: ArmatureError) => void
}

/** Without a sign of the robot for so long the connection counts as lost. */
const LOST_US = 1_000_000
const HELLO_RETRY_MS = 100
const PING_TIMEOUT_MS = 1000
/** For the last message to be written: nothing lingers. */
const FAREWELL_MS = 20
const SOFTWARE = 'armature'

interface Pending {
  readonly resolve: (message: Message) => void
  readonly reject: (error: Error) => void
}

/**
 * One client's time with a robot: greeting, clocks, questions and their answers, and what is done when the robot is silent, restarted or
 * another. What the client then does with it, driving or looking on, is for its owner.
 */
export class Session {
  readonly #options: SessionOptions
  readonly #listener: SessionListener
  readonly #transport: ClientTransport
  readonly #closing = new AbortController()
  readonly #pending = new Map<number, Pending>()
  #clockSync = new ClockSync()
  #welcome: WelcomeMessage | undefined
  #id = ''
  #seq = 0
  #epoch = 0
  #state: BridgeState = 'IDLE'
  #isArmed = false
  #lastHeardUs: number
  #isLost = false
  /** Of the newest observation, by the robot's clock. */
  #captureUs: number | undefined
  #isOld = false
  #isGreeting = false
  #problem: string | undefined
  #failure: ArmatureError | undefined
  /** Sent with each ping. */
  lease: string | undefined

  constructor(options: SessionOptions, listener: SessionListener) {
    this.#options = options
    this.#listener = listener
    this.#lastHeardUs = options.time.clock()
    this.#transport = options.transport({
      control: (bytes) => this.#receive(bytes, (message) => this.#onControl(message)),
      observation: (bytes) => this.#receive(bytes, (message) => this.#onPublished(message, bytes)),
      telemetry: (bytes) => this.#receive(bytes, (message) => this.#onPublished(message, bytes)),
    })
  }

  /**
   * Says hello, connects what the robot publishes, and compares clocks.
   * @throws ArmatureError `env-failed` where there is no robot in time, or it refuses
   */
  async begin(): Promise<void> {
    const { endpoint, timeoutMs, time, pingMs } = this.#options
    await this.#greet()
    const seen = endpointsSeenFrom(endpoint, this.welcome.endpoints)
    const kind = this.welcome.imageCodec === 'jpeg' ? 'compressed_observation' : 'observation'
    await this.#transport.open(seen, timeoutMs, this.welcome.mode, topicOf(kind))
    await this.#compareClocks()
    void every(
      time,
      pingMs,
      () => this.#beat(),
      this.#closing.signal,
      () => undefined,
    )
  }

  get welcome(): WelcomeMessage {
    return this.#welcome!
  }

  get clockSync(): ClockSync {
    return this.#clockSync
  }

  get counts(): ClientTransport['counts'] {
    return this.#transport.counts
  }

  get state(): BridgeState {
    return this.#state
  }

  get armed(): boolean {
    return this.#isArmed
  }

  get epoch(): number {
    return this.#epoch
  }

  get isLost(): boolean {
    return this.#isLost
  }

  /** Asks the robot for its time, and gives the round trip in microseconds. @throws ArmatureError `env-failed` without an answer in a second */
  async ping(): Promise<number> {
    const { clock } = this.#options.time
    const t1Us = clock()
    const lease = this.lease === undefined ? {} : { lease: this.lease }
    const { t2Us, t3Us } = await this.request<PongMessage>({ kind: 'ping', t1Us, ...lease }, PING_TIMEOUT_MS)
    const t4Us = clock()
    this.#clockSync.addSample(t1Us, t2Us, t3Us, t4Us)
    return t4Us - t1Us - (t3Us - t2Us)
  }

  /** Sends and waits for the answer. @throws RobotRefusal; ArmatureError `env-failed` without an answer in time, `closed` */
  async request<M extends Message>(content: ClientContent, timeoutMs = this.#options.timeoutMs): Promise<M> {
    this.requireUsable()
    const seq = this.#send(content)
    const answer = new Promise<Message>((resolve, reject) => this.#pending.set(seq, { resolve, reject }))
    try {
      const message = await within(this.#options.time, answer, timeoutMs, undefined)
      if (message === undefined) throw new NoAnswer(whatOf(content), timeoutMs)
      return message as M
    } finally {
      this.#pending.delete(seq)
    }
  }

  /** Sends an action, which is not answered unless it is refused: with `onRefused` that is for its sender alone. */
  sendAction(message: MessageOf<'action'> | MessageOf<'chunk'>, onRefused?: (error: Error) => void): void {
    if (onRefused !== undefined) this.#pending.set(message.seq, { resolve: () => {}, reject: onRefused })
    this.#transport.sendAction(encodeMessage(message))
  }

  /** Its sender does not want to hear of it any more. */
  forget(seq: number): void {
    this.#pending.delete(seq)
  }

  header(): { session: string; seq: number; timeUs: number; epoch: number } {
    return { session: this.#id, seq: ++this.#seq, timeUs: this.#options.time.clock(), epoch: this.#epoch }
  }

  /** @throws ArmatureError what has ended the session, if anything has */
  requireUsable(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Says goodbye and closes all sockets. May be called twice. */
  async close(reason: string): Promise<void> {
    if (this.#failure?.code === 'closed') return
    if (this.#id !== '') this.#send({ kind: 'bye', reason })
    this.#fail(new ArmatureError('closed', `${this.#options.role} client`))
    this.#transport.unsubscribe()
    if (this.#id !== '') await this.#options.time.sleep(FAREWELL_MS)
    this.#transport.close()
  }

  /** Hello until there is an answer: the socket refuses messages before it is connected. */
  async #greet(): Promise<void> {
    const { timeoutMs, time } = this.#options
    const deadlineUs = time.clock() + timeoutMs * 1000
    for (;;) {
      try {
        return this.#accept(await this.request<WelcomeMessage>(this.#hello(), HELLO_RETRY_MS))
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        if (time.clock() >= deadlineUs) throw this.#noRobot()
      }
    }
  }

  #hello(): Omit<HelloMessage, 'session' | 'seq' | 'timeUs' | 'epoch'> {
    const { name, role, security, wants } = this.#options
    return {
      kind: 'hello',
      name,
      software: SOFTWARE,
      role,
      protocols: [PROTOCOL_VERSION],
      arrayCodecs: ['openpi'],
      ...wants,
      ...(security && {
        publicKey: security.keys.publicKey,
        keyProof: proveKey(security.keys.secretKey, security.robotKey, Buffer.from(this.#transport.routingId)),
      }),
    }
  }

  #noRobot(): ArmatureError {
    const { endpoint, security, timeoutMs } = this.#options
    if (this.#problem !== undefined) {
      return new ArmatureError('env-failed', `robot at ${endpoint}`, {
        got: `an answer that cannot be read: ${this.#problem}`,
        fix: 'use the same version of the bridge on both sides',
      })
    }
    return new ArmatureError('env-failed', `no robot at ${endpoint}`, {
      got: this.#transport.lastProblem ?? `no answer for ${timeoutMs} ms`,
      fix: security
        ? 'check that it runs, that its list has this key, and that the robot key is right'
        : 'check that it runs, and whether it wants keys',
    })
  }

  #accept(welcome: WelcomeMessage): void {
    const known = this.#welcome
    const isOther =
      known !== undefined &&
      (['observationDigest', 'actionDigest', 'imageCodec'] as const).some((key) => known[key] !== welcome[key])
    if (isOther) throw this.#other(known, welcome)
    this.#welcome = welcome
    this.#id = welcome.session
    this.lease = undefined
    this.#captureUs = undefined
    this.#lastHeardUs = this.#options.time.clock()
    this.#listener.onWelcome(welcome)
  }

  #other(known: WelcomeMessage, welcome: WelcomeMessage): ArmatureError {
    const { endpoint } = this.#options
    const differences = [
      ...schemaDifferences(known.schema, welcome.schema),
      ...(known.imageCodec === welcome.imageCodec ? [] : [`images as ${welcome.imageCodec ?? 'raw'}`]),
    ]
    const failure = new ArmatureError('env-failed', `robot at ${endpoint}`, {
      expected: `${known.schema.name} with the schema of before`,
      got: `${welcome.schema.name} after a restart, with ${differences.join(', ')}`,
      fix: 'connect again',
    })
    this.#fail(failure)
    this.#listener.onChange('other', failure.message)
    return failure
  }

  async #compareClocks(): Promise<void> {
    const { timeoutMs, time } = this.#options
    const deadlineUs = time.clock() + timeoutMs * 1000
    while (!this.#clockSync.ready && this.#failure === undefined && time.clock() < deadlineUs) {
      await this.ping().catch(() => undefined)
    }
  }

  #beat(): void {
    this.ping().catch(() => undefined)
    this.#listener.onBeat()
    this.#watchAge()
    if (this.#isLost || this.#options.time.clock() - this.#lastHeardUs <= LOST_US) return
    this.#isLost = true
    this.#listener.onChange('lost', 'the robot has been silent for a second')
  }

  /** An alarm, once, where what is seen of the robot is old: its camera hangs, its loop, or the network. */
  #watchAge(): void {
    const { alarmAgeMs, time } = this.#options
    const { watchdogs, mode } = this.welcome
    const limitUs = alarmAgeMs === undefined ? watchdogs.maxObservationAgeUs : alarmAgeMs * 1000
    if (this.#captureUs === undefined || limitUs === undefined || mode === 'lockstep' || !this.#clockSync.ready) return
    const ageUs = this.#clockSync.toRemote(time.clock()) - this.#captureUs
    if (ageUs > limitUs === this.#isOld) return
    this.#isOld = !this.#isOld
    const text = `the newest observation was captured ${Math.round(ageUs / 1000)} ms ago`
    this.#listener.onChange(this.#isOld ? 'old' : 'fresh', text)
  }

  #send(content: ClientContent): number {
    const message = { ...content, ...this.header() } as Message
    this.#transport.sendControl(encodeMessage(message))
    return message.seq
  }

  #receive(bytes: Uint8Array, take: (message: Message) => void): void {
    if (this.#closing.signal.aborted) return
    let message: Message
    try {
      message = decodeMessage(bytes)
    } catch (error) {
      this.#problem = firstLineOf(error)
      return this.#listener.onChange('bad_message', this.#problem)
    }
    take(message)
  }

  #onControl(message: Message): void {
    if (!this.#isForMe(message)) return this.#listener.onChange('bad_message', 'a message of another session')
    if (message.kind === 'bye') return this.#listener.onChange('bye', message.reason)
    if (!('bridgeState' in message)) return
    this.#hear(message as Message & { bridgeState: BridgeState; armed: boolean })
    const isStranger = message.kind === 'error' && message.code === 'unauthorized' && message.session === ''
    if (isStranger && this.#id !== '' && !this.#isGreeting) return void this.#greetAgain()
    const refSeq = 'refSeq' in message ? message.refSeq : undefined
    const pending = refSeq === undefined ? undefined : this.#pending.get(refSeq)
    if (message.kind !== 'error') pending?.resolve(message)
    else if (pending !== undefined) pending.reject(new RobotRefusal(message, this.#options.expectedSchema))
    else this.#listener.onRefusal(message)
  }

  /** Of this session; before there is one, the answer to what was said; or that the robot knows of none. */
  #isForMe(message: Message): boolean {
    if (this.#id !== '' && message.session === this.#id) return true
    if (message.kind === 'error') return message.session === ''
    return message.kind === 'welcome' && this.#id === '' && this.#pending.has(message.refSeq)
  }

  #onPublished(message: Message, bytes: Uint8Array): void {
    if (!isObservation(message) && message.kind !== 'event' && message.kind !== 'metrics') return
    if (message.session === this.#welcome?.run) {
      this.#hear(message)
      if (isObservation(message)) this.#captureUs = Math.max(this.#captureUs ?? 0, message.captureUs)
    }
    if (isObservation(message)) this.#listener.onObservation(message, bytes)
    else this.#listener.onTelemetry(message, bytes)
  }

  #hear(message: Message & { readonly bridgeState: BridgeState; readonly armed: boolean }): void {
    this.#lastHeardUs = this.#options.time.clock()
    if (this.#isLost) {
      this.#isLost = false
      this.#listener.onChange('back', 'the robot is heard again')
    }
    // Sockets overtake each other: an epoch never goes back, except with a new robot process.
    if (message.epoch < this.#epoch && message.kind !== 'welcome') return
    this.#epoch = message.epoch
    this.#state = message.bridgeState
    this.#isArmed = message.armed
  }

  /** The robot does not know this client: it was restarted, or has forgotten it. What was sent before is void, and the lease is gone. */
  async #greetAgain(): Promise<void> {
    const run = this.#welcome?.run
    this.#isGreeting = true
    this.#id = ''
    this.lease = undefined
    try {
      await this.#greet()
      // Who only looks on has lost nothing where the robot is the same.
      if (this.#welcome?.run !== run || !this.#options.keepsLooking) await this.#restarted()
    } catch (error) {
      const failure =
        error instanceof ArmatureError ? error : new ArmatureError('env-failed', 'robot', { cause: error })
      // Gone again: the next sign of life begins anew.
      if (this.#options.keepsLooking && this.#failure === undefined) this.#id = 'none'
      else this.#fail(failure)
    } finally {
      this.#isGreeting = false
    }
  }

  /** Perhaps on another machine, and at other ports. */
  async #restarted(): Promise<void> {
    this.#clockSync = new ClockSync()
    this.#transport.move(endpointsSeenFrom(this.#options.endpoint, this.welcome.endpoints))
    await this.#compareClocks()
    this.#listener.onChange('restarted', 'the robot was restarted: lease, arm and start again')
  }

  #fail(failure: ArmatureError): void {
    if (this.#failure?.code === 'closed') return
    this.#failure = failure
    this.#closing.abort()
    for (const { reject } of this.#pending.values()) reject(failure)
    this.#listener.onFailure(failure)
  }
}
