import { randomBytes, randomInt } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Histogram } from '../protocol/histogram.ts'
import type { BridgeMode, BridgeState, Watchdogs } from '../protocol/messages.ts'
import type { SupervisorEvent } from '../safety/outcomes.ts'
import { limitsJson, unlimited } from '../safety/limits.ts'
import { Supervisor } from '../safety/supervisor.ts'
import type { Time } from '../time.ts'
import { attempt, every, firstLineOf, sleepReally, within } from '../time.ts'
import type { Endpoints } from '../zmq/sockets.ts'
import { endpointsBeside, isLoopback } from '../zmq/sockets.ts'
import type { ZapRequest } from '../zmq/zap.ts'
import { ControlLoop } from './control-loop.ts'
import { countersOf } from './counters.ts'
import { Dispatcher } from './dispatcher.ts'
import { Driver } from './driver.ts'
import type { HandshakeKeys } from './handshake.ts'
import { Handshake } from './handshake.ts'
import { Motion } from './motion.ts'
import type { RobotServerOptions } from './options.ts'
import { defaultWatchdogs, jpegQualityOf, supervisorTimes } from './options.ts'
import type { Peer } from './peers.ts'
import { Peers } from './peers.ts'
import { Publisher } from './publisher.ts'
import { checkSpec } from './spec.ts'
import type { OpenTransport, RobotTransport, TransportHandlers } from './transport.ts'
import { openIsolatedTransport } from './isolated/isolated-transport.ts'
import { openZmqTransport } from './zmq-transport.ts'

/** In real time a slow subscriber gets no old observation; in lock-step there is never more than one, and steps may be fast. */
const BACKLOG: Readonly<Record<BridgeMode, number>> = { realtime: 4, lockstep: 64 }
/** How often lock-step repeats an observation that nobody has answered. */
const REPEAT_MS = 200
const IDLE_US = 5_000_000
/** A client that was heard in this time is there. */
const PRESENT_US = 500_000
/** How often, a second apart, the silent ones are probed after a connection was lost: the first may come before its socket knows. */
const PROBES = 2
/** For a first reading. */
const START_MS = 30_000
/** For the robot to come to rest at closing. */
const REST_MS = 500
/** For `bye` to get out before the sockets close. */
const FAREWELL_MS = 50

/**
 * The robot's side of the bridge: the sockets, who may move the robot, its limits, and the one loop that moves it.
 *
 * @example
 * const server = new RobotServer({ robot, clock: () => Number(process.hrtime.bigint() / 1000n) })
 * await runUntilSignal(server) // Ctrl-C, the end of its terminal or of its service stop the robot and tell the clients
 */
export class RobotServer {
  readonly #options: RobotServerOptions
  readonly #time: Time
  readonly #mode: BridgeMode
  readonly #run = randomBytes(16).toString('hex')
  readonly #watchdogs: Required<Watchdogs>
  readonly #peers: Peers
  readonly #supervisor: Supervisor
  readonly #driver: Driver
  readonly #motion: Motion
  readonly #loop: ControlLoop
  readonly #handshake: Handshake
  readonly #closing = new AbortController()
  readonly #watchdogCounts = { soft: 0, hard: 0, leases: 0 }
  #transport: RobotTransport | undefined
  #publisher: Publisher | undefined
  #dispatcher: Dispatcher | undefined
  /** Rounds of probes that are still to be made. */
  #probes = 0
  #utilization = performance.eventLoopUtilization()
  #closed: Promise<void> | undefined

  /** @throws ArmatureError `bad-argument` for lock-step with hardware, or a robot whose spec makes no sense */
  constructor(options: RobotServerOptions) {
    const { robot, clock, sleep = sleepReally, mode = 'realtime', limits, maxPeers = 32, maxPeersPerKey = 8 } = options
    const { spec } = robot
    checkSpec(spec, mode)
    this.#options = options
    this.#time = { clock, sleep }
    this.#mode = mode
    this.#watchdogs = { ...defaultWatchdogs(1e6 / spec.controlHz), ...options.watchdogs }
    const { messagesPerSecond = 400 } = options
    this.#peers = new Peers({ maxPeers, maxPeersPerKey, messagesPerSecond })
    this.#supervisor = this.#makeSupervisor()
    this.#driver = new Driver({ robot, time: this.#time, onStopFailed: (error) => this.#onStopFailed(error) })
    const profile = limits ?? unlimited(spec.actionSpace, spec.actionKind)
    const blending = { defaultUs: 100_000, maxUs: 500_000, ...options.blending }
    this.#motion = new Motion({
      driver: this.#driver,
      clock,
      limits: profile,
      holdUs: this.#watchdogs.softUs,
      maxLeadUs: this.#watchdogs.maxLeadUs,
      maxObservationAgeUs: mode === 'lockstep' ? Infinity : this.#watchdogs.maxObservationAgeUs,
      blending,
      interpolates: options.interpolates ?? false,
      publish: (content) => this.#publisher?.publishObservation(content),
      onFreshReading: (nowUs) => this.#supervisor.readingArrived(nowUs),
    })
    this.#loop = new ControlLoop({
      mode,
      time: this.#time,
      driver: this.#driver,
      motion: this.#motion,
      supervisor: this.#supervisor,
      estop: options.estop,
      stuckUs: options.stuckUs,
      report: (event) => void this.#publisher?.event(event),
    })
    this.#handshake = new Handshake(robot, this.#peers, {
      run: this.#run,
      mode,
      limits: limitsJson(profile),
      watchdogs: this.#watchdogs,
      blending,
      jpegQuality: jpegQualityOf(options),
      isInsecure: options.security === undefined && !Object.values(this.#wanted).every(isLoopback),
      allowsMismatch: options.allowsMismatch ?? false,
      security: options.security,
      isHolder: ({ session }) => this.#supervisor.lease?.peer === session,
      onRemoved: (peer, why) => this.#shutOut(peer, 'busy', why),
    })
  }

  /** Where clients find it, once started. */
  get endpoints(): Endpoints {
    if (this.#transport === undefined) throw new ArmatureError('closed', 'robot server', { got: 'not started' })
    return this.#transport.endpoints
  }

  get state(): BridgeState {
    return this.#supervisor.state
  }

  get epoch(): number {
    return this.#supervisor.epoch
  }

  /** Clients that have said hello. */
  get peerCount(): number {
    return this.#peers.size
  }

  /** Cumulative whole numbers, as in `metrics`. */
  get counters(): Readonly<Record<string, number>> {
    return countersOf({
      motion: this.#motion,
      watchdogs: this.#watchdogCounts,
      periodsSkipped: this.#loop.skipped,
      listenerErrors: this.#publisher?.listenerErrors ?? 0,
      notCompressed: this.#publisher?.notCompressed ?? 0,
      peers: this.#peers.size,
      received: this.#dispatcher?.received,
      sent: this.#transport?.counts,
    })
  }

  /** How late control periods began since the start, microseconds. */
  get tickLateness(): Histogram {
    return this.#loop.lateness
  }

  /**
   * Reads the robot, and opens the sockets.
   * @throws ArmatureError `bad-argument` for an address that cannot be had, or that others could reach without keys; `env-failed` for a robot
   *   that gives no reading to begin with; `closed` after {@link close}
   */
  async start(): Promise<void> {
    const { robot, clock, wallClock, onEvent, transport = this.#openSockets } = this.#options
    const { signal } = this.#closing
    this.#requireOpen()
    const opened = await transport(this.#handlers())
    try {
      this.#transport = opened
      const source = { run: this.#run, clock, wallClock, status: () => this.#supervisor }
      const { imageSpaces } = robot.spec
      const jpeg = { quality: jpegQualityOf(this.#options), imageSpaces, wanted: () => this.#peers.codecs }
      this.#publisher = new Publisher(opened, source, jpeg, onEvent)
      await this.#firstReading(robot.spec.isSimulated)
      this.#requireOpen()
    } catch (error) {
      await opened.close()
      throw error
    }
    this.#dispatcher = this.#makeDispatcher(this.#publisher)
    this.#loop.run(signal)
    const report = (error: unknown): void => this.#loop.fault(error)
    void every(this.#time, 1000, () => this.#eachSecond(), signal, report)
    const repeat = (): void => this.#publisher?.repeatObservation()
    if (this.#mode === 'lockstep') void every(this.#time, REPEAT_MS, repeat, signal, report)
  }

  /** Tells the clients, brings the robot to rest and closes everything, in less than a second even if the robot does not answer. */
  close(reason = 'the robot is being shut down'): Promise<void> {
    this.#closed ??= this.#close(reason)
    return this.#closed
  }

  async #close(reason: string): Promise<void> {
    this.#closing.abort()
    this.#motion.interrupt()
    // The robot first: nothing that follows may keep it from being told.
    const stopped = this.#driver.stop('safe')
    this.#supervisor.stop('safe', { peer: 'the robot', role: 'operator' }, this.#time.clock())
    this.#motion.halt()
    for (const peer of this.#peers) this.#publisher?.tell(peer, { kind: 'bye', reason })
    await within(this.#time, stopped, REST_MS, undefined)
    const closed = this.#driver.close().catch((error: unknown) => this.#onStopFailed(error))
    await within(this.#time, closed, REST_MS / 2, undefined)
    this.#publisher?.close()
    if (this.#peers.size > 0) await this.#time.sleep(FAREWELL_MS)
    await this.#transport?.close()
  }

  get #wanted(): Endpoints {
    const { endpoint = 'tcp://127.0.0.1:*' } = this.#options
    return typeof endpoint === 'string' ? endpointsBeside(endpoint) : endpoint
  }

  readonly #openSockets: OpenTransport = (handlers) => {
    const { security, insecureLan } = this.#options
    const options = {
      endpoints: this.#wanted,
      security: {
        ...(security && { keys: security.keys, refusal: (request: ZapRequest) => this.#keyRefusal(security, request) }),
        ...(insecureLan === undefined ? {} : { insecureLan }),
      },
      observationBacklog: BACKLOG[this.#mode],
    }
    // In lock-step no loop waits for its time, and a step is soon as long as a thread takes to wake up.
    const { isolated = this.#mode === 'realtime', messagesPerSecond = 400 } = this.#options
    if (!isolated) return openZmqTransport(options, handlers)
    return openIsolatedTransport({ ...options, messagesPerSecond }, handlers)
  }

  #handlers(): TransportHandlers {
    return {
      control: (id, body) => this.#dispatcher?.control(id, body),
      action: (id, body) => this.#dispatcher?.action(id, body),
      unreachable: (id) => this.#onUnreachable(id),
      disconnected: () => {
        this.#probes = PROBES
        this.#probeHolder()
      },
      refused: (code, text) =>
        this.#publisher?.event({ event: code === 'unauthorized' ? 'security' : 'reject', code, text }),
      failed: (error) => {
        if (!this.#closing.signal.aborted) this.#loop.fault(error)
      },
    }
  }

  #makeSupervisor(): Supervisor {
    const { robot, operatorArms = false, overrunUs } = this.#options
    return new Supervisor({
      controlPeriodUs: 1e6 / robot.spec.controlHz,
      newToken: () => randomBytes(16).toString('hex'),
      onEvent: (event) => this.#onSupervisorEvent(event),
      // It knows clients by their sessions, which nobody else may learn.
      nameOf: (peer) => this.#nameOf(peer),
      // Another at every start: no action of before a restart can fit.
      firstEpoch: randomInt(1, 2 ** 24),
      operatorArms,
      ...(overrunUs === undefined ? {} : { overrunUs }),
      ...supervisorTimes(this.#mode, this.#watchdogs),
    })
  }

  #makeDispatcher(publisher: Publisher): Dispatcher {
    return new Dispatcher({
      mode: this.#mode,
      clock: this.#time.clock,
      endpoints: () => this.endpoints,
      peers: this.#peers,
      handshake: this.#handshake,
      supervisor: this.#supervisor,
      motion: this.#motion,
      publisher,
      onFault: (error) => this.#loop.fault(error),
      probeHolder: () => this.#probeHolder(),
      onLeft: (peer) => this.#remove(peer),
    })
  }

  /** Simulated robots need a reset before they can be read; in lock-step the client does that, so that seeds count as in process. */
  async #firstReading(isSimulated: boolean): Promise<void> {
    if (this.#mode === 'lockstep') return
    const { name } = this.#options.robot.spec
    const reading = isSimulated ? this.#motion.reset({}, () => {}) : this.#motion.read()
    const result = await within(
      this.#time,
      reading.then(
        () => undefined,
        (error: unknown) => firstLineOf(error),
      ),
      START_MS,
      `no first reading for ${START_MS / 1000} s`,
    )
    if (result === undefined) return
    this.#motion.interrupt()
    void this.#driver.stop('safe')
    throw new ArmatureError('env-failed', `robot ${name}`, { expected: 'a reading to begin with', got: result })
  }

  #eachSecond(): void {
    const { security } = this.#options
    if (security !== undefined) {
      attempt(() => security.authorization.reload()).catch((error: unknown) => {
        this.#publisher?.event({ event: 'security', code: 'unauthorized', text: firstLineOf(error) })
      })
    }
    for (const peer of this.#peers) {
      const why = this.#handshake.revocation(peer)
      if (why !== undefined) this.#shutOut(peer, 'unauthorized', why)
    }
    const nowUs = this.#time.clock()
    if (this.#probes > 0) {
      this.#probes--
      for (const peer of this.#peers.silent(nowUs, PRESENT_US)) this.#probe(peer)
    }
    for (const peer of this.#peers.silent(nowUs, this.#mode === 'lockstep' ? Infinity : IDLE_US)) this.#remove(peer)
    this.#publishMetrics()
  }

  #publishMetrics(): void {
    const before = this.#utilization
    this.#utilization = performance.eventLoopUtilization()
    const { lateness } = this.#loop
    const { readingAges } = this.#motion
    this.#publisher?.publishMetrics({
      kind: 'metrics',
      counters: this.counters,
      values: {
        tick_lateness_us_p50: lateness.percentileUs(50),
        tick_lateness_us_p99: lateness.percentileUs(99),
        tick_lateness_us_max: lateness.maxUs,
        reading_age_us_p50: readingAges.percentileUs(50),
        reading_age_us_p99: readingAges.percentileUs(99),
        reading_age_us_max: readingAges.maxUs,
        loop_utilization: performance.eventLoopUtilization(this.#utilization, before).utilization,
        rss_bytes: process.memoryUsage.rss(),
      },
    })
  }

  #onSupervisorEvent(event: SupervisorEvent): void {
    const { kind, code, text, fromState, toState } = event
    if (code === 'soft_watchdog') this.#watchdogCounts.soft++
    if (code === 'hard_watchdog') this.#watchdogCounts.hard++
    if (code === 'lease_granted') this.#watchdogCounts.leases++
    this.#loop.follow(event)
    this.#publisher?.event({ event: kind, code, text, fromState, toState })
  }

  #nameOf(peer: string): string {
    return this.#peers.bySession(peer)?.name ?? (/^[0-9a-f]{32}$/.test(peer) ? 'a client that has left' : peer)
  }

  #onStopFailed(error: unknown): void {
    this.#publisher?.event({ event: 'fault', code: 'internal', text: `stop: ${firstLineOf(error)}` })
  }

  #keyRefusal({ authorization }: HandshakeKeys, { publicKey, address }: ZapRequest): string | undefined {
    const key = authorization.admit(publicKey)
    if (typeof key !== 'string') return undefined
    const text = `a connection from ${address} was refused: ${key} (${publicKey})`
    this.#publisher?.event({ event: 'security', code: 'unauthorized', text })
    return key
  }

  #probeHolder(): void {
    const holder = this.#supervisor.lease && this.#peers.bySession(this.#supervisor.lease.peer)
    if (holder !== undefined) this.#probe(holder)
  }

  /** Says something that needs no answer: if its connection is gone, that fails. One that only thinks for a long time stays. */
  #probe(peer: Peer): void {
    this.#publisher?.tell(peer, { kind: 'event', event: 'peer', code: 'probe', text: 'are you there?' })
  }

  #onUnreachable(routingId: Buffer): void {
    const peer = this.#peers.of(routingId)
    if (peer === undefined) return
    this.#publisher?.event({ event: 'peer', code: 'gone', text: `the connection of ${peer.name} is gone` })
    this.#remove(peer)
  }

  #shutOut(peer: Peer, code: 'unauthorized' | 'busy', why: string): void {
    this.#publisher?.event({ event: 'security', code, text: `${peer.name} was shut out: ${why}` })
    this.#publisher?.reply(peer.routingId, '', { kind: 'error', code, text: why })
    this.#remove(peer)
  }

  /** While it still has a name: the robot says who is gone. */
  #remove(peer: Peer): void {
    this.#supervisor.controllerLost(peer.session, this.#time.clock())
    this.#peers.remove(peer)
  }

  #requireOpen(): void {
    if (this.#closing.signal.aborted) throw new ArmatureError('closed', 'robot server')
  }
}
