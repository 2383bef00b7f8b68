import type { OptionReader } from '../options.ts'
import { oneOf } from '../options.ts'
import type { Arm, ArmPlan } from './arm.ts'
import type { TipTarget } from './inverse-kinematics.ts'
import { InverseKinematics } from './inverse-kinematics.ts'
import { chainOf, Kinematics } from './kinematics.ts'

/**
 * What an action of an arm means: `cartesian-delta` moves the tip, at the orientation that it has at home; `joint-delta` moves the joints;
 * `joint-position` sends them to a share of their range (-1 the lower limit, 1 the upper).
 */
export type ArmControlMode = 'cartesian-delta' | 'joint-delta' | 'joint-position'

/** The option `control` of every scene with an arm. */
export const controlOption: OptionReader<ArmControlMode> = oneOf('cartesian-delta', 'joint-delta', 'joint-position')

export interface ArmControlSpec {
  readonly mode: ArmControlMode
  /** Link that `cartesian-delta` moves. */
  readonly tip: string
  /** Whether `cartesian-delta` holds the tip in its orientation at home (default), which takes six joints; else only its place counts. */
  readonly keepsOrientation?: boolean
  /** The tip's z axis points down instead, and may turn about itself: what arms of five joints can do too. Default false. */
  readonly pointsDown?: boolean
  /** Where the tip may be sent, in the world: [x, y, z] of two corners. */
  readonly box: readonly [readonly [number, number, number], readonly [number, number, number]]
  /** What an action of 1 moves the tip by per control step. */
  readonly stepM: number
  /** What an action of 1 turns a joint by per control step, rad. */
  readonly stepRad: number
  readonly controlHz: number
  readonly substeps: number
}

/** Targets never run further ahead of the arm than this many steps, so that a blocked arm does not wind up. */
const MAX_LEAD_STEPS = 1.5
const MAX_LEAD_RAD = 0.15
const DOWN: readonly number[] = [0, 0, -1]

/** Turns actions into targets of the joints between the root and the tip; those beyond it, such as fingers, are the task's. */
export class ArmControl {
  /** Of the elements of the action that are this control's. */
  readonly actionNames: readonly string[]
  /** [n] where all coordinates are told to be: what a task has to save. */
  readonly command: Float64Array
  readonly #plan: ArmPlan
  readonly #spec: ArmControlSpec
  readonly #chain: Kinematics
  readonly #ik: InverseKinematics
  /** Coordinates of the plan that the chain's are. */
  readonly #ofChain: readonly number[]
  readonly #next: Float64Array
  readonly #target: Float64Array
  readonly #speed: Float64Array
  readonly #chainQ: Float64Array
  readonly #tipAt: Float64Array = new Float64Array(3)
  readonly #tipRotation: Float64Array
  readonly #wanted: Float64Array = new Float64Array(3)

  constructor(plan: ArmPlan, spec: ArmControlSpec) {
    const { model, base, home } = plan.spec
    this.#plan = plan
    this.#spec = spec
    this.#chain = new Kinematics(chainOf(model, model.links[0]!.name, spec.tip), base)
    this.#chain.lower.set(this.#chain.joints.map((joint) => plan.lower[plan.kinematics.joints.indexOf(joint)]!))
    this.#chain.upper.set(this.#chain.joints.map((joint) => plan.upper[plan.kinematics.joints.indexOf(joint)]!))
    this.#ofChain = this.#chain.joints.map((joint) => plan.kinematics.joints.indexOf(joint))
    const posture = this.#ofChain.map((j) => home[j]!)
    this.#ik = new InverseKinematics(this.#chain, { iterations: 4, posture })
    this.#chain.forward(posture)
    this.#tipRotation = this.#chain.rotations.slice(-9)
    this.command = Float64Array.from(home)
    this.#next = this.command.slice()
    this.#target = this.command.slice()
    this.#speed = new Float64Array(home.length)
    this.#chainQ = new Float64Array(posture.length)
    this.actionNames = this.#names()
  }

  /** Of the tip at the coordinates `q` of the plan; overwritten by the next call. */
  tipAt(q: ArrayLike<number>): Float64Array {
    this.#forward(q)
    for (let i = 0; i < 3; i++) this.#tipAt[i] = this.#chain.positions.at(i - 3)!
    return this.#tipAt
  }

  /** Changes `q` [n] so that the tip is at (x, y, z) in its orientation at home; returns the error in metres. */
  reach(q: Float64Array, x: number, y: number, z: number): number {
    this.#take(q)
    let error = Infinity
    for (let i = 0; i < 25; i++) error = this.#ik.improve(this.#chainQ, this.#targetAt([x, y, z]))
    this.#ofChain.forEach((j, k) => (q[j] = this.#chainQ[k]!))
    return error
  }

  /**
   * Changes `q` [n] as one action straight towards (x, y, z) would, if the arm followed at once; returns how far from there the tip was before,
   * metres. Where `reach` would find a way around a limit, this does not.
   */
  walk(q: Float64Array, x: number, y: number, z: number): number {
    const { stepM } = this.#spec
    const goal = [x, y, z]
    const wanted = this.#wanted
    const from = this.tipAt(q)
    const distance = Math.hypot(x - from[0]!, y - from[1]!, z - from[2]!)
    for (let i = 0; i < 3; i++) wanted[i] = from[i]! + Math.max(-stepM, Math.min(stepM, goal[i]! - from[i]!))
    this.#ik.improve(this.#chainQ, this.#targetAt(wanted))
    this.#ofChain.forEach((j, k) => (q[j] = this.#chainQ[k]!))
    return distance
  }

  /**
   * One control step: moves the command by `action`, and the world by its substeps while the targets go there in a straight line.
   * Coordinates beyond the tip take part: set them in `beyond` (position by coordinate) if they are to move.
   */
  step(arm: Arm, action: ArrayLike<number>, advance: () => void, beyond?: (next: Float64Array) => void): void {
    this.#next.set(this.command)
    if (this.#spec.mode === 'cartesian-delta') this.#moveTip(arm, action)
    else this.#moveJoints(arm, action)
    beyond?.(this.#next)
    this.#limit()
    const { substeps, controlHz } = this.#spec
    for (let j = 0; j < this.command.length; j++) this.#speed[j] = (this.#next[j]! - this.command[j]!) * controlHz
    for (let substep = 1; substep <= substeps; substep++) {
      const share = substep / substeps
      for (let j = 0; j < this.command.length; j++) {
        this.#target[j] = this.command[j]! + (this.#next[j]! - this.command[j]!) * share
      }
      arm.setTargets(this.#target, this.#speed)
      advance()
    }
    this.command.set(this.#next)
  }

  /** Holds the command for `substeps` and lets the arm come to rest there. */
  hold(arm: Arm, substeps: number, advance: () => void): void {
    this.#speed.fill(0)
    for (let substep = 0; substep < substeps; substep++) {
      arm.setTargets(this.command, this.#speed)
      advance()
    }
  }

  #targetAt(position: TipTarget['position']): TipTarget {
    if (this.#spec.pointsDown === true) return { position, axis: DOWN }
    return this.#spec.keepsOrientation === false ? { position } : { position, rotation: this.#tipRotation }
  }

  #moveTip(arm: Arm, action: ArrayLike<number>): void {
    const { box, stepM } = this.#spec
    const mostLeadM = MAX_LEAD_STEPS * stepM
    const [low, high] = box
    const wanted = this.#wanted
    const from = this.tipAt(this.command)
    for (let i = 0; i < 3; i++) {
      wanted[i] = Math.min(high[i]!, Math.max(low[i]!, from[i]! + action[i]! * stepM))
    }
    const actual = this.tipAt(arm.q)
    const lead = Math.hypot(wanted[0]! - actual[0]!, wanted[1]! - actual[1]!, wanted[2]! - actual[2]!)
    const scale = lead > mostLeadM ? mostLeadM / lead : 1
    for (let i = 0; i < 3; i++) wanted[i] = actual[i]! + (wanted[i]! - actual[i]!) * scale
    this.#take(this.command)
    this.#ik.improve(this.#chainQ, this.#targetAt(wanted))
    for (let k = 0; k < this.#chainQ.length; k++) this.#next[this.#ofChain[k]!] = this.#chainQ[k]!
  }

  #moveJoints(arm: Arm, action: ArrayLike<number>): void {
    const { mode, stepRad } = this.#spec
    const { lower, upper } = this.#plan
    for (let k = 0; k < this.#ofChain.length; k++) {
      const j = this.#ofChain[k]!
      const wanted =
        mode === 'joint-delta'
          ? this.command[j]! + action[k]! * stepRad
          : lower[j]! + ((action[k]! + 1) / 2) * (upper[j]! - lower[j]!)
      const near = Math.max(arm.q[j]! - MAX_LEAD_RAD, Math.min(arm.q[j]! + MAX_LEAD_RAD, wanted))
      this.#next[j] = near
    }
  }

  /** To the joints' limits and speeds. */
  #limit(): void {
    const { lower, upper, kinematics } = this.#plan
    if (this.#spec.pointsDown === true && this.#spec.mode === 'cartesian-delta') this.#slowTogether()
    for (let j = 0; j < this.#next.length; j++) {
      const { maxSpeed } = kinematics.joints[j]!
      const most = (maxSpeed > 0 ? maxSpeed : Infinity) / this.#spec.controlHz
      const reach = Math.max(this.command[j]! - most, Math.min(this.command[j]! + most, this.#next[j]!))
      this.#next[j] = Math.max(lower[j]!, Math.min(upper[j]!, reach))
    }
  }

  /** Slows all joints by as much as the fastest one needs, so that the tip keeps pointing down on a shorter way. */
  #slowTogether(): void {
    const { joints } = this.#plan.kinematics
    let share = 1
    for (const j of this.#ofChain) {
      const most = joints[j]!.maxSpeed / this.#spec.controlHz
      share = Math.min(share, most / Math.max(most, Math.abs(this.#next[j]! - this.command[j]!)))
    }
    for (const j of this.#ofChain) this.#next[j] = this.command[j]! + (this.#next[j]! - this.command[j]!) * share
  }

  #forward(q: ArrayLike<number>): void {
    this.#take(q)
    this.#chain.forward(this.#chainQ)
  }

  #take(q: ArrayLike<number>): void {
    for (let k = 0; k < this.#chainQ.length; k++) this.#chainQ[k] = q[this.#ofChain[k]!]!
  }

  #names(): readonly string[] {
    const { mode, stepM, stepRad } = this.#spec
    if (mode === 'cartesian-delta')
      return ['x', 'y', 'z'].map((axis) => `tip_d${axis}_${Math.round(stepM * 1e4) / 10}mm`)
    const unit = mode === 'joint-delta' ? `delta_${Math.round(stepRad * 1000)}mrad` : 'share_of_range'
    return this.#chain.joints.map(({ name }) => `${name}_${unit}`)
  }
}
