import { ArmatureError } from '../../src/core/errors.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import type { ClockSync } from '../protocol/clock-sync.ts'
import { topicOf } from '../protocol/codec.ts'
import type {
  AckMessage,
  AnyObservationMessage,
  BridgeState,
  HelloMessage,
  LeaseMessage,
  MessageOf,
  ObservationContent,
  WelcomeMessage,
} from '../protocol/messages.ts'
import { decompressed, Jpeg } from '../protocol/jpeg.ts'
import type { Json, RobotSchema } from '../protocol/schema.ts'
import { actionDigest, observationDigest } from '../protocol/schema.ts'
import type { Time } from '../time.ts'
import { every, firstLineOf, notify, sleepReally } from '../time.ts'
import { ClientLink } from './client-link.ts'
import { ObservationInbox } from './observation-inbox.ts'
import type { ActOptions, ChunkOptions, ClientEvent, PolicyClientOptions } from './options.ts'
import type { SessionListener } from './session.ts'
import { Session } from './session.ts'

const PING_MS = 100
/** An action that the socket had no room for is tried again after that, in lock-step. */
const RESEND_MS = 5

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
  readonly #time: Time
  readonly #session: Session
  readonly #inbox: ObservationInbox
  /** Loaded where the robot sends JPEG. */
  #jpeg: Jpeg | undefined

  private constructor(options: PolicyClientOptions) {
    const { endpoint, clock, sleep = sleepReally, security, name = 'policy', role = 'controller' } = options
    const { acceptMismatch, imageCodec, onMetrics, expectedSchema, timeoutMs = 3000, alarmAgeMs } = options
    const topics = [topicOf('event'), ...(onMetrics === undefined ? [] : [topicOf('metrics')])]
    this.#options = options
    const time = { clock, sleep }
    this.#time = time
    this.#inbox = new ObservationInbox((observation) => this.#ageUs(observation))
    this.#session = new Session(
      {
        endpoint,
        time,
        transport:
          options.transport ??
          ((handlers) => new ClientLink({ endpoint, security, time, hears: 'newest', topics }, handlers)),
        name,
        role,
        security,
        wants: {
          ...digestsOf(options),
          ...(acceptMismatch === undefined ? {} : { acceptMismatch }),
          ...(imageCodec === undefined ? {} : { imageCodec }),
        },
        expectedSchema,
        timeoutMs,
        pingMs: PING_MS,
        alarmAgeMs,
        keepsLooking: false,
      },
      this.#listener(),
    )
  }

  /**
   * Says hello, checks that the robot fits, and waits until clocks are compared.
   * @throws ArmatureError `env-failed` where there is no robot in time, or it refuses
   */
  static async connect(options: PolicyClientOptions): Promise<PolicyClient> {
    const client = new PolicyClient(options)
    try {
      await client.#session.begin()
      if (client.welcome.imageCodec === 'jpeg') client.#jpeg = Jpeg.load()
    } catch (error) {
      await client.close()
      throw error
    }
    return client
  }

  get schema(): RobotSchema {
    return this.welcome.schema
  }

  /** The limits profile of the robot, as in its file. */
  get limits(): Json {
    return this.welcome.limits
  }

  /** All that the robot said at the start. */
  get welcome(): WelcomeMessage {
    return this.#session.welcome
  }

  /** As last heard. */
  get state(): BridgeState {
    return this.#session.state
  }

  get armed(): boolean {
    return this.#session.armed
  }

  /** Whether the robot granted the lease, and has not been heard to take it away. */
  get hasLease(): boolean {
    return this.#session.lease !== undefined
  }

  get epoch(): number {
    return this.#session.epoch
  }

  get clockSync(): ClockSync {
    return this.#session.clockSync
  }

  /** What became of what was sent and received here. */
  get counters(): Readonly<Record<string, number>> {
    const { control, action } = this.#session.counts
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
    return this.clockSync.toRemote(this.#time.clock())
  }

  /** Asks for the right to move the robot; `preempt` takes it from whoever has it (operators only). */
  async lease(
    options: { readonly ttlMs?: number; readonly preempt?: boolean; readonly reason?: string } = {},
  ): Promise<void> {
    const { ttlMs = this.welcome.mode === 'lockstep' ? 3_600_000 : 2000, preempt, reason } = options
    const given = { ...(preempt === undefined ? {} : { preempt }), ...(reason === undefined ? {} : { reason }) }
    const answer = await this.#session.request<LeaseMessage>({ kind: 'lease_request', ttlMs, ...given })
    this.#session.lease = answer.lease
  }

  async arm(): Promise<void> {
    await this.#command({ command: 'arm' })
  }

  async start(): Promise<void> {
    await this.#command({ command: 'start', mode: this.welcome.mode })
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
    this.#session.lease = undefined
  }

  /** Brings the robot to where an episode can start, and gives its first observation. Then `start` again. */
  async reset(
    options: { readonly seed?: number; readonly options?: { readonly [key: string]: Json } } = {},
  ): Promise<ObservationContent> {
    const { observation, goal } = await this.#command({ command: 'reset', ...options }, this.#resetTimeoutMs)
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
    return this.#act(action, options)
  }

  /** Sends actions [steps, size] with due times; they replace all that wait at or after the first of them. */
  chunk(actions: Float32Array, options: ChunkOptions): number {
    this.#session.requireUsable()
    const size = this.#actionSize
    this.#requireFinite(actions, Math.max(1, Math.ceil(actions.length / size)) * size)
    const { observationSeq, startUs, stepUs, ttlUs = 0, blendUs, policy } = options
    if (startUs !== 0) this.#requireClock()
    const rows = ndarray(actions, [actions.length / size, size])
    const content = {
      kind: 'chunk',
      observationSeq,
      startUs,
      stepUs,
      ttlUs,
      actions: rows,
      ...(blendUs === undefined ? {} : { blendUs }),
      ...(policy === undefined ? {} : { policy }),
    } as const
    const message = { ...content, ...this.#session.header(), lease: this.#session.lease ?? '' }
    this.#session.sendAction(message)
    return message.seq
  }

  /**
   * The next observation that has not been given yet: the newest there is, and never one that is older than two control periods.
   * @throws ArmatureError `env-failed` when none comes in time
   */
  async nextObservation(): Promise<ObservationContent> {
    for (;;) {
      this.#session.requireUsable()
      const seen = await this.#inbox.next(this.#observationTimeoutMs, this.#time.clock())
      const observation = this.#shown(seen)
      if (observation !== undefined) return observation
    }
  }

  /** Fresh observations, each once, until the loop is left; what comes while the caller is busy is passed over for the newest. */
  async *observations(): AsyncGenerator<ObservationContent, void, undefined> {
    for (;;) yield await this.nextObservation()
  }

  /** Lock-step: sends the answer to observation `observationSeq` and waits for what comes of it. */
  async step(action: Float32Array, observationSeq: number): Promise<ObservationContent> {
    const seqs: number[] = []
    const { promise: refused, reject } = rejectable()
    const over = new AbortController()
    let unsent = 0
    const send = (): void => {
      unsent = this.#session.counts.action.again
      seqs.push(this.#act(action, { observationSeq }, reject))
    }
    send()
    // A queue of two may be full for a moment. In real time the action is then dropped; here the robot would wait for it for ever.
    const resend = (): void => void (this.#session.counts.action.again > unsent && send())
    void every(this.#time, RESEND_MS, resend, over.signal, (error) => reject(error as Error))
    try {
      return await Promise.race([this.nextObservation(), refused])
    } catch (error) {
      this.#inbox.fail(error as Error)
      throw error
    } finally {
      over.abort()
      for (const seq of seqs) this.#session.forget(seq)
    }
  }

  /** Says goodbye, which stops a robot that this client was moving, and closes all sockets. */
  close(reason = 'the client is done'): Promise<void> {
    return this.#session.close(reason)
  }

  /** With pixels, of this one alone: those that are passed over are not decoded. Undefined where an image is none, which is told. */
  #shown(seen: AnyObservationMessage): ObservationContent | undefined {
    if (seen.kind === 'observation') return seen
    try {
      return this.#jpeg && decompressed(seen, this.welcome.schema.images, this.#jpeg)
    } catch (error) {
      this.#tell({ source: 'connection', code: 'bad_message', text: firstLineOf(error) })
      return undefined
    }
  }

  get #actionSize(): number {
    return sizeOf(this.welcome.schema.action.shape)
  }

  get #observationTimeoutMs(): number {
    return this.#options.observationTimeoutMs ?? (this.welcome.mode === 'lockstep' ? 60_000 : 2000)
  }

  get #resetTimeoutMs(): number {
    return this.#options.resetTimeoutMs ?? 60_000
  }

  #listener(): SessionListener {
    const { onMetrics } = this.#options
    return {
      onWelcome: ({ run, mode, schema }) =>
        this.#inbox.expect(run, mode === 'realtime' ? 2e6 / schema.controlHz : Infinity),
      onObservation: (message) => this.#inbox.put(message),
      onTelemetry: (message) => {
        if (message.kind === 'event') this.#tell({ source: 'robot', event: message })
        else if (onMetrics !== undefined)
          notify(
            () => onMetrics(message),
            () => undefined,
          )
      },
      onRefusal: (error) => this.#tell({ source: 'refusal', error }),
      onChange: (code, text) => {
        if (code !== 'other') this.#tell({ source: 'connection', code, text })
      },
      onBeat: () => {
        const { state, isLost } = this.#session
        this.#inbox.expire(this.#time.clock(), () => `state ${state}${isLost ? ', connection lost' : ''}`)
      },
      onFailure: (failure) => this.#inbox.fail(failure),
    }
  }

  async #command(
    content: Omit<MessageOf<'command'>, 'kind' | 'lease' | 'session' | 'seq' | 'timeUs' | 'epoch'>,
    timeoutMs?: number,
  ): Promise<AckMessage> {
    const lease = this.#session.lease === undefined ? {} : { lease: this.#session.lease }
    return this.#session.request<AckMessage>({ kind: 'command', ...content, ...lease }, timeoutMs)
  }

  /** @param onRefused told of a refusal instead of the listener to events */
  #act(action: Float32Array, options: ActOptions, onRefused?: (error: Error) => void): number {
    this.#session.requireUsable()
    this.#requireFinite(action, this.#actionSize)
    const { observationSeq, dueUs = 0, ttlUs = 0, policy } = options
    if (dueUs !== 0) this.#requireClock()
    const message = {
      kind: 'action' as const,
      ...this.#session.header(),
      lease: this.#session.lease ?? '',
      observationSeq,
      dueUs,
      ttlUs,
      action,
      ...(policy === undefined ? undefined : { policy }),
    }
    this.#session.sendAction(message, onRefused)
    return message.seq
  }

  /** Since it was sent: known latency of the sensors is not counted, the robot judges that. */
  #ageUs({ timeUs }: AnyObservationMessage): number {
    return this.clockSync.ready ? this.#time.clock() - this.clockSync.toLocal(timeUs) : Infinity
  }

  #requireClock(): void {
    if (this.clockSync.ready) return
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
    const listener = this.#options.onEvent
    if (listener !== undefined)
      notify(
        () => listener(event),
        () => undefined,
      )
  }
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
