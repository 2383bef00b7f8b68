import type { WireReader } from './wire-reader.ts'
import { BIN_KEY } from './wire-reader.ts'
import { WireWriter } from './wire-writer.ts'

/** The keys that a map may have, as they are on the wire. */
export class MapKeys {
  /** Each key as msgpack. */
  readonly bytes: readonly Uint8Array[]
  readonly #indices: ReadonlyMap<string, number>

  /** @param names ones that begin with {@link BIN_KEY} are `bin` */
  constructor(names: readonly string[]) {
    this.bytes = names.map(encoded)
    this.#indices = new Map(names.map((name, index) => [name, index]))
  }

  /**
   * Reads a key, and says which it is.
   * @param guess the one that is probably next: senders keep to an order
   */
  read(from: WireReader, guess: number): number | undefined {
    const expected = this.bytes[guess]
    if (expected !== undefined && from.raw(expected)) return guess
    const text = from.text()
    if (text !== undefined) return text.startsWith(BIN_KEY) ? undefined : this.#indices.get(text)
    return this.#indices.get(BIN_KEY + Buffer.from(from.binary()!).toString('latin1'))
  }
}

function encoded(name: string): Uint8Array {
  const out = new WireWriter(64)
  if (name.startsWith(BIN_KEY)) out.binary(Buffer.from(name.slice(1)))
  else out.text(name)
  return out.finish()
}
