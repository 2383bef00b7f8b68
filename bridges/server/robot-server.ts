import { randomBytes, randomInt } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Router } from 'zeromq'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Robot } from '../../src/core/robot.ts'
import { Histogram } from '../protocol/histogram.ts'
import type { BridgeMode, BridgeState, ObservationContent, Watchdogs } from '../protocol/messages.ts'
import type { Json } from '../protocol/schema.ts'
import { Dispatcher, textOf } from './dispatcher.ts'
import { Motion } from './motion.ts'
import type { Motive } from './motion.ts'
import type { EventContent } from './publisher.ts'
import { Publisher } from './publisher.ts'
import type { Peer } from './peers.ts'
import { Peers } from './peers.ts'
import type { HandshakeKeys } from './handshake.ts'
import { Handshake } from './handshake.ts'
import type { LimitProfile } from '../safety/limits.ts'
import { unlimited } from '../safety/limits.ts'
import type { SupervisorEvent } from '../safety/supervisor.ts'
import { Supervisor } from '../safety/supervisor.ts'
import { readAll } from '../zmq/reader.ts'
import type { Endpoints, RobotSockets } from '../zmq/sockets.ts'
import type { ZapRequest } from '../zmq/zap.ts'
import { bindRobotSockets, endpointsBeside, isLoopback } from '../zmq/sockets.ts'

export interface RobotServerOptions {
  readonly robot: Robot
  /** Monotonic, whole microseconds: `() => Number(process.hrtime.bigint() / 1000n)`. */
  readonly clock: () => number
  /** Milliseconds since the epoch, for logs on the other side. */
  readonly wallClock?: () => number
  /** Of the control socket, and the others beside it (the next three ports), or of all four. Default `tcp://127.0.0.1:*`. */
  readonly endpoint?: string | Endpoints
  /** Default `realtime`; only a simulated robot can run in `lockstep`. */
  readonly mode?: BridgeMode
  /** Default: the action space, without limits on speed. */
  readonly limits?: LimitProfile
  /** CURVE keys, needed on addresses other than loopback. */
  readonly security?: HandshakeKeys
  /** The network is safe: let other addresses go without keys. */
  readonly insecureLan?: boolean
  readonly watchdogs?: Partial<Watchdogs>
  /** Three control periods in a row that begin later than this stop the robot; default 50 ms, in lock-step never. */
  readonly overrunUs?: number
  /** Position actions: in a straight line from each step to the next. */
  readonly interpolates?: boolean
  /** Only an operator may arm. */
  readonly operatorArms?: boolean
  /** Let clients that say so drive although they were trained for another schema. */
  readonly allowsMismatch?: boolean
  /** Default 32. */
  readonly maxPeers?: number
  /** Of one client on one socket; default 400. */
  readonly messagesPerSecond?: number
  /** The wired emergency stop: whether it is pressed. Asked every 10 ms. */
  readonly estop?: () => boolean
  readonly onEvent?: (event: EventContent) => void
}

/** How often watchdogs are asked, besides at each control period. */
const GUARD_MS = 10
/** In real time a slow subscriber gets no old observation; in lock-step there is never more than one, and steps may be fast. */
const BACKLOG: Readonly<Record<BridgeMode, number>> = { realtime: 4, lockstep: 64 }
/** How often lock-step repeats an observation that nobody has answered. */
const REPEAT_MS = 200
/** A robot that is busy with one call for so long while it moves has failed, at least. */
const STUCK_US = 150_000
const IDLE_US = 5_000_000
/** A client that was heard in this time is there. */
const PRESENT_US = 500_000
/** How often, a second apart, the silent ones are probed after a connection was lost: the first may come before its socket knows. */
const PROBES = 2
/** For the robot to come to rest at closing. */
const REST_MS = 500
/** For `bye` to get out before the sockets close. */
const FAREWELL_MS = 50

const MOVING: ReadonlySet<BridgeState> = new Set(['ACTIVE', 'HOLD'])
const LATCHED: ReadonlySet<BridgeState> = new Set(['SAFE_STOP', 'ESTOP'])

/**
 * The robot's side of the bridge: the sockets, who may move the robot, its limits, and the one loop that moves it.
 *
 * @example
 * const server = new RobotServer({ robot, clock: () => Number(process.hrtime.bigint() / 1000n) })
 * await server.start()
 * console.log(server.endpoints.control)
 * await server.close()
 */
export class RobotServer {
  readonly #options: RobotServerOptions
  readonly #mode: BridgeMode
  readonly #run = randomBytes(16).toString('hex')
  readonly #watchdogs: Watchdogs
  readonly #supervisor: Supervisor
  readonly #motion: Motion
  readonly #peers: Peers
  readonly #lateness = new Histogram()
  readonly #timers: NodeJS.Timeout[] = []
  readonly #watchdogCounts = { soft: 0, hard: 0, leases: 0 }
  #sockets: RobotSockets | undefined
  #publisher: Publisher | undefined
  #dispatcher: Dispatcher | undefined
  #loop: Promise<void> | undefined
  #isClosing = false
  /** Rounds of probes that are still to be made. */
  #probes = 0
  /** Set when motion has ended: the robot is told once it is at rest. */
  #pendingStop: 'hold' | 'safe' | undefined
  #utilization = performance.eventLoopUtilization()

  /** @throws ArmatureError `bad-argument` for lock-step with hardware */
  constructor(options: RobotServerOptions) {
    const { robot, clock, mode = 'realtime', limits, maxPeers = 32, messagesPerSecond = 400 } = options
    const { spec } = robot
    if (mode === 'lockstep' && !spec.isSimulated) {
      throw new ArmatureError('bad-argument', `lock-step with ${spec.name}`, {
        expected: 'a simulated robot: time does not wait for a policy',
        got: 'hardware',
        fix: 'use realtime',
      })
    }
    this.#options = options
    this.#mode = mode
    this.#watchdogs = { ...defaultWatchdogs(1e6 / spec.controlHz), ...options.watchdogs }
    this.#peers = new Peers({ maxPeers, messagesPerSecond, idleUs: mode === 'lockstep' ? Infinity : IDLE_US })
    this.#supervisor = new Supervisor({
      controlPeriodUs: 1e6 / spec.controlHz,
      newToken: () => randomBytes(16).toString('hex'),
      onEvent: (event) => this.#onSupervisorEvent(event),
      // Another at every start: no action of before a restart can fit.
      firstEpoch: randomInt(1, 2 ** 24),
      operatorArms: options.operatorArms ?? false,
      ...(options.overrunUs === undefined ? {} : { overrunUs: options.overrunUs }),
      ...supervisorTimes(mode, this.#watchdogs),
    })
    this.#motion = new Motion({
      robot,
      clock,
      limits: limits ?? unlimited(spec.actionSpace, spec.actionKind),
      holdUs: this.#watchdogs.softUs,
      maxLeadUs: this.#watchdogs.maxLeadUs,
      interpolates: options.interpolates ?? false,
      publish: (content) => this.#publish(content),
      onStep: (nowUs) => this.#supervisor.stepExecuted(nowUs),
    })
  }

  /** Where clients find it, once started. */
  get endpoints(): Endpoints {
    if (this.#sockets === undefined) throw new ArmatureError('closed', 'robot server', { got: 'not started' })
    return this.#sockets.endpoints
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
    const { soft, hard, leases } = this.#watchdogCounts
    const received = this.#dispatcher?.received
    const sent = this.#publisher?.counts
    return {
      ...this.#motion.counts(),
      observations_sent: sent?.observation.sent ?? 0,
      observations_dropped: (sent?.observation.dropped ?? 0) + (sent?.observation.again ?? 0),
      watchdog_soft: soft,
      watchdog_hard: hard,
      lease_changes: leases,
      peers: this.#peers.size,
      control_rx: received?.control ?? 0,
      control_rx_bytes: received?.controlBytes ?? 0,
      action_rx: received?.action ?? 0,
      action_rx_bytes: received?.actionBytes ?? 0,
      control_tx: sent?.control.sent ?? 0,
      control_tx_bytes: sent?.control.sentBytes ?? 0,
      observation_tx_bytes: sent?.observation.sentBytes ?? 0,
      telemetry_tx: sent?.telemetry.sent ?? 0,
      telemetry_tx_bytes: sent?.telemetry.sentBytes ?? 0,
      telemetry_dropped: sent?.telemetry.dropped ?? 0,
    }
  }

  /** How late control periods began since the start, microseconds. */
  get tickLateness(): Histogram {
    return this.#lateness
  }

  /** @throws ArmatureError `bad-argument` for an address that cannot be had, or that others could reach without keys */
  async start(): Promise<void> {
    const { robot, endpoint = 'tcp://127.0.0.1:*', security, insecureLan, clock, wallClock, onEvent } = this.#options
    const endpoints = typeof endpoint === 'string' ? endpointsBeside(endpoint) : endpoint
    const sockets = await bindRobotSockets(
      endpoints,
      {
        ...(security && { keys: security.keys, refusal: (request) => this.#keyRefusal(security, request) }),
        ...(insecureLan === undefined ? {} : { insecureLan }),
      },
      (socket, event) => this.#onSocketEvent(socket, event),
      BACKLOG[this.#mode],
    )
    this.#sockets = sockets
    const source = { run: this.#run, clock, wallClock, status: () => this.#supervisor }
    const publisher = new Publisher(sockets, source, (id) => this.#onUnreachable(id), onEvent)
    this.#publisher = publisher
    const handshake = new Handshake(robot, this.#peers, {
      run: this.#run,
      mode: this.#mode,
      limits: (this.#options.limits ?? unlimited(robot.spec.actionSpace, robot.spec.actionKind)) as unknown as Json,
      watchdogs: this.#watchdogs,
      isInsecure: security === undefined && !Object.values(endpoints).every(isLoopback),
      allowsMismatch: this.#options.allowsMismatch ?? false,
      security,
    })
    this.#dispatcher = new Dispatcher({
      mode: this.#mode,
      clock,
      endpoints: sockets.endpoints,
      peers: this.#peers,
      handshake,
      supervisor: this.#supervisor,
      motion: this.#motion,
      publisher,
      onFault: (error) => this.#fault(error),
      probeHolder: () => this.#probeHolder(),
    })
    await this.#firstReading()
    void this.#receive(sockets.control, (id, body) => this.#dispatcher!.control(id, body))
    void this.#receive(sockets.action, (id, body) => this.#dispatcher!.action(id, body))
    this.#timers.push(
      setInterval(() => this.#guard(), GUARD_MS),
      setInterval(() => this.#eachSecond(handshake), 1000),
    )
    if (this.#mode === 'lockstep') this.#timers.push(setInterval(() => publisher.repeatObservation(), REPEAT_MS))
    else this.#loop = this.#runLoop()
  }

  /** Tells the clients, brings the robot to rest and closes everything, in less than a second even if the robot does not answer. */
  async close(reason = 'the robot is being shut down'): Promise<void> {
    if (this.#isClosing) return
    this.#isClosing = true
    for (const timer of this.#timers) clearInterval(timer)
    this.#motion.forget()
    for (const peer of this.#peers) this.#publisher?.tell(peer, { kind: 'bye', reason })
    const robot = this.#options.robot
    const rest = Promise.allSettled([robot.stop('safe'), this.#loop]).then(() => robot.close())
    await Promise.race([rest.catch(() => undefined), sleep(REST_MS, undefined, { ref: false })])
    if (this.#peers.size > 0) await sleep(FAREWELL_MS)
    this.#publisher?.close()
    this.#sockets?.close()
  }

  /** Simulated robots need a reset before they can be read; in lock-step the client does that, so that seeds count as in process. */
  async #firstReading(): Promise<void> {
    if (this.#mode === 'lockstep') return
    if (this.#options.robot.spec.isSimulated) await this.#motion.reset({}, () => {})
    else await this.#motion.read()
  }

  async #receive(socket: Router, take: (routingId: Buffer, body: Buffer) => void): Promise<void> {
    try {
      await readAll(socket, (parts) => {
        const [routingId, body] = parts
        if (parts.length === 2) take(routingId!, body!)
        else this.#publisher!.event({ event: 'reject', code: 'bad_header', text: 'a message of several parts' })
      })
    } catch (error) {
      if (!this.#isClosing) this.#fault(error)
    }
  }

  /** Control periods by absolute deadlines: one that begins late does not shift those after it. */
  async #runLoop(): Promise<void> {
    const { clock, robot } = this.#options
    const periodUs = 1e6 / robot.spec.controlHz
    let dueUs = clock() + periodUs
    while (!this.#isClosing) {
      await sleep(Math.max(0, (dueUs - clock()) / 1000))
      if (this.#isClosing) return
      const latenessUs = Math.max(0, clock() - dueUs)
      this.#lateness.record(latenessUs)
      this.#supervisor.tick(clock(), latenessUs)
      try {
        await this.#motion.tick(() => this.#motive())
        await this.#comeToRest()
      } catch (error) {
        this.#fault(error)
      }
      // Periods that are over are left out.
      dueUs += periodUs * Math.max(1, Math.ceil((clock() - dueUs) / periodUs))
    }
  }

  #motive(): Motive {
    this.#supervisor.tick(this.#options.clock())
    const { state } = this.#supervisor
    if (state === 'ACTIVE') return 'act'
    return state === 'HOLD' ? 'hold' : 'rest'
  }

  /** Tells the robot that it has stopped, once the brake has done its work. */
  async #comeToRest(): Promise<void> {
    if (this.#pendingStop === undefined || MOVING.has(this.#supervisor.state) || !this.#motion.atRest) return
    const category = this.#pendingStop
    this.#pendingStop = undefined
    await this.#motion.stop(category)
  }

  #publish(content: ObservationContent): void {
    this.#publisher?.publishObservation(content)
  }

  #guard(): void {
    const { clock, estop, robot } = this.#options
    const nowUs = clock()
    if (estop !== undefined) this.#supervisor.estop(estop(), nowUs)
    this.#supervisor.tick(nowUs)
    const stuckUs = Math.max(STUCK_US, 3e6 / robot.spec.controlHz)
    if (this.#mode === 'realtime' && MOVING.has(this.#supervisor.state) && this.#motion.busyUs(nowUs) > stuckUs) {
      this.#fault(new Error(`the robot has not answered for ${Math.round(stuckUs / 1000)} ms`))
    }
  }

  #eachSecond(handshake: Handshake): void {
    const { security, clock } = this.#options
    security?.authorization.reload().catch((error: unknown) => {
      this.#publisher!.event({ event: 'security', code: 'unauthorized', text: textOf(error) })
    })
    for (const peer of this.#peers) {
      const why = handshake.revocation(peer)
      if (why === undefined) continue
      this.#peers.remove(peer)
      this.#supervisor.controllerLost(peer.session, clock())
      this.#publisher!.event({ event: 'security', code: 'unauthorized', text: `${peer.name} was shut out: ${why}` })
      this.#publisher!.reply(peer.routingId, '', { kind: 'error', code: 'unauthorized', text: why })
    }
    if (this.#probes > 0) {
      this.#probes--
      for (const peer of this.#peers.silent(clock(), PRESENT_US)) this.#probe(peer)
    }
    for (const { session } of this.#peers.prune(clock())) this.#supervisor.controllerLost(session, clock())
    this.#publishMetrics()
  }

  #publishMetrics(): void {
    const before = this.#utilization
    this.#utilization = performance.eventLoopUtilization()
    this.#publisher!.publishMetrics({
      kind: 'metrics',
      counters: this.counters,
      values: {
        tick_lateness_us_p50: this.#lateness.percentileUs(50),
        tick_lateness_us_p99: this.#lateness.percentileUs(99),
        tick_lateness_us_max: this.#lateness.maxUs,
        loop_utilization: performance.eventLoopUtilization(this.#utilization, before).utilization,
        rss_bytes: process.memoryUsage.rss(),
      },
    })
  }

  #onSupervisorEvent({ kind, code, text, fromState, toState }: SupervisorEvent): void {
    if (code === 'soft_watchdog') this.#watchdogCounts.soft++
    if (code === 'hard_watchdog') this.#watchdogCounts.hard++
    if (code === 'lease_granted') this.#watchdogCounts.leases++
    if (MOVING.has(fromState) && !MOVING.has(toState)) {
      this.#motion.forget()
      this.#pendingStop = LATCHED.has(toState) ? 'safe' : 'hold'
    }
    // The wire is cut already: nothing is gained by braking along a ramp.
    if (toState === 'ESTOP' && fromState !== 'ESTOP') this.#options.robot.stop('safe').catch(() => undefined)
    this.#publisher?.event({ event: kind, code, text: this.#withNames(text), fromState, toState })
  }

  /** The supervisor knows clients by their sessions, which nobody else may learn. */
  #withNames(text: string): string {
    return text.replaceAll(/[0-9a-f]{32}/g, (session) => this.#peers.bySession(session)?.name ?? 'a client')
  }

  #keyRefusal({ authorization }: HandshakeKeys, { publicKey, address }: ZapRequest): string | undefined {
    const key = authorization.admit(publicKey)
    if (typeof key !== 'string') return undefined
    const text = `a connection from ${address} was refused: ${key} (${publicKey})`
    this.#publisher?.event({ event: 'security', code: 'unauthorized', text })
    return key
  }

  #onSocketEvent(socket: keyof Endpoints, event: { readonly type: string; readonly error?: Error }): void {
    if (this.#isClosing) return
    if (event.type === 'disconnect') {
      if (socket !== 'control') return
      this.#probes = PROBES
      this.#probeHolder()
      return
    }
    const why = event.error?.message ?? event.type
    const text = `a connection to the ${socket} socket failed: ${why}`
    this.#publisher?.event({ event: 'security', code: 'unauthorized', text })
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
    this.#peers.remove(peer)
    this.#publisher?.event({ event: 'peer', code: 'gone', text: `the connection of ${peer.name} is gone` })
    this.#supervisor.controllerLost(peer.session, this.#options.clock())
  }

  /** The robot failed: nothing moves it until an operator has looked. */
  #fault(error: unknown): void {
    const { clock, robot } = this.#options
    this.#publisher?.event({ event: 'fault', code: 'internal', text: textOf(error) })
    this.#supervisor.stop('safe', { peer: 'the robot', role: 'operator' }, clock())
    this.#motion.halt()
    this.#pendingStop = undefined
    robot.stop('safe').catch(() => undefined)
  }
}

function defaultWatchdogs(periodUs: number): Watchdogs {
  return {
    softUs: Math.round(Math.max(2 * periodUs, 100_000)),
    hardUs: 500_000,
    leaseUs: 1_000_000,
    maxLeadUs: 2_000_000,
  }
}

/** In lock-step time stands still while a policy thinks or learns. */
function supervisorTimes(
  mode: BridgeMode,
  { softUs, hardUs, leaseUs }: Watchdogs,
): Partial<ConstructorParameters<typeof Supervisor>[0]> {
  if (mode === 'realtime') return { softWatchdogUs: softUs, hardWatchdogUs: hardUs, heartbeatUs: leaseUs }
  return {
    softWatchdogUs: Infinity,
    hardWatchdogUs: Infinity,
    heartbeatUs: Infinity,
    overrunUs: Infinity,
    maxLeaseUs: Infinity,
  }
}
