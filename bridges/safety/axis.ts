/** Limits of one number x that changes every `dtS` seconds, and of its differences; those not limited are Infinity. */
export interface AxisSpec {
  readonly dtS: number
  readonly low: number
  readonly high: number
  /** Of v[k] = (x[k] - x[k-1]) / dt. */
  readonly maxVelocity: number
  /** Of a[k] = (v[k] - v[k-1]) / dt. */
  readonly maxAcceleration: number
  /** Of j[k] = (a[k] - a[k-1]) / dt. */
  readonly maxJerk: number
}

/** A place that x should not pass without need: where it is told to be. */
export interface StopLine {
  readonly at: number
  /** 1: x should stay below, -1: above. */
  readonly side: 1 | -1
}

/** Relative, against the rounding of the same number computed twice. */
const SLACK = 1 + 1e-9
/** Speeds below are rest. */
const REST = 1e-12
const BISECTIONS = 40

/**
 * One number under limits, and the next velocities that it may have. A velocity is viable if braking after it stays within all limits until
 * rest. That is checked by braking in thought; so from every state at least one velocity is viable, the one that braking takes.
 */
export class Axis {
  readonly #spec: AxisSpec
  /** Most that the acceleration may change by in one period. */
  readonly #ramp: number
  readonly #maxBrakeSteps: number
  /** Beyond the limits where x began there, and then never further out than it must go. */
  #low: number
  #high: number
  #x = 0
  #v = 0
  #a = 0

  constructor(spec: AxisSpec) {
    this.#spec = spec
    this.#ramp = spec.maxJerk * spec.dtS
    this.#maxBrakeSteps = Math.ceil(this.stoppingTimeS / spec.dtS)
    this.#low = spec.low
    this.#high = spec.high
  }

  get x(): number {
    return this.#x
  }

  get low(): number {
    return this.#low
  }

  get high(): number {
    return this.#high
  }

  get isStill(): boolean {
    return this.#v === 0 && this.#a === 0
  }

  /** Longest time from any state within the limits to a standstill. */
  get stoppingTimeS(): number {
    const { dtS, maxVelocity, maxAcceleration, maxJerk } = this.#spec
    return rampTimeS(maxVelocity, maxAcceleration, maxJerk, dtS)
  }

  /** How far x goes at most while it brakes from a constant velocity `v`, of either sign. */
  stoppingDistance(v: number): number {
    const { dtS, maxVelocity, maxAcceleration, maxJerk } = this.#spec
    const speed = Math.min(Math.abs(v), maxVelocity)
    if (maxAcceleration === Infinity) return speed * dtS
    const isShort = speed < (maxAcceleration * maxAcceleration) / maxJerk
    const timeS = isShort ? 2 * Math.sqrt(speed / maxJerk) : speed / maxAcceleration + maxAcceleration / maxJerk
    return speed * (timeS / 2 + dtS)
  }

  /** Still at `x`, which may lie beyond the limits. */
  rest(x: number): void {
    const { low, high } = this.#spec
    this.#low = Math.min(low, x)
    this.#high = Math.max(high, x)
    this.#x = x
    this.#v = 0
    this.#a = 0
  }

  /** The next velocity on the way to a standstill. */
  brakeVelocity(): number {
    return this.#brake(this.#v, this.#a)
  }

  /** Takes the step with velocity `v` to `x` (given, because x + v dt is not quite it). */
  move(v: number, x: number): void {
    this.#a = (v - this.#v) / this.#spec.dtS
    this.#v = v
    this.#x = x
    const { low, high } = this.#spec
    if (this.#low < low) this.#low = Math.max(this.#low, Math.min(low, this.#brakePath(Math.min)))
    if (this.#high > high) this.#high = Math.min(this.#high, Math.max(high, this.#brakePath(Math.max)))
  }

  isWithinVelocity(v: number): boolean {
    return Math.abs(v) <= this.#spec.maxVelocity * SLACK
  }

  isWithinAcceleration(v: number): boolean {
    return Math.abs(v - this.#v) / this.#spec.dtS <= this.#spec.maxAcceleration * SLACK
  }

  isWithinJerk(v: number): boolean {
    return Math.abs((v - this.#v) / this.#spec.dtS - this.#a) <= this.#ramp * SLACK
  }

  /** @param x where `v` leads, when that is known better than by x + v dt */
  isViable(v: number, x: number = this.#x + v * this.#spec.dtS, line?: StopLine): boolean {
    if (!this.isWithinVelocity(v) || !this.isWithinAcceleration(v) || !this.isWithinJerk(v)) return false
    const low = line?.side === -1 ? Math.max(this.#low, line.at) : this.#low
    const high = line?.side === 1 ? Math.min(this.#high, line.at) : this.#high
    return this.#canBrake(x, v, (v - this.#v) / this.#spec.dtS, low, high)
  }

  /**
   * The velocity nearest to `wanted` that is viable and can stop at `line`, on the way there from that of braking, which is the answer where
   * no other can.
   */
  nearest(wanted: number, line: StopLine): number {
    let good = this.brakeVelocity()
    let bad = Math.max(-this.#spec.maxVelocity, Math.min(this.#spec.maxVelocity, wanted))
    if (this.isViable(bad, undefined, line)) return bad
    for (let i = 0; i < BISECTIONS; i++) {
      const middle = (good + bad) / 2
      if (this.isViable(middle, undefined, line)) good = middle
      else bad = middle
    }
    return good
  }

  #canBrake(x0: number, v0: number, a0: number, low: number, high: number): boolean {
    const { dtS } = this.#spec
    let [x, v, a] = [x0, v0, a0]
    for (let step = 0; step <= this.#maxBrakeSteps; step++) {
      if (!(x >= low && x <= high && this.isWithinVelocity(v))) return false
      if (v === 0 && Math.abs(a) <= this.#ramp) return true
      const next = this.#brake(v, a)
      a = (next - v) / dtS
      v = next
      x += v * dtS
    }
    return false
  }

  /** The least or greatest x while braking from now on. */
  #brakePath(extreme: (a: number, b: number) => number): number {
    const { dtS } = this.#spec
    let [x, v, a] = [this.#x, this.#v, this.#a]
    let reached = x
    for (let step = 0; step <= this.#maxBrakeSteps; step++) {
      const next = this.#brake(v, a)
      a = (next - v) / dtS
      v = next
      x += v * dtS
      reached = extreme(reached, x)
    }
    return reached
  }

  /**
   * The velocity after one period of braking from (v, a). The acceleration is the strongest from which ramping down at full jerk ends at
   * v = 0: with need = |v| / dt, after the n whole ramps whose sum r n (n + 1) / 2 does not exceed it, m (n + 1) - r n (n + 1) / 2 = need.
   */
  #brake(v: number, a: number): number {
    const { dtS, maxAcceleration } = this.#spec
    const ramp = this.#ramp
    const need = Math.abs(v) / dtS
    let m = need
    if (ramp !== Infinity) {
      const n = Math.floor((Math.sqrt(1 + (8 * need) / ramp) - 1) / 2)
      m = (need + (ramp * n * (n + 1)) / 2) / (n + 1)
    }
    const low = Math.max(-maxAcceleration, a - ramp)
    const high = Math.min(maxAcceleration, a + ramp)
    const next = v + Math.max(low, Math.min(high, v > 0 ? -m : m)) * dtS
    return Math.abs(next) < REST ? 0 : next
  }
}

/**
 * Longest time in which something changes by `amount` at the rate `rate`, which builds up and down at `rateOfRate` and may have the wrong
 * sign at first: amount / rate + 2 rate / rateOfRate, and what rounding to whole periods adds.
 */
export function rampTimeS(amount: number, rate: number, rateOfRate: number, dtS: number): number {
  const rampsS = rate === Infinity || rateOfRate === Infinity ? 0 : (2 * rate) / rateOfRate
  return (rate === Infinity ? 0 : amount / rate) + rampsS + 5 * dtS
}
