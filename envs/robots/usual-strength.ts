import type { JointModel, RobotModel } from './robot-model.ts'

const USUAL_SPEED_RAD_PER_S = 2
const USUAL_SPEED_M_PER_S = 0.3
/** A motor is chosen to hold about three times what hangs on it. */
const RESERVE = 3
const LEAST_TORQUE_NM = 1
const LEAST_FORCE_N = 10
const GRAVITY = 9.81

/**
 * The robot with a speed and an effort for each joint of which its file tells none: a usual speed, and three times what holds the links beyond
 * the joint stretched out against gravity.
 */
export function withUsualStrength(model: RobotModel): RobotModel {
  const isTold = ({ kind, maxSpeed, maxEffort }: JointModel): boolean =>
    kind === 'fixed' || (maxSpeed > 0 && maxEffort > 0)
  if (model.joints.every(isTold)) return model
  return {
    ...model,
    joints: model.joints.map((joint) => {
      if (isTold(joint)) return joint
      const isSliding = joint.kind === 'prismatic'
      return {
        ...joint,
        maxSpeed: joint.maxSpeed > 0 ? joint.maxSpeed : isSliding ? USUAL_SPEED_M_PER_S : USUAL_SPEED_RAD_PER_S,
        maxEffort: joint.maxEffort > 0 ? joint.maxEffort : effortFor(model, joint),
      }
    }),
  }
}

function effortFor(model: RobotModel, { kind, child }: JointModel): number {
  const beyond = movedBy(model, child)
  const weight = beyond.reduce((sum, { massKg }) => sum + massKg * GRAVITY, 0)
  if (kind === 'prismatic') return Math.max(LEAST_FORCE_N, RESERVE * weight)
  const moment = beyond.reduce((sum, { massKg, awayM }) => sum + massKg * GRAVITY * awayM, 0)
  return Math.max(LEAST_TORQUE_NM, RESERVE * moment)
}

/** The links that hang on `root`, itself included, and how far out their centres of mass are when all between is stretched. */
export function movedBy(model: RobotModel, root: string): { readonly massKg: number; readonly awayM: number }[] {
  const away = new Map<string, number>([[root, 0]])
  for (const { parent, child, origin, kind, upper } of model.joints) {
    const from = away.get(parent)
    if (from === undefined) continue
    const slide = kind === 'prismatic' && Number.isFinite(upper) ? upper : 0
    away.set(child, from + Math.hypot(...origin.positionM) + slide)
  }
  return model.links
    .filter(({ name }) => away.has(name))
    .map(({ name, massKg, inertialPose }) => ({
      massKg,
      awayM: away.get(name)! + Math.hypot(...inertialPose.positionM),
    }))
}
