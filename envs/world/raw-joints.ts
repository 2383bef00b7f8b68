import type { ImpulseJoint, JointData, RigidBody, Rotation, Vector, World } from '@dimforge/rapier3d-simd-compat'
import type { Rapier } from './engine.ts'

/** A spring-damper on one joint axis that pulls towards zero displacement with a bounded force. */
export interface AxisMotor {
  readonly stiffnessNPerM: number
  readonly dampingNsPerM: number
  readonly maxForceN: number
}

/** The same for one angle. */
export interface AngularMotor {
  readonly stiffnessNmPerRad: number
  readonly dampingNmsPerRad: number
  readonly maxTorqueNm: number
}

/** Rapier's numbering of the linear axes of a joint. */
export type LinearAxis = 0 | 1 | 2
/** Rapier's numbering of the angles about x, y and z of a joint. */
export type AngularAxis = 3 | 4 | 5

const FORCE_BASED = 1

/** The part of the raw joint set that this file uses, and of `JointData` with no axes, which Rapier's enum cannot name. */
interface RawMotors {
  jointConfigureMotor(
    handle: number,
    axis: number,
    target: number,
    speed: number,
    stiffness: number,
    damping: number,
  ): void
  jointSetLimits(handle: number, axis: number, lower: number, upper: number): void
  jointConfigureMotorModel(handle: number, axis: number, model: number): void
  jointConfigureMotorPosition(handle: number, axis: number, target: number, stiffness: number, damping: number): void
  jointSetMotorMaxForce(handle: number, axis: number, maxForce: number): void
}
interface GenericJointData {
  generic(anchor1: Vector, anchor2: Vector, axis: Vector, lockedAxes: number): JointData
}

/**
 * A joint between the centres of two bodies that locks nothing and only carries motors. Rapier's wrapper has no motors on generic
 * joints, only its raw joint set does; every use of that is in this file.
 */
export function createFreeJoint(rapier: Rapier, world: World, first: RigidBody, second: RigidBody): ImpulseJoint {
  const joints: GenericJointData = rapier.JointData
  const center = { x: 0, y: 0, z: 0 }
  return world.createImpulseJoint(joints.generic(center, center, { x: 1, y: 0, z: 0 }, 0), first, second, true)
}

/**
 * Drives one axis of a generic joint to zero. The motor is force-based: the acceleration-based default scales with the row's
 * effective mass without the joint's lever arm and is far too soft off the centre of mass.
 */
export function holdAxisAtZero(world: World, joint: ImpulseJoint, axis: LinearAxis, motor: AxisMotor): void {
  const raw: RawMotors = world.impulseJoints.raw
  raw.jointConfigureMotorModel(joint.handle, axis, FORCE_BASED)
  raw.jointConfigureMotorPosition(joint.handle, axis, 0, motor.stiffnessNPerM, motor.dampingNsPerM)
  raw.jointSetMotorMaxForce(joint.handle, axis, motor.maxForceN)
}

/** Drives one angle of a generic joint to zero; the error is that between the two bodies, so it may go around. */
export function holdAngleAtZero(world: World, joint: ImpulseJoint, axis: AngularAxis, motor: AngularMotor): void {
  const raw: RawMotors = world.impulseJoints.raw
  raw.jointConfigureMotorModel(joint.handle, axis, FORCE_BASED)
  // Rapier measures the error of an angle as sin(angle / 2), half of it.
  raw.jointConfigureMotorPosition(joint.handle, axis, 0, 2 * motor.stiffnessNmPerRad, motor.dampingNmsPerRad)
  raw.jointSetMotorMaxForce(joint.handle, axis, motor.maxTorqueNm)
}

/** Bounds the motor force on one axis of any joint, e.g. 0 of a prismatic one; Rapier's wrapper cannot. */
export function limitMotorForce(world: World, joint: ImpulseJoint, axis: LinearAxis, maxForceN: number): void {
  const raw: RawMotors = world.impulseJoints.raw
  raw.jointSetMotorMaxForce(joint.handle, axis, maxForceN)
}

/** Rapier's numbering of the first axis of a joint, along which one slides and about which one turns. */
const SLIDE_AXIS = 0
const TURN_AXIS = 3

/** What a joint of a robot moves: its kind, gains, bounds; in N, m and s, or N m, rad and s. */
export interface JointDrive {
  readonly isSliding: boolean
  readonly stiffness: number
  readonly damping: number
  readonly maxEffort: number
  /** Where it measures that it is in the pose in which it is made: 0 unless its middle lies elsewhere. */
  readonly start: number
  /** As it measures; within (-pi, pi) for turning ones, infinite for no limits. */
  readonly lower: number
  readonly upper: number
}

/**
 * Motor and limits beside a multibody joint, which has none in Rapier's JavaScript: a joint that locks nothing between the same two bodies.
 * Both must be world-aligned when it is made; `axis` is in the world, `anchor` in each body's frame.
 */
export function createDrive(
  rapier: Rapier,
  world: World,
  parent: RigidBody,
  child: RigidBody,
  anchors: readonly [Vector, Vector],
  axis: Vector,
  drive: JointDrive,
): ImpulseJoint {
  const joints: GenericJointData = rapier.JointData
  const joint = world.createImpulseJoint(joints.generic(...anchors, axis, 0), parent, child, true)
  joint.setContactsEnabled(false)
  const raw: RawMotors = world.impulseJoints.raw
  const number = drive.isSliding ? SLIDE_AXIS : TURN_AXIS
  raw.jointConfigureMotorModel(joint.handle, number, FORCE_BASED)
  if (!drive.isSliding && drive.start !== 0) joint.setFrameX1(turnedAboutX(joint.frameX1(), -drive.start))
  if (Number.isFinite(drive.maxEffort)) raw.jointSetMotorMaxForce(joint.handle, number, drive.maxEffort)
  if (Number.isFinite(drive.lower)) raw.jointSetLimits(joint.handle, number, drive.lower, drive.upper)
  moveDrive(world, joint.handle, drive, drive.start, 0)
  return joint
}

/** `q` after a turn about its own x axis, along which joints have their axis. */
function turnedAboutX(q: Rotation, angleRad: number): Rotation {
  const [c, s] = [Math.cos(angleRad / 2), Math.sin(angleRad / 2)]
  return { x: q.x * c + q.w * s, y: q.y * c + q.z * s, z: q.z * c - q.y * s, w: q.w * c - q.x * s }
}

/**
 * Sets the target position and speed of a drive. Rapier measures angular errors as a difference of sines of half angles, which halves
 * the stiffness at zero and weakens it away from there; the given stiffness undoes both near the target.
 */
export function moveDrive(world: World, handle: number, drive: JointDrive, position: number, speed: number): void {
  const raw: RawMotors = world.impulseJoints.raw
  const { isSliding, stiffness, damping } = drive
  if (isSliding) raw.jointConfigureMotor(handle, SLIDE_AXIS, position, speed, stiffness, damping)
  else {
    const weakening = Math.max(0.05, Math.cos(position / 2))
    raw.jointConfigureMotor(handle, TURN_AXIS, position, speed, (2 * stiffness) / weakening, damping)
  }
}
