/**
 * A second, independent implementation of the event file format, to check the writer against: CRC bit by bit instead of by
 * table, and a protobuf reader that knows no field beforehand.
 */

/** One decoded field: varint, double and float as numbers, nested messages and strings as bytes. */
export type Field = [number: number, value: number | Uint8Array]

export interface EventSummary {
  readonly wallTime: number
  readonly step: number
  readonly fileVersion?: string
  readonly scalars: Record<string, number>
  readonly images: Record<string, { height: number; width: number; colorspace: number; png: Uint8Array }>
}

/** Reads all records, checking both CRCs of each. */
export function readEventFile(bytes: Uint8Array): EventSummary[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const events: EventSummary[] = []
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true))
    requireCrc(bytes.subarray(at, at + 8), view.getUint32(at + 8, true))
    const data = bytes.subarray(at + 12, at + 12 + length)
    requireCrc(data, view.getUint32(at + 12 + length, true))
    events.push(toEvent(readFields(data)))
    at += 12 + length + 4
  }
  return events
}

/** CRC-32C one bit at a time, most significant bit first over reflected input. */
export function slowCrc32c(bytes: Uint8Array): number {
  let remainder = 0xffffffffn
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const incoming = BigInt((byte >> bit) & 1)
      const top = (remainder >> 31n) & 1n
      remainder = (remainder << 1n) & 0xffffffffn
      if (top !== incoming) remainder ^= 0x1edc6f41n
    }
  }
  let reflected = 0n
  for (let bit = 0n; bit < 32n; bit++) reflected |= ((remainder >> bit) & 1n) << (31n - bit)
  return Number(reflected ^ 0xffffffffn)
}

function requireCrc(data: Uint8Array, masked: number): void {
  const unmasked = BigInt.asUintN(32, BigInt(masked) - 0xa282ead8n)
  const crc = BigInt.asUintN(32, (unmasked << 15n) | (unmasked >> 17n))
  if (Number(crc) !== slowCrc32c(data)) throw new Error(`CRC mismatch over ${data.length} bytes`)
}

function readFields(bytes: Uint8Array): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fields: Field[] = []
  let at = 0
  const varint = (): number => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return Number(value)
    }
  }
  while (at < bytes.length) {
    const key = varint()
    const number = key >> 3
    switch (key & 7) {
      case 0:
        fields.push([number, varint()])
        break
      case 1:
        fields.push([number, view.getFloat64(at, true)])
        at += 8
        break
      case 2: {
        const length = varint()
        fields.push([number, bytes.subarray(at, at + length)])
        at += length
        break
      }
      case 5:
        fields.push([number, view.getFloat32(at, true)])
        at += 4
        break
      default:
        throw new Error(`unknown wire type in key ${key}`)
    }
  }
  if (at !== bytes.length) throw new Error('a field runs over the end of its message')
  return fields
}

function toEvent(fields: readonly Field[]): EventSummary {
  const scalars: EventSummary['scalars'] = {}
  const images: EventSummary['images'] = {}
  const summary = fields.filter(([number]) => number === 5).flatMap(([, bytes]) => readFields(bytes as Uint8Array))
  for (const [number, bytes] of summary) {
    if (number !== 1) throw new Error(`unexpected summary field ${number}`)
    const value = new Map(readFields(bytes as Uint8Array))
    const tag = text(value.get(1))
    const image = value.get(4)
    if (image === undefined) scalars[tag] = value.get(2) as number
    else images[tag] = toImage(new Map(readFields(image as Uint8Array)))
  }
  const event = new Map(fields)
  const base = { wallTime: event.get(1) as number, step: event.get(2) as number, scalars, images }
  return event.has(3) ? { ...base, fileVersion: text(event.get(3)) } : base
}

function toImage(fields: ReadonlyMap<number, number | Uint8Array>): EventSummary['images'][string] {
  return {
    height: fields.get(1) as number,
    width: fields.get(2) as number,
    colorspace: fields.get(3) as number,
    png: fields.get(4) as Uint8Array,
  }
}

function text(bytes: number | Uint8Array | undefined): string {
  return Buffer.from(bytes as Uint8Array).toString('utf8')
}
