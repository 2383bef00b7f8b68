/** Messages that may wait at once, whosever they are: all of them cross to the other thread in one turn of its event loop. */
const MAX_WAITING = 96
/** Of one connection. */
const MAX_OWN = 32
/** So many of each connection always find room, if they are small: no flood keeps a stop out. */
const ALWAYS_OWN = 8
const SMALL_BYTES = 4096
const MAX_BYTES = 8 * 2 ** 20
/** More connections than doors let in, with {@link ALWAYS_OWN} each. */
const PLACES = 4096

interface Place {
  name: string
  bytes: number
}

/**
 * Who has how many messages on their way to the robot's thread, which takes them in order. What a robot that is busy has not taken yet is bounded,
 * in number and in bytes; a connection that floods fills its own share only.
 */
export class WaitingRoom {
  readonly #places: Place[] = Array.from({ length: PLACES }, () => ({ name: '', bytes: 0 }))
  readonly #own = new Map<string, number>()
  #passed = 0
  #taken = 0
  #bytes = 0

  /**
   * Whether a message of `bytes` of the connection `name` may go on; it then waits until it is taken.
   * @param taken how many have been taken so far, modulo 2^32
   */
  admits(name: string, bytes: number, taken: number): boolean {
    this.#leave(taken)
    const own = this.#own.get(name) ?? 0
    const waiting = this.#passed - this.#taken
    const isAlways = own < ALWAYS_OWN && bytes <= SMALL_BYTES && waiting < PLACES
    const hasRoom = waiting < MAX_WAITING && own < MAX_OWN && this.#bytes + bytes <= MAX_BYTES
    if (!isAlways && !hasRoom) return false
    const place = this.#places[this.#passed++ % PLACES]!
    place.name = name
    place.bytes = bytes
    this.#bytes += bytes
    this.#own.set(name, own + 1)
    return true
  }

  #leave(taken: number): void {
    while ((this.#taken | 0) !== (taken | 0) && this.#taken < this.#passed) {
      const { name, bytes } = this.#places[this.#taken++ % PLACES]!
      const own = this.#own.get(name)! - 1
      if (own > 0) this.#own.set(name, own)
      else this.#own.delete(name)
      this.#bytes -= bytes
    }
  }
}
