import type { ImpulseJoint, World } from '@dimforge/rapier3d-simd-compat'

/** Joint axes in Rapier's raw numbering. */
export const JOINT_AXIS: { readonly linX: 0; readonly linY: 1; readonly linZ: 2 } = { linX: 0, linY: 1, linZ: 2 }

/** A spring-damper on one joint axis that pulls towards zero displacement with a bounded force. */
export interface AxisMotor {
  readonly stiffnessNPerM: number
  readonly dampingNsPerM: number
  readonly maxForceN: number
}

/**
 * Drives one axis of a generic joint. Rapier's wrapper has no motor methods for generic joints, only its raw set does; every use of
 * that raw set is in this file. The motor is force-based: the acceleration-based default scales with the row's effective mass
 * without the joint's lever arm and is far too soft off the centre of mass.
 */
export function holdAxisAtZero(world: World, joint: ImpulseJoint, axis: 0 | 1 | 2, motor: AxisMotor): void {
  const raw = world.impulseJoints.raw
  raw.jointConfigureMotorModel(joint.handle, axis, 1)
  raw.jointConfigureMotorPosition(joint.handle, axis, 0, motor.stiffnessNPerM, motor.dampingNsPerM)
  raw.jointSetMotorMaxForce(joint.handle, axis, motor.maxForceN)
}
