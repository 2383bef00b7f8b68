import type { ColumnMetaData, SchemaTree } from 'hyparquet'
import type { ThriftStruct, ThriftValue } from './thrift.ts'
import { readThrift } from './thrift.ts'
import { walkDeltas, walkRuns } from './runs.ts'
import { unpack } from './unpack.ts'

/** Of one page, unpacked. Writers aim at one megabyte. */
const MAX_PAGE_BYTES = 2 ** 28
/** Of all pages of a column in a row group, unpacked. */
const MAX_COLUMN_BYTES = 2 ** 30
/** Numbers of a column in a row group; a run of one byte may claim any number of them. */
const MAX_VALUES = 2 ** 26

const DATA_PAGE = 0
const INDEX_PAGE = 1
const DICTIONARY_PAGE = 2
const DATA_PAGE_V2 = 3

const PLAIN = 0
const PLAIN_DICTIONARY = 2
const RLE = 3
const DELTA_BINARY_PACKED = 5
const DELTA_LENGTH_BYTE_ARRAY = 6
const RLE_DICTIONARY = 8
const BYTE_STREAM_SPLIT = 9

/** Bytes of a number. */
const WIDTHS: Readonly<Record<string, number>> = { INT32: 4, INT64: 8, INT96: 12, FLOAT: 4, DOUBLE: 8 }

/** A page that was unpacked on the way. */
export interface UnpackedPage {
  readonly packed: Uint8Array
  readonly page: Uint8Array
}

/** Where a column stands among others, and what a row group says of it. */
export interface ColumnPlace {
  /** From the root of the schema to the column. */
  readonly path: readonly SchemaTree[]
  readonly metadata: ColumnMetaData
  /** Rows of the row group. */
  readonly rows: number
}

/**
 * Holds the pages of a column in a row group against what they claim, before hyparquet decodes them: it trusts sizes and counts, so that a
 * damaged one is an endless loop, or memory without end.
 *
 * @param chunk the bytes of the column in the row group
 * @returns the pages that had to be unpacked
 * @throws Error that says what is wrong
 */
export function checkPages(chunk: Uint8Array, place: ColumnPlace): UnpackedPage[] {
  const check = new ColumnCheck(chunk, place)
  check.run()
  return check.unpacked
}

class ColumnCheck {
  readonly unpacked: UnpackedPage[] = []
  readonly #chunk: Uint8Array
  readonly #place: ColumnPlace
  readonly #maxRepetition: number
  readonly #maxDefinition: number
  readonly #total: number
  #values = 0
  #rows = 0
  #bytes = 0

  constructor(chunk: Uint8Array, place: ColumnPlace) {
    this.#chunk = chunk
    this.#place = place
    const steps = place.path.slice(1).map(({ element }) => element.repetition_type)
    this.#maxRepetition = steps.filter((step) => step === 'REPEATED').length
    this.#maxDefinition = steps.filter((step) => step !== 'REQUIRED').length
    this.#total = Number(place.metadata.num_values)
  }

  run(): void {
    const { rows, path, metadata } = this.#place
    const { type } = path.at(-1)!.element
    // hyparquet goes by the one for sizes, and by the other for what values mean.
    if (type === undefined || metadata.type !== type) {
      throw new Error(`values of type ${metadata.type ?? 'none'} in a column of ${type ?? 'none'}`)
    }
    if (!(this.#total >= 0 && this.#total <= MAX_VALUES)) throw new Error(`${this.#total} values in a column`)
    // hyparquet reads columns with levels to their last byte, others to their last row.
    const isDone = (): boolean => this.#maxRepetition === 0 && this.#values >= this.#total
    for (let at = 0; at < this.#chunk.length - 1 && !isDone();) {
      const { fields, end } = readThrift(this.#chunk, at)
      const size = fields[3]
      if (typeof size !== 'number' || !(size >= 0 && end + size <= this.#chunk.length)) {
        throw new Error(`a page of ${said(size)} bytes where ${this.#chunk.length - end} are left`)
      }
      this.#checkPage(fields, this.#chunk.subarray(end, end + size))
      at = end + size
    }
    if (this.#values !== this.#total) throw new Error(`${this.#values} values of ${this.#total}`)
    if (this.#rows !== rows) throw new Error(`${this.#rows} rows of ${rows}`)
  }

  #checkPage(fields: ThriftStruct, packed: Uint8Array): void {
    const size = count(fields[2], 'bytes', MAX_PAGE_BYTES)
    this.#bytes += size
    if (this.#bytes > MAX_COLUMN_BYTES) throw new Error(`more than ${MAX_COLUMN_BYTES} bytes in a column`)
    if (fields[1] === DATA_PAGE) this.#checkFirstKind(struct(fields[5]), packed, size)
    else if (fields[1] === DATA_PAGE_V2) this.#checkSecondKind(struct(fields[8]), packed, size)
    else if (fields[1] === DICTIONARY_PAGE) {
      checkValues(this.#unpack(packed, size), this.#encoded(PLAIN, count(struct(fields[7])[1], 'values', MAX_VALUES)))
    } else throw new Error(fields[1] === INDEX_PAGE ? 'an index among the pages' : 'a page of no known kind')
  }

  /** Levels and values are packed together. */
  #checkFirstKind(header: ThriftStruct, packed: Uint8Array, size: number): void {
    const values = this.#countOf(header)
    const page = this.#unpack(packed, size)
    let at = 0
    const levels = (max: number, value: number): number => {
      if (max === 0) return values
      const length = at + 4 > page.length ? Infinity : Buffer.from(page.buffer, page.byteOffset + at, 4).readUInt32LE()
      if (at + 4 + length > page.length) throw new Error('levels that do not end')
      const bytes = page.subarray(at + 4, at + 4 + length)
      at += 4 + length
      return walkRuns(bytes, 0, { width: bitsOf(max), count: values, largest: max, value }).equal
    }
    this.#add(values, levels(this.#maxRepetition, 0))
    const present = levels(this.#maxDefinition, this.#maxDefinition)
    checkValues(page.subarray(at), this.#encoded(header[2], present))
  }

  /** Levels stand before what is packed. */
  #checkSecondKind(header: ThriftStruct, packed: Uint8Array, size: number): void {
    const values = this.#countOf(header)
    const [definitionBytes, repetitionBytes] = [header[5], header[6]].map((n) => count(n, 'bytes', packed.length))
    const before = definitionBytes! + repetitionBytes!
    if (before > Math.min(packed.length, size)) throw new Error('levels that do not end')
    const levels = (start: number, bytes: number, max: number, value: number): number =>
      max === 0
        ? values
        : walkRuns(packed.subarray(start, start + bytes), 0, { width: bitsOf(max), count: values, largest: max, value })
            .equal
    const rows = levels(0, repetitionBytes!, this.#maxRepetition, 0)
    this.#add(values, rows)
    const present = levels(repetitionBytes!, definitionBytes!, this.#maxDefinition, this.#maxDefinition)
    if (values - present !== header[2] || rows !== header[3]) {
      throw new Error(`${said(header[2])} nulls in ${said(header[3])} rows: there are ${values - present} in ${rows}`)
    }
    const rest = packed.subarray(before)
    const page = header[7] === false ? rest : this.#unpack(rest, size - before)
    checkValues(page, this.#encoded(header[4], present))
  }

  #countOf(header: ThriftStruct): number {
    return count(header[1], 'values', this.#total - this.#values)
  }

  #add(values: number, rows: number): void {
    this.#values += values
    this.#rows += rows
  }

  #unpack(packed: Uint8Array, size: number): Uint8Array {
    const { codec } = this.#place.metadata
    if (codec === 'UNCOMPRESSED') {
      if (packed.length !== size) throw new Error(`a page of ${packed.length} bytes instead of ${size}`)
      return packed
    }
    const page = unpack(codec, packed, size)
    this.unpacked.push({ packed, page })
    return page
  }

  #encoded(encoding: ThriftValue | undefined, values: number): EncodedValues {
    const { type, type_length: length } = this.#place.path.at(-1)!.element
    return {
      encoding,
      values,
      type: type ?? '',
      width: WIDTHS[type ?? ''] ?? (type === 'FIXED_LEN_BYTE_ARRAY' ? length : undefined),
    }
  }
}

interface EncodedValues {
  readonly encoding: ThriftValue | undefined
  readonly values: number
  readonly type: string
  /** Bytes of each value, where all have the same. */
  readonly width: number | undefined
}

function checkValues(page: Uint8Array, { encoding, values, type, width }: EncodedValues): void {
  switch (encoding) {
    case PLAIN:
      return checkPlain(page, { values, type, width })
    case PLAIN_DICTIONARY:
    case RLE_DICTIONARY: {
      if (values === 0) return
      const bits = page[0] ?? Infinity
      // One colour, so to say: no bits at all.
      if (bits > 0 || page.length > 1) walkRuns(page, 1, { width: bits, count: values })
      return
    }
    case RLE:
      if (type !== 'BOOLEAN') throw new Error(`runs of ${type}`)
      if (values > 0) walkRuns(page, 4, { width: 1, count: values })
      return
    case DELTA_BINARY_PACKED:
    case DELTA_LENGTH_BYTE_ARRAY:
      if (values > 0) walkDeltas(page, 0, values)
      return
    case BYTE_STREAM_SPLIT:
      return requireBytes(page, values * (width ?? Infinity))
    default:
      throw new Error(`encoding ${said(encoding)}, which is not read`)
  }
}

function checkPlain(page: Uint8Array, { values, type, width }: Omit<EncodedValues, 'encoding'>): void {
  if (type === 'BOOLEAN') return requireBytes(page, Math.ceil(values / 8))
  if (type !== 'BYTE_ARRAY') return requireBytes(page, values * (width ?? Infinity))
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength)
  let at = 0
  for (let i = 0; i < values; i++) {
    requireBytes(page, at + 4)
    at += 4 + view.getUint32(at, true)
  }
  requireBytes(page, at)
}

function requireBytes(page: Uint8Array, size: number): void {
  if (!(size >= 0 && size <= page.length)) throw new Error(`values of ${size} bytes in a page of ${page.length}`)
}

function count(value: ThriftValue | undefined, of: string, largest: number): number {
  if (typeof value === 'number' && value >= 0 && value <= largest) return value
  throw new Error(`a page of ${said(value)} ${of}`)
}

function said(value: ThriftValue | undefined): string {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : 'no known'
}

function struct(value: ThriftValue | undefined): ThriftStruct {
  if (typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array)) return value as ThriftStruct
  throw new Error('a page without its header')
}

/** Bits of numbers up to `largest`. */
function bitsOf(largest: number): number {
  return 32 - Math.clz32(largest)
}
