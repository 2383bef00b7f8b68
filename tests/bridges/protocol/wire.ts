import { Unpackr } from 'msgpackr'
import { scan } from '../../../bridges/protocol/scan.ts'

/** Marks a key that is `bin` rather than `str` on the wire. */
export const BIN_KEY = '\u0000'

/** Any value that a message can hold, to make messages that the codec does not: a key that begins with `BIN_KEY` is `bin`, a bigint takes 64 bits. */
export type Wire = null | boolean | number | bigint | string | Uint8Array | readonly Wire[] | ReadonlyMap<string, Wire>

/** `value` after `prefix`, by a writer that is independent of the one that is tested. */
export function encodeWire(value: Wire, prefix: string): Buffer {
  return Buffer.concat([Buffer.from(prefix, 'latin1'), bytesOf(value)])
}

function bytesOf(value: Wire): Buffer {
  if (value === null) return Buffer.from([0xc0])
  if (typeof value === 'boolean') return Buffer.from([value ? 0xc3 : 0xc2])
  if (typeof value === 'number') return numberBytes(value)
  if (typeof value === 'bigint') return Buffer.from(`cf${value.toString(16).padStart(16, '0')}`, 'hex')
  if (typeof value === 'string') return headed(0xdb, Buffer.byteLength(value), Buffer.from(value))
  if (value instanceof Uint8Array) return headed(0xc6, value.length, Buffer.from(value))
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<string, Wire>)].flatMap(([key, item]) => [
      key.startsWith(BIN_KEY) ? bytesOf(Buffer.from(key.slice(1))) : bytesOf(key),
      bytesOf(item),
    ])
    return headed(0xdf, value.size, ...entries)
  }
  const list = value as readonly Wire[]
  return headed(0xdd, list.length, ...list.map(bytesOf))
}

/** With a length of 32 bits, whatever it is. */
function headed(code: number, length: number, ...parts: Buffer[]): Buffer {
  const head = Buffer.alloc(5)
  head[0] = code
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, ...parts])
}

function numberBytes(x: number): Buffer {
  const bytes = Buffer.alloc(9)
  if (Number.isInteger(x) && x >= 0 && x < 2 ** 32 && !Object.is(x, -0)) {
    bytes[0] = 0xce
    bytes.writeUInt32BE(x, 1)
    return bytes.subarray(0, 5)
  }
  bytes[0] = 0xcb
  bytes.writeDoubleBE(x, 1)
  return bytes
}

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: false, int64AsType: 'number' } as object)

/** The value that fills `bytes` from `start`, which must be allowed. */
export function decodeWire(bytes: Buffer, start: number): Wire {
  scan(bytes, start)
  return marked(unpackr.unpack(bytes.subarray(start)))
}

function marked(value: unknown): Wire {
  if (Array.isArray(value)) return value.map(marked)
  if (!(value instanceof Map)) return value as Wire
  const entries = [...(value as Map<unknown, unknown>)].map(([key, item]): [string, Wire] => [
    key instanceof Uint8Array ? BIN_KEY + Buffer.from(key).toString('latin1') : String(key),
    marked(item),
  ])
  return new Map(entries)
}
