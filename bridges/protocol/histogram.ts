/** Largest value that is told apart from larger ones, microseconds. */
const MAX_US = 10_000_000
/** Half of it is the buckets per power of two: neighbours differ by less than 1 %, so two digits are right. */
const STEPS = 256
const POWERS = Math.ceil(Math.log2(MAX_US / STEPS))

/**
 * Counts durations from 1 us to 10 s with two right digits in constant memory (the scheme of HdrHistogram: linear within each power of
 * two). Shorter ones count as 0, longer ones as 10 s; `maxUs` stays exact.
 */
export class Histogram {
  private readonly counts = new Float64Array(STEPS * (POWERS + 1))
  private total = 0
  private largest = 0

  get count(): number {
    return this.total
  }

  /** The longest duration, exactly; 0 where there is none. */
  get maxUs(): number {
    return this.largest
  }

  /** @param durationUs anything that is not a number or negative counts as 0 */
  record(durationUs: number): void {
    const value = durationUs > 0 ? durationUs : 0
    this.counts[bucketOf(Math.min(value, MAX_US))]!++
    this.total++
    if (value > this.largest) this.largest = value
  }

  /**
   * The smallest recorded duration that at least `percent` % of all do not exceed, to two digits (rounded up, never above `maxUs`);
   * 0 where there is none.
   */
  percentileUs(percent: number): number {
    const rank = Math.max(1, Math.ceil((percent / 100) * this.total))
    let seen = 0
    for (let bucket = 0; bucket < this.counts.length; bucket++) {
      seen += this.counts[bucket]!
      if (seen >= rank) return Math.min(topOf(bucket), this.largest)
    }
    return 0
  }

  clear(): void {
    this.counts.fill(0)
    this.total = 0
    this.largest = 0
  }
}

/** Values below STEPS have a bucket each; each further power of two has STEPS / 2 of equal width. */
function bucketOf(value: number): number {
  const whole = Math.floor(value)
  if (whole < STEPS) return whole
  const power = Math.floor(Math.log2(whole / STEPS)) + 1
  return STEPS / 2 + (power * STEPS) / 2 + (Math.floor(whole / 2 ** power) - STEPS / 2)
}

/** The largest whole value that falls into `bucket`. */
function topOf(bucket: number): number {
  if (bucket < STEPS) return bucket
  const power = Math.floor((bucket - STEPS / 2) / (STEPS / 2))
  const step = bucket - STEPS / 2 - (power * STEPS) / 2 + STEPS / 2
  return (step + 1) * 2 ** power - 1
}
