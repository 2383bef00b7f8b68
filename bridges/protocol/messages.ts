import type { NdArray } from '../../src/core/ndarray.ts'
import type { WireArray } from './arrays.ts'
import type { ErrorCode } from './errors.ts'
import type { Json, RobotSchema } from './schema.ts'

/** Version of the protocol that this code speaks. The first number is also in every message's prefix (`rb1`). */
export const PROTOCOL_VERSION = '1.0'

/** Who may do what: a controller drives (one at a time), an observer looks on, an operator also clears faults and preempts. */
export type Role = 'controller' | 'observer' | 'operator'

/** Where the robot side is; see the table of states in the README beside this file. */
export type BridgeState = 'IDLE' | 'READY' | 'ACTIVE' | 'HOLD' | 'SAFE_STOP' | 'ESTOP'

/** In `lockstep` the robot waits for the action that answers its newest observation; only a simulated robot can. */
export type BridgeMode = 'realtime' | 'lockstep'

/** What a command can ask for. */
export type CommandName = 'arm' | 'start' | 'pause' | 'stop' | 'reset' | 'clear' | 'release'

/** In every message. */
export interface Header {
  /** What `welcome` gave to this client; empty before; on PUB sockets the robot's `run`. */
  readonly session: string
  /** Rises with every message of a sender on a socket; gaps are allowed. */
  readonly seq: number
  /** The sender's monotonic clock at sending, microseconds. */
  readonly timeUs: number
  /** What the sender knows of it. Every stop, reset, preemption and clear raises it, which makes older actions void. */
  readonly epoch: number
}

/** In every message of a robot besides {@link Header}. */
export interface RobotHeader extends Header {
  readonly bridgeState: BridgeState
  readonly armed: boolean
  /** Wall clock in milliseconds: for logs, never for control. */
  readonly wallMs?: number
}

/** First message of a client. */
export interface HelloMessage extends Header {
  readonly kind: 'hello'
  readonly name: string
  /** e.g. `armature 0.1.0` */
  readonly software: string
  readonly role: Role
  /** Versions of the protocol that it speaks. */
  readonly protocols: readonly string[]
  /** e.g. `openpi` */
  readonly arrayCodecs: readonly string[]
  /** What a policy was trained for; absent: anything. */
  readonly observationDigest?: string
  readonly actionDigest?: string
  /** Drive even if the digests differ, where the robot's own settings allow that. */
  readonly acceptMismatch?: boolean
  /** Asked for; default `raw`. */
  readonly imageCodec?: ImageCodec
  /** With CURVE: the client's public key, Z85, and the proof that this connection holds it (see the README). */
  readonly publicKey?: string
  readonly keyProof?: string
}

/** When the robot side acts by itself, microseconds. */
export interface Watchdogs {
  /** Without a valid action for so long in ACTIVE: HOLD. */
  readonly softUs: number
  /** Without one for so long: SAFE_STOP. */
  readonly hardUs: number
  /** A lease holder that sends nothing for so long in READY loses its lease. */
  readonly leaseUs: number
  /** An action due later than that from now is `too_early`. */
  readonly maxLeadUs: number
  /** An action that answers an observation captured before that is a `stale_observation`. */
  readonly maxObservationAgeUs?: number
}

/** How chunks fade into each other, microseconds. */
export interface Blending {
  /** Where a chunk does not say. */
  readonly defaultUs: number
  /** No chunk fades in for longer. */
  readonly maxUs: number
}

/** Addresses of the other sockets. A client takes the host from the address that it reached the control socket by, the port from here. */
export interface Endpoints {
  readonly action: string
  readonly observation: string
  readonly telemetry: string
}

/** Answer to `hello`. */
export interface WelcomeMessage extends RobotHeader {
  readonly kind: 'welcome'
  readonly refSeq: number
  readonly protocol: string
  readonly arrayCodec: string
  /** As granted: what to subscribe to. Absent: `raw`. */
  readonly imageCodec?: ImageCodec
  /** Of JPEG, 1 to 100. */
  readonly jpegQuality?: number
  /** Of this client in `applied`, among those of one run. */
  readonly clientId?: number
  /** As granted; the keys decide, not the wish. */
  readonly role: Role
  /** Of the robot's process, new at every start: the `session` of what it publishes. */
  readonly run: string
  readonly mode: BridgeMode
  readonly schema: RobotSchema
  readonly observationDigest: string
  readonly actionDigest: string
  /** The limits profile, as in the limits file. */
  readonly limits: Json
  readonly watchdogs: Watchdogs
  readonly blending?: Blending
  readonly endpoints: Endpoints
  /** Largest message that the control and action sockets take, bytes. */
  readonly maxMessageBytes: number
  /** True where the robot listens beyond this machine without keys. */
  readonly insecure: boolean
}

export interface LeaseRequestMessage extends Header {
  readonly kind: 'lease_request'
  readonly ttlMs: number
  readonly reason?: string
  /** Takes the lease from its holder; operators only. */
  readonly preempt?: boolean
}

/** Granted. A refusal is an `error` with code `lease_denied`. */
export interface LeaseMessage extends RobotHeader {
  readonly kind: 'lease'
  readonly refSeq: number
  /** 128 random bits, hex. */
  readonly lease: string
  readonly ttlMs: number
}

export interface CommandMessage extends Header {
  readonly kind: 'command'
  readonly command: CommandName
  /** Needed by controllers; an operator may `arm`, `stop` and `clear` without. */
  readonly lease?: string
  /** `stop`: how to come to rest; default `hold`. */
  readonly category?: 'hold' | 'safe'
  /** `start`: that of `welcome`, or the command is refused. */
  readonly mode?: BridgeMode
  /** `reset`: restarts the random stream of a simulated robot. */
  readonly seed?: number
  /** `reset`: what the robot's adapter takes. */
  readonly options?: { readonly [key: string]: Json }
}

/** A command was carried out; the header has the state and the epoch after it. */
export interface AckMessage extends RobotHeader {
  readonly kind: 'ack'
  readonly refSeq: number
  readonly command: CommandName
  /** `reset` of a robot with a goal: the goal of the new episode. */
  readonly goal?: GoalContent
  /** `reset`: where the episode starts, so that a subscriber that joined late misses nothing. */
  readonly observation?: ObservationContent
}

/** A message was refused. */
export interface ErrorMessage extends RobotHeader {
  readonly kind: 'error'
  readonly code: ErrorCode
  readonly text: string
  /** `seq` of the message at fault, where it could be read. */
  readonly refSeq?: number
  readonly retryAfterMs?: number
  /** `schema_mismatch`: what the robot has. */
  readonly schema?: RobotSchema
}

/** Where an action comes from, for logs. */
export interface PolicyTag {
  readonly id: string
  /** SHA-256 of its file, hex */
  readonly hash?: string
  readonly step?: number
}

/** One action for one control period. Sent on the action socket. */
export interface ActionMessage extends Header {
  readonly kind: 'action'
  readonly lease: string
  /** The observation that it answers. */
  readonly observationSeq: number
  /** When it is due by the robot's clock, microseconds; 0: at the next control tick. */
  readonly dueUs: number
  /** Not executed, first or again, when it is due for longer than this; 0: no such limit. */
  readonly ttlUs: number
  /** In the units of the schema. Not checked for NaN here: the limits do that, and count it. */
  readonly action: Float32Array
  readonly policy?: PolicyTag
}

/** Actions with due times: step k is due at `startUs + k stepUs`. Sent on the action socket. */
export interface ChunkMessage extends Header {
  readonly kind: 'chunk'
  readonly lease: string
  readonly observationSeq: number
  readonly startUs: number
  readonly stepUs: number
  /** As in {@link ActionMessage}, of each step. */
  readonly ttlUs: number
  /** What is replaced fades into this for so long; absent: the robot's default. Never longer than the robot's limit. */
  readonly blendUs?: number
  /** [steps, action size] */
  readonly actions: NdArray<Float32Array>
  readonly policy?: PolicyTag
}

/** A camera image. Colour order is always red, green, blue. */
export interface ImageContent {
  readonly encoding: 'raw'
  /** [height, width, 3] */
  readonly pixels: NdArray<Uint8Array>
  /** When it was captured by the robot's clock, where that differs from the observation's. */
  readonly captureUs?: number
}

/** How a client is sent camera images. */
export type ImageCodec = 'raw' | 'jpeg'

/** A camera image as JPEG, of the camera's size. */
export interface JpegContent {
  readonly encoding: 'jpeg'
  readonly data: Uint8Array
  readonly captureUs?: number
}

export interface GoalContent {
  readonly state: Float32Array
  /** What the cameras would see there. */
  readonly images: Readonly<Record<string, ImageContent>>
}

/** The action that the robot really executed, after the limits: what replay must store. */
export interface AppliedContent {
  /** Who sent it: the name as in events, and the `clientId` of its `welcome`; '' and 0 where the robot acted by itself. */
  readonly client?: string
  readonly clientId?: number
  /** What decided on it, where its message said so: the `id` of {@link PolicyTag}. */
  readonly policy?: string
  /** `seq` of the action message; 0 where the robot acted by itself (hold, brake). */
  readonly seq: number
  readonly observationSeq: number
  readonly action: Float32Array
  /** Bit i: limit i changed the action; the bits are in the README. */
  readonly clamped: number
  /** How long after its due time it was executed. */
  readonly lateUs: number
}

export interface EpisodeContent {
  readonly id: number
  /** Actions executed in it. */
  readonly step: number
}

/** Cumulative since the robot's start. */
export interface HealthContent {
  readonly dropped: number
  readonly rejected: number
  readonly queueLength: number
}

/** What a robot shows at one moment. */
export interface ObservationContent {
  readonly observationSeq: number
  /** When it was captured by the robot's clock; known latency is subtracted. */
  readonly captureUs: number
  /** True where nothing newer was to be had than what was sent before. */
  readonly stale: boolean
  readonly proprio: Float32Array
  /** Privileged, of a simulated robot; empty on hardware. */
  readonly state: Float32Array
  readonly images: Readonly<Record<string, ImageContent>>
  /** Further arrays by name, e.g. raw encoder counts; any element type. */
  readonly extras?: Readonly<Record<string, WireArray>>
  readonly reward: number
  /** The task itself ended. */
  readonly terminated: boolean
  /** Time ran out. */
  readonly truncated: boolean
  readonly info: Readonly<Record<string, number>>
  readonly episode: EpisodeContent
  /** Absent before the first action of an episode. */
  readonly applied?: AppliedContent
  /** With the first observation of an episode of a robot with a goal. */
  readonly goal?: GoalContent
  readonly health: HealthContent
}

/** Published once per control period (real time) or per action (lock-step). */
export interface ObservationMessage extends RobotHeader, ObservationContent {
  readonly kind: 'observation'
}

/** The same observation, published beside or instead of the other for those who asked for JPEG. Later by the time that compressing takes. */
export interface CompressedObservationMessage extends RobotHeader, Omit<ObservationContent, 'images'> {
  readonly kind: 'compressed_observation'
  readonly images: Readonly<Record<string, JpegContent>>
}

/** An observation in either form. */
export type AnyObservationMessage = ObservationMessage | CompressedObservationMessage

/** Something happened: a change of state, a limit, a watchdog, a refusal. Published, at most 10 per second and cause. */
export interface EventMessage extends RobotHeader {
  readonly kind: 'event'
  /** e.g. `state`, `watchdog`, `reject`, `lease`, `security` */
  readonly event: string
  /** An error code or the cause of the change. */
  readonly code: string
  readonly text: string
  readonly fromState?: BridgeState
  readonly toState?: BridgeState
  /** Of the same cause that were not sent. */
  readonly suppressed?: number
}

/** Published once per second. */
export interface MetricsMessage extends RobotHeader {
  readonly kind: 'metrics'
  /** Cumulative whole numbers since the robot's start, by name. */
  readonly counters: Readonly<Record<string, number>>
  /** Measurements with their unit in the name, e.g. `tick_lateness_us_p99`. */
  readonly values: Readonly<Record<string, number>>
}

/** Measures the clock offset and, with a lease, keeps it alive. */
export interface PingMessage extends Header {
  readonly kind: 'ping'
  /** Client's clock at sending. */
  readonly t1Us: number
  readonly lease?: string
}

export interface PongMessage extends RobotHeader {
  readonly kind: 'pong'
  readonly refSeq: number
  readonly t1Us: number
  /** Robot's clock at receiving and at sending. */
  readonly t2Us: number
  readonly t3Us: number
}

/** Either side leaves. From a controller: stop. A robot's has what its other messages have, too. */
export interface ByeMessage extends Header, Partial<Omit<RobotHeader, keyof Header>> {
  readonly kind: 'bye'
  readonly reason: string
}

/** Whether a message is an observation, in whatever form. */
export function isObservation(message: { readonly kind: string }): message is AnyObservationMessage {
  return message.kind === 'observation' || message.kind === 'compressed_observation'
}

/** All that crosses the bridge. */
export type Message =
  | HelloMessage
  | WelcomeMessage
  | LeaseRequestMessage
  | LeaseMessage
  | CommandMessage
  | AckMessage
  | ErrorMessage
  | ActionMessage
  | ChunkMessage
  | ObservationMessage
  | CompressedObservationMessage
  | EventMessage
  | MetricsMessage
  | PingMessage
  | PongMessage
  | ByeMessage

export type MessageKind = Message['kind']
export type MessageOf<K extends MessageKind> = Extract<Message, { readonly kind: K }>

/** Fourth byte of a message, so that a subscriber can filter by it. */
export const KIND_LETTERS: Readonly<Record<MessageKind, string>> = {
  hello: 'h',
  welcome: 'w',
  lease_request: 'q',
  lease: 'l',
  command: 'c',
  ack: 'k',
  error: 'x',
  action: 'a',
  chunk: 't',
  observation: 'o',
  compressed_observation: 'j',
  event: 'e',
  metrics: 'm',
  ping: 'p',
  pong: 'r',
  bye: 'b',
}
