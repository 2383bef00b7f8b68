import { isUtf8 } from 'node:buffer'
import { ProtocolError } from './errors.ts'

/**
 * What this subset of msgpack can say: no extensions, so nothing that could run code or name a class. A map is a `Map` from text to
 * value; a key that was `bin` on the wire begins with {@link BIN_KEY}.
 */
export type Wire = null | boolean | number | bigint | string | Uint8Array | readonly Wire[] | ReadonlyMap<string, Wire>

/** Marks a key that is `bin` rather than `str` on the wire: the array convention tells arrays from other maps by it. */
export const BIN_KEY = '\u0000'

const TWO_32 = 2 ** 32

/** What a message may hold at most; anything above is refused before it costs memory. */
export const MAX_DEPTH = 16
export const MAX_NODES = 4096

/**
 * Encodes `value` as plain msgpack in a buffer of its own. Whole numbers become integers of the least width (64-bit ones too), all
 * others float64; `-0` keeps its sign.
 *
 * Not a library's encoder, for three reasons: those lose the sign of `-0`, write integers from 2^32 up as floats, and write memory
 * that is not theirs when handed a typed array by mistake. Here that is a type error.
 */
export function encodeWire(value: Wire, prefix: string): Buffer {
  const out = Buffer.allocUnsafe(prefix.length + sizeOfWire(value))
  out.write(prefix, 0, 'latin1')
  const end = writeValue(out, prefix.length, value)
  if (end !== out.length) throw new RangeError(`encoded ${end} bytes instead of ${out.length}`)
  return out
}

function sizeOfWire(value: Wire): number {
  if (value === null || typeof value === 'boolean') return 1
  if (typeof value === 'number') return isInteger(value) ? sizeOfInteger(value) : 9
  if (typeof value === 'bigint') return 9
  if (typeof value === 'string') return sizeOfText(Buffer.byteLength(value))
  if (value instanceof Uint8Array) return sizeOfBytes(value.length)
  let size = 0
  if (Array.isArray(value)) {
    for (const item of value) size += sizeOfWire(item)
    return size + (value.length < 16 ? 1 : value.length < 65536 ? 3 : 5)
  }
  const map = value as ReadonlyMap<string, Wire>
  for (const [key, item] of map) size += sizeOfKey(key) + sizeOfWire(item)
  return size + (map.size < 16 ? 1 : 3)
}

function isInteger(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0)
}

function sizeOfInteger(x: number): number {
  if (x >= 0) return x < 0x80 ? 1 : x < 0x100 ? 2 : x < 0x10000 ? 3 : x < 0x1_0000_0000 ? 5 : 9
  return x >= -0x20 ? 1 : x >= -0x80 ? 2 : x >= -0x8000 ? 3 : x >= -0x8000_0000 ? 5 : 9
}

function sizeOfText(length: number): number {
  return length + (length < 32 ? 1 : length < 256 ? 2 : length < 65536 ? 3 : 5)
}

function sizeOfBytes(length: number): number {
  return length + (length < 256 ? 2 : length < 65536 ? 3 : 5)
}

function sizeOfKey(key: string): number {
  return key.startsWith(BIN_KEY) ? sizeOfBytes(key.length - 1) : sizeOfText(Buffer.byteLength(key))
}

function writeValue(out: Buffer, at: number, value: Wire): number {
  if (value === null) return out.writeUInt8(0xc0, at)
  if (typeof value === 'boolean') return out.writeUInt8(value ? 0xc3 : 0xc2, at)
  if (typeof value === 'number') return writeNumber(out, at, value)
  if (typeof value === 'bigint') {
    const isNegative = value < 0n
    out.writeUInt8(isNegative ? 0xd3 : 0xcf, at)
    return isNegative ? out.writeBigInt64BE(value, at + 1) : out.writeBigUInt64BE(value, at + 1)
  }
  if (typeof value === 'string') return writeText(out, at, value)
  if (value instanceof Uint8Array) return writeBytes(out, at, value)
  if (Array.isArray(value)) {
    let next = writeLength(out, at, value.length, 16, 0x90, undefined, 0xdc)
    for (const item of value) next = writeValue(out, next, item)
    return next
  }
  const map = value as ReadonlyMap<string, Wire>
  let next = writeLength(out, at, map.size, 16, 0x80, undefined, 0xde)
  for (const [key, item] of map) {
    next = key.startsWith(BIN_KEY) ? writeBytes(out, next, Buffer.from(key.slice(1))) : writeText(out, next, key)
    next = writeValue(out, next, item)
  }
  return next
}

function writeNumber(out: Buffer, at: number, x: number): number {
  if (!isInteger(x)) return out.writeDoubleBE(x, out.writeUInt8(0xcb, at))
  switch (sizeOfInteger(x)) {
    case 1:
      return x >= 0 ? out.writeUInt8(x, at) : out.writeInt8(x, at)
    case 2:
      return x >= 0 ? out.writeUInt8(x, out.writeUInt8(0xcc, at)) : out.writeInt8(x, out.writeUInt8(0xd0, at))
    case 3:
      return x >= 0 ? out.writeUInt16BE(x, out.writeUInt8(0xcd, at)) : out.writeInt16BE(x, out.writeUInt8(0xd1, at))
    case 5:
      return x >= 0 ? out.writeUInt32BE(x, out.writeUInt8(0xce, at)) : out.writeInt32BE(x, out.writeUInt8(0xd2, at))
    default:
      return writeInteger64(out, out.writeUInt8(x >= 0 ? 0xcf : 0xd3, at), x)
  }
}

/** In two halves, because a bigint for every time stamp costs more than the rest of a small message. */
function writeInteger64(out: Buffer, at: number, x: number): number {
  const high = Math.floor(x / TWO_32)
  return out.writeUInt32BE(x - high * TWO_32, out.writeInt32BE(high, at))
}

function writeText(out: Buffer, at: number, text: string): number {
  const length = Buffer.byteLength(text)
  const start = writeLength(out, at, length, 32, 0xa0, 0xd9, 0xda)
  return start + out.write(text, start, 'utf8')
}

function writeBytes(out: Buffer, at: number, bytes: Uint8Array): number {
  const start = writeLength(out, at, bytes.length, 0, 0, 0xc4, 0xc5)
  out.set(bytes, start)
  return start + bytes.length
}

/** The head of something with a length; the code for 32-bit lengths always follows that for 16-bit ones. */
function writeLength(
  out: Buffer,
  at: number,
  length: number,
  fixLimit: number,
  fixCode: number,
  code8: number | undefined,
  code16: number,
): number {
  if (length < fixLimit) return out.writeUInt8(fixCode | length, at)
  if (code8 !== undefined && length < 256) return out.writeUInt8(length, out.writeUInt8(code8, at))
  if (length < 65536) return out.writeUInt16BE(length, out.writeUInt8(code16, at))
  return out.writeUInt32BE(length, out.writeUInt8(code16 + 1, at))
}

/**
 * Decodes one msgpack value that fills `bytes` from `start` to the end. Nothing is allocated that the bytes at hand do not pay for.
 * `Uint8Array` values are views of `bytes`.
 *
 * @throws ProtocolError `decode_limit` beyond {@link MAX_DEPTH} or {@link MAX_NODES}; `decode_failed` for an extension, bytes that
 * are missing or left over, text that is not UTF-8, a key that is neither text nor bytes, or a key twice.
 */
export function decodeWire(bytes: Buffer, start: number): Wire {
  const reader = new Reader(bytes, start)
  const value = reader.value(1)
  if (reader.offset !== bytes.length) throw malformed(`${bytes.length - reader.offset} bytes are left over`)
  return value
}

function malformed(text: string): ProtocolError {
  return new ProtocolError('decode_failed', text)
}

/** Sessions and leases are longer: they are never kept. */
const LONGEST_NAME = 24
/** Short texts seen lately, by hash: comparing one takes less time than making it anew, and leaves no garbage. */
const names: string[] = Array.from({ length: 1024 }, () => '')

class Reader {
  offset: number
  private readonly bytes: Buffer
  private nodes = 0

  constructor(bytes: Buffer, start: number) {
    this.bytes = bytes
    this.offset = start
  }

  value(depth: number): Wire {
    if (depth > MAX_DEPTH) throw new ProtocolError('decode_limit', `nested deeper than ${MAX_DEPTH}`)
    if (++this.nodes > MAX_NODES) throw new ProtocolError('decode_limit', `more than ${MAX_NODES} values`)
    const code = this.bytes[this.take(1)]!
    if (code < 0x80) return code
    if (code >= 0xe0) return code - 256
    if (code < 0x90) return this.map(code & 0x0f, depth)
    if (code < 0xa0) return this.array(code & 0x0f, depth)
    if (code < 0xc0) return this.text(code & 0x1f)
    switch (code) {
      case 0xc0:
        return null
      case 0xc2:
      case 0xc3:
        return code === 0xc3
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.binary(this.unsigned(1 << (code - 0xc4)))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.text(this.unsigned(1 << (code - 0xd9)))
      case 0xdc:
      case 0xdd:
        return this.array(this.unsigned(2 << (code - 0xdc)), depth)
      case 0xde:
      case 0xdf:
        return this.map(this.unsigned(2 << (code - 0xde)), depth)
      default:
        return this.number(code)
    }
  }

  private take(length: number): number {
    const at = this.offset
    if (length > this.bytes.length - at) throw malformed('the message is cut short')
    this.offset = at + length
    return at
  }

  private unsigned(width: number): number {
    return this.bytes.readUIntBE(this.take(width), width)
  }

  private number(code: number): number | bigint {
    switch (code) {
      case 0xca:
        return this.bytes.readFloatBE(this.take(4))
      case 0xcb:
        return this.bytes.readDoubleBE(this.take(8))
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.unsigned(1 << (code - 0xcc))
      case 0xcf:
        return this.unsigned64()
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const width = 1 << (code - 0xd0)
        return this.bytes.readIntBE(this.take(width), width)
      }
      case 0xd3:
        return safe(this.bytes.readBigInt64BE(this.take(8)))
      default:
        throw malformed(`type code 0x${code.toString(16)} is not allowed`)
    }
  }

  private unsigned64(): number | bigint {
    const at = this.take(8)
    const high = this.bytes.readUInt32BE(at)
    // Below 2^53 a number is exact.
    if (high < 1 << 21) return high * TWO_32 + this.bytes.readUInt32BE(at + 4)
    return safe(this.bytes.readBigUInt64BE(at))
  }

  private binary(length: number): Buffer {
    const at = this.take(length)
    return this.bytes.subarray(at, at + length)
  }

  private text(length: number): string {
    const at = this.take(length)
    for (let i = at; i < at + length; i++) if (this.bytes[i]! >= 0x80) return this.utf8(at, length)
    return this.latin1(at, length, '')
  }

  private utf8(at: number, length: number): string {
    if (!isUtf8(this.bytes.subarray(at, at + length))) throw malformed('text is not UTF-8')
    return this.bytes.toString('utf8', at, at + length)
  }

  /** `prefix` and the bytes as latin1: the string of the last time, if that still is in {@link names}. */
  private latin1(at: number, length: number, prefix: '' | typeof BIN_KEY): string {
    const { bytes } = this
    if (length > LONGEST_NAME) return prefix + bytes.toString('latin1', at, at + length)
    let hash = prefix.length
    for (let i = at; i < at + length; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0
    const slot = hash & (names.length - 1)
    const known = names[slot]!
    if (known.length === prefix.length + length && known.startsWith(prefix)) {
      let i = 0
      while (i < length && known.charCodeAt(prefix.length + i) === bytes[at + i]) i++
      if (i === length) return known
    }
    return (names[slot] = prefix + bytes.toString('latin1', at, at + length))
  }

  private array(length: number, depth: number): Wire[] {
    this.afford(length)
    const items: Wire[] = []
    for (let i = 0; i < length; i++) items.push(this.value(depth + 1))
    return items
  }

  private map(length: number, depth: number): Map<string, Wire> {
    this.afford(2 * length)
    const entries = new Map<string, Wire>()
    for (let i = 0; i < length; i++) {
      const key = this.value(depth + 1)
      const name = key instanceof Uint8Array ? this.latin1(this.offset - key.length, key.length, BIN_KEY) : key
      if (typeof name !== 'string') throw malformed('a key is neither text nor bytes')
      if (entries.has(name)) throw malformed('a key comes twice')
      entries.set(name, this.value(depth + 1))
    }
    return entries
  }

  /** Each of `values` more values takes at least one byte and one node. */
  private afford(values: number): void {
    if (values > MAX_NODES - this.nodes) throw new ProtocolError('decode_limit', `more than ${MAX_NODES} values`)
    if (values > this.bytes.length - this.offset) throw malformed('the message is cut short')
  }
}

function safe(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
}
