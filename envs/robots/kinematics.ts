import { ArmatureError } from '../../src/core/errors.ts'
import type { JointModel, PoseSpec, RobotModel } from './robot-model.ts'
import { multiplyRotations, rotationOfQuat, turnAbout } from './rotations.ts'

const ORIGIN: PoseSpec = { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] }

/** What moves a link against its parent. */
interface Step {
  readonly parent: number
  readonly originPosition: readonly [number, number, number]
  readonly originRotation: Float64Array
  readonly isSliding: boolean
  readonly axis: readonly [number, number, number]
  /** Index of the coordinate that moves the joint; -1 for a fixed one. */
  readonly coordinate: number
  readonly multiplier: number
  readonly offset: number
}

/**
 * Forward kinematics and Jacobians of a robot. Its coordinates q are the positions of the joints that neither are fixed nor follow
 * another joint, in the model's order. Nothing is allocated per call: results stay in the arrays here until the next `forward`.
 *
 * @example
 * const arm = new Kinematics(PANDA)
 * arm.forward(q)
 * arm.positions.subarray(3 * arm.linkIndex('flange'))
 */
export class Kinematics {
  readonly model: RobotModel
  /** The joint of each coordinate. */
  readonly joints: readonly JointModel[]
  /** [n] */
  readonly lower: Float64Array
  readonly upper: Float64Array
  /** [L, 3] origins of the links in the world, metres. */
  readonly positions: Float64Array
  /** [L, 3, 3] rotations link to world, row-major. */
  readonly rotations: Float64Array
  readonly #steps: readonly (Step | undefined)[]
  readonly #indices: ReadonlyMap<string, number>
  readonly #turn: Float64Array = new Float64Array(9)
  readonly #atZero: Float64Array = new Float64Array(9)

  /** @param base pose of the root link in the world. */
  constructor(model: RobotModel, base: PoseSpec = ORIGIN) {
    this.model = model
    this.joints = model.joints.filter(({ kind, mimic }) => kind !== 'fixed' && mimic === undefined)
    this.lower = Float64Array.from(this.joints, ({ lower }) => lower)
    this.upper = Float64Array.from(this.joints, ({ upper }) => upper)
    this.positions = new Float64Array(model.links.length * 3)
    this.rotations = new Float64Array(model.links.length * 9)
    this.#indices = new Map(model.links.map(({ name }, index) => [name, index]))
    this.#steps = model.links.map(({ name }) => this.#stepTo(name))
    this.positions.set(base.positionM)
    rotationOfQuat(base.quatXyzw, this.rotations)
  }

  /** @throws ArmatureError `not-found`. */
  linkIndex(name: string): number {
    const index = this.#indices.get(name)
    if (index === undefined) throw new ArmatureError('not-found', `link "${name}" of ${this.model.name}`)
    return index
  }

  /** Poses of all links at `q` [n], to `positions` and `rotations`. */
  forward(q: ArrayLike<number>): void {
    const { positions, rotations } = this
    for (let link = 1; link < this.#steps.length; link++) {
      const step = this.#steps[link]!
      const { parent, originPosition, axis, coordinate } = step
      const [atP, atR, fromR] = [link * 3, link * 9, parent * 9]
      const slide = step.isSliding ? this.#positionOf(step, q) : 0
      if (coordinate < 0 || step.isSliding) {
        multiplyRotations(rotations, fromR, step.originRotation, 0, rotations, atR)
      } else {
        turnAbout(axis, this.#positionOf(step, q), this.#turn)
        multiplyRotations(rotations, fromR, step.originRotation, 0, this.#atZero, 0)
        multiplyRotations(this.#atZero, 0, this.#turn, 0, rotations, atR)
      }
      for (let i = 0; i < 3; i++) {
        const [f, r] = [fromR + 3 * i, atR + 3 * i]
        positions[atP + i] =
          positions[parent * 3 + i]! +
          rotations[f]! * originPosition[0] +
          rotations[f + 1]! * originPosition[1] +
          rotations[f + 2]! * originPosition[2] +
          slide * (rotations[r]! * axis[0] + rotations[r + 1]! * axis[1] + rotations[r + 2]! * axis[2])
      }
    }
  }

  /**
   * The geometric Jacobian of link `link`'s origin at the last `forward`, to `out` [6, n]: rows of linear velocity (m/s), then of angular
   * velocity (rad/s), in the world, per unit of joint speed.
   */
  jacobian(link: number, out: Float64Array): Float64Array {
    const { positions, rotations } = this
    const n = this.joints.length
    out.fill(0)
    for (let at = link; at > 0; at = this.#steps[at]!.parent) {
      const { axis, coordinate, multiplier, isSliding } = this.#steps[at]!
      if (coordinate < 0) continue
      const r = at * 9
      const ax = multiplier * (rotations[r]! * axis[0] + rotations[r + 1]! * axis[1] + rotations[r + 2]! * axis[2])
      const ay = multiplier * (rotations[r + 3]! * axis[0] + rotations[r + 4]! * axis[1] + rotations[r + 5]! * axis[2])
      const az = multiplier * (rotations[r + 6]! * axis[0] + rotations[r + 7]! * axis[1] + rotations[r + 8]! * axis[2])
      const dx = positions[link * 3]! - positions[at * 3]!
      const dy = positions[link * 3 + 1]! - positions[at * 3 + 1]!
      const dz = positions[link * 3 + 2]! - positions[at * 3 + 2]!
      out[coordinate]! += isSliding ? ax : ay * dz - az * dy
      out[n + coordinate]! += isSliding ? ay : az * dx - ax * dz
      out[2 * n + coordinate]! += isSliding ? az : ax * dy - ay * dx
      if (isSliding) continue
      out[3 * n + coordinate]! += ax
      out[4 * n + coordinate]! += ay
      out[5 * n + coordinate]! += az
    }
    return out
  }

  /** Position of any joint at `q`, also of one that is fixed (0) or follows another. */
  jointPosition(joint: JointModel, q: ArrayLike<number>): number {
    const step = this.#steps[this.linkIndex(joint.child)]!
    return step.coordinate < 0 ? 0 : this.#positionOf(step, q)
  }

  #positionOf({ multiplier, coordinate, offset }: Step, q: ArrayLike<number>): number {
    return multiplier * q[coordinate]! + offset
  }

  #stepTo(child: string): Step | undefined {
    const joint = this.model.joints.find((candidate) => candidate.child === child)
    if (joint === undefined) return undefined
    const { mimic } = joint
    const leader = mimic === undefined ? joint.name : mimic.joint
    return {
      parent: this.linkIndex(joint.parent),
      originPosition: joint.origin.positionM,
      originRotation: rotationOfQuat(joint.origin.quatXyzw, new Float64Array(9)),
      isSliding: joint.kind === 'prismatic',
      axis: joint.axis,
      coordinate: joint.kind === 'fixed' ? -1 : this.joints.findIndex(({ name }) => name === leader),
      multiplier: mimic?.multiplier ?? 1,
      offset: mimic?.offset ?? 0,
    }
  }
}

/**
 * The chain of links from `base` to `tip` as a robot of its own.
 * @throws ArmatureError `not-found` for an unknown link, `bad-argument` when `tip` does not hang on `base` or a joint between them
 * follows one elsewhere.
 */
export function chainOf(model: RobotModel, base: string, tip: string): RobotModel {
  const joints: JointModel[] = []
  for (let at = tip; at !== base; at = joints[0]!.parent) {
    const joint = model.joints.find(({ child }) => child === at)
    if (joint === undefined) {
      const isKnown = model.links.some(({ name }) => name === at)
      throw new ArmatureError(isKnown ? 'bad-argument' : 'not-found', `chain of ${model.name} to "${tip}"`, {
        expected: `a link that hangs on "${base}"`,
        got: isKnown ? `one that hangs on "${at}"` : 'no such link',
      })
    }
    joints.unshift(joint)
  }
  for (const { name, mimic } of joints) {
    if (mimic === undefined || joints.some((leader) => leader.name === mimic.joint)) continue
    throw new ArmatureError('bad-argument', `chain of ${model.name} to "${tip}"`, {
      expected: 'joints that move on their own, or follow one of the chain',
      got: `"${name}", which follows "${mimic.joint}"`,
    })
  }
  const names = [base, ...joints.map(({ child }) => child)]
  const links = names.map((name) => model.links.find((link) => link.name === name)!)
  return { name: model.name, links, joints }
}
