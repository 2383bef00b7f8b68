import { ERROR_CODES, FieldError, ProtocolError } from './errors.ts'
import type { Field, Fields, OptionalField } from './fields.ts'
import {
  anyArray,
  bytes,
  finite,
  flag,
  float,
  float32Matrix,
  float32Vector,
  inHeader,
  integer,
  json,
  listOf,
  natural,
  oneOf,
  optional,
  pixelArray,
  positive,
  recordOf,
  struct,
  text,
} from './fields.ts'
import type {
  AppliedContent,
  Blending,
  CommandName,
  BridgeMode,
  BridgeState,
  Endpoints,
  EpisodeContent,
  GoalContent,
  Header,
  HealthContent,
  ImageCodec,
  ImageContent,
  JpegContent,
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
import type { CameraSchema, Json, RobotSchema, VectorSchema } from './schema.ts'
import { decodeMsgpack, encodeLargeMsgpack, encodeMsgpack } from './msgpack.ts'

/** First bytes of every message; the kind letter follows. */
const PREFIX = 'rb1'

const KIB = 1024
/** Larger messages are refused unread, bytes. The control and action sockets of a robot take no more than the least of these. */
const MAX_BYTES: Readonly<Partial<Record<MessageKind, number>>> = {
  observation: 64 * KIB * KIB,
  compressed_observation: 64 * KIB * KIB,
  ack: 64 * KIB * KIB,
  welcome: KIB * KIB,
}
/** Largest message of a client, bytes. */
export const MAX_CLIENT_MESSAGE_BYTES: number = 256 * KIB

const header: Fields<Header> = {
  session: inHeader(text),
  seq: inHeader(natural),
  timeUs: inHeader(natural),
  epoch: inHeader(natural),
}
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
/** What a robot is. */
export const robotSchemaField: Field<RobotSchema> = struct<RobotSchema>({
  name: text,
  serial: text,
  controlHz: positive,
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
const imageCodec: OptionalField<ImageCodec> = optional(oneOf('raw', 'jpeg'))
const jpegs: Field<Readonly<Record<string, JpegContent>>> = recordOf(
  struct<JpegContent>({ encoding: oneOf('jpeg'), data: bytes, captureUs: optional(natural) }),
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
      client: optional(text),
      clientId: optional(natural),
      policy: optional(text),
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
    imageCodec,
    publicKey: optional(text),
    keyProof: optional(text),
  },
  welcome: {
    ...robotHeader,
    refSeq: natural,
    protocol: text,
    arrayCodec: text,
    imageCodec,
    jpegQuality: optional(natural),
    clientId: optional(natural),
    role,
    run: text,
    mode,
    schema: robotSchemaField,
    observationDigest: text,
    actionDigest: text,
    limits: json,
    watchdogs: struct<Watchdogs>({
      softUs: natural,
      hardUs: natural,
      leaseUs: natural,
      maxLeadUs: natural,
      maxObservationAgeUs: optional(natural),
    }),
    blending: optional(struct<Blending>({ defaultUs: natural, maxUs: natural })),
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
    schema: optional(robotSchemaField),
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
    blendUs: optional(natural),
    actions: float32Matrix,
    policy,
  },
  observation: { ...robotHeader, ...observation },
  compressed_observation: { ...robotHeader, ...observation, images: jpegs },
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
  bye: { ...header, bridgeState: optional(state), armed: optional(flag), wallMs: optional(natural), reason: text },
}

const KINDS = Object.keys(KIND_LETTERS) as MessageKind[]
const PREFIX_CODES = Buffer.from(PREFIX)
/** By the character code of the kind letter. */
const KIND_OF_CODE: readonly (MessageKind | undefined)[] = Array.from({ length: 256 }, (_, code) =>
  KINDS.find((kind) => KIND_LETTERS[kind] === String.fromCharCode(code)),
)
const CODECS = Object.fromEntries(
  KINDS.map((kind) => [kind, struct<object>({ kind: kindField(kind), ...BODIES[kind] }, 'bad_header')]),
) as unknown as Readonly<Record<MessageKind, Field<Message>>>

/** The kind once more, so that a message says what it is also without its first bytes. */
function kindField(kind: MessageKind): Field<string> {
  return inHeader({
    toWire: () => kind,
    fromWire(value) {
      if (value !== kind) throw new FieldError('bad_header', `does not agree with the prefix of ${kind}`)
      return kind
    },
  })
}

/** First four bytes of all messages of `kind`: what a subscriber filters by. */
export function topicOf(kind: MessageKind): string {
  return PREFIX + KIND_LETTERS[kind]
}

const TOPICS = Object.fromEntries(KINDS.map((kind) => [kind, Buffer.from(topicOf(kind))])) as unknown as Readonly<
  Record<MessageKind, Buffer>
>

/**
 * The bytes of one message part, in a buffer of its own that is never reused: a socket may keep it by reference.
 * @throws ProtocolError `bad_shape` when an array's data does not fill its shape
 */
export function encodeMessage(message: Message): Buffer {
  const { kind } = message
  const wire = CODECS[kind].toWire(message)
  const largeBytes = kind === 'observation' ? pixelBytesOf(message) : 0
  return largeBytes < LARGE_BYTES
    ? encodeMsgpack(TOPICS[kind], wire)
    : encodeLargeMsgpack(TOPICS[kind], wire, largeBytes)
}

/** An encoded observation with so many bytes of pixels is alone in its memory. */
export const LARGE_BYTES: number = 256 * KIB

function pixelBytesOf({ images: shown }: Pick<ObservationContent, 'images'>): number {
  return Object.values(shown).reduce((sum, { pixels }) => sum + pixels.data.length, 0)
}

/**
 * Reads one message part. Nothing is built from a message that is not well formed to its last byte. All fields are checked for their
 * types, array shapes and finite scalars; what only the robot can know (lease, epoch, order, sizes of this robot's vectors, NaN in an
 * action) is for the receiver. Images are views of `part`.
 *
 * @throws ProtocolError with the sequence number of a message whose header could be read
 */
export function decodeMessage(part: Uint8Array): Message {
  const buffer = Buffer.isBuffer(part) ? part : Buffer.from(part.buffer, part.byteOffset, part.byteLength)
  const kind = kindOf(buffer)
  const limit = MAX_BYTES[kind] ?? MAX_CLIENT_MESSAGE_BYTES
  if (buffer.length > limit)
    throw new ProtocolError('too_large', `${kind} of ${buffer.length} bytes; the limit is ${limit}`)
  try {
    return CODECS[kind].fromWire(decodeMsgpack(buffer, PREFIX.length + 1))
  } catch (error) {
    if (!(error instanceof FieldError)) throw error
    const { code, message } = error.within(kind)
    throw new ProtocolError(code, message, seqOf(buffer))
  }
}

function kindOf(buffer: Buffer): MessageKind {
  const isOurs = buffer[0] === PREFIX_CODES[0] && buffer[1] === PREFIX_CODES[1] && buffer[2] === PREFIX_CODES[2]
  const kind = isOurs ? KIND_OF_CODE[buffer[PREFIX.length] ?? 0] : undefined
  if (kind === undefined) throw whatIsWrong(buffer)
  return kind
}

function whatIsWrong(buffer: Buffer): ProtocolError {
  const prefix = buffer.toString('latin1', 0, PREFIX.length)
  if (!prefix.startsWith('rb')) return new ProtocolError('bad_magic', 'not a message of this protocol')
  if (/^rb\d$/.test(prefix) && prefix !== PREFIX) {
    return new ProtocolError('version_unsupported', `protocol ${prefix.slice(2)}; this side speaks 1`)
  }
  if (prefix !== PREFIX) return new ProtocolError('bad_prefix', 'the protocol version is not a digit')
  const text = 'a kind of message that this version does not know'
  return new ProtocolError('unknown_kind', text, seqOf(buffer))
}

const SEQ = struct<Partial<Pick<Header, 'seq'>>>({ seq: optional(natural) })

/** All kinds have the same header, those of later versions too. */
function seqOf(buffer: Buffer): number | undefined {
  if (buffer.length > MAX_CLIENT_MESSAGE_BYTES) return undefined
  try {
    return SEQ.fromWire(decodeMsgpack(buffer, PREFIX.length + 1)).seq
  } catch {
    return undefined
  }
}
