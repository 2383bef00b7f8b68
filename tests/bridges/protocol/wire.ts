import { BIN_KEY } from '../../../bridges/protocol/wire-reader.ts'
import { WireReader } from '../../../bridges/protocol/wire-reader.ts'
import { WireWriter } from '../../../bridges/protocol/wire-writer.ts'

/** Any value that a message can hold, to make messages that the codec does not: a key that begins with `BIN_KEY` is `bin`, a bigint takes 64 bits. */
export type Wire = null | boolean | number | bigint | string | Uint8Array | readonly Wire[] | ReadonlyMap<string, Wire>

/** `value` after `prefix`. */
export function encodeWire(value: Wire, prefix: string): Buffer {
  const out = new WireWriter(16)
  out.raw(Buffer.from(prefix, 'latin1'))
  write(out, value)
  return out.finish()
}

function write(out: WireWriter, value: Wire): void {
  if (value === null) out.nil()
  else if (typeof value === 'boolean') out.flag(value)
  else if (typeof value === 'number') out.number(value)
  else if (typeof value === 'bigint') out.raw(Buffer.from(`cf${value.toString(16).padStart(16, '0')}`, 'hex'))
  else if (typeof value === 'string') out.text(value)
  else if (value instanceof Uint8Array) out.binary(value)
  else if (value instanceof Map) {
    out.mapHead(value.size)
    for (const [key, item] of value as ReadonlyMap<string, Wire>) {
      if (key.startsWith(BIN_KEY)) out.binary(Buffer.from(key.slice(1)))
      else out.text(key)
      write(out, item)
    }
  } else {
    const list = value as readonly Wire[]
    out.arrayHead(list.length)
    for (const item of list) write(out, item)
  }
}

/** The value that fills `bytes` from `start`. */
export function decodeWire(bytes: Buffer, start: number): Wire {
  return read(new WireReader(bytes, start))
}

function read(from: WireReader): Wire {
  if (from.nil()) return null
  const scalar = from.flag() ?? from.number() ?? from.text()
  if (scalar !== undefined) return scalar
  const bytes = from.binary()
  if (bytes !== undefined) return Buffer.from(bytes)
  const length = from.arrayHead()
  if (length !== undefined) return Array.from({ length }, () => read(from))
  const size = from.mapHead()
  if (size === undefined) throw new Error('a whole number beyond 2^53')
  const entries = Array.from({ length: size }, (): [string, Wire] => [
    from.text() ?? BIN_KEY + Buffer.from(from.binary()!).toString('latin1'),
    read(from),
  ])
  return new Map(entries)
}
