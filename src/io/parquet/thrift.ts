/** A value of Thrift's compact protocol. Integers are numbers, whatever their width. */
export type ThriftValue = number | boolean | Uint8Array | readonly ThriftValue[] | ThriftStruct

/** Fields by their number. */
export interface ThriftStruct {
  readonly [field: number]: ThriftValue | undefined
}

/** Structs and lists within each other; parquet's own have at most seven. */
const MAX_DEPTH = 24
/** Bytes of a 64-bit number in groups of seven bits. */
const MAX_NUMBER_BYTES = 10

/** Types of the compact protocol. */
const STOP = 0
const TRUE = 1
const FALSE = 2
const BYTE = 3
const I16 = 4
const I32 = 5
const I64 = 6
const DOUBLE = 7
const BINARY = 8
const LIST = 9
const STRUCT = 12

/**
 * Reads a struct of Thrift's compact protocol, as footers and page headers of parquet files are, and refuses what claims more than is there:
 * hyparquet's own parser allocates what a list claims to hold, and follows numbers of any length.
 *
 * @returns the fields, and the byte after the struct
 * @throws Error for a struct that is damaged
 */
export function readThrift(bytes: Uint8Array, start = 0): { readonly fields: ThriftStruct; readonly end: number } {
  const reader = new ThriftReader(bytes, start)
  const fields = reader.struct(0)
  return { fields, end: reader.at }
}

class ThriftReader {
  readonly #bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes
    this.at = start
  }

  struct(depth: number): ThriftStruct {
    const fields: Record<number, ThriftValue> = {}
    let field = 0
    for (;;) {
      const head = this.#byte()
      const type = head & 0x0f
      if (type === STOP) return fields
      field = head >> 4 === 0 ? unfold(this.number()) : field + (head >> 4)
      fields[field] = type === TRUE || type === FALSE ? type === TRUE : this.#value(type, depth + 1)
    }
  }

  /** An unsigned number in groups of seven bits, lowest first. */
  number(): number {
    let value = 0
    for (let i = 0; i < MAX_NUMBER_BYTES; i++) {
      const byte = this.#byte()
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) return value
    }
    throw new Error('a number that does not end')
  }

  #value(type: number, depth: number): ThriftValue {
    if (depth > MAX_DEPTH) throw new Error('structs too deep within each other')
    switch (type) {
      case BYTE:
        return (this.#byte() << 24) >> 24
      case I16:
      case I32:
      case I64:
        return unfold(this.number())
      case DOUBLE:
        return Buffer.from(this.#take(8)).readDoubleLE()
      case BINARY:
        return this.#take(this.number())
      case LIST:
        return this.#list(depth)
      case STRUCT:
        return this.struct(depth)
      default:
        throw new Error(`a field of type ${type}`)
    }
  }

  #list(depth: number): ThriftValue[] {
    const head = this.#byte()
    const type = head & 0x0f
    const size = head >> 4 === 15 ? this.number() : head >> 4
    // Each element takes a byte at least.
    if (size > this.#bytes.length - this.at) throw new Error(`a list of ${size} where fewer bytes are left`)
    const isFlag = type === TRUE || type === FALSE
    return Array.from({ length: size }, () => (isFlag ? this.#byte() === 1 : this.#value(type, depth + 1)))
  }

  #byte(): number {
    const byte = this.#bytes[this.at++]
    if (byte === undefined) throw new Error('a struct that does not end')
    return byte
  }

  #take(size: number): Uint8Array {
    if (size > this.#bytes.length - this.at) throw new Error(`${size} bytes where fewer are left`)
    this.at += size
    return this.#bytes.subarray(this.at - size, this.at)
  }
}

/** Thrift folds signs into the lowest bit. */
function unfold(number: number): number {
  return number % 2 === 0 ? number / 2 : -(number + 1) / 2
}
