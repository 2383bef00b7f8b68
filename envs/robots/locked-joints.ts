import type { Kinematics } from './kinematics.ts'
import type { JointModel, PoseSpec, RobotModel } from './robot-model.ts'
import { multiplyRotations, quatOfRotation, rotationOfQuat, turnAbout, turned } from './rotations.ts'

/** Joints of no more range than that are locked: rad, m. */
const LOCKED = { turning: 0.1, sliding: 1e-3 }

/** Whether the limits of a joint leave it no room: a stop, which gives way a little, would let it move more than they do. */
export function isLocked({ kind, lower, upper, mimic }: JointModel): boolean {
  if (kind === 'fixed' || mimic !== undefined) return false
  return upper - lower <= (kind === 'prismatic' ? LOCKED.sliding : LOCKED.turning)
}

/** The model of `kinematics` with fixed joints in the place of its locked ones, where these are at `q` [n]. */
export function withLockedFixed(kinematics: Kinematics, q: ArrayLike<number>): RobotModel {
  const { model } = kinematics
  if (!model.joints.some(isLocked)) return model
  return {
    ...model,
    joints: model.joints.map((joint) =>
      isLocked(joint)
        ? { ...joint, kind: 'fixed', origin: originAt(joint, kinematics.jointPosition(joint, q)) }
        : joint,
    ),
  }
}

/** Of the child's frame in the parent's at a position of their joint. */
export function originAt(
  { kind, axis, origin }: Pick<JointModel, 'kind' | 'axis' | 'origin'>,
  position: number,
): PoseSpec {
  const rotation = rotationOfQuat(origin.quatXyzw, new Float64Array(9))
  if (kind === 'prismatic') {
    const [x, y, z] = turned(rotation, axis)
    const [ox, oy, oz] = origin.positionM
    return { ...origin, positionM: [ox + x! * position, oy + y! * position, oz + z! * position] }
  }
  const [turn, both] = [new Float64Array(9), new Float64Array(9)]
  turnAbout(axis, position, turn)
  multiplyRotations(rotation, 0, turn, 0, both, 0)
  return { ...origin, quatXyzw: quatOfRotation(both) }
}
