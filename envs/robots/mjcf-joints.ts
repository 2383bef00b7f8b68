import { ArmatureError } from '../../src/core/errors.ts'
import type { MujocoModel } from './mujoco-model.ts'
import { nameOf, rowOf } from './mujoco-model.ts'
import type { Notices } from './notices.ts'
import type { JointModel } from './robot-model.ts'

/** MuJoCo's numbers for kinds of joints, actuators and constraints. */
export const JOINT_TYPES = { free: 0, ball: 1, slide: 2, hinge: 3 } as const
const ON_JOINT = [0, 1]
const FIXED_GAIN = 0
const NO_BIAS = 0
const JOINT_EQUALITY = 2

/** What a joint is in a robot's own terms, but for where it is in the tree. */
export type MjcfJoint = Pick<JointModel, 'name' | 'kind' | 'axis' | 'lower' | 'upper' | 'maxSpeed' | 'maxEffort'> & {
  /** Where it turns or slides, in the frame of its body. */
  readonly anchor: readonly number[]
  /** Its position in the pose of the file. */
  readonly reference: number
}

/**
 * The joints of a body, the outermost first; that of a free body is none, for robots stand.
 * @throws ArmatureError `bad-argument` for ball joints and for slides without a range.
 */
export function jointsOfMujoco(mujoco: MujocoModel, body: number, file: string): MjcfJoint[] {
  const { model } = mujoco
  const bodies = model.jnt_bodyid as Int32Array
  const types = model.jnt_type as Int32Array
  const own = [...bodies.keys()].filter((joint) => bodies[joint] === body && types[joint] !== JOINT_TYPES.free)
  return own.map((joint, i) => {
    const given = nameOf(mujoco, 'joint', joint)
    const name = given === '' ? `${nameOf(mujoco, 'body', body) || `body${body}`}_joint${i === 0 ? '' : i + 1}` : given
    if (types[joint] === JOINT_TYPES.ball) {
      throw new ArmatureError('bad-argument', `${file}: joint "${name}"`, {
        expected: 'hinge or slide joints',
        got: 'a ball joint',
        fix: 'build it of three hinges',
      })
    }
    const isSliding = types[joint] === JOINT_TYPES.slide
    // Joints without a range have one of no width.
    const [lower, upper] = rowOf(model.jnt_range, joint, 2) as [number, number]
    const isLimited = lower < upper
    if (isSliding && !isLimited) {
      throw new ArmatureError('bad-argument', `${file}: slide joint "${name}" has no range`, {
        fix: 'add range="0 0.1", or take the joint out',
      })
    }
    const axis = rowOf(model.jnt_axis, joint, 3) as unknown as JointModel['axis']
    return {
      name,
      kind: isSliding ? 'prismatic' : isLimited ? 'revolute' : 'continuous',
      axis,
      lower: isLimited ? lower : -Infinity,
      upper: isLimited ? upper : Infinity,
      maxSpeed: 0,
      maxEffort: effortOf(mujoco, joint),
      anchor: rowOf(model.jnt_pos, joint, 3),
      reference: referenceOf(mujoco, joint),
    }
  })
}

function referenceOf({ model }: MujocoModel, joint: number): number {
  return (model.qpos0 as Float64Array)[(model.jnt_qposadr as Int32Array)[joint]!]!
}

/** The least of what the joint's own range of forces and its actuators allow; 0 where neither tells. */
function effortOf({ model }: MujocoModel, joint: number): number {
  const own = largest(rowOf(model.jnt_actfrcrange, joint, 2))
  const types = model.actuator_trntype as Int32Array
  const drives = [...types.keys()].filter(
    (i) => ON_JOINT.includes(types[i]!) && (model.actuator_trnid as Int32Array)[2 * i] === joint,
  )
  const told = drives.map((i) => {
    const gear = Math.abs(rowOf(model.actuator_gear, i, 6)[0]!)
    const force = largest(rowOf(model.actuator_forcerange, i, 2))
    if (force > 0) return gear * force
    // The control of a motor is its force; that of a servo is a place.
    const isMotor =
      (model.actuator_gaintype as Int32Array)[i] === FIXED_GAIN &&
      (model.actuator_biastype as Int32Array)[i] === NO_BIAS
    const gain = Math.abs((model.actuator_gainprm as Float64Array)[i * GAINS]!)
    return isMotor ? gear * gain * largest(rowOf(model.actuator_ctrlrange, i, 2)) : 0
  })
  const efforts = [own, told.reduce((sum, effort) => sum + effort, 0)].filter((effort) => effort > 0)
  return efforts.length === 0 ? 0 : Math.min(...efforts)
}

/** Parameters of a gain. */
const GAINS = 10

function largest(range: readonly number[]): number {
  return Math.max(...range.map(Math.abs))
}

/** Joints that follow another, by their names: of the constraints of the file those that say no more. The others are told. */
export function mimicsOfMujoco(mujoco: MujocoModel, notices: Notices): Map<string, NonNullable<JointModel['mimic']>> {
  const { model } = mujoco
  const mimics = new Map<string, NonNullable<JointModel['mimic']>>()
  const types = model.eq_type as Int32Array
  const leaders = new Set<string>()
  for (let i = 0; i < types.length; i++) {
    const [first, second] = [(model.eq_obj1id as Int32Array)[i]!, (model.eq_obj2id as Int32Array)[i]!]
    const [offset, multiplier, ...higher] = rowOf(model.eq_data, i, EQUALITY_DATA).slice(0, 5)
    const isLine = types[i] === JOINT_EQUALITY && second >= 0 && multiplier !== 0 && higher.every((x) => x === 0)
    const [follower, leader] = isLine ? [nameOf(mujoco, 'joint', first), nameOf(mujoco, 'joint', second)] : ['', '']
    if (follower === '' || leader === '' || mimics.has(follower) || mimics.has(leader) || leaders.has(follower)) {
      notices.add('constraints (equality) are left out', nameOf(mujoco, 'equality', i) || `number ${i + 1}`)
      continue
    }
    leaders.add(leader)
    const [from, to] = [referenceOf(mujoco, first), referenceOf(mujoco, second)]
    mimics.set(follower, { joint: leader, multiplier: multiplier!, offset: from + offset! - multiplier! * to })
  }
  return mimics
}

const EQUALITY_DATA = 11
