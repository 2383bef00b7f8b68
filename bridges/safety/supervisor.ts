import type { StopCategory } from '../../src/core/robot.ts'
import type { BridgeState, Role } from '../protocol/messages.ts'

/** Why a request or an action was refused; a part of the bridge's list of error codes. */
export type RefusalCode =
  | 'role_forbidden'
  | 'lease_denied'
  | 'lease_expired'
  | 'epoch_stale'
  | 'seq_replay'
  | 'not_armed'
  | 'fault_latched'
  | 'busy'

/** What may be wrong with an action in itself. `late` and `too_early` count neither as an error nor as a sign of life. */
export type ActionProblem =
  'late' | 'too_early' | 'bad_shape' | 'bad_dtype' | 'not_finite' | 'out_of_hard_limits' | 'too_far'

/** Nothing has changed, and why not. */
export interface Refusal {
  readonly ok: false
  readonly code: RefusalCode
  readonly text: string
}

/** Where the supervisor is after a request, or why that was refused. */
export type Outcome = { readonly ok: true; readonly state: BridgeState; readonly epoch: number } | Refusal

/** Proof that its holder, one connection, may move the robot until it expires. */
export interface Lease {
  readonly token: string
  /** The connection that holds it. */
  readonly peer: string
  readonly ttlUs: number
  readonly expiresAtUs: number
}

/** A refused request for the lease tells who holds it and for how long yet. */
export type LeaseOutcome =
  | { readonly ok: true; readonly lease: Lease; readonly state: BridgeState; readonly epoch: number }
  | (Refusal & { readonly holder?: string; readonly expiresInUs?: number })

/** Who asks. `lease` is the token that came with the message, if any. */
export interface Caller {
  readonly peer: string
  readonly role: Role
  readonly lease?: string | undefined
}

/** What is known of an action before it may be executed. */
export interface ActionFacts {
  readonly peer: string
  readonly lease: string
  readonly epoch: number
  readonly seq: number
  /** What the limits and the scheduler say of it. */
  readonly problem?: ActionProblem | undefined
}

/** Whether an action may be executed, else the code under which to count it. */
export type ActionVerdict =
  { readonly accepted: true } | { readonly accepted: false; readonly code: RefusalCode | ActionProblem }

/** Something that observers and logs should know. */
export interface SupervisorEvent {
  readonly kind: 'state' | 'lease' | 'reject'
  readonly code: EventCode
  readonly text: string
  readonly fromState: BridgeState
  readonly toState: BridgeState
  readonly epoch: number
  readonly atUs: number
}

/** All that a supervisor reports. */
export type EventCode =
  | 'lease_granted'
  | 'lease_released'
  | 'lease_conflict'
  | 'lease_expired'
  | 'lease_preempted'
  | 'heartbeat_lost'
  | 'controller_lost'
  | 'armed'
  | 'started'
  | 'paused'
  | 'stopped'
  | 'reset'
  | 'cleared'
  | 'soft_watchdog'
  | 'resumed'
  | 'hard_watchdog'
  | 'action_refused'
  | 'too_many_rejects'
  | 'overrun'
  | 'estop'

/** Times in microseconds of the monotonic clock that every call brings. */
export interface SupervisorOptions {
  readonly controlPeriodUs: number
  /** A source of unguessable tokens. */
  readonly newToken: () => string
  readonly onEvent?: (event: SupervisorEvent) => void
  /** Gap between actions after which the robot holds; default max(2 control periods, 100 ms). Infinity: in lock-step. */
  readonly softWatchdogUs?: number
  /** Gap between actions after which it stops for good; default 500 ms. */
  readonly hardWatchdogUs?: number
  /** A holder of the lease who is silent for longer loses it; default 1 s. */
  readonly heartbeatUs?: number
  /** Leases are granted for no longer than this; default 10 s. */
  readonly maxLeaseUs?: number
  /** So many faulty actions in a row stop the robot; default 5. */
  readonly maxRejects?: number
  /** A control tick later than this is an overrun; default 50 ms. Infinity: in lock-step. */
  readonly overrunUs?: number
  /** So many overruns in a row stop the robot; default 3. */
  readonly maxOverruns?: number
  /** Whether only an operator may arm; default false: the holder of the lease may, too. */
  readonly operatorArms?: boolean
  /** Default 1; another at each start of a robot lets no action of before a restart fit. */
  readonly firstEpoch?: number
}

const LATCHED: ReadonlySet<BridgeState> = new Set(['SAFE_STOP', 'ESTOP'])
const MOVING: ReadonlySet<BridgeState> = new Set(['ACTIVE', 'HOLD'])
const HARMLESS: ReadonlySet<ActionProblem> = new Set(['late', 'too_early'])

/**
 * Who may move the robot, and when it must stop: the state machine of the bridge. It reads no clock and owns no timer: every call brings the
 * time of one monotonic clock, and whoever runs the control loop calls {@link Supervisor.tick} in each period. What has expired is settled
 * before anything else in every call, so that a late loop cannot let an action through.
 *
 * Every stop, pause, reset, preemption and clearing raises `epoch`; an action of another epoch is refused. So none that was on its way can
 * undo a stop, on whatever socket and after whatever reconnection it comes.
 */
export class Supervisor {
  readonly #options: Required<Omit<SupervisorOptions, 'controlPeriodUs'>>
  #state: BridgeState = 'IDLE'
  #isArmed = false
  #epoch: number
  #lease: Lease | undefined
  #lastSeq = -1
  #lastActionUs = 0
  #lastExecutedUs = 0
  #lastSeenUs = 0
  #rejects = 0
  #overruns = 0
  #isEstopPressed = false

  constructor({ controlPeriodUs, ...given }: SupervisorOptions) {
    this.#options = {
      onEvent: () => {},
      softWatchdogUs: Math.max(2 * controlPeriodUs, 100_000),
      hardWatchdogUs: 500_000,
      heartbeatUs: 1_000_000,
      maxLeaseUs: 10_000_000,
      maxRejects: 5,
      overrunUs: 50_000,
      maxOverruns: 3,
      operatorArms: false,
      firstEpoch: 1,
      ...given,
    }
    this.#epoch = this.#options.firstEpoch
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

  get lease(): Lease | undefined {
    return this.#lease
  }

  /** Grants the lease to one controller at a time; its holder is given the same one again, renewed. */
  requestLease({ peer, role }: Caller, ttlUs: number, nowUs: number): LeaseOutcome {
    this.#expire(nowUs)
    if (role === 'observer') return refusal('role_forbidden', 'an observer cannot hold the lease')
    if (LATCHED.has(this.#state)) return this.#latched()
    const held = this.#lease
    if (held !== undefined && held.peer !== peer) {
      this.#emit('lease', 'lease_conflict', `${peer} asked for the lease that ${held.peer} holds`, this.#state, nowUs)
      const expiresInUs = held.expiresAtUs - nowUs
      return { ...refusal('lease_denied', `${held.peer} holds the lease`), holder: held.peer, expiresInUs }
    }
    return this.#grant(peer, held?.token, ttlUs, nowUs)
  }

  /** An operator takes the lease from whoever holds it; the robot comes to rest. */
  preempt({ peer, role }: Caller, ttlUs: number, nowUs: number): LeaseOutcome {
    this.#expire(nowUs)
    if (role !== 'operator') return refusal('role_forbidden', 'only an operator can take the lease away')
    if (LATCHED.has(this.#state)) return this.#latched()
    this.#drop('IDLE', 'lease_preempted', `${peer} took the lease`, nowUs)
    return this.#grant(peer, undefined, ttlUs, nowUs)
  }

  /** Gives the lease back; in motion the robot comes to rest first. */
  release(caller: Caller, nowUs: number): Outcome {
    return (
      this.#held(caller, nowUs) ?? this.#drop('IDLE', 'lease_released', `${caller.peer} gave the lease back`, nowUs)
    )
  }

  /** A sign of life of the holder, from the same loop that computes its actions. */
  renew(caller: Caller, nowUs: number): Outcome {
    const refused = this.#held(caller, nowUs)
    if (refused === undefined) this.#prolong(nowUs)
    return refused ?? this.#done()
  }

  arm(caller: Caller, nowUs: number): Outcome {
    this.#expire(nowUs)
    if (LATCHED.has(this.#state)) return this.#latched()
    if (caller.role !== 'operator') {
      if (this.#options.operatorArms) return refusal('role_forbidden', 'only an operator can arm this robot')
      const refused = this.#held(caller, nowUs)
      if (refused !== undefined) return refused
    }
    if (this.#state !== 'READY')
      return refusal('busy', `cannot arm in ${this.#state}: a controller must hold the lease first`)
    this.#isArmed = true
    this.#emit('state', 'armed', `${caller.peer} armed the robot`, this.#state, nowUs)
    return this.#done()
  }

  /** From now on actions are executed, and must come. */
  start(caller: Caller, nowUs: number): Outcome {
    const refused = this.#held(caller, nowUs)
    if (refused !== undefined) return refused
    if (this.#state !== 'READY') return refusal('busy', `cannot start in ${this.#state}`)
    if (!this.#isArmed) return refusal('not_armed', 'the robot is not armed')
    this.#lastActionUs = nowUs
    this.#rejects = 0
    this.#overruns = 0
    this.#go('ACTIVE', 'started', `${caller.peer} started`, nowUs)
    return this.#done()
  }

  /** Comes to rest and stays armed: {@link start} goes on. */
  pause(caller: Caller, nowUs: number): Outcome {
    const refused = this.#held(caller, nowUs)
    if (refused !== undefined) return refused
    if (!MOVING.has(this.#state)) return refusal('busy', `cannot pause in ${this.#state}`)
    this.#raise()
    this.#go('READY', 'paused', `${caller.peer} paused`, nowUs)
    return this.#done()
  }

  /**
   * Comes to rest. `hold` leaves the holder its lease, to arm and start again; `safe` latches, and only an operator can clear it. Always
   * open to the holder of the lease and to operators, also when nothing moves.
   */
  stop(category: StopCategory, caller: Caller, nowUs: number): Outcome {
    this.#expire(nowUs)
    if (caller.role !== 'operator') {
      const refused = this.#held(caller, nowUs)
      if (refused !== undefined) return refused
    }
    if (LATCHED.has(this.#state)) return this.#done()
    const text = `${caller.peer} stopped the robot`
    if (category === 'safe') return this.#drop('SAFE_STOP', 'stopped', text, nowUs)
    this.#raise()
    this.#isArmed = false
    this.#go(this.#lease === undefined ? 'IDLE' : 'READY', 'stopped', text, nowUs)
    return this.#done()
  }

  /** Ends the episode: at rest, as armed as before. The caller then brings the robot to where an episode can start. */
  reset(caller: Caller, nowUs: number): Outcome {
    const refused = this.#held(caller, nowUs)
    if (refused !== undefined) return refused
    this.#raise()
    this.#go('READY', 'reset', `${caller.peer} reset the robot`, nowUs)
    return this.#done()
  }

  /** The one way out of a latched state, and only for an operator. */
  clear({ peer, role }: Caller, nowUs: number): Outcome {
    this.#expire(nowUs)
    if (role !== 'operator') return refusal('role_forbidden', 'only an operator can clear a stop')
    if (!LATCHED.has(this.#state)) return refusal('busy', `nothing to clear in ${this.#state}`)
    if (this.#isEstopPressed) return refusal('fault_latched', 'the emergency stop is still pressed')
    return this.#drop('IDLE', 'cleared', `${peer} cleared the stop`, nowUs)
  }

  /** Whether an action may be executed. Counts faulty ones, feeds the watchdog with the others and ends a hold. */
  actionArrived({ peer, lease, epoch, seq, problem }: ActionFacts, nowUs: number): ActionVerdict {
    const refused = this.#held({ peer, role: 'controller', lease }, nowUs)
    if (refused !== undefined) return { accepted: false, code: refused.code }
    if (epoch !== this.#epoch) return { accepted: false, code: 'epoch_stale' }
    if (!(seq > this.#lastSeq)) return { accepted: false, code: 'seq_replay' }
    this.#lastSeq = seq
    if (!MOVING.has(this.#state)) return { accepted: false, code: 'not_armed' }
    if (problem !== undefined) {
      if (!HARMLESS.has(problem)) this.#rejected(problem, nowUs)
      return { accepted: false, code: problem }
    }
    this.#rejects = 0
    this.#lastActionUs = nowUs
    this.#prolong(nowUs)
    if (this.#state === 'HOLD') this.#go('ACTIVE', 'resumed', 'actions are back', nowUs)
    return { accepted: true }
  }

  /** A step of a chunk that was accepted before is executed now: no reason to hold yet. The hard watchdog wants messages all the same. */
  stepExecuted(nowUs: number): void {
    this.#lastExecutedUs = nowUs
  }

  /** The connection of `peer` is gone. */
  controllerLost(peer: string, nowUs: number): void {
    this.#expire(nowUs)
    if (this.#lease?.peer !== peer) return
    this.#drop(MOVING.has(this.#state) ? 'SAFE_STOP' : 'IDLE', 'controller_lost', `${peer} is gone`, nowUs)
  }

  /** The state of the wired emergency stop, at any rate: only changes count. Releasing it clears nothing. */
  estop(isPressed: boolean, nowUs: number): void {
    const wasPressed = this.#isEstopPressed
    this.#isEstopPressed = isPressed
    if (isPressed && !wasPressed) this.#drop('ESTOP', 'estop', 'the emergency stop is pressed', nowUs)
  }

  /**
   * Once per control period, or more often: what the clock demands.
   * @param latenessUs by how much this period began too late; none between two periods
   */
  tick(nowUs: number, latenessUs?: number): void {
    this.#expire(nowUs)
    if (latenessUs === undefined) return
    this.#overruns = latenessUs > this.#options.overrunUs ? this.#overruns + 1 : 0
    if (this.#overruns < this.#options.maxOverruns || !MOVING.has(this.#state)) return
    const late = `${this.#overruns} control periods in a row began more than ${this.#options.overrunUs / 1000} ms late`
    this.#drop('SAFE_STOP', 'overrun', late, nowUs)
  }

  #expire(nowUs: number): void {
    const lease = this.#lease
    if (lease === undefined) return
    const { softWatchdogUs, hardWatchdogUs, heartbeatUs } = this.#options
    const isMoving = MOVING.has(this.#state)
    const gapUs = nowUs - this.#lastActionUs
    const lost = isMoving ? 'SAFE_STOP' : 'IDLE'
    if (isMoving && gapUs > hardWatchdogUs) {
      this.#drop('SAFE_STOP', 'hard_watchdog', `no action for ${Math.round(gapUs / 1000)} ms`, nowUs)
    } else if (nowUs > lease.expiresAtUs) {
      this.#drop(lost, 'lease_expired', `the lease of ${lease.peer} ran out`, nowUs)
    } else if (!isMoving && nowUs - this.#lastSeenUs > heartbeatUs) {
      this.#drop(lost, 'heartbeat_lost', `${lease.peer} is silent`, nowUs)
    } else if (this.#state === 'ACTIVE' && Math.min(gapUs, nowUs - this.#lastExecutedUs) > softWatchdogUs) {
      this.#go('HOLD', 'soft_watchdog', `no action for ${Math.round(gapUs / 1000)} ms`, nowUs)
    }
  }

  /** Why `caller` may not do what takes the lease, or undefined where it may. */
  #held({ peer, role, lease }: Caller, nowUs: number): Refusal | undefined {
    this.#expire(nowUs)
    if (LATCHED.has(this.#state)) return this.#latched()
    if (role === 'observer') return refusal('role_forbidden', 'an observer cannot do this')
    if (this.#lease === undefined) return refusal('lease_expired', 'there is no lease: ask for one')
    const isHolder = lease === this.#lease.token && peer === this.#lease.peer
    return isHolder ? undefined : refusal('lease_denied', `${this.#lease.peer} holds the lease`)
  }

  #latched(): Refusal {
    return refusal('fault_latched', `the robot is in ${this.#state}: an operator must clear it`)
  }

  #grant(peer: string, token: string | undefined, ttlUs: number, nowUs: number): LeaseOutcome {
    const ttl = Math.min(Math.max(ttlUs, 0), this.#options.maxLeaseUs)
    const isNew = token === undefined
    const lease = { token: token ?? this.#options.newToken(), peer, ttlUs: ttl, expiresAtUs: nowUs + ttl }
    this.#lease = lease
    this.#lastSeenUs = nowUs
    if (isNew) {
      this.#lastSeq = -1
      this.#go('READY', 'lease_granted', `${peer} holds the lease`, nowUs)
    }
    return { ok: true, lease, state: this.#state, epoch: this.#epoch }
  }

  #prolong(nowUs: number): void {
    const lease = this.#lease!
    this.#lease = { ...lease, expiresAtUs: nowUs + lease.ttlUs }
    this.#lastSeenUs = nowUs
  }

  #rejected(problem: ActionProblem, nowUs: number): void {
    this.#rejects++
    this.#emit('reject', 'action_refused', `action refused: ${problem}`, this.#state, nowUs)
    if (this.#rejects < this.#options.maxRejects) return
    this.#drop('SAFE_STOP', 'too_many_rejects', `${this.#rejects} faulty actions in a row: ${problem}`, nowUs)
  }

  /** Takes lease and arming away and goes to `state`, in a new epoch. */
  #drop(state: BridgeState, code: EventCode, text: string, nowUs: number): Outcome {
    this.#lease = undefined
    this.#isArmed = false
    this.#raise()
    this.#go(state, code, text, nowUs)
    return this.#done()
  }

  #raise(): void {
    this.#epoch++
  }

  #go(state: BridgeState, code: EventCode, text: string, nowUs: number): void {
    const from = this.#state
    this.#state = state
    this.#emit('state', code, text, from, nowUs)
  }

  #emit(kind: SupervisorEvent['kind'], code: EventCode, text: string, fromState: BridgeState, atUs: number): void {
    this.#options.onEvent({ kind, code, text, fromState, toState: this.#state, epoch: this.#epoch, atUs })
  }

  #done(): Outcome {
    return { ok: true, state: this.#state, epoch: this.#epoch }
  }
}

function refusal(code: RefusalCode, text: string): Refusal {
  return { ok: false, code, text }
}
