/** Limits of one number that moves in time: of its position x and of x's first three derivatives, by differences of period `dtS`. */
export interface AxisSpec {
  readonly dtS: number
  readonly low: number
  readonly high: number
  readonly minVelocity: number
  readonly maxVelocity: number
  readonly maxAcceleration: number
  readonly maxJerk: number
  /** Share of `maxAcceleration` that speeding up may use; braking uses all. */
  readonly speedUpShare: number
}

/** Against rounding: relative, where two computations of the same number are compared. */
const SLACK = 1 + 1e-9
/** Speeds below are rest. */
const REST = 1e-12
const BISECTIONS = 48

/**
 * One number under limits, and the next velocities that it may have. Such a velocity is viable if braking after it stays within all limits
 * until rest. That is checked by braking in thought; so from every state at least one velocity is viable, the one that braking takes.
 *
 * Velocity, acceleration and jerk at step k are v[k] = (x[k] - x[k-1]) / dt, a[k] = (v[k] - v[k-1]) / dt, j[k] = (a[k] - a[k-1]) / dt.
 */
export class Axis {
  readonly #spec: AxisSpec
  /** Most that the acceleration may change by in one period. */
  readonly #ramp: number
  readonly #maxBrakeSteps: number
  /** Where it is and may go: beyond the limits where it began there, and then never further out than it must. */
  #low: number
  #high: number
  #x = 0
  #v = 0
  #a = 0

  constructor(spec: AxisSpec) {
    this.#spec = spec
    this.#ramp = spec.maxJerk * spec.dtS
    this.#maxBrakeSteps = Math.ceil(this.brakingTimeS / spec.dtS)
    this.#low = spec.low
    this.#high = spec.high
  }

  get x(): number {
    return this.#x
  }

  get velocity(): number {
    return this.#v
  }

  get low(): number {
    return this.#low
  }

  get high(): number {
    return this.#high
  }

  get isAtRest(): boolean {
    return this.#v === 0 && this.#a === 0
  }

  /** Longest time from any state within the limits to rest: V / A + 2 A / J, and what rounding to whole periods adds. */
  get brakingTimeS(): number {
    const { dtS, minVelocity, maxVelocity, maxAcceleration, maxJerk } = this.#spec
    const ramps = maxJerk === Infinity ? 0 : (2 * maxAcceleration) / maxJerk
    const shed = maxAcceleration === Infinity ? 0 : Math.max(-minVelocity, maxVelocity) / maxAcceleration
    return shed + ramps + 5 * dtS
  }

  /** At rest at `x`, which may lie beyond the limits. */
  rest(x: number): void {
    const { low, high } = this.#spec
    this.#low = Math.min(low, x)
    this.#high = Math.max(high, x)
    this.#x = x
    this.#v = 0
    this.#a = 0
  }

  /** The next velocity on the way to rest. */
  brakeVelocity(): number {
    return this.#brake(this.#v, this.#a)
  }

  /** Takes the step to velocity `v`, after which it is at `x` (given, because x + v dt is not quite it). */
  move(v: number, x: number): void {
    this.#a = (v - this.#v) / this.#spec.dtS
    this.#v = v
    this.#x = x
    const { low, high } = this.#spec
    if (this.#low === low && this.#high === high) return
    const reached = { low: x, high: x }
    this.#canBrake(x, v, this.#a, reached)
    this.#low = Math.max(this.#low, Math.min(low, reached.low))
    this.#high = Math.min(this.#high, Math.max(high, reached.high))
  }

  isWithinVelocity(v: number): boolean {
    return v >= this.#spec.minVelocity * SLACK && v <= this.#spec.maxVelocity * SLACK
  }

  isWithinAcceleration(v: number): boolean {
    const { dtS, maxAcceleration, speedUpShare } = this.#spec
    const share = Math.abs(v) > Math.abs(this.#v) ? speedUpShare : 1
    return Math.abs(v - this.#v) / dtS <= maxAcceleration * share * SLACK
  }

  isWithinJerk(v: number): boolean {
    return Math.abs((v - this.#v) / this.#spec.dtS - this.#a) <= this.#ramp * SLACK
  }

  isViable(v: number): boolean {
    if (!this.isWithinVelocity(v) || !this.isWithinAcceleration(v) || !this.isWithinJerk(v)) return false
    const { dtS } = this.#spec
    return this.#canBrake(this.#x + v * dtS, v, (v - this.#v) / dtS)
  }

  /** The viable velocity nearest to `wanted`, on the way there from that of braking. */
  nearest(wanted: number): number {
    if (this.isViable(wanted)) return wanted
    let good = this.brakeVelocity()
    let bad = Math.max(this.#spec.minVelocity, Math.min(this.#spec.maxVelocity, wanted))
    if (this.isViable(bad)) return bad
    for (let i = 0; i < BISECTIONS; i++) {
      const middle = (good + bad) / 2
      if (this.isViable(middle)) good = middle
      else bad = middle
    }
    return good
  }

  #canBrake(x0: number, v0: number, a0: number, reached?: { low: number; high: number }): boolean {
    const { dtS, minVelocity, maxVelocity } = this.#spec
    let [x, v, a] = [x0, v0, a0]
    for (let step = 0; step <= this.#maxBrakeSteps; step++) {
      const isInside = x >= this.#low && x <= this.#high
      if (!isInside || v < minVelocity * SLACK || v > maxVelocity * SLACK) return false
      if (reached !== undefined) {
        reached.low = Math.min(reached.low, x)
        reached.high = Math.max(reached.high, x)
      }
      if (v === 0 && Math.abs(a) <= this.#ramp) return true
      const next = this.#brake(v, a)
      a = (next - v) / dtS
      v = next
      x += v * dtS
    }
    return false
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
