import { addExtension, Packr, RESERVE_START_SPACE, Unpackr } from 'msgpackr'
import { ProtocolError } from './errors.ts'
import { scan } from './scan.ts'

/** Stands for -0, of which the encoder would lose the sign; without it lock-step is not bit-equal. */
class NegativeZero {
  readonly value = -0
}
const NEGATIVE_ZERO = new NegativeZero()
const NEGATIVE_ZERO_BYTES = [0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0]

addExtension({
  Class: NegativeZero,
  // None is written: the bytes are those of a float64.
  type: 1,
  pack(_: unknown, allocateForWrite: (size: number) => { target: Uint8Array; position: number }): void {
    const { target, position } = allocateForWrite(NEGATIVE_ZERO_BYTES.length)
    target.set(NEGATIVE_ZERO_BYTES, position)
  },
} as unknown as Parameters<typeof addExtension>[0])

const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  encodeUndefinedAsNil: true,
} as ConstructorParameters<typeof Packr>[0])
const options = { useRecords: false, int64AsType: 'number' } as const
const unpackr = new Unpackr({ ...options, mapsAsObjects: true } as ConstructorParameters<typeof Unpackr>[0])
/** For maps whose keys are not all text. */
const mapUnpackr = new Unpackr({ ...options, mapsAsObjects: false } as ConstructorParameters<typeof Unpackr>[0])

/** `x` as the encoder has to be given it: whole numbers stay whole, and -0 keeps its sign. */
export function wireNumber(x: number): unknown {
  if (Object.is(x, -0)) return NEGATIVE_ZERO
  return Number.isSafeInteger(x) && (x > 0xffff_ffff || x < -0x8000_0000) ? BigInt(x) : x
}

/** `bytes` as the encoder has to be given them: it writes a typed array as bytes of foreign memory. */
export function wireBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)
}

/**
 * `value` as msgpack after `prefix`, in memory that nothing else is ever written to. Numbers come from {@link wireNumber}, bytes from {@link wireBytes}.
 */
export function encodeMsgpack(prefix: Buffer, value: unknown): Buffer {
  const bytes = packr.pack(value, RESERVE_START_SPACE | prefix.length)
  prefix.copy(bytes)
  return bytes
}

/** What the encoder writes small messages to, one behind the other. */
const POOL_BYTES = 8192
/** For all of a message but its large parts. */
const REST_BYTES = 256 * 1024

/**
 * The same for a value with `largeBytes` of bytes in it: they are copied once, into memory that is allocated once and holds nothing else. Left to
 * itself the encoder allocates four times as much, and writes the next message behind it.
 */
export function encodeLargeMsgpack(prefix: Buffer, value: unknown, largeBytes: number): Buffer {
  packr.useBuffer(Buffer.allocUnsafeSlow(largeBytes + REST_BYTES))
  try {
    return encodeMsgpack(prefix, value)
  } finally {
    packr.useBuffer(Buffer.allocUnsafeSlow(POOL_BYTES))
  }
}

/**
 * The value that fills `bytes` from `start`, which is scanned before anything is built of it. Bytes are views of the message.
 * @throws ProtocolError what {@link scan} throws
 */
export function decodeMsgpack(bytes: Buffer, start: number): unknown {
  const { hasBinaryKeys } = scan(bytes, start)
  const body = bytes.subarray(start)
  try {
    return hasBinaryKeys ? plain(mapUnpackr.unpack(body)) : unpackr.unpack(body)
  } catch (error) {
    throw new ProtocolError('decode_failed', error instanceof Error ? error.message : 'not msgpack')
  }
}

/** Maps as objects; a key of bytes is the text that they spell. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (!(value instanceof Map)) return value
  const entries = [...(value as Map<unknown, unknown>)].map(([key, item]) => [keyText(key), plain(item)] as const)
  return Object.fromEntries(entries)
}

function keyText(key: unknown): string {
  return key instanceof Uint8Array ? Buffer.from(key).toString('latin1') : String(key)
}
