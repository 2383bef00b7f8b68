import { crc32 } from 'node:zlib'

/*
 * A reader of MCAP files written from the public specification (mcap.dev/spec) alone, without any library. It checks what the
 * specification lets one check: magic, lengths, every CRC, and that indexes, offsets and statistics say what is there.
 */

const MAGIC = Buffer.from([0x89, 0x4d, 0x43, 0x41, 0x50, 0x30, 0x0d, 0x0a])
const OP = {
  header: 1,
  footer: 2,
  schema: 3,
  channel: 4,
  message: 5,
  chunk: 6,
  messageIndex: 7,
  chunkIndex: 8,
  statistics: 11,
  metadata: 12,
  metadataIndex: 13,
  summaryOffset: 14,
  dataEnd: 15,
} as const

export interface McapMessage {
  readonly topic: string
  readonly schema: string
  readonly logTime: bigint
  readonly sequence: number
  readonly data: Buffer
}

export interface McapFile {
  readonly library: string
  readonly metadata: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Encoding and data by name. */
  readonly schemas: Readonly<Record<string, { readonly encoding: string; readonly data: Buffer }>>
  /** Schema and message encoding by topic. */
  readonly channels: Readonly<Record<string, { readonly schema: string; readonly encoding: string }>>
  readonly messages: readonly McapMessage[]
  readonly chunks: number
}

interface Record_ {
  readonly op: number
  readonly start: number
  readonly content: Cursor
}

class Cursor {
  readonly bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length
  }

  take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new Error(`${length} bytes wanted at ${this.at}, none left`)
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  u8 = (): number => this.take(1).readUInt8()
  u16 = (): number => this.take(2).readUInt16LE()
  u32 = (): number => this.take(4).readUInt32LE()
  u64 = (): bigint => this.take(8).readBigUInt64LE()
  text = (): string => this.take(this.u32()).toString('utf8')
  rest = (): Buffer => this.take(this.bytes.length - this.at)

  map<K, V>(key: () => K, value: () => V): [K, V][] {
    const inner = this.at + 4 + this.bytes.readUInt32LE(this.at)
    this.at += 4
    const entries: [K, V][] = []
    while (this.at < inner) entries.push([key(), value()])
    equal('length of a map', this.at, inner)
    return entries
  }
}

function equal(what: string, got: unknown, wanted: unknown): void {
  if (got !== wanted) throw new Error(`${what}: ${String(got)} instead of ${String(wanted)}`)
}

function* recordsOf(bytes: Buffer, offset: number): Generator<Record_> {
  const cursor = new Cursor(bytes)
  while (!cursor.isAtEnd) {
    const start = offset + cursor.at
    const op = cursor.u8()
    yield { op, start, content: new Cursor(cursor.take(Number(cursor.u64()))) }
  }
}

/** @throws Error that says what in `bytes` is against the specification. */
export function readMcap(bytes: Buffer): McapFile {
  equal('magic at the start', bytes.subarray(0, 8).compare(MAGIC), 0)
  equal('magic at the end', bytes.subarray(-8).compare(MAGIC), 0)
  const records = [...recordsOf(bytes.subarray(8, -8), 8)]
  equal('first record', records[0]!.op, OP.header)
  equal('last record', records.at(-1)!.op, OP.footer)
  const end = records.find(({ op }) => op === OP.dataEnd)!
  equal('CRC of the data', end.content.u32(), crc32(bytes.subarray(0, end.start)))
  const header = records[0]!.content
  header.text()
  const data = new DataSection()
  for (const record of records.slice(1, records.indexOf(end))) data.add(record)
  checkSummary(bytes, records.slice(records.indexOf(end) + 1), data)
  return {
    library: header.text(),
    metadata: Object.fromEntries(data.metadata),
    schemas: Object.fromEntries([...data.schemas.values()].map((schema) => [schema.name, schema])),
    channels: Object.fromEntries([...data.channels.values()].map((channel) => [channel.topic, channel])),
    messages: data.messages,
    chunks: data.chunks.size,
  }
}

interface ChunkFacts {
  readonly start: number
  readonly length: number
  readonly from: bigint
  readonly to: bigint
  readonly size: bigint
  /** Offset of the message index of each channel. */
  readonly indexes: Map<number, number>
  indexBytes: number
  /** Time of the message at each offset of the records. */
  readonly times: Map<number, readonly [channel: number, time: bigint]>
}

class DataSection {
  readonly schemas = new Map<number, { name: string; encoding: string; data: Buffer }>()
  readonly channels = new Map<number, { topic: string; schema: string; encoding: string }>()
  readonly messages: McapMessage[] = []
  readonly metadata: [string, Record<string, string>][] = []
  readonly metadataAt: number[] = []
  readonly chunks = new Map<number, ChunkFacts>()
  readonly counts = new Map<number, bigint>()
  #chunk: ChunkFacts | undefined
  #unindexed = 0

  add({ op, start, content }: Record_): void {
    if (op === OP.chunk) this.#addChunk(start, content)
    else if (op === OP.messageIndex) this.#addIndex(start, content)
    else if (op === OP.metadata) {
      this.metadataAt.push(start)
      this.metadata.push([content.text(), Object.fromEntries(content.map(content.text, content.text))])
    } else this.#addInner(op, content, undefined, 0)
  }

  #addChunk(start: number, content: Cursor): void {
    equal('messages of the last chunk without an index', this.#unindexed, 0)
    const [from, to, size, crc] = [content.u64(), content.u64(), content.u64(), content.u32()]
    equal('compression', content.text(), '')
    const records = content.take(Number(content.u64()))
    equal('bytes after a chunk', content.isAtEnd, true)
    equal('size of a chunk', BigInt(records.length), size)
    equal('CRC of a chunk', crc, crc32(records))
    const length = 9 + content.bytes.length
    const chunk: ChunkFacts = { start, length, from, to, size, indexes: new Map(), indexBytes: 0, times: new Map() }
    for (const record of recordsOf(records, 0)) this.#addInner(record.op, record.content, chunk, record.start)
    const times = [...chunk.times.values()].map(([, time]) => time)
    equal(
      'first time of a chunk',
      from,
      times.reduce((a, b) => (b < a ? b : a)),
    )
    equal(
      'last time of a chunk',
      to,
      times.reduce((a, b) => (b > a ? b : a)),
    )
    this.chunks.set(start, chunk)
    this.#chunk = chunk
    this.#unindexed = chunk.times.size
  }

  #addInner(op: number, content: Cursor, chunk: ChunkFacts | undefined, offset: number): void {
    if (op === OP.schema) {
      const [id, name, encoding] = [content.u16(), content.text(), content.text()]
      this.schemas.set(id, { name, encoding, data: content.take(content.u32()) })
    } else if (op === OP.channel) {
      const [id, schema, topic, encoding] = [content.u16(), content.u16(), content.text(), content.text()]
      this.channels.set(id, { topic, schema: this.schemas.get(schema)!.name, encoding })
    } else if (op === OP.message) {
      const [id, sequence, logTime, publishTime] = [content.u16(), content.u32(), content.u64(), content.u64()]
      equal('publish time', publishTime, logTime)
      const { topic, schema } = this.channels.get(id)!
      this.messages.push({ topic, schema, logTime, sequence, data: content.rest() })
      this.counts.set(id, (this.counts.get(id) ?? 0n) + 1n)
      chunk?.times.set(offset, [id, logTime])
    } else throw new Error(`record ${op} in the data`)
  }

  #addIndex(start: number, content: Cursor): void {
    const [chunk, channel] = [this.#chunk!, content.u16()]
    for (const [time, offset] of content.map(content.u64, () => Number(content.u64()))) {
      equal('message that an index names', chunk.times.get(offset)?.join(), [channel, time].join())
      this.#unindexed--
    }
    chunk.indexes.set(channel, start)
    chunk.indexBytes += 9 + content.bytes.length
  }
}

function checkSummary(bytes: Buffer, records: readonly Record_[], data: DataSection): void {
  const footer = records.at(-1)!
  const [summaryStart, offsetStart] = [Number(footer.content.u64()), Number(footer.content.u64())]
  equal('start of the summary', summaryStart, records[0]!.start)
  equal('CRC of the summary', footer.content.u32(), crc32(bytes.subarray(summaryStart, footer.start + 25)))
  equal('offsets', offsetStart, records.find(({ op }) => op === OP.summaryOffset)!.start)
  const count = (op: number): number => records.filter((record) => record.op === op).length
  equal('schemas in the summary', count(OP.schema), data.schemas.size)
  equal('channels in the summary', count(OP.channel), data.channels.size)
  equal('chunk indexes', count(OP.chunkIndex), data.chunks.size)
  equal('metadata indexes', count(OP.metadataIndex), data.metadataAt.length)
  equal('statistics', count(OP.statistics), 1)
  for (const { op, content } of records) {
    if (op === OP.chunkIndex) checkChunkIndex(content, data)
    else if (op === OP.statistics) checkStatistics(content, data)
    else if (op === OP.metadataIndex) equal('metadata', data.metadataAt.includes(Number(content.u64())), true)
    else if (op === OP.summaryOffset) {
      const [group, start, length] = [content.u8(), Number(content.u64()), Number(content.u64())]
      const inGroup = records.filter((record) => record.op === group)
      equal('start of a group', start, inGroup[0]!.start)
      const groupBytes = inGroup.reduce((sum, record) => sum + 9 + record.content.bytes.length, 0)
      equal('length of a group', length, groupBytes)
    }
  }
}

function checkChunkIndex(content: Cursor, data: DataSection): void {
  const [from, to, start, length] = [content.u64(), content.u64(), Number(content.u64()), Number(content.u64())]
  const chunk = data.chunks.get(start)!
  equal('times of a chunk', `${from} ${to} ${length}`, `${chunk.from} ${chunk.to} ${chunk.length}`)
  const indexes = content.map(content.u16, () => Number(content.u64()))
  equal('message indexes', indexes.flat().join(), [...chunk.indexes].flat().join())
  equal('bytes of message indexes', Number(content.u64()), chunk.indexBytes)
  equal('compression', content.text(), '')
  equal('sizes', `${content.u64()} ${content.u64()}`, `${chunk.size} ${chunk.size}`)
}

function checkStatistics(content: Cursor, data: DataSection): void {
  equal('messages', content.u64(), BigInt(data.messages.length))
  equal('schemas', content.u16(), data.schemas.size)
  equal('channels', content.u32(), data.channels.size)
  equal('attachments', content.u32(), 0)
  equal('metadata', content.u32(), data.metadataAt.length)
  equal('chunks', content.u32(), data.chunks.size)
  const times = data.messages.map(({ logTime }) => logTime)
  equal(
    'first time',
    content.u64(),
    times.reduce((a, b) => (b < a ? b : a)),
  )
  equal(
    'last time',
    content.u64(),
    times.reduce((a, b) => (b > a ? b : a)),
  )
  const counts = content.map(content.u16, content.u64)
  equal('messages by channel', counts.flat().join(), [...data.counts].flat().join())
}

/** Fields of a protobuf message by number, as they stand on the wire: whole numbers, doubles, or bytes; each a list. */
export function protobufFields(bytes: Buffer): Map<number, (bigint | number | Buffer)[]> {
  const cursor = new Cursor(bytes)
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = cursor.u8()
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  const fields = new Map<number, (bigint | number | Buffer)[]>()
  while (!cursor.isAtEnd) {
    const tag = Number(varint())
    const wire = tag & 7
    const value = wire === 0 ? varint() : wire === 1 ? cursor.take(8).readDoubleLE() : cursor.take(Number(varint()))
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value])
  }
  return fields
}
