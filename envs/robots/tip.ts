import { ArmatureError, nearestNames } from '../../src/core/errors.ts'
import type { JointModel, RobotModel } from './robot-model.ts'

/** Joints of an arm before those of its gripper, at least, and of one finger, at most. */
const LEAST_ARM_JOINTS = 3
const MOST_FINGER_JOINTS = 3
const FINGER_NAME = /finger|jaw|claw|knuckle|thumb/i
const GRIPPER_JOINT_NAME = /grip/i
const TOOL_NAME = /tcp|tool|tip|grasp|(^|_)ee(_|$)|end_?effector|flange/i

/** What is known of a link's place in the tree. */
interface Place {
  /** Joints of the arm that move it, those of a gripper not counted. */
  readonly armJoints: number
  /** Joints of any kind between the root and it. */
  readonly depth: number
  readonly isFinger: boolean
}

/**
 * The link that actions move: the one that is told; else the deepest that moves, before the fingers of a gripper, and the one furthest out
 * among those that are fixed to it. The joints `gripper` are those of a gripper, whatever they look like.
 * @throws ArmatureError `not-found` for an unknown link with the nearest names; `bad-argument` where nothing moves, or several arms end at
 * the same depth, with the candidates.
 */
export function tipOf(model: RobotModel, told?: string, gripper: readonly string[] = []): string {
  const places = placesOf(model, gripper)
  const names = model.links.map(({ name }) => name)
  if (told !== undefined) {
    if (places.has(told)) return told
    const near = nearestNames(told, names)
    throw new ArmatureError('not-found', `link "${told}" of ${model.name}`, {
      got: 'no such link',
      fix: near.length > 0 ? `did you mean ${near.join(' or ')}?` : `set tip to one of ${candidates(model, places)}`,
    })
  }
  const open = names.filter((name) => !places.get(name)!.isFinger)
  const most = Math.max(...open.map((name) => places.get(name)!.armJoints))
  if (most === 0) throw nothingMoves(model)
  const longest = open.filter((name) => places.get(name)!.armJoints === most)
  const bodies = new Set(longest.map((name) => movingJointOf(model, name)))
  const withTool = new Set(longest.filter((name) => TOOL_NAME.test(name)).map((name) => movingJointOf(model, name)))
  // Pistons and rods beside an arm may be as long as it, but carry no tool.
  const deepest = withTool.size === 1 ? longest.filter((name) => withTool.has(movingJointOf(model, name))) : longest
  if (bodies.size > 1 && withTool.size !== 1) {
    throw new ArmatureError('bad-argument', `robot ${model.name}`, {
      expected: 'one arm',
      got: `${bodies.size} that are equally long`,
      fix: `say which link is the tip: --set tip=${candidates(model, places)}`,
    })
  }
  // Of links as deep as each other the one that is called a tool, or else the first.
  const furthest = deepest.toSorted((a, b) => rank(places.get(b)!, b) - rank(places.get(a)!, a))
  return furthest[0]!
}

/** The links of a robot's gripper that move, by the same rules. */
export function fingersOf(model: RobotModel, gripper: readonly string[] = []): Set<string> {
  const places = placesOf(model, gripper)
  return new Set(model.links.map(({ name }) => name).filter((name) => places.get(name)!.isFinger))
}

function rank({ depth }: Place, name: string): number {
  return depth + (TOOL_NAME.test(name) ? 0.5 : 0)
}

function nothingMoves(model: RobotModel): ArmatureError {
  return new ArmatureError('bad-argument', `robot ${model.name}`, {
    expected: 'joints that move',
    got: 'fixed ones only',
  })
}

/** The deepest links of each branch, for a message. */
function candidates(model: RobotModel, places: ReadonlyMap<string, Place>): string {
  const parents = new Set(model.joints.map(({ parent }) => parent))
  const leaves = model.links.map(({ name }) => name).filter((name) => !parents.has(name))
  const moving = leaves.filter((name) => places.get(name)!.armJoints > 0)
  return moving
    .toSorted((a, b) => places.get(b)!.armJoints - places.get(a)!.armJoints)
    .slice(0, 8)
    .join(' or ')
}

function placesOf(model: RobotModel, gripper: readonly string[]): Map<string, Place> {
  const places = new Map<string, Place>([[model.links[0]!.name, { armJoints: 0, depth: 0, isFinger: false }]])
  for (const joint of model.joints) {
    const { armJoints, depth, isFinger } = places.get(joint.parent)!
    const { kind, name, mimic } = joint
    const isTold = gripper.includes(name) || (mimic !== undefined && gripper.includes(mimic.joint))
    const isGripper = isFinger || (kind !== 'fixed' && (isTold || isGripperJoint(model, joint, armJoints)))
    places.set(joint.child, {
      armJoints: armJoints + (kind === 'fixed' || isGripper ? 0 : 1),
      depth: depth + 1,
      isFinger: isGripper,
    })
  }
  return places
}

/** A joint that belongs to a gripper: near the end of an arm, and called so, coupled to another, or one of several side by side. */
function isGripperJoint(model: RobotModel, joint: JointModel, armJoints: number): boolean {
  if (armJoints < LEAST_ARM_JOINTS || longestBelow(model, joint.child) + 1 > MOST_FINGER_JOINTS) return false
  if (FINGER_NAME.test(joint.name) || FINGER_NAME.test(joint.child) || GRIPPER_JOINT_NAME.test(joint.name)) return true
  if (joint.mimic !== undefined || model.joints.some(({ mimic }) => mimic?.joint === joint.name)) return true
  const body = bodyOf(model, joint.parent)
  const around = model.joints.filter((other) => other.kind !== 'fixed' && body.has(other.parent))
  // A rod that follows a joint further in is no finger.
  const beside = around.filter(({ mimic }) => mimic === undefined || around.some(({ name }) => name === mimic.joint))
  return beside.length > 1 && beside.every(({ child }) => longestBelow(model, child) + 1 <= MOST_FINGER_JOINTS)
}

/** All links that fixed joints hold to `link`, itself included. */
export function bodyOf(model: RobotModel, link: string): Set<string> {
  const body = new Set([link])
  for (let size = 0; size < body.size;) {
    size = body.size
    for (const { kind, parent, child } of model.joints) {
      if (kind === 'fixed' && (body.has(parent) || body.has(child))) body.add(parent).add(child)
    }
  }
  return body
}

/** Moving joints on the longest way out from `link`. */
function longestBelow(model: RobotModel, link: string): number {
  return model.joints
    .filter(({ parent }) => parent === link)
    .reduce((most, { kind, child }) => Math.max(most, longestBelow(model, child) + (kind === 'fixed' ? 0 : 1)), 0)
}

function movingJointOf(model: RobotModel, link: string): string | undefined {
  const joint = model.joints.find(({ child }) => child === link)
  if (joint === undefined || joint.kind !== 'fixed') return joint?.name
  return movingJointOf(model, joint.parent)
}
