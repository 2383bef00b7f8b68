import { performance } from 'node:perf_hooks'

/** Of each turn of the event loop: control periods, which begin by timers, then come next. */
const TURN_MS = 1

/**
 * What came from the other thread, handed over in portions: however much waits, a turn of the event loop takes no longer than about a millisecond, and
 * one message. Without it a thousand messages that come at once are all taken before the next timer.
 */
export class Inbox<T> {
  readonly #take: (item: T) => void
  readonly #waiting: T[] = []
  #at = 0
  #spentMs = 0
  #isTurnCounted = false

  /** @param take must not throw */
  constructor(take: (item: T) => void) {
    this.#take = take
  }

  /** Items that wait for a later turn. */
  get length(): number {
    return this.#waiting.length - this.#at
  }

  /** Hands `item` over at once if this turn has time for it, in order in any case. */
  push(item: T): void {
    this.#waiting.push(item)
    this.#work()
  }

  #work(): void {
    while (this.#spentMs < TURN_MS && this.#at < this.#waiting.length) {
      const beginMs = performance.now()
      this.#take(this.#waiting[this.#at++]!)
      this.#spentMs += performance.now() - beginMs
    }
    if (this.#at === this.#waiting.length) this.#waiting.length = this.#at = 0
    if (this.#isTurnCounted) return
    this.#isTurnCounted = true
    setImmediate(() => {
      this.#isTurnCounted = false
      this.#spentMs = 0
      if (this.length > 0) this.#work()
    })
  }
}
