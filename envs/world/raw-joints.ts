import type { ImpulseJoint, JointData, RigidBody, Vector, World } from '@dimforge/rapier3d-simd-compat'
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

/** What this file uses of the raw joint set, and of `JointData` with a set of axes that Rapier's enum cannot name: none. */
interface RawMotors {
  jointConfigureMotorModel(handle: number, axis: number, model: number): void
  jointConfigureMotorPosition(handle: number, axis: number, target: number, stiffness: number, damping: number): void
  jointSetMotorMaxForce(handle: number, axis: number, maxForce: number): void
}
interface GenericJointData {
  generic(anchor1: Vector, anchor2: Vector, axis: Vector, lockedAxes: number): JointData
}

/**
 * A joint that locks nothing, between the centres of two bodies: it only carries motors. Rapier's wrapper has no motors on generic
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
