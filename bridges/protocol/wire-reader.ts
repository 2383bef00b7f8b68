import { isUtf8 } from 'node:buffer'
import { ProtocolError } from './errors.ts'
import { FLOAT_PARTS } from './float-parts.ts'

/** What a message may hold at most; anything above is refused before it costs memory. */
export const MAX_DEPTH = 16
export const MAX_NODES = 4096

/** Marks a key that is `bin` rather than `str` on the wire: the array convention tells arrays from other maps by it. */
export const BIN_KEY = '\u0000'

const TWO_32 = 2 ** 32
/** Texts up to this length are kept to be found again, see {@link TextCache}. */
const MAX_CACHED_TEXT = 64
const CACHED_TEXTS = 512

/**
 * Reads msgpack without extensions: nothing that could run code or name a class. All of the message is checked before the first value is
 * read, and nothing is allocated that the bytes at hand do not pay for.
 *
 * A value of another type than asked for is not read; the answer is then `undefined`.
 */
export class WireReader {
  readonly #bytes: Buffer
  #at: number
  #nodes = 0

  /**
   * @param bytes hold one value from `start` to their end
   * @throws ProtocolError `decode_limit` beyond {@link MAX_DEPTH} or {@link MAX_NODES}; `decode_failed` for an extension, bytes that
   * are missing or left over, text that is not UTF-8, a key that is neither text nor bytes, or a key twice
   */
  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes
    this.#at = start
    this.#check(1, false)
    if (this.#at !== bytes.length) throw malformed(`${bytes.length - this.#at} bytes are left over`)
    this.#at = start
  }

  /** Leaves out the next value with all that is in it. */
  skip(): void {
    this.#nodes = 0
    this.#check(1, false)
  }

  /** Whether nil was next, which is then read. */
  nil(): boolean {
    if (this.#bytes[this.#at] !== 0xc0) return false
    this.#at++
    return true
  }

  flag(): boolean | undefined {
    const code = this.#bytes[this.#at]!
    if (code !== 0xc2 && code !== 0xc3) return undefined
    this.#at++
    return code === 0xc3
  }

  /** `undefined` also for whole numbers beyond 2^53. */
  number(): number | undefined {
    const at = this.#at
    const code = this.#bytes[at]!
    if (code < 0x80 || code >= 0xe0) {
      this.#at = at + 1
      return code < 0x80 ? code : code - 256
    }
    const width = NUMBER_BYTES[code]!
    if (width === 0) return undefined
    this.#at = at + 1 + width
    switch (code) {
      case 0xca:
      case 0xcb:
        return this.#float(at + 1, width)
      case 0xcf:
      case 0xd3:
        return this.#integer64(at + 1, code === 0xd3)
      default: {
        const unsigned = this.#unsigned(at + 1, width)
        if (code < 0xd0) return unsigned
        // The sign is the highest of the bits.
        return (unsigned << (32 - 8 * width)) >> (32 - 8 * width)
      }
    }
  }

  text(): string | undefined {
    const code = this.#bytes[this.#at]!
    if (!isText(code)) return undefined
    const length = code < 0xc0 ? this.#fixLength(code & 0x1f) : this.#length(1 << (code - 0xd9))
    const at = this.#at
    this.#at = at + length
    return TEXTS.read(this.#bytes, at, length, 'utf8')
  }

  /** A view of the message. */
  binary(): Uint8Array<ArrayBuffer> | undefined {
    const code = this.#bytes[this.#at]!
    if (code < 0xc4 || code > 0xc6) return undefined
    const length = this.#length(1 << (code - 0xc4))
    const at = this.#at
    this.#at = at + length
    const { buffer, byteOffset } = this.#bytes as Uint8Array as Uint8Array<ArrayBuffer>
    return new Uint8Array(buffer, byteOffset + at, length)
  }

  /** The length of a list, whose values are next. */
  arrayHead(): number | undefined {
    const code = this.#bytes[this.#at]!
    if (code >= 0x90 && code < 0xa0) return this.#fixLength(code & 0x0f)
    return code === 0xdc || code === 0xdd ? this.#length(2 << (code - 0xdc)) : undefined
  }

  /** The size of a map, whose keys and values are next, in turn. */
  mapHead(): number | undefined {
    const code = this.#bytes[this.#at]!
    if (code >= 0x80 && code < 0x90) return this.#fixLength(code & 0x0f)
    return code === 0xde || code === 0xdf ? this.#length(2 << (code - 0xde)) : undefined
  }

  /** Whether these bytes are next, which are then read. */
  raw(expected: Uint8Array): boolean {
    const at = this.#at
    if (at + expected.length > this.#bytes.length) return false
    for (let i = 0; i < expected.length; i++) {
      if (this.#bytes[at + i] !== expected[i]) return false
    }
    this.#at = at + expected.length
    return true
  }

  #fixLength(length: number): number {
    this.#at++
    return length
  }

  /** After a code, in `width` bytes. */
  #length(width: number): number {
    const at = this.#at + 1
    this.#at = at + width
    return this.#unsigned(at, width)
  }

  #unsigned(at: number, width: number): number {
    let x = 0
    for (let i = at; i < at + width; i++) x = x * 256 + this.#bytes[i]!
    return x
  }

  #float(at: number, width: number): number {
    for (let i = 0; i < width; i++) FLOAT_PARTS.bytes[width - 1 - i] = this.#bytes[at + i]!
    return width === 4 ? FLOAT_PARTS.float32[0]! : FLOAT_PARTS.float64[0]!
  }

  #integer64(at: number, isSigned: boolean): number | undefined {
    const high = this.#unsigned(at, 4)
    const value = (isSigned ? high | 0 : high) * TWO_32 + this.#unsigned(at + 4, 4)
    return Number.isSafeInteger(value) ? value : undefined
  }

  /** Goes over one value. What it finds to be there, reading need not look for again. */
  #check(depth: number, isKey: boolean): void {
    if (depth > MAX_DEPTH) throw new ProtocolError('decode_limit', `nested deeper than ${MAX_DEPTH}`)
    if (++this.#nodes > MAX_NODES) throw new ProtocolError('decode_limit', `more than ${MAX_NODES} values`)
    this.#require(1)
    const code = this.#bytes[this.#at]!
    const lengthBytes = LENGTH_BYTES[code]!
    this.#require(1 + lengthBytes)
    const isBinary = code >= 0xc4 && code <= 0xc6
    if (isText(code) || isBinary) {
      const length = lengthBytes === 0 ? this.#fixLength(code & 0x1f) : this.#length(lengthBytes)
      this.#require(length)
      if (!isBinary) this.#checkText(length)
      this.#at += length
      return
    }
    if (isKey) throw malformed('a key is neither text nor bytes')
    const entries = code >= 0x80 && code < 0xa0 ? this.#fixLength(code & 0x0f) : this.#entries(code, lengthBytes)
    if (entries === undefined) return this.#checkScalar(code)
    const isMap = code < 0x90 || code >= 0xde
    const values = isMap ? 2 * entries : entries
    // Each takes at least one byte and one node.
    if (values > MAX_NODES - this.#nodes) {
      throw new ProtocolError('decode_limit', `more than ${MAX_NODES} values`)
    }
    this.#require(values)
    if (isMap) return this.#checkEntries(entries, depth)
    for (let i = 0; i < values; i++) this.#check(depth + 1, false)
  }

  /** No key may come twice: what a message says must not depend on which of two values its reader takes. */
  #checkEntries(size: number, depth: number): void {
    const keys = new Set<string>()
    for (let i = 0; i < size; i++) {
      const at = this.#at
      this.#check(depth + 1, true)
      const code = this.#bytes[at]!
      const start = at + 1 + LENGTH_BYTES[code]!
      const length = this.#at - start
      keys.add(
        isText(code)
          ? TEXTS.read(this.#bytes, start, length, 'utf8')
          : BIN_KEY + TEXTS.read(this.#bytes, start, length, 'latin1'),
      )
      if (keys.size === i) throw malformed('a key comes twice')
      this.#check(depth + 1, false)
    }
  }

  #entries(code: number, lengthBytes: number): number | undefined {
    return code >= 0xdc && code <= 0xdf ? this.#length(lengthBytes) : undefined
  }

  #checkScalar(code: number): void {
    const isPlain = code < 0x80 || code >= 0xe0 || code === 0xc0 || code === 0xc2 || code === 0xc3
    const width = isPlain ? 0 : NUMBER_BYTES[code]!
    if (!isPlain && width === 0) throw malformed(`type code 0x${code.toString(16)} is not allowed`)
    this.#require(1 + width)
    this.#at += 1 + width
  }

  #checkText(length: number): void {
    const end = this.#at + length
    for (let i = this.#at; i < end; i++) {
      if (this.#bytes[i]! < 0x80) continue
      if (!isUtf8(this.#bytes.subarray(this.#at, end))) throw malformed('text is not UTF-8')
      return
    }
  }

  #require(length: number): void {
    if (length > this.#bytes.length - this.#at) throw malformed('the message is cut short')
  }
}

/** Bytes after the code of a number; 0: it is none. */
const NUMBER_BYTES = codeTable({
  0xca: 4,
  0xcb: 8,
  0xcc: 1,
  0xcd: 2,
  0xce: 4,
  0xcf: 8,
  0xd0: 1,
  0xd1: 2,
  0xd2: 4,
  0xd3: 8,
})

/** Bytes of the length after the code of a text, bytes, a list or a map. */
const LENGTH_BYTES = codeTable({
  0xc4: 1,
  0xc5: 2,
  0xc6: 4,
  0xd9: 1,
  0xda: 2,
  0xdb: 4,
  0xdc: 2,
  0xdd: 4,
  0xde: 2,
  0xdf: 4,
})

function isText(code: number): boolean {
  return (code >= 0xa0 && code < 0xc0) || (code >= 0xd9 && code <= 0xdb)
}

function codeTable(entries: Readonly<Record<number, number>>): Uint8Array {
  const table = new Uint8Array(256)
  for (const [code, value] of Object.entries(entries)) table[Number(code)] = value
  return table
}

/**
 * Names, states and sessions come again in each message, and to make a string of bytes is a call out of JavaScript: the last text of each
 * hash is kept and given out again where the bytes are the same.
 */
class TextCache {
  readonly #texts: string[] = Array.from({ length: CACHED_TEXTS }, () => '')

  read(bytes: Buffer, at: number, length: number, encoding: 'utf8' | 'latin1'): string {
    if (length > MAX_CACHED_TEXT) return bytes.toString(encoding, at, at + length)
    let hash = length
    for (let i = at; i < at + length; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0
    const slot = hash & (CACHED_TEXTS - 1)
    const known = this.#texts[slot]!
    if (isSame(known, bytes, at, length)) return known
    const text = bytes.toString(encoding, at, at + length)
    this.#texts[slot] = text
    return text
  }
}

/** Whether `text` is ASCII and has these bytes. */
function isSame(text: string, bytes: Buffer, at: number, length: number): boolean {
  if (text.length !== length) return false
  for (let i = 0; i < length; i++) {
    const byte = bytes[at + i]!
    if (byte >= 0x80 || text.charCodeAt(i) !== byte) return false
  }
  return true
}

const TEXTS = new TextCache()

function malformed(text: string): ProtocolError {
  return new ProtocolError('decode_failed', text)
}
