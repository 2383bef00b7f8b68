import { ERROR_CODES, ProtocolError } from './errors.ts'
import type { Field, Fields, OptionalField } from './fields.ts'
import {
  anyArray,
  finite,
  flag,
  float,
  float32Matrix,
  float32Vector,
  integer,
  json,
  listOf,
  natural,
  oneOf,
  optional,
  pixelArray,
  recordOf,
  struct,
  text,
} from './fields.ts'
import type {
  AppliedContent,
  CommandName,
  BridgeMode,
  BridgeState,
  Endpoints,
  EpisodeContent,
  GoalContent,
  Header,
  HealthContent,
  ImageContent,
  Message,
  MessageKind,
  MessageOf,
  ObservationContent,
  PolicyTag,
  RobotHeader,
  Role,
  Watchdogs,
} from './messages.ts'
import { KIND_LETTERS } from './messages.ts'
import type { Wire } from './msgpack.ts'
import { decodeWire, encodeWire } from './msgpack.ts'
import type { CameraSchema, Json, RobotSchema, VectorSchema } from './schema.ts'

/** First bytes of every message; the kind letter follows. */
const PREFIX = 'rb1'

const KIB = 1024
/** Larger messages are refused unread, bytes. The control and action sockets of a robot take no more than the least of these. */
const MAX_BYTES: Readonly<Partial<Record<MessageKind, number>>> = {
  observation: 64 * KIB * KIB,
  ack: 64 * KIB * KIB,
  welcome: KIB * KIB,
}
/** Largest message of a client, bytes. */
export const MAX_CLIENT_MESSAGE_BYTES: number = 256 * KIB

const header: Fields<Header> = { session: text, seq: natural, timeUs: natural, epoch: natural }
const state: Field<BridgeState> = oneOf('IDLE', 'READY', 'ACTIVE', 'HOLD', 'SAFE_STOP', 'ESTOP')
const robotHeader: Fields<RobotHeader> = { ...header, bridgeState: state, armed: flag, wallMs: optional(natural) }
const role: Field<Role> = oneOf('controller', 'observer', 'operator')
const mode: Field<BridgeMode> = oneOf('realtime', 'lockstep')
const command: Field<CommandName> = oneOf('arm', 'start', 'pause', 'stop', 'reset', 'clear', 'release')
const jsonRecord: Field<{ readonly [key: string]: Json }> = recordOf(json)

const vector: Field<VectorSchema> = struct<VectorSchema>({
  dtype: oneOf('float32', 'float64', 'int32', 'uint8'),
  shape: listOf(natural),
  names: listOf(text),
  low: listOf(float),
  high: listOf(float),
})
const camera: Field<CameraSchema> = struct<CameraSchema>({
  shape: listOf(natural),
  dtype: oneOf('uint8'),
  colour: oneOf('rgb8'),
  encoding: oneOf('raw'),
})
const schema: Field<RobotSchema> = struct<RobotSchema>({
  name: text,
  serial: text,
  controlHz: finite,
  maxEpisodeSteps: natural,
  isSimulated: flag,
  actionKind: oneOf('position', 'velocity'),
  action: vector,
  proprio: vector,
  state: vector,
  goal: optional(vector),
  images: recordOf(camera),
})
const images: Field<Readonly<Record<string, ImageContent>>> = recordOf(
  struct<ImageContent>({ encoding: oneOf('raw'), pixels: pixelArray, captureUs: optional(natural) }),
)
const goal: OptionalField<GoalContent> = optional(struct<GoalContent>({ state: float32Vector, images }))
const policy: OptionalField<PolicyTag> = optional(
  struct<PolicyTag>({ id: text, hash: optional(text), step: optional(natural) }),
)
const observation: Fields<ObservationContent> = {
  observationSeq: natural,
  captureUs: natural,
  stale: flag,
  proprio: float32Vector,
  state: float32Vector,
  images,
  extras: optional(recordOf(anyArray)),
  reward: finite,
  terminated: flag,
  truncated: flag,
  info: recordOf(float),
  episode: struct<EpisodeContent>({ id: natural, step: natural }),
  applied: optional(
    struct<AppliedContent>({
      seq: natural,
      observationSeq: natural,
      action: float32Vector,
      clamped: natural,
      lateUs: integer,
    }),
  ),
  goal,
  health: struct<HealthContent>({ dropped: natural, rejected: natural, queueLength: natural }),
}

const BODIES: { readonly [K in MessageKind]: Fields<Omit<MessageOf<K>, 'kind'>> } = {
  hello: {
    ...header,
    name: text,
    software: text,
    role,
    protocols: listOf(text),
    arrayCodecs: listOf(text),
    observationDigest: optional(text),
    actionDigest: optional(text),
    acceptMismatch: optional(flag),
    publicKey: optional(text),
    keyProof: optional(text),
  },
  welcome: {
    ...robotHeader,
    refSeq: natural,
    protocol: text,
    arrayCodec: text,
    role,
    run: text,
    mode,
    schema,
    observationDigest: text,
    actionDigest: text,
    limits: json,
    watchdogs: struct<Watchdogs>({ softUs: natural, hardUs: natural, leaseUs: natural, maxLeadUs: natural }),
    endpoints: struct<Endpoints>({ action: text, observation: text, telemetry: text }),
    maxMessageBytes: natural,
    insecure: flag,
  },
  lease_request: { ...header, ttlMs: natural, reason: optional(text), preempt: optional(flag) },
  lease: { ...robotHeader, refSeq: natural, lease: text, ttlMs: natural },
  command: {
    ...header,
    command,
    lease: optional(text),
    category: optional(oneOf('hold', 'safe')),
    mode: optional(mode),
    seed: optional(integer),
    options: optional(jsonRecord),
  },
  ack: {
    ...robotHeader,
    refSeq: natural,
    command,
    goal,
    observation: optional(struct<ObservationContent>(observation)),
  },
  error: {
    ...robotHeader,
    code: oneOf(...ERROR_CODES),
    text,
    refSeq: optional(natural),
    retryAfterMs: optional(natural),
    schema: optional(schema),
  },
  action: {
    ...header,
    lease: text,
    observationSeq: natural,
    dueUs: natural,
    ttlUs: natural,
    action: float32Vector,
    policy,
  },
  chunk: {
    ...header,
    lease: text,
    observationSeq: natural,
    startUs: natural,
    stepUs: natural,
    ttlUs: natural,
    actions: float32Matrix,
    policy,
  },
  observation: { ...robotHeader, ...observation },
  event: {
    ...robotHeader,
    event: text,
    code: text,
    text,
    fromState: optional(state),
    toState: optional(state),
    suppressed: optional(natural),
  },
  metrics: { ...robotHeader, counters: recordOf(natural), values: recordOf(float) },
  ping: { ...header, t1Us: natural, lease: optional(text) },
  pong: { ...robotHeader, refSeq: natural, t1Us: natural, t2Us: natural, t3Us: natural },
  bye: { ...header, reason: text },
}

const KINDS = Object.keys(KIND_LETTERS) as MessageKind[]
const KIND_OF_LETTER: ReadonlyMap<string, MessageKind> = new Map(KINDS.map((kind) => [KIND_LETTERS[kind], kind]))
const CODECS = Object.fromEntries(
  KINDS.map((kind) => [kind, struct<object>({ kind: oneOf(kind), ...BODIES[kind] })]),
) as unknown as Readonly<Record<MessageKind, Field<Message>>>

/** First four bytes of all messages of `kind`: what a subscriber filters by. */
export function topicOf(kind: MessageKind): string {
  return PREFIX + KIND_LETTERS[kind]
}

/**
 * The bytes of one message part, in a buffer of its own that is never reused: a socket may keep it by reference.
 * @throws ProtocolError `bad_shape` when an array's data does not fill its shape
 */
export function encodeMessage(message: Message): Buffer {
  return encodeWire(CODECS[message.kind].encode(message), topicOf(message.kind))
}

/**
 * Reads one message part. Nothing is built from a message that is not well formed to its last byte. All fields are checked for their
 * types, array shapes and finite scalars; what only the robot can know (lease, epoch, order, sizes of this robot's vectors, NaN in an
 * action) is for the receiver. Images are views of `bytes`.
 *
 * @throws ProtocolError with the sequence number of a message whose header could be read
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const kind = kindOf(buffer)
  if (kind === undefined) {
    const text = 'a kind of message that this version does not know'
    throw new ProtocolError('unknown_kind', text, seqOfUnknown(buffer))
  }
  const limit = MAX_BYTES[kind] ?? MAX_CLIENT_MESSAGE_BYTES
  if (buffer.length > limit)
    throw new ProtocolError('too_large', `${kind} of ${buffer.length} bytes; the limit is ${limit}`)
  const wire = decodeWire(buffer, PREFIX.length + 1)
  try {
    return decodeFields(wire, kind)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    throw new ProtocolError(error.code, error.message, seqOf(wire))
  }
}

function decodeFields(wire: Wire, kind: MessageKind): Message {
  if (!(wire instanceof Map)) throw new ProtocolError('bad_header', 'the message is no map')
  if (wire.get('kind') !== kind)
    throw new ProtocolError('bad_header', `the kind does not agree with the prefix of ${kind}`)
  for (const key of ['session', 'seq', 'time_us', 'epoch']) {
    if (wire.get(key) === undefined) throw new ProtocolError('bad_header', `the header has no ${key}`)
  }
  return CODECS[kind].decode(wire, kind)
}

function seqOf(wire: Wire): number | undefined {
  const seq: unknown = wire instanceof Map ? wire.get('seq') : undefined
  return Number.isSafeInteger(seq) && (seq as number) >= 0 ? (seq as number) : undefined
}

/** All kinds have the same header, those of later versions too. */
function seqOfUnknown(buffer: Buffer): number | undefined {
  if (buffer.length > MAX_CLIENT_MESSAGE_BYTES) return undefined
  try {
    return seqOf(decodeWire(buffer, PREFIX.length + 1))
  } catch {
    return undefined
  }
}

/** Undefined for a letter that stands for none. */
function kindOf(buffer: Buffer): MessageKind | undefined {
  const prefix = buffer.toString('latin1', 0, PREFIX.length)
  if (!prefix.startsWith('rb')) throw new ProtocolError('bad_magic', 'not a message of this protocol')
  if (prefix !== PREFIX)
    throw /^rb\d$/.test(prefix)
      ? new ProtocolError('version_unsupported', `protocol ${prefix.slice(2)}; this side speaks 1`)
      : new ProtocolError('bad_prefix', 'the protocol version is not a digit')
  return KIND_OF_LETTER.get(buffer.toString('latin1', PREFIX.length, PREFIX.length + 1))
}
