import { TokenBucket } from '../peers.ts'

/** Connections of which it is remembered how much they said. */
const REMEMBERED = 1024
/** Messages a second that go on to the robot's thread, of all connections together. */
const ALL_PER_SECOND = 4000
/** Of each connection so many go on however much the others say. */
const ALWAYS_PER_SECOND = 20
/** Reports of connections and messages that were turned away, a second. */
const REPORTS_PER_SECOND = 20

/** What the robot's thread is spared: of each connection, and of all together, so many messages a second go on to it. None is kept out by the others. */
export class Gate {
  readonly #perSecond: number
  readonly #clock: () => number
  readonly #buckets = new Map<string, { readonly own: TokenBucket; readonly always: TokenBucket }>()
  readonly #all: TokenBucket
  readonly #reports: TokenBucket
  #turnedAway = 0

  constructor(perSecond: number, clock: () => number) {
    this.#perSecond = perSecond
    this.#clock = clock
    this.#all = new TokenBucket(Math.max(ALL_PER_SECOND, 4 * perSecond), clock())
    this.#reports = new TokenBucket(REPORTS_PER_SECOND, clock())
  }

  get turnedAway(): number {
    return this.#turnedAway
  }

  turnAway(count: number): void {
    this.#turnedAway += count
  }

  /** Whether one more message of the connection `name` may go on. */
  admits(name: string): boolean {
    const nowUs = this.#clock()
    const buckets = this.#buckets.get(name) ?? {
      own: new TokenBucket(2 * this.#perSecond, nowUs),
      always: new TokenBucket(ALWAYS_PER_SECOND, nowUs),
    }
    this.#buckets.delete(name)
    this.#buckets.set(name, buckets)
    if (this.#buckets.size > REMEMBERED) this.#buckets.delete(this.#buckets.keys().next().value!)
    return buckets.own.take(nowUs) && (buckets.always.take(nowUs) || this.#all.take(nowUs))
  }

  /** Does `tell`, unless that was done too often. */
  report(tell: () => void): void {
    if (this.#reports.take(this.#clock())) tell()
  }
}
