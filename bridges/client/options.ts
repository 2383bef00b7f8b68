import type { ErrorMessage, EventMessage, ImageCodec, MetricsMessage, PolicyTag, Role } from '../protocol/messages.ts'
import type { RobotSchema } from '../protocol/schema.ts'
import type { Sleep } from '../time.ts'
import type { ClientSecurity } from '../zmq/sockets.ts'
import type { OpenClientTransport } from './transport.ts'

/** Whom a {@link PolicyClient} connects to, and as whom. */
export interface PolicyClientOptions {
  /** Of the robot's control socket, e.g. `tcp://127.0.0.1:5600`. */
  readonly endpoint: string
  /** Monotonic, whole microseconds: `() => Number(process.hrtime.bigint() / 1000n)`. */
  readonly clock: () => number
  /** By the same clock; default: the machine's timers. */
  readonly sleep?: Sleep
  /** What stands for the sockets; default: ZeroMQ. */
  readonly transport?: OpenClientTransport
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
  /** How camera images are sent, where the robot offers it; default `raw`. With `jpeg` pixels are not those that the robot saw, but nearly. */
  readonly imageCodec?: ImageCodec
  /** For each answer; default 3000. */
  readonly timeoutMs?: number
  /** Without a fresh observation for so long, waiting for one fails; default 2000, in lock-step 60000. */
  readonly observationTimeoutMs?: number
  /** `onEvent` is told `old` where the newest observation was captured longer ago, and `fresh` later; default: the robot's `maxObservationAgeUs`. */
  readonly alarmAgeMs?: number
  /** A robot may take that long to come to where an episode starts; default 60000. */
  readonly resetTimeoutMs?: number
  /** Told of what happens. What it throws changes nothing. */
  readonly onEvent?: (event: ClientEvent) => unknown
  readonly onMetrics?: (metrics: MetricsMessage) => unknown
}

/** What a client should know of: events of the robot, refusals, and the connection. */
export type ClientEvent =
  | { readonly source: 'robot'; readonly event: EventMessage }
  | { readonly source: 'refusal'; readonly error: ErrorMessage }
  | {
      readonly source: 'connection'
      readonly code: 'lost' | 'back' | 'restarted' | 'bye' | 'bad_message' | 'old' | 'fresh'
      readonly text: string
    }

export interface ActOptions {
  /** The observation that it answers. */
  readonly observationSeq: number
  /** When it is due, by the robot's clock; default: at the next control period. See `robotTimeUs` of the client. */
  readonly dueUs?: number
  /** Not executed, first or again, when it is due for longer than this; default 0: as long as the robot lets actions count. */
  readonly ttlUs?: number
  readonly policy?: PolicyTag
}

export interface ChunkOptions extends Omit<ActOptions, 'dueUs'> {
  /** When the first step is due, by the robot's clock; 0: now. */
  readonly startUs: number
  readonly stepUs: number
  /** What it replaces fades into it for so long, up to the robot's limit; default: the robot's. */
  readonly blendUs?: number
}
