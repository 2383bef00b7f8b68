import { ArmatureError } from '../../src/core/errors.ts'
import type { ActionKind } from '../../src/core/robot.ts'
import type { StopLine } from './axis.ts'
import { Axis, rampTimeS } from './axis.ts'
import type { ElementLimits, LimitProfile } from './limits.ts'
import { needsPose } from './limits.ts'
import type { ActionProblem } from './outcomes.ts'

/** Bits of {@link LimitedAction.clamped}: which limits the request would have broken. */
export const CLAMPED: {
  readonly range: number
  readonly velocity: number
  readonly acceleration: number
  readonly jerk: number
  /** From there the robot could not have come to rest within its limits; or another element of the vector slowed this one down. */
  readonly braking: number
  readonly lead: number
  /** Not a finite vector of the right length: the robot brakes. */
  readonly invalid: number
} = { range: 1, velocity: 2, acceleration: 4, jerk: 8, braking: 16, lead: 32, invalid: 64 }

/** What may be executed. */
export interface LimitedAction {
  /** [size], overwritten by the next call of the engine. */
  readonly action: Float32Array
  /** Bits of {@link CLAMPED}; 0 where the request passed unchanged. */
  readonly clamped: number
}

/**
 * The last word on every action. Whatever comes in, what goes out stays inside the profile: the range of each element and its differences,
 * to within the rounding to float32; and the robot can always brake to rest inside it. A request inside the profile passes bit for bit, so
 * an output fed back is unchanged. One that lies further away is approached so that the robot can stop there, or at the speed at which the
 * requests move: a robot that is sent to a far place does not swing about it.
 *
 * @example
 * const engine = new LimitEngine(loadLimits(json), 'position', 1 / 50)
 * engine.reset(measured)
 * const { action, clamped } = engine.limit(requested, measured)
 */
export class LimitEngine {
  readonly profile: LimitProfile
  readonly #kind: ActionKind
  readonly #dtS: number
  readonly #axes: readonly Axis[]
  /** Hard limits as float32 knows them, so that a client that sends them is not refused. */
  readonly #hardLow: Float32Array
  readonly #hardHigh: Float32Array
  readonly #out: Float32Array
  readonly #target: Float64Array
  readonly #previous: Float64Array
  readonly #wanted: Float64Array
  readonly #chosen: Float64Array
  #isKnown: boolean
  #isFresh = true

  /**
   * @param dtS control period in seconds
   * @throws ArmatureError `bad-config` for a profile of another kind, or a velocity whose range excludes rest.
   */
  constructor(profile: LimitProfile, kind: ActionKind, dtS: number) {
    if (profile.actionKind !== kind) {
      throw new ArmatureError('bad-config', `limits ${profile.name}`, {
        expected: `${kind} actions`,
        got: profile.actionKind,
      })
    }
    this.profile = profile
    this.#kind = kind
    this.#dtS = dtS
    this.#axes = profile.elements.map((element) => axisOf(element, kind, dtS, profile.name))
    this.#hardLow = Float32Array.from(profile.elements, ({ min }) => min)
    this.#hardHigh = Float32Array.from(profile.elements, ({ max }) => max)
    const size = profile.elements.length
    this.#out = new Float32Array(size)
    this.#target = new Float64Array(size)
    this.#previous = new Float64Array(size)
    this.#wanted = new Float64Array(size)
    this.#chosen = new Float64Array(size)
    this.#isKnown = kind === 'velocity'
  }

  /** Longest time that {@link brake} takes to rest from any state within the profile. */
  get brakingTimeS(): number {
    if (this.#kind === 'position') return Math.max(...this.#axes.map((axis) => axis.stoppingTimeS))
    const times = this.profile.elements.map(({ min, max, maxStep = Infinity, maxAcceleration = Infinity, maxJerk }) => {
      const rate = Math.min(maxAcceleration, maxStep / this.#dtS)
      return rampTimeS(Math.max(-min, max), rate, maxJerk ?? Infinity, this.#dtS)
    })
    return Math.max(...times)
  }

  /** Whether braking would change nothing any more. */
  get atRest(): boolean {
    return !this.#isKnown || this.#axes.every((axis) => axis.isStill && (this.#kind === 'position' || axis.x === 0))
  }

  /**
   * The robot stands still, at `pose` where its actions are positions. Without a pose, which only a profile without limits on speed allows,
   * the first action is taken as it is.
   * @throws ArmatureError `bad-value` for a pose that is missing or not finite.
   */
  reset(pose?: Float32Array): void {
    const isPlaced = this.#kind === 'position' && pose !== undefined
    if (this.#kind === 'position' && pose === undefined && needsPose(this.profile)) {
      throw new ArmatureError('bad-value', `limits ${this.profile.name}`, {
        expected: 'the measured position of the robot, from which its speed is limited',
        got: 'none',
        fix: 'let the robot show proprioception with the names of its actions',
      })
    }
    if (isPlaced && (pose.length !== this.#axes.length || !pose.every(Number.isFinite))) {
      throw new ArmatureError('bad-value', 'measured position', {
        expected: `${this.#axes.length} finite numbers`,
        got: `[${pose.join(', ')}]`,
      })
    }
    for (let i = 0; i < this.#axes.length; i++) this.#rest(i, isPlaced ? pose[i]! : 0)
    this.#isKnown = this.#kind === 'velocity' || isPlaced
    this.#isFresh = true
  }

  /** Why `action` must be refused rather than clamped, or undefined. The start rule holds until an action was limited. */
  validate(action: Float32Array): ActionProblem | undefined {
    if (action.length !== this.#axes.length) return 'bad_shape'
    if (!action.every(Number.isFinite)) return 'not_finite'
    if (action.some((x, i) => x < this.#hardLow[i]! || x > this.#hardHigh[i]!)) return 'out_of_hard_limits'
    if (!this.#isFresh || !this.#isKnown) return undefined
    const isFar = this.profile.elements.some(
      ({ startTolerance = Infinity }, i) => Math.abs(action[i]! - this.#axes[i]!.x) > startTolerance,
    )
    return isFar ? 'too_far' : undefined
  }

  /**
   * The action nearest to `requested` that may be executed now; it counts as executed.
   * @param measured position of the robot, for the limits on its distance from the command
   * @throws ArmatureError `needs-reset` for a request that is not a finite vector while the position is not known
   */
  limit(requested: Float32Array, measured?: Float32Array): LimitedAction {
    if (requested.length !== this.#axes.length || !requested.every(Number.isFinite)) {
      return { action: this.brake(), clamped: CLAMPED.invalid }
    }
    let clamped = 0
    for (let i = 0; i < requested.length; i++) clamped |= this.#aim(i, requested[i]!, measured?.[i])
    if (!this.#isKnown) this.#target.forEach((target, i) => this.#rest(i, target))
    this.#isKnown = true
    this.#isFresh = false
    for (let i = 0; i < requested.length; i++) this.#chooseAlone(i)
    if (this.profile.mode === 'vector') this.#chooseTogether()
    for (let i = 0; i < requested.length; i++) {
      if (!this.#isReached(i)) clamped |= this.#causes(i)
      this.#move(i)
      this.#previous[i] = this.#target[i]!
    }
    return { action: this.#out, clamped }
  }

  /**
   * The next action on the way to rest: a position holds there, a velocity goes to zero. It counts as executed.
   * @throws ArmatureError `needs-reset` where the position is not known.
   */
  brake(): Float32Array {
    if (!this.#isKnown) {
      throw new ArmatureError('needs-reset', 'limits', {
        got: 'no position to hold',
        fix: 'call reset with the measured one',
      })
    }
    this.#axes.forEach((axis, i) => {
      const braking = axis.brakeVelocity()
      // Where a position comes to rest is not told, but where it ends; rest of a velocity is zero.
      this.#target[i] = this.#kind === 'velocity' ? 0 : axis.x + braking * this.#dtS
      this.#wanted[i] = this.#kind === 'velocity' ? -axis.x / this.#dtS : braking
      this.#chosen[i] = this.#kind === 'velocity' ? this.#nearest(i, lineAt(0, this.#wanted[i]!)) : braking
      this.#move(i)
      this.#previous[i] = this.#kind === 'velocity' ? 0 : axis.x
    })
    return this.#out
  }

  #rest(i: number, x: number): void {
    this.#axes[i]!.rest(x)
    this.#previous[i] = x
  }

  /** Sets the target of element i: `requested` within its range and near `measured`. */
  #aim(i: number, requested: number, measured: number | undefined): number {
    const { maxLead, min, max, softMargin } = this.profile.elements[i]!
    let clamped = 0
    let target = requested
    if (maxLead !== undefined && measured !== undefined && Number.isFinite(measured)) {
      target = Math.min(Math.max(target, measured - maxLead), measured + maxLead)
      if (target !== requested) clamped |= CLAMPED.lead
    }
    const inRange = Math.min(Math.max(target, min + softMargin), max - softMargin)
    if (inRange !== target) clamped |= CLAMPED.range
    this.#target[i] = inRange
    return clamped
  }

  /** The velocity to the target where that is viable, else the nearest from which the robot can come to move as its target does. */
  #chooseAlone(i: number): void {
    const axis = this.#axes[i]!
    const target = this.#target[i]!
    const wanted = (target - axis.x) / this.#dtS
    this.#wanted[i] = wanted
    this.#chosen[i] = wanted
    if (axis.isViable(wanted, target)) return
    // An output of this engine is rounded, so that it may be beyond what is viable by half a spacing.
    const within = (0.75 * spacing(target)) / this.#dtS
    const rounded = wanted + Math.max(-within, Math.min(within, axis.brakeVelocity() - wanted))
    this.#chosen[i] = rounded
    if (axis.isViable(rounded)) return
    const targetVelocity = (target - this.#previous[i]!) / this.#dtS
    const beyond = Math.sign(targetVelocity) === Math.sign(wanted) ? axis.stoppingDistance(targetVelocity) : 0
    this.#chosen[i] = axis.nearest(wanted, lineAt(target + Math.sign(wanted) * beyond, wanted))
  }

  #nearest(i: number, line: StopLine): number {
    const axis = this.#axes[i]!
    const wanted = this.#wanted[i]!
    return axis.isViable(wanted, this.#target[i]!, line) ? wanted : axis.nearest(wanted, line)
  }

  /** Scales all velocities by the worst, where that leaves them viable. */
  #chooseTogether(): void {
    if (this.#axes.every((_, i) => this.#isReached(i))) return
    let low = 0
    let high = 1
    for (let i = 0; i < this.#axes.length; i++) {
      if (this.profile.elements[i]!.isGripper) continue
      const wanted = this.#wanted[i]!
      const braking = this.#axes[i]!.brakeVelocity()
      const [a, b] = [Math.min(braking, this.#chosen[i]!), Math.max(braking, this.#chosen[i]!)]
      if (wanted === 0 && (a > 0 || b < 0)) return
      if (wanted === 0) continue
      low = Math.max(low, Math.min(a / wanted, b / wanted))
      high = Math.min(high, Math.max(a / wanted, b / wanted))
    }
    if (low > high * (1 + 1e-9)) return
    const scaled = this.#scaled(high)
    if (scaled !== undefined) this.#chosen.set(scaled)
  }

  #scaled(share: number): Float64Array | undefined {
    const scaled = this.#chosen.slice()
    for (let i = 0; i < scaled.length; i++) {
      if (this.profile.elements[i]!.isGripper) continue
      const velocity = share * this.#wanted[i]!
      // The worst element keeps what was found viable, without the rounding of scaling.
      if (Math.abs(velocity - scaled[i]!) <= 1e-9 * Math.abs(velocity)) continue
      if (!this.#axes[i]!.isViable(velocity)) return undefined
      scaled[i] = velocity
    }
    return scaled
  }

  /** Whether the chosen velocity of element i comes to its target, as far as float32 can tell. */
  #isReached(i: number): boolean {
    const target = this.#target[i]!
    const chosen = this.#chosen[i]!
    return chosen === this.#wanted[i]! || Math.abs(this.#axes[i]!.x + chosen * this.#dtS - target) <= spacing(target)
  }

  /** Executes the chosen velocity of element i; a target that it comes to goes out without rounding. */
  #move(i: number): void {
    const axis = this.#axes[i]!
    const chosen = this.#chosen[i]!
    const target = this.#target[i]!
    const isReached = this.#isReached(i)
    axis.move(chosen, chosen === this.#wanted[i]! ? target : axis.x + chosen * this.#dtS)
    this.#out[i] = roundWithin(isReached ? target : axis.x, axis.low, axis.high)
  }

  #causes(i: number): number {
    const axis = this.#axes[i]!
    const wanted = this.#wanted[i]!
    const [first, second, third] =
      this.#kind === 'position'
        ? [CLAMPED.velocity, CLAMPED.acceleration, CLAMPED.jerk]
        : [CLAMPED.acceleration, CLAMPED.jerk, 0]
    let bits = 0
    if (!axis.isWithinVelocity(wanted)) bits |= first
    if (!axis.isWithinAcceleration(wanted)) bits |= second
    if (!axis.isWithinJerk(wanted)) bits |= third
    return bits === 0 ? CLAMPED.braking : bits
  }
}

/** Element x is the action itself: a velocity's first difference is an acceleration. */
function axisOf(element: ElementLimits, kind: ActionKind, dtS: number, profileName: string): Axis {
  const { min, max, softMargin, maxVelocity, maxAcceleration, maxJerk = Infinity, maxStep = Infinity } = element
  const low = min + softMargin
  const high = max - softMargin
  if (kind === 'velocity' && (low > 0 || high < 0)) {
    throw new ArmatureError('bad-config', `limits ${profileName}: ${element.name}`, {
      expected: 'a range of velocities with 0 in it, which is rest',
      got: `${low} to ${high}`,
    })
  }
  const rate = Math.min((kind === 'position' ? maxVelocity : maxAcceleration) ?? Infinity, maxStep / dtS)
  const higher =
    kind === 'position'
      ? { maxAcceleration: maxAcceleration ?? Infinity, maxJerk }
      : { maxAcceleration: maxJerk, maxJerk: Infinity }
  return new Axis({ dtS, low, high, maxVelocity: rate, ...higher })
}

function lineAt(at: number, wanted: number): StopLine {
  return { at, side: wanted < 0 ? -1 : 1 }
}

/** Distance between neighbouring float32 numbers about `x`, or a little more. */
function spacing(x: number): number {
  return Math.max(Math.abs(x) * 2 ** -23, 2 ** -149)
}

/** The float32 number nearest to `x` among those from `low` to `high`, which holds at least one. */
function roundWithin(x: number, low: number, high: number): number {
  const rounded = Math.fround(x)
  if (rounded > high) return neighbour(rounded, -1)
  return rounded < low ? neighbour(rounded, 1) : rounded
}

const float = new Float32Array(1)
const bits = new Int32Array(float.buffer)

/** The next float32 number above (1) or below (-1) the float32 number `x`. */
function neighbour(x: number, direction: 1 | -1): number {
  if (x === 0) return direction * 2 ** -149
  float[0] = x
  bits[0] = bits[0]! + (x > 0 === direction > 0 ? 1 : -1)
  return float[0]
}
