import { FLOAT_PARTS } from './float-parts.ts'

const TWO_32 = 2 ** 32

/**
 * Writes one message of plain msgpack without extensions into a buffer of its own. Whole numbers become integers of the least width
 * (64-bit ones too), all others float64; `-0` keeps its sign.
 *
 * Not a library's encoder, for three reasons: those lose the sign of `-0`, write integers from 2^32 up as floats, and write memory
 * that is not theirs when handed a typed array by mistake. Here that is a type error.
 */
export class WireWriter {
  #bytes: Buffer
  #at = 0

  /** @param capacity bytes; more are found when needed */
  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  /** What was written, in memory that nothing else is ever written to. */
  finish(): Buffer {
    const written = this.#bytes.subarray(0, this.#at)
    return this.#at < this.#bytes.length / 2 ? Buffer.from(written) : written
  }

  /** Bytes that are msgpack already. */
  raw(bytes: Uint8Array): void {
    const at = this.#take(bytes.length)
    // A call of `set` costs more than a short loop.
    if (bytes.length > 64) this.#bytes.set(bytes, at)
    else for (let i = 0; i < bytes.length; i++) this.#bytes[at + i] = bytes[i]!
  }

  nil(): void {
    this.#byte(0xc0)
  }

  flag(value: boolean): void {
    this.#byte(value ? 0xc3 : 0xc2)
  }

  number(x: number): void {
    if (!Number.isSafeInteger(x) || Object.is(x, -0)) {
      this.#byte(0xcb)
      const at = this.#take(8)
      FLOAT_PARTS.float64[0] = x
      for (let i = 0; i < 8; i++) this.#bytes[at + i] = FLOAT_PARTS.bytes[7 - i]!
    } else if (x >= 0) {
      this.#unsigned(x)
    } else {
      this.#negative(x)
    }
  }

  text(value: string): void {
    const { length } = value
    for (let i = 0; i < length; i++) {
      if (value.charCodeAt(i) >= 0x80) return this.#utf8(value)
    }
    this.#head(length, 32, 0xa0, 0xd9, 0xda)
    const at = this.#take(length)
    for (let i = 0; i < length; i++) this.#bytes[at + i] = value.charCodeAt(i)
  }

  binary(bytes: Uint8Array): void {
    this.#head(bytes.length, 0, 0, 0xc4, 0xc5)
    this.raw(bytes)
  }

  /** So many values follow. */
  arrayHead(length: number): void {
    this.#head(length, 16, 0x90, undefined, 0xdc)
  }

  /** So many keys and values follow, in turn. */
  mapHead(size: number): void {
    this.#head(size, 16, 0x80, undefined, 0xde)
  }

  #take(length: number): number {
    const at = this.#at
    this.#at = at + length
    if (this.#at > this.#bytes.length) this.#grow(at)
    return at
  }

  #grow(used: number): void {
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#at + 64))
    larger.set(this.#bytes.subarray(0, used))
    this.#bytes = larger
  }

  #byte(value: number): void {
    const at = this.#take(1)
    this.#bytes[at] = value
  }

  /** A code and the lowest `width` bytes of a whole number. */
  #integer(code: number, x: number, width: 1 | 2 | 4): void {
    const at = this.#take(1 + width)
    this.#bytes[at] = code
    for (let i = 0; i < width; i++) this.#bytes[at + 1 + i] = x >>> (8 * (width - 1 - i))
  }

  /** In two halves, because a bigint for every time stamp costs more than the rest of a small message. */
  #integer64(code: number, x: number): void {
    const high = Math.floor(x / TWO_32)
    this.#integer(code, high, 4)
    const low = x - high * TWO_32
    const at = this.#take(4)
    for (let i = 0; i < 4; i++) this.#bytes[at + i] = low >>> (8 * (3 - i))
  }

  #unsigned(x: number): void {
    if (x < 0x80) this.#byte(x)
    else if (x >= TWO_32) this.#integer64(0xcf, x)
    else if (x >= 0x1_0000) this.#integer(0xce, x, 4)
    else if (x >= 0x100) this.#integer(0xcd, x, 2)
    else this.#integer(0xcc, x, 1)
  }

  #negative(x: number): void {
    if (x >= -0x20) this.#byte(x)
    else if (x < -0x8000_0000) this.#integer64(0xd3, x)
    else if (x < -0x8000) this.#integer(0xd2, x, 4)
    else if (x < -0x80) this.#integer(0xd1, x, 2)
    else this.#integer(0xd0, x, 1)
  }

  #utf8(value: string): void {
    const bytes = Buffer.from(value, 'utf8')
    this.#head(bytes.length, 32, 0xa0, 0xd9, 0xda)
    this.raw(bytes)
  }

  /** The head of something with a length; the code for 32-bit lengths always follows that for 16-bit ones. */
  #head(length: number, fixLimit: number, fixCode: number, code8: number | undefined, code16: number): void {
    if (length < fixLimit) this.#byte(fixCode | length)
    else if (length >= 0x1_0000) this.#integer(code16 + 1, length, 4)
    else if (code8 === undefined || length >= 0x100) this.#integer(code16, length, 2)
    else this.#integer(code8, length, 1)
  }
}
