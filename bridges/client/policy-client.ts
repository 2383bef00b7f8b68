import { setTimeout as sleep } from 'node:timers/promises'
import { ArmatureError } from '../../src/core/errors.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import { ClientLink } from './client-link.ts'
import { ObservationInbox } from './observation-inbox.ts'
import { ClockSync } from '../protocol/clock-sync.ts'
import { decodeMessage, topicOf } from '../protocol/codec.ts'
import type {
  AckMessage,
  BridgeState,
  EventMessage,
  ErrorMessage,
  HelloMessage,
  LeaseMessage,
  Message,
  MessageOf,
  MetricsMessage,
  ObservationContent,
  ObservationMessage,
  PolicyTag,
  PongMessage,
  Role,
  WelcomeMessage,
} from '../protocol/messages.ts'
import { PROTOCOL_VERSION } from '../protocol/messages.ts'
import type { Json, RobotSchema } from '../protocol/schema.ts'
import { actionDigest, observationDigest, schemaDifferences } from '../protocol/schema.ts'
import { RobotRefusal } from './robot-refusal.ts'
import { proveKey } from '../zmq/key-proof.ts'
import type { ClientSecurity, Endpoints } from '../zmq/sockets.ts'
import { endpointsSeenFrom } from '../zmq/sockets.ts'

export interface PolicyClientOptions {
  /** Of the robot's control socket, e.g. `tcp://127.0.0.1:5600`. */
  readonly endpoint: string
  /** Monotonic, whole microseconds: `() => Number(process.hrtime.bigint() / 1000n)`. */
  readonly clock: () => number
  /** For the robot's events and logs. */
  readonly name?: string
  /** Default `controller`. */
  readonly role?: Role
  /** Keys, for a robot that wants them. */
  readonly security?: ClientSecurity
  /** What the policy was trained for: gives both digests, and a robot of another kind is refused with all that differs. */
  readonly expectedSchema?: RobotSchema
  /** What the policy was trained for, where no more is known than that; absent: anything. */
  readonly observationDigest?: string
  readonly actionDigest?: string
  readonly acceptMismatch?: boolean
  /** For each answer; default 3000. */
  readonly timeoutMs?: number
  /** Without a fresh observation for so long, waiting for one fails; default 2000, in lock-step 60000. */
  readonly observationTimeoutMs?: number
  readonly onEvent?: (event: ClientEvent) => void
  readonly onMetrics?: (metrics: MetricsMessage) => void
}

/** What a client should know of: events of the robot, refusals, and the connection. */
export type ClientEvent =
  | { readonly source: 'robot'; readonly event: EventMessage }
  | { readonly source: 'refusal'; readonly error: ErrorMessage }
  | {
      readonly source: 'connection'
      readonly code: 'lost' | 'back' | 'restarted' | 'bye' | 'bad_message'
      readonly text: string
    }

export interface ActOptions {
  /** The observation that it answers. */
  readonly observationSeq: number
  /** When it is due, by the robot's clock; default: at the next control period. See {@link PolicyClient.robotTimeUs}. */
  readonly dueUs?: number
  /** Not executed, first or again, when it is due for longer than this; default 0: as long as the robot lets actions count. */
  readonly ttlUs?: number
  readonly policy?: PolicyTag
}

export interface ChunkOptions extends Omit<ActOptions, 'dueUs'> {
  /** When the first step is due, by the robot's clock; 0: now. */
  readonly startUs: number
  readonly stepUs: number
}

const PING_MS = 100
/** Without a sign of the robot for so long the connection counts as lost. */
const LOST_US = 1_000_000
const HELLO_RETRY_MS = 100
const SOFTWARE = 'armature'

/**
 * A policy's side of the bridge. Everything runs in the caller's event loop, pings included: if that loop is blocked, the robot stops.
 *
 * @example
 * const client = await PolicyClient.connect({ endpoint: 'tcp://127.0.0.1:5600', clock })
 * await client.lease()
 * await client.arm()
 * await client.start()
 * for await (const observation of client.observations()) {
 *   client.act(await decide(observation), { observationSeq: observation.observationSeq })
 * }
 *
 * Errors: `env-failed` when the robot refuses (its code and text are in the message), does not answer in time, or is another one after a
 * restart; `bad-argument` for one of another kind than `expectedSchema`; `bad-shape` / `bad-value` for actions that it would refuse; `closed`.
 */
export class PolicyClient {
  readonly #options: PolicyClientOptions
  readonly #link: ClientLink
  #clockSync = new ClockSync()
  readonly #inbox: ObservationInbox
  readonly #pending = new Map<number, { resolve: (message: Message) => void; reject: (error: Error) => void }>()
  #welcome!: WelcomeMessage
  #session = ''
  #seq = 0
  #epoch = 0
  #state: BridgeState = 'IDLE'
  #isArmed = false
  #lease: string | undefined
  #lastHeardUs = 0
  #isLost = false
  #isGreeting = false
  #failure: ArmatureError | undefined
  #pinger: NodeJS.Timeout | undefined

  private constructor(options: PolicyClientOptions) {
    this.#options = options
    this.#link = new ClientLink(options.endpoint, options.security, {
      control: (bytes) => this.#receive(bytes, (message) => this.#onControl(message)),
      observation: (bytes) => this.#receive(bytes, (message) => this.#onObservation(message)),
      telemetry: (bytes) => this.#receive(bytes, (message) => this.#onTelemetry(message)),
    })
    this.#inbox = new ObservationInbox((observation) => this.#ageUs(observation))
  }

  /**
   * Says hello, checks that the robot fits, and waits until clocks are compared.
   * @throws ArmatureError `env-failed` where there is no robot in time, or it refuses
   */
  static async connect(options: PolicyClientOptions): Promise<PolicyClient> {
    const client = new PolicyClient(options)
    try {
      await client.#greet()
      await client.#open()
    } catch (error) {
      await client.close()
      throw error
    }
    return client
  }

  get schema(): RobotSchema {
    return this.#welcome.schema
  }

  /** The limits profile of the robot, as in its file. */
  get limits(): Json {
    return this.#welcome.limits
  }

  /** All that the robot said at the start. */
  get welcome(): WelcomeMessage {
    return this.#welcome
  }

  /** As last heard. */
  get state(): BridgeState {
    return this.#state
  }

  get armed(): boolean {
    return this.#isArmed
  }

  /** Whether the robot granted the lease, and has not been heard to take it away. */
  get hasLease(): boolean {
    return this.#lease !== undefined
  }

  get epoch(): number {
    return this.#epoch
  }

  get clockSync(): ClockSync {
    return this.#clockSync
  }

  /** What became of what was sent and received here. */
  get counters(): Readonly<Record<string, number>> {
    const { control, action } = this.#link.counts
    return {
      control_tx: control.sent,
      actions_sent: action.sent,
      actions_not_sent: action.again + action.dropped + action.failed + action.unreachable,
      observations_received: this.#inbox.received,
      observations_stale: this.#inbox.stale,
      observations_skipped: this.#inbox.skipped,
    }
  }

  /** The present by the robot's clock, microseconds: for `dueUs` and `startUs`. */
  robotTimeUs(): number {
    return this.#clockSync.toRemote(this.#options.clock())
  }

  /** Asks for the right to move the robot; `preempt` takes it from whoever has it (operators only). */
  async lease(
    options: { readonly ttlMs?: number; readonly preempt?: boolean; readonly reason?: string } = {},
  ): Promise<void> {
    const { ttlMs = this.#welcome.mode === 'lockstep' ? 3_600_000 : 2000, preempt, reason } = options
    const given = { ...(preempt === undefined ? {} : { preempt }), ...(reason === undefined ? {} : { reason }) }
    const answer = await this.#request<LeaseMessage>({ kind: 'lease_request', ttlMs, ...given })
    this.#lease = answer.lease
  }

  async arm(): Promise<void> {
    await this.#command({ command: 'arm' })
  }

  async start(): Promise<void> {
    await this.#command({ command: 'start', mode: this.#welcome.mode })
  }

  /** Comes to rest and stays armed. */
  async pause(): Promise<void> {
    await this.#command({ command: 'pause' })
  }

  /** Comes to rest; `safe` latches until an operator clears it. */
  async stop(category: 'hold' | 'safe' = 'hold'): Promise<void> {
    await this.#command({ command: 'stop', category })
  }

  /** Out of a latched stop; operators only. */
  async clear(): Promise<void> {
    await this.#command({ command: 'clear' })
  }

  async release(): Promise<void> {
    await this.#command({ command: 'release' })
    this.#lease = undefined
  }

  /** Brings the robot to where an episode can start, and gives its first observation. Then `start` again. */
  async reset(
    options: { readonly seed?: number; readonly options?: { readonly [key: string]: Json } } = {},
  ): Promise<ObservationContent> {
    const { observation, goal } = await this.#command({ command: 'reset', ...options }, this.#observationTimeoutMs)
    if (observation === undefined)
      throw new ArmatureError('env-failed', 'reset', { got: 'no observation from the robot' })
    this.#inbox.skipTo(observation.observationSeq)
    return goal === undefined ? observation : { ...observation, goal }
  }

  /**
   * Sends an action, without waiting: where it cannot be sent now it is counted and lost, because later it would be wrong.
   * @returns its sequence number, as in {@link AppliedContent}
   */
  act(action: Float32Array, options: ActOptions): number {
    this.#requireUsable()
    this.#requireFinite(action, this.#actionSize)
    const { observationSeq, dueUs = 0, ttlUs = 0, policy } = options
    if (dueUs !== 0) this.#requireClock()
    return this.#sendAction({
      kind: 'action',
      session: this.#session,
      seq: ++this.#seq,
      timeUs: this.#options.clock(),
      epoch: this.#epoch,
      lease: this.#lease ?? '',
      observationSeq,
      dueUs,
      ttlUs,
      action,
      ...(policy === undefined ? undefined : { policy }),
    })
  }

  /** Sends actions [steps, size] with due times; they replace all that wait at or after the first of them. */
  chunk(actions: Float32Array, options: ChunkOptions): number {
    this.#requireUsable()
    const size = this.#actionSize
    this.#requireFinite(actions, Math.max(1, Math.ceil(actions.length / size)) * size)
    const { observationSeq, startUs, stepUs, ttlUs = 0, policy } = options
    if (startUs !== 0) this.#requireClock()
    const rows = ndarray(actions, [actions.length / size, size])
    const content = {
      kind: 'chunk',
      observationSeq,
      startUs,
      stepUs,
      ttlUs,
      actions: rows,
      ...(policy === undefined ? {} : { policy }),
    } as const
    return this.#sendAction({ ...content, ...this.#header(), lease: this.#lease ?? '' })
  }

  /**
   * The next observation that has not been given yet: the newest there is, and never one that is older than two control periods.
   * @throws ArmatureError `env-failed` when none comes in time
   */
  async nextObservation(): Promise<ObservationContent> {
    this.#requireUsable()
    return this.#inbox.next(this.#observationTimeoutMs, this.#options.clock())
  }

  /** Fresh observations, each once, until the loop is left; what comes while the caller is busy is passed over for the newest. */
  async *observations(): AsyncGenerator<ObservationContent, void, undefined> {
    for (;;) yield await this.nextObservation()
  }

  /** Lock-step: sends the answer to observation `observationSeq` and waits for what comes of it. */
  async step(action: Float32Array, observationSeq: number): Promise<ObservationContent> {
    const seqs: number[] = []
    const { promise: refused, reject } = rejectable()
    let unsent = 0
    const send = (): void => {
      unsent = this.#link.counts.action.again
      const seq = this.act(action, { observationSeq })
      this.#pending.set(seq, { resolve: () => {}, reject })
      seqs.push(seq)
    }
    send()
    // A queue of two may be full for a moment. In real time the action is then dropped; here the robot would wait for it for ever.
    const resend = setInterval(() => this.#link.counts.action.again > unsent && send(), 5)
    try {
      return await Promise.race([this.nextObservation(), refused])
    } catch (error) {
      this.#inbox.fail(error as Error)
      throw error
    } finally {
      clearInterval(resend)
      for (const seq of seqs) this.#pending.delete(seq)
    }
  }

  /** Says goodbye, which stops a robot that this client was moving, and closes all sockets. */
  async close(reason = 'the client is done'): Promise<void> {
    if (this.#failure?.code === 'closed') return
    if (this.#session !== '') this.#send({ kind: 'bye', reason })
    this.#fail(new ArmatureError('closed', 'policy client'))
    clearInterval(this.#pinger)
    // Handed to the I/O thread already; it needs a moment to write, because nothing lingers.
    if (this.#session !== '') await sleep(20)
    this.#link.close()
  }

  get #actionSize(): number {
    return sizeOf(this.#welcome.schema.action.shape)
  }

  get #observationTimeoutMs(): number {
    return this.#options.observationTimeoutMs ?? (this.#welcome.mode === 'lockstep' ? 60_000 : 2000)
  }

  /** Hello until there is an answer: the socket refuses messages before it is connected. */
  async #greet(): Promise<void> {
    const { timeoutMs = 3000, clock } = this.#options
    const deadlineUs = clock() + timeoutMs * 1000
    for (;;) {
      try {
        const welcome = await this.#request<WelcomeMessage>(this.#hello(), HELLO_RETRY_MS)
        return this.#accept(welcome)
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        if (clock() >= deadlineUs) throw this.#noRobot(timeoutMs)
      }
    }
  }

  #hello(): Omit<HelloMessage, 'session' | 'seq' | 'timeUs' | 'epoch'> {
    const { name = 'policy', role = 'controller', security, acceptMismatch } = this.#options
    return {
      kind: 'hello',
      name,
      software: SOFTWARE,
      role,
      protocols: [PROTOCOL_VERSION],
      arrayCodecs: ['openpi'],
      ...digestsOf(this.#options),
      ...(acceptMismatch === undefined ? {} : { acceptMismatch }),
      ...(security && {
        publicKey: security.keys.publicKey,
        keyProof: proveKey(security.keys.secretKey, security.robotKey, Buffer.from(this.#link.routingId)),
      }),
    }
  }

  #noRobot(timeoutMs: number): ArmatureError {
    const { endpoint, security } = this.#options
    const hint = this.#link.lastProblem
    return new ArmatureError('env-failed', `no robot at ${endpoint}`, {
      got: hint ?? `no answer for ${timeoutMs} ms`,
      fix: security
        ? 'check that it runs, that its list has this key, and that the robot key is right'
        : 'check that it runs, and whether it wants keys',
    })
  }

  #accept(welcome: WelcomeMessage): void {
    const known = this.#welcome as WelcomeMessage | undefined
    const isOther =
      known !== undefined &&
      (known.observationDigest !== welcome.observationDigest || known.actionDigest !== welcome.actionDigest)
    if (isOther) {
      const failure = new ArmatureError('env-failed', `robot at ${this.#options.endpoint}`, {
        expected: `${known.schema.name} with the schema of before`,
        got: `${welcome.schema.name} after a restart, with ${schemaDifferences(known.schema, welcome.schema).join(', ')}`,
        fix: 'connect again',
      })
      this.#fail(failure)
      throw failure
    }
    this.#welcome = welcome
    this.#session = welcome.session
    this.#lease = undefined
    this.#lastHeardUs = this.#options.clock()
    this.#inbox.expect(welcome.run, welcome.mode === 'realtime' ? 2e6 / welcome.schema.controlHz : Infinity)
  }

  async #open(): Promise<void> {
    const { endpoint, timeoutMs = 3000, onMetrics } = this.#options
    const seen: Endpoints = endpointsSeenFrom(endpoint, this.#welcome.endpoints)
    const topics = [topicOf('event'), ...(onMetrics === undefined ? [] : [topicOf('metrics')])]
    await this.#link.open(seen, topics, timeoutMs, this.#welcome.mode)
    await this.#compareClocks()
    this.#pinger = setInterval(() => this.#beat(), PING_MS)
  }

  async #compareClocks(): Promise<void> {
    const { timeoutMs = 3000, clock } = this.#options
    const deadlineUs = clock() + timeoutMs * 1000
    while (!this.#clockSync.ready && clock() < deadlineUs) await this.#ping().catch(() => undefined)
  }

  #beat(): void {
    const { clock } = this.#options
    this.#ping().catch(() => undefined)
    this.#inbox.expire(clock(), () => `state ${this.#state}${this.#isLost ? ', connection lost' : ''}`)
    if (!this.#isLost && clock() - this.#lastHeardUs > LOST_US) {
      this.#isLost = true
      this.#tell({ source: 'connection', code: 'lost', text: 'the robot has been silent for a second' })
    }
  }

  async #ping(): Promise<void> {
    const t1Us = this.#options.clock()
    const lease = this.#lease === undefined ? {} : { lease: this.#lease }
    const { t2Us, t3Us } = await this.#request<PongMessage>({ kind: 'ping', t1Us, ...lease }, 1000)
    this.#clockSync.addSample(t1Us, t2Us, t3Us, this.#options.clock())
  }

  async #command(
    content: Omit<MessageOf<'command'>, 'kind' | 'lease' | 'session' | 'seq' | 'timeUs' | 'epoch'>,
    timeoutMs?: number,
  ): Promise<AckMessage> {
    const lease = this.#lease === undefined ? {} : { lease: this.#lease }
    return this.#request<AckMessage>({ kind: 'command', ...content, ...lease }, timeoutMs)
  }

  /** Sends and waits for the answer. @throws ArmatureError for a refusal, NoAnswer in the end */
  async #request<M extends Message>(content: ClientContent, timeoutMs = this.#options.timeoutMs ?? 3000): Promise<M> {
    this.#requireUsable()
    const seq = this.#send(content)
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<M>((resolve, reject) => {
        this.#pending.set(seq, { resolve: (message) => resolve(message as M), reject })
        timer = setTimeout(() => reject(new NoAnswer(whatOf(content), timeoutMs)), timeoutMs)
      })
    } finally {
      clearTimeout(timer)
      this.#pending.delete(seq)
    }
  }

  #send(content: ClientContent): number {
    const message = { ...content, ...this.#header() } as Message
    this.#link.sendControl(message)
    return message.seq
  }

  #sendAction(message: MessageOf<'action'> | MessageOf<'chunk'>): number {
    this.#link.sendAction(message)
    return message.seq
  }

  #header(): { session: string; seq: number; timeUs: number; epoch: number } {
    return { session: this.#session, seq: ++this.#seq, timeUs: this.#options.clock(), epoch: this.#epoch }
  }

  #receive(bytes: Uint8Array, take: (message: Message) => void): void {
    try {
      take(decodeMessage(bytes))
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      this.#tell({ source: 'connection', code: 'bad_message', text })
    }
  }

  #onControl(message: Message): void {
    if (message.kind === 'bye') return this.#tell({ source: 'connection', code: 'bye', text: message.reason })
    if (!('bridgeState' in message)) return
    this.#hear(message)
    const isStranger = message.kind === 'error' && message.code === 'unauthorized' && message.session === ''
    if (isStranger && this.#session !== '' && !this.#isGreeting) return void this.#greetAgain()
    const refSeq = 'refSeq' in message ? message.refSeq : undefined
    const pending = refSeq === undefined ? undefined : this.#pending.get(refSeq)
    if (message.kind !== 'error') pending?.resolve(message)
    else if (pending !== undefined) pending.reject(new RobotRefusal(message, this.#options.expectedSchema))
    else this.#tell({ source: 'refusal', error: message })
  }

  #onObservation(message: Message): void {
    if (message.kind !== 'observation' || message.session !== this.#welcome.run) return
    this.#hear(message)
    this.#inbox.put(message)
  }

  #onTelemetry(message: Message): void {
    if (message.kind === 'event') {
      if (message.session === this.#welcome.run) this.#hear(message)
      this.#tell({ source: 'robot', event: message })
    }
    if (message.kind === 'metrics') this.#options.onMetrics?.(message)
  }

  #hear(message: Message & { readonly bridgeState: BridgeState; readonly armed: boolean }): void {
    this.#lastHeardUs = this.#options.clock()
    if (this.#isLost) {
      this.#isLost = false
      this.#tell({ source: 'connection', code: 'back', text: 'the robot is heard again' })
    }
    // Sockets overtake each other: an epoch never goes back, except with a new robot process.
    if (message.epoch < this.#epoch && message.kind !== 'welcome') return
    this.#epoch = message.epoch
    this.#state = message.bridgeState
    this.#isArmed = message.armed
  }

  /** The robot does not know this client: it was restarted. What was sent before is void, and the lease is gone. */
  async #greetAgain(): Promise<void> {
    this.#isGreeting = true
    this.#session = ''
    this.#lease = undefined
    try {
      await this.#greet()
      // Perhaps of another machine, and at other ports.
      this.#clockSync = new ClockSync()
      this.#link.move(endpointsSeenFrom(this.#options.endpoint, this.#welcome.endpoints))
      await this.#compareClocks()
      this.#tell({
        source: 'connection',
        code: 'restarted',
        text: 'the robot was restarted: lease, arm and start again',
      })
    } catch (error) {
      this.#fail(error instanceof ArmatureError ? error : new ArmatureError('env-failed', 'robot', { cause: error }))
    } finally {
      this.#isGreeting = false
    }
  }

  #fail(failure: ArmatureError): void {
    this.#failure = failure
    for (const { reject } of this.#pending.values()) reject(failure)
    this.#inbox.fail(failure)
  }

  /** Since it was sent: known latency of the sensors is not counted, the robot judges that. */
  #ageUs({ timeUs }: ObservationMessage): number {
    return this.#clockSync.ready ? this.#options.clock() - this.#clockSync.toLocal(timeUs) : Infinity
  }

  #requireUsable(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  #requireClock(): void {
    if (this.#clockSync.ready) return
    throw new ArmatureError('env-failed', 'timed action', {
      got: 'clocks not compared yet',
      fix: 'wait for clockSync.ready',
    })
  }

  #requireFinite(actions: Float32Array, length: number): void {
    if (actions.length !== length) {
      throw new ArmatureError('bad-shape', 'action', { expected: `length ${length}`, got: `${actions.length}` })
    }
    for (let i = 0; i < length; i++) {
      if (!Number.isFinite(actions[i])) throw new ArmatureError('bad-value', 'action', { got: `${actions[i]} at ${i}` })
    }
  }

  #tell(event: ClientEvent): void {
    this.#options.onEvent?.(event)
  }
}

type WithoutHeader<M> = M extends Message ? Omit<M, 'session' | 'seq' | 'timeUs' | 'epoch'> : never
type ClientContent = WithoutHeader<
  HelloMessage | MessageOf<'lease_request'> | MessageOf<'command'> | MessageOf<'ping'> | MessageOf<'bye'>
>

class NoAnswer extends ArmatureError {
  constructor(what: string, timeoutMs: number) {
    super('env-failed', what, {
      got: `no answer from the robot for ${timeoutMs} ms`,
      fix: 'check that it still runs and can be reached',
    })
  }
}

function whatOf(content: ClientContent): string {
  return content.kind === 'command' ? content.command : content.kind.replace('_', ' ')
}

/** Those that are given win over those of the schema. */
function digestsOf({
  expectedSchema,
  ...given
}: PolicyClientOptions): Pick<HelloMessage, 'observationDigest' | 'actionDigest'> {
  const observation = given.observationDigest ?? (expectedSchema && observationDigest(expectedSchema))
  const action = given.actionDigest ?? (expectedSchema && actionDigest(expectedSchema))
  return {
    ...(observation === undefined ? {} : { observationDigest: observation }),
    ...(action === undefined ? {} : { actionDigest: action }),
  }
}

function rejectable(): { readonly promise: Promise<never>; readonly reject: (error: Error) => void } {
  let reject!: (error: Error) => void
  const promise = new Promise<never>((_, refuse) => {
    reject = refuse
  })
  return { promise, reject }
}
