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
  | 'bad_reading'

/**
 * What may be wrong with an action in itself. `late`, `too_early` and `stale_observation` count neither as an error nor as a sign of life.
 */
export type ActionProblem =
  | 'late'
  | 'too_early'
  | 'stale_observation'
  | 'bad_shape'
  | 'bad_dtype'
  | 'not_finite'
  | 'out_of_hard_limits'
  | 'too_far'

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
  | 'stale_readings'
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
  /** What a connection is called in texts, which others read; default: as it is. */
  readonly nameOf?: (peer: string) => string
  /** Gap between actions, or between fresh readings, after which the robot holds; default max(2 control periods, 100 ms). Infinity: in lock-step. */
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
