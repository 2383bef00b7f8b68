import { ArmatureError } from '../../src/core/errors.ts'
import type { Robot } from '../../src/core/robot.ts'
import { Jpeg } from '../protocol/jpeg.ts'
import type { Blending, BridgeMode, Watchdogs } from '../protocol/messages.ts'
import type { LimitProfile } from '../safety/limits.ts'
import type { SupervisorOptions } from '../safety/outcomes.ts'
import type { Sleep } from '../time.ts'
import type { Endpoints } from '../zmq/sockets.ts'
import type { HandshakeKeys } from './handshake.ts'
import type { EventContent } from './publisher.ts'
import type { OpenTransport } from './transport.ts'

/** What a {@link RobotServer} is made of. */
export interface RobotServerOptions {
  readonly robot: Robot
  /** Monotonic, whole microseconds: `() => Number(process.hrtime.bigint() / 1000n)`. */
  readonly clock: () => number
  /** By the same clock; default: the machine's timers. */
  readonly sleep?: Sleep
  /** Milliseconds since the epoch, for logs on the other side. */
  readonly wallClock?: () => number
  /** Of the control socket, and the others beside it (the next three ports), or of all four. Default `tcp://127.0.0.1:*`. */
  readonly endpoint?: string | Endpoints
  /** What stands for the sockets; default: ZeroMQ at `endpoint`. */
  readonly transport?: OpenTransport
  /**
   * Whether the sockets have a thread of their own and doors that limit what comes in; default true in real time. Without, whoever can
   * connect can delay the loop that moves the robot.
   */
  readonly isolated?: boolean
  /** Default `realtime`; only a simulated robot can run in `lockstep`. */
  readonly mode?: BridgeMode
  /** Default: the action space, without limits on speed. */
  readonly limits?: LimitProfile
  /** CURVE keys, needed on addresses other than loopback. */
  readonly security?: HandshakeKeys
  /** The network is safe: let other addresses go without keys. */
  readonly insecureLan?: boolean
  /** When the robot acts by itself; defaults in docs/bridge.md. */
  readonly watchdogs?: Partial<Watchdogs>
  /** How chunks fade into each other; default 100 ms, at most 500. */
  readonly blending?: Partial<Blending>
  /** Three control periods in a row that begin later than this stop the robot; default 50 ms, in lock-step never. */
  readonly overrunUs?: number
  /** A robot that is busy with one call for so long while it moves has failed; default 150 ms, or three control periods. */
  readonly stuckUs?: number
  /** Position actions: in a straight line from each step to the next. */
  readonly interpolates?: boolean
  /** Of the JPEG in which a client may ask for camera images, in real time: 1 to 100, default 85; 0: it may not. */
  readonly jpegQuality?: number
  /** Only an operator may arm. */
  readonly operatorArms?: boolean
  /** Let clients that say so drive although they were trained for another schema. */
  readonly allowsMismatch?: boolean
  /** Of each role; default 32. An operator always gets in: one that has been silent for long makes room. */
  readonly maxPeers?: number
  /** With one key; default 8. */
  readonly maxPeersPerKey?: number
  /** Of one client on one socket; default 400. */
  readonly messagesPerSecond?: number
  /** The wired emergency stop: whether it is pressed. Asked every 10 ms; one that throws, or says neither true nor false, counts as pressed. */
  readonly estop?: () => boolean
  /** Told of all that happens. What it throws changes nothing. */
  readonly onEvent?: (event: EventContent) => unknown
}

/** Those of a robot about which nothing is said. */
export function defaultWatchdogs(periodUs: number): Required<Watchdogs> {
  return {
    softUs: Math.round(Math.max(2 * periodUs, 100_000)),
    hardUs: 500_000,
    leaseUs: 1_000_000,
    maxLeadUs: 2_000_000,
    maxObservationAgeUs: Math.round(Math.max(3 * periodUs, 500_000)),
  }
}

/**
 * Of a robot's JPEG; 0 where there is no camera or no JPEG for this system, and in lock-step, where both sides see the same bit for bit.
 * @throws ArmatureError `bad-argument`
 */
export function jpegQualityOf({ robot, mode = 'realtime', jpegQuality = 85 }: RobotServerOptions): number {
  if (!(Number.isInteger(jpegQuality) && jpegQuality >= 0 && jpegQuality <= 100)) {
    throw new ArmatureError('bad-argument', 'jpegQuality', { expected: '0 to 100', got: String(jpegQuality) })
  }
  const hasCameras = Object.keys(robot.spec.imageSpaces).length > 0
  return hasCameras && mode === 'realtime' && jpegQuality > 0 && Jpeg.isThere() ? jpegQuality : 0
}

/** In lock-step time stands still while a policy thinks or learns. */
export function supervisorTimes(mode: BridgeMode, { softUs, hardUs, leaseUs }: Watchdogs): Partial<SupervisorOptions> {
  if (mode === 'realtime') return { softWatchdogUs: softUs, hardWatchdogUs: hardUs, heartbeatUs: leaseUs }
  return {
    softWatchdogUs: Infinity,
    hardWatchdogUs: Infinity,
    heartbeatUs: Infinity,
    overrunUs: Infinity,
    maxLeaseUs: Infinity,
  }
}
