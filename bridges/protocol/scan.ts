import { isUtf8 } from 'node:buffer'
import { randomInt } from 'node:crypto'
import { ProtocolError } from './errors.ts'

/** A message that is nested deeper or has more values is refused before it costs memory. */
export const MAX_DEPTH = 16
export const MAX_NODES = 4096

/** Twice as many as there can be keys. */
const SLOTS = 2 * MAX_NODES

/** What is known of a message that has passed. */
export interface ScanResult {
  /** Keys of bytes beside those of text, as recordings of before have them in arrays. */
  readonly hasBinaryKeys: boolean
}

/**
 * Goes over one msgpack value, which must fill `bytes` from `start` to their end, and builds nothing: so that a decoder can then be given it
 * that allocates what a length claims, runs extensions, or lets the last of two equal keys win.
 *
 * @throws ProtocolError `decode_limit` beyond {@link MAX_DEPTH} or {@link MAX_NODES}; `decode_failed` for an extension, bytes that are missing or left
 *   over, text that is not UTF-8, a whole number beyond 2^53, a key that is neither text nor bytes, `__proto__` as key, or a key twice
 */
export function scan(bytes: Buffer, start: number): ScanResult {
  const scanner = new Scanner(bytes, start)
  scanner.value(1)
  if (scanner.at !== bytes.length) throw malformed(`${bytes.length - scanner.at} bytes are left over`)
  return scanner
}

/** Where each key of the present message is, by its hash; valid where the stamp is that of the message. */
const stamps = new Uint32Array(SLOTS)
const places = new Uint32Array(SLOTS)
const lengths = new Uint32Array(SLOTS)
const spaces = new Uint32Array(SLOTS)
const hashes = new Int32Array(SLOTS)
/** Another one in each process, so that nobody can choose keys that meet. */
const SEED = randomInt(2 ** 31)
let stamp = 0

class Scanner implements ScanResult {
  readonly #bytes: Buffer
  at: number
  hasBinaryKeys = false
  #nodes = 0
  #maps = 0

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.at = at
    stamp = (stamp + 1) >>> 0
    if (stamp > 0) return
    // After 2^32 messages stamps of long ago would look new.
    stamps.fill(0)
    stamp = 1
  }

  value(depth: number): void {
    if (depth > MAX_DEPTH) throw new ProtocolError('decode_limit', `nested deeper than ${MAX_DEPTH}`)
    if (++this.#nodes > MAX_NODES) throw tooMany()
    const code = this.#take(1)
    if (code < 0x80 || code >= 0xe0 || code === 0xc0 || code === 0xc2 || code === 0xc3) return
    if (code < 0x90) return this.#map(code & 0x0f, depth)
    if (code < 0xa0) return this.#list(code & 0x0f, depth)
    if (code < 0xc0) return this.#text(code & 0x1f)
    if (code === 0xdc || code === 0xdd) return this.#list(this.#take(2 << (code - 0xdc)), depth)
    if (code === 0xde || code === 0xdf) return this.#map(this.#take(2 << (code - 0xde)), depth)
    if (code >= 0xd9) return this.#text(this.#take(1 << (code - 0xd9)))
    if (code >= 0xc4 && code <= 0xc6) return this.#skip(this.#take(1 << (code - 0xc4)))
    if (code === 0xcf || code === 0xd3) return this.#integer64(code === 0xd3)
    if (code === 0xca || code === 0xcb) return this.#skip(code === 0xca ? 4 : 8)
    if (code >= 0xcc && code <= 0xce) return this.#skip(1 << (code - 0xcc))
    if (code >= 0xd0 && code <= 0xd2) return this.#skip(1 << (code - 0xd0))
    throw malformed(`type code 0x${code.toString(16)} is not allowed`)
  }

  #list(length: number, depth: number): void {
    this.#expect(length)
    for (let i = 0; i < length; i++) this.value(depth + 1)
  }

  /** No key may come twice: what a message says must not depend on which of two values its reader takes. */
  #map(size: number, depth: number): void {
    this.#expect(2 * size)
    const map = ++this.#maps
    for (let i = 0; i < size; i++) {
      if (++this.#nodes > MAX_NODES) throw tooMany()
      if (depth + 1 > MAX_DEPTH) throw new ProtocolError('decode_limit', `nested deeper than ${MAX_DEPTH}`)
      this.#key(map)
      this.value(depth + 1)
    }
  }

  #key(map: number): void {
    const code = this.#take(1)
    const isText = (code >= 0xa0 && code < 0xc0) || (code >= 0xd9 && code <= 0xdb)
    const isBinary = code >= 0xc4 && code <= 0xc6
    if (!isText && !isBinary) throw malformed('a key is neither text nor bytes')
    const length = code < 0xc0 ? code & 0x1f : this.#take(1 << (code - (isText ? 0xd9 : 0xc4)))
    const begin = this.at
    if (isText) this.#text(length)
    else this.#skip(length)
    this.hasBinaryKeys ||= isBinary
    if (this.#is('__proto__', begin, length)) throw malformed('a key is not allowed')
    this.#remember(begin, length, isText ? 2 * map : 2 * map + 1)
  }

  /** @param space one for each map and kind of key */
  #remember(begin: number, length: number, space: number): void {
    // FNV-1a
    let hash = Math.imul(SEED ^ space, 0x01000193)
    for (let i = begin; i < begin + length; i++) hash = Math.imul(hash ^ this.#bytes[i]!, 0x01000193)
    let slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
    for (; stamps[slot] === stamp; slot = (slot + 1) & (SLOTS - 1)) {
      if (hashes[slot] !== hash || spaces[slot] !== space || lengths[slot] !== length) continue
      const other = places[slot]!
      if (this.#bytes.compare(this.#bytes, begin, begin + length, other, other + length) === 0) {
        throw malformed('a key comes twice')
      }
    }
    stamps[slot] = stamp
    hashes[slot] = hash
    spaces[slot] = space
    lengths[slot] = length
    places[slot] = begin
  }

  #text(length: number): void {
    const begin = this.at
    this.#skip(length)
    for (let i = begin; i < this.at; i++) {
      if (this.#bytes[i]! < 0x80) continue
      if (!isUtf8(this.#bytes.subarray(begin, this.at))) throw malformed('text is not UTF-8')
      return
    }
  }

  #integer64(isSigned: boolean): void {
    const begin = this.at
    this.#skip(8)
    const value = isSigned ? this.#bytes.readBigInt64BE(begin) : this.#bytes.readBigUInt64BE(begin)
    if (!Number.isSafeInteger(Number(value))) throw malformed('a whole number is beyond 2^53')
  }

  #is(text: string, begin: number, length: number): boolean {
    return length === text.length && this.#bytes.toString('latin1', begin, begin + length) === text
  }

  /** Each value takes at least one byte and one node. */
  #expect(values: number): void {
    if (values > MAX_NODES - this.#nodes) throw tooMany()
    this.#require(values)
  }

  /** The next `width` bytes as a number. */
  #take(width: number): number {
    this.#require(width)
    let x = 0
    for (let i = 0; i < width; i++) x = x * 256 + this.#bytes[this.at++]!
    return x
  }

  #skip(length: number): void {
    this.#require(length)
    this.at += length
  }

  #require(length: number): void {
    if (length > this.#bytes.length - this.at) throw malformed('the message is cut short')
  }
}

function tooMany(): ProtocolError {
  return new ProtocolError('decode_limit', `more than ${MAX_NODES} values`)
}

function malformed(text: string): ProtocolError {
  return new ProtocolError('decode_failed', text)
}
