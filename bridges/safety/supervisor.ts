import type { StopCategory } from '../../src/core/robot.ts'
import type { BridgeState } from '../protocol/messages.ts'
import { firstLineOf } from '../time.ts'
import type {
  ActionFacts,
  ActionProblem,
  ActionVerdict,
  Caller,
  EventCode,
  Lease,
  LeaseOutcome,
  Outcome,
  Refusal,
  RefusalCode,
  SupervisorEvent,
  SupervisorOptions,
} from './outcomes.ts'

const LATCHED: ReadonlySet<BridgeState> = new Set(['SAFE_STOP', 'ESTOP'])
const MOVING: ReadonlySet<BridgeState> = new Set(['ACTIVE', 'HOLD'])
const HARMLESS: ReadonlySet<ActionProblem> = new Set(['late', 'too_early', 'stale_observation'])

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
  /** End of what was accepted: until then actions need not come. */
  #coveredUntilUs = 0
  /** Undefined before the first one: then readings are not watched. */
  #lastReadingUs: number | undefined
  /** In which epoch the robot is being reset, if it is. */
  #resetEpoch: number | undefined
  #lastSeenUs = 0
  #rejects = 0
  #overruns = 0
  #isEstopPressed = false

  constructor({ controlPeriodUs, ...given }: SupervisorOptions) {
    this.#options = {
      onEvent: () => {},
      nameOf: (peer) => peer,
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

  /** Whether a reset is under way that nothing has ended yet. */
  get isResetting(): boolean {
    return this.#resetEpoch === this.#epoch
  }

  /** Grants the lease to one controller at a time; its holder is given the same one again, renewed. */
  requestLease({ peer, role }: Caller, ttlUs: number, nowUs: number): LeaseOutcome {
    this.#expire(nowUs)
    if (role === 'observer') return refusal('role_forbidden', 'an observer cannot hold the lease')
    if (LATCHED.has(this.#state)) return this.#latched()
    const held = this.#lease
    if (held !== undefined && held.peer !== peer) {
      this.#emit(
        'lease',
        'lease_conflict',
        `${this.#name(peer)} asked for the lease that ${this.#name(held.peer)} holds`,
        this.#state,
        nowUs,
      )
      const expiresInUs = held.expiresAtUs - nowUs
      return { ...refusal('lease_denied', `${this.#name(held.peer)} holds the lease`), holder: held.peer, expiresInUs }
    }
    return this.#grant(peer, held?.token, ttlUs, nowUs)
  }

  /** An operator takes the lease from whoever holds it; the robot comes to rest. */
  preempt({ peer, role }: Caller, ttlUs: number, nowUs: number): LeaseOutcome {
    this.#expire(nowUs)
    if (role !== 'operator') return refusal('role_forbidden', 'only an operator can take the lease away')
    if (LATCHED.has(this.#state)) return this.#latched()
    this.#drop('IDLE', 'lease_preempted', `${this.#name(peer)} took the lease`, nowUs)
    return this.#grant(peer, undefined, ttlUs, nowUs)
  }

  /** Gives the lease back; in motion the robot comes to rest first. */
  release(caller: Caller, nowUs: number): Outcome {
    return (
      this.#held(caller, nowUs) ??
      this.#drop('IDLE', 'lease_released', `${this.#name(caller.peer)} gave the lease back`, nowUs)
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
    this.#emit('state', 'armed', `${this.#name(caller.peer)} armed the robot`, this.#state, nowUs)
    return this.#done()
  }

  /**
   * From now on actions are executed, and must come.
   * @param prepare what must succeed before; what it throws is the reason not to start
   */
  start(caller: Caller, nowUs: number, prepare: () => void = () => {}): Outcome {
    const refused = this.#held(caller, nowUs)
    if (refused !== undefined) return refused
    if (this.#state !== 'READY') return refusal('busy', `cannot start in ${this.#state}`)
    if (!this.#isArmed) return refusal('not_armed', 'the robot is not armed')
    if (this.isResetting) return refusal('busy', 'the robot is being reset')
    if (this.#isBlind(nowUs)) return refusal('bad_reading', 'the robot has shown nothing fresh of itself')
    try {
      prepare()
    } catch (error) {
      return refusal('bad_reading', firstLineOf(error))
    }
    this.#lastActionUs = nowUs
    this.#coveredUntilUs = nowUs
    this.#rejects = 0
    this.#overruns = 0
    this.#go('ACTIVE', 'started', `${this.#name(caller.peer)} started`, nowUs)
    return this.#done()
  }

  /** Comes to rest and stays armed: {@link start} goes on. */
  pause(caller: Caller, nowUs: number): Outcome {
    const refused = this.#held(caller, nowUs)
    if (refused !== undefined) return refused
    if (!MOVING.has(this.#state)) return refusal('busy', `cannot pause in ${this.#state}`)
    this.#raise()
    this.#go('READY', 'paused', `${this.#name(caller.peer)} paused`, nowUs)
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
    const text = `${this.#name(caller.peer)} stopped the robot`
    if (category === 'safe') return this.#drop('SAFE_STOP', 'stopped', text, nowUs)
    this.#raise()
    this.#isArmed = false
    this.#go(this.#lease === undefined ? 'IDLE' : 'READY', 'stopped', text, nowUs)
    return this.#done()
  }

  /**
   * Ends the episode: at rest, as armed as before. The caller then brings the robot to where an episode can start, which moves it: so it must
   * be armed. Whatever raises the epoch before {@link resetEnded} ends that, see {@link isResetting}.
   */
  reset(caller: Caller, nowUs: number): Outcome {
    const refused = this.#held(caller, nowUs)
    if (refused !== undefined) return refused
    if (!this.#isArmed) return refusal('not_armed', 'a reset moves the robot: arm it first')
    if (this.isResetting) return refusal('busy', 'the robot is being reset already')
    this.#raise()
    this.#resetEpoch = this.#epoch
    this.#go('READY', 'reset', `${this.#name(caller.peer)} resets the robot`, nowUs)
    return this.#done()
  }

  /** The robot is where an episode can start, or will not get there. */
  resetEnded(): void {
    this.#resetEpoch = undefined
  }

  /** The one way out of a latched state, and only for an operator. */
  clear({ peer, role }: Caller, nowUs: number): Outcome {
    this.#expire(nowUs)
    if (role !== 'operator') return refusal('role_forbidden', 'only an operator can clear a stop')
    if (!LATCHED.has(this.#state)) return refusal('busy', `nothing to clear in ${this.#state}`)
    if (this.#isEstopPressed) return refusal('fault_latched', 'the emergency stop is still pressed')
    return this.#drop('IDLE', 'cleared', `${this.#name(peer)} cleared the stop`, nowUs)
  }

  /** Whether an action may be executed. Counts faulty ones, feeds the watchdog with the others and ends a hold. */
  actionArrived({ peer, lease, epoch, seq, problem }: ActionFacts, nowUs: number): ActionVerdict {
    const refused = this.#held({ peer, role: 'controller', lease }, nowUs)
    if (refused !== undefined) return { accepted: false, code: refused.code }
    if (epoch !== this.#epoch) return { accepted: false, code: 'epoch_stale' }
    if (!(seq > this.#lastSeq)) return { accepted: false, code: 'seq_replay' }
    this.#lastSeq = seq
    if (!MOVING.has(this.#state)) return { accepted: false, code: 'not_armed' }
    if (this.#isBlind(nowUs)) return { accepted: false, code: 'bad_reading' }
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

  /** What was accepted lasts until then: the watchdogs begin to count there. */
  covered(untilUs: number): void {
    this.#coveredUntilUs = untilUs
  }

  /** The robot has shown where it is, not long ago. */
  readingArrived(nowUs: number): void {
    this.#lastReadingUs = nowUs
  }

  /** The connection of `peer` is gone. */
  controllerLost(peer: string, nowUs: number): void {
    this.#expire(nowUs)
    if (this.#lease?.peer !== peer) return
    this.#drop(MOVING.has(this.#state) ? 'SAFE_STOP' : 'IDLE', 'controller_lost', `${this.#name(peer)} is gone`, nowUs)
  }

  /** The state of the wired emergency stop, at any rate: only changes count. Releasing it clears nothing. */
  estop(isPressed: boolean, nowUs: number, text = 'the emergency stop is pressed'): void {
    const wasPressed = this.#isEstopPressed
    this.#isEstopPressed = isPressed
    if (isPressed && !wasPressed) this.#drop('ESTOP', 'estop', text, nowUs)
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
    const gapUs = Math.min(nowUs - this.#lastActionUs, nowUs - this.#coveredUntilUs)
    const blindUs = this.#lastReadingUs === undefined ? 0 : nowUs - this.#lastReadingUs
    const lost = isMoving ? 'SAFE_STOP' : 'IDLE'
    if (isMoving && gapUs > hardWatchdogUs) {
      this.#drop('SAFE_STOP', 'hard_watchdog', `no action for ${Math.round(gapUs / 1000)} ms`, nowUs)
    } else if (isMoving && blindUs > hardWatchdogUs) {
      this.#drop('SAFE_STOP', 'stale_readings', `no fresh reading for ${Math.round(blindUs / 1000)} ms`, nowUs)
    } else if (nowUs > lease.expiresAtUs) {
      this.#drop(lost, 'lease_expired', `the lease of ${this.#name(lease.peer)} ran out`, nowUs)
    } else if (!isMoving && nowUs - this.#lastSeenUs > heartbeatUs) {
      this.#drop(lost, 'heartbeat_lost', `${this.#name(lease.peer)} is silent`, nowUs)
    } else if (this.#state === 'ACTIVE' && gapUs > softWatchdogUs) {
      this.#go('HOLD', 'soft_watchdog', `no action for ${Math.round(gapUs / 1000)} ms`, nowUs)
    } else if (this.#state === 'ACTIVE' && blindUs > softWatchdogUs) {
      this.#go('HOLD', 'stale_readings', `no fresh reading for ${Math.round(blindUs / 1000)} ms`, nowUs)
    }
  }

  /** Whether it is not known where the robot is. */
  #isBlind(nowUs: number): boolean {
    return this.#lastReadingUs !== undefined && nowUs - this.#lastReadingUs > this.#options.softWatchdogUs
  }

  #name(peer: string): string {
    return this.#options.nameOf(peer)
  }

  /** Why `caller` may not do what takes the lease, or undefined where it may. */
  #held({ peer, role, lease }: Caller, nowUs: number): Refusal | undefined {
    this.#expire(nowUs)
    if (LATCHED.has(this.#state)) return this.#latched()
    if (role === 'observer') return refusal('role_forbidden', 'an observer cannot do this')
    if (this.#lease === undefined) return refusal('lease_expired', 'there is no lease: ask for one')
    const isHolder = lease === this.#lease.token && peer === this.#lease.peer
    return isHolder ? undefined : refusal('lease_denied', `${this.#name(this.#lease.peer)} holds the lease`)
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
      this.#go('READY', 'lease_granted', `${this.#name(peer)} holds the lease`, nowUs)
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
