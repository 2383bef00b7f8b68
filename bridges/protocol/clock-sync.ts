/** Samples that must be there before times can be converted. */
const NEEDED = 8
/** Samples that are remembered. */
const WINDOW = 64

interface Sample {
  readonly offsetUs: number
  readonly roundTripUs: number
}

/**
 * The offset between this side's monotonic clock and a robot's, from pings: of the last 64 the one with the shortest round trip counts,
 * because queueing only ever lengthens it. The true offset is within half that round trip (as in NTP, RFC 5905 section 8). The window
 * also bounds how long a drift of the clocks is carried along.
 */
export class ClockSync {
  private readonly samples: Sample[] = []
  private best: Sample = { offsetUs: 0, roundTripUs: Infinity }

  /**
   * One ping and its pong, microseconds.
   * @param t1 sent by this side's clock
   * @param t2 received by the robot's clock
   * @param t3 answered by the robot's clock
   * @param t4 received by this side's clock
   * @returns false, and nothing is kept, where time would run backwards
   */
  addSample(t1: number, t2: number, t3: number, t4: number): boolean {
    const roundTripUs = t4 - t1 - (t3 - t2)
    if (!(roundTripUs >= 0) || t3 < t2) return false
    this.samples.push({ offsetUs: (t2 - t1 + (t3 - t4)) / 2, roundTripUs })
    if (this.samples.length > WINDOW) this.samples.shift()
    this.best = this.samples.reduce((a, b) => (b.roundTripUs < a.roundTripUs ? b : a))
    return true
  }

  /** Enough samples to convert times by. */
  get ready(): boolean {
    return this.samples.length >= NEEDED
  }

  /** The robot's clock minus this side's. */
  get offsetUs(): number {
    return this.best.offsetUs
  }

  /** The offset is wrong by no more than this; Infinity before the first sample. */
  get errorUs(): number {
    return this.best.roundTripUs / 2
  }

  /** A time of this side's clock in the robot's, whole microseconds. */
  toRemote(localUs: number): number {
    return Math.round(localUs + this.best.offsetUs)
  }

  /** A time of the robot's clock in this side's, whole microseconds. */
  toLocal(remoteUs: number): number {
    return Math.round(remoteUs - this.best.offsetUs)
  }
}
