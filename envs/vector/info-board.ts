import type { Info } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'

/** Where envs leave their infos, one per index. */
export interface Infos {
  write(index: number, info: Info): void
  read(index: number): Info
}

const MAX_VALUES = 128
/** Bytes for the names of one info, as JSON in UTF-8. */
const MAX_NAME_BYTES = 8192
const VALUE_BYTES = MAX_VALUES * Float64Array.BYTES_PER_ELEMENT
const HEADER_BYTES = 16
const SLOT_BYTES = HEADER_BYTES + VALUE_BYTES + MAX_NAME_BYTES

interface Slot {
  /** Number of values, bytes of names, and how often the names have changed. */
  readonly header: Int32Array
  readonly values: Float64Array
  readonly text: Uint8Array
  names: readonly string[]
  version: number
}

/**
 * Infos in shared memory: float64 values by position, and their names, which are written and parsed again only when they change. The
 * infos that come out equal those that went in, key order included.
 */
export class InfoBoard implements Infos {
  readonly #slots: readonly Slot[]
  readonly #encoder = new TextEncoder()
  readonly #decoder = new TextDecoder()

  /** Size of the buffer for `count` infos. */
  static bytes(count: number): number {
    return count * SLOT_BYTES
  }

  constructor(buffer: ArrayBufferLike, count: number) {
    this.#slots = Array.from({ length: count }, (_, index) => {
      const start = index * SLOT_BYTES
      return {
        header: new Int32Array(buffer, start, 3),
        values: new Float64Array(buffer, start + HEADER_BYTES, MAX_VALUES),
        text: new Uint8Array(buffer, start + HEADER_BYTES + VALUE_BYTES, MAX_NAME_BYTES),
        names: [],
        version: 0,
      }
    })
  }

  /** @throws ArmatureError `env-failed` for an info too large for its slot. */
  write(index: number, info: Info): void {
    const slot = this.#slots[index]!
    const names = Object.keys(info)
    if (names.length !== slot.names.length || names.some((name, i) => name !== slot.names[i])) {
      this.#writeNames(slot, names)
    }
    for (const [i, name] of names.entries()) slot.values[i] = info[name]!
  }

  read(index: number): Info {
    const slot = this.#slots[index]!
    const [count, textBytes, version] = slot.header
    if (slot.version !== version) {
      // A decoder takes no shared memory.
      slot.names = count === 0 ? [] : (JSON.parse(this.#decoder.decode(slot.text.slice(0, textBytes))) as string[])
      slot.version = version!
    }
    const info: Record<string, number> = {}
    for (const [i, name] of slot.names.entries()) info[name] = slot.values[i]!
    return info
  }

  #writeNames(slot: Slot, names: readonly string[]): void {
    const text = this.#encoder.encode(JSON.stringify(names))
    if (names.length > MAX_VALUES || text.length > MAX_NAME_BYTES) {
      throw new ArmatureError('env-failed', 'info too large to pass between threads', {
        expected: `at most ${MAX_VALUES} values with names of ${MAX_NAME_BYTES} bytes`,
        got: `${names.length} values with names of ${text.length} bytes`,
      })
    }
    slot.text.set(text)
    slot.names = names
    slot.header[0] = names.length
    slot.header[1] = text.length
    slot.header[2]!++
  }
}

/** Infos that stay in one thread. */
export class InfoList implements Infos {
  readonly #infos: Info[]

  constructor(count: number) {
    this.#infos = Array.from({ length: count }, () => ({}))
  }

  write(index: number, info: Info): void {
    this.#infos[index] = info
  }

  read(index: number): Info {
    return this.#infos[index]!
  }
}
