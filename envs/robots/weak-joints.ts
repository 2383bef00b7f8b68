import { Kinematics } from './kinematics.ts'
import type { PoseSpec, RobotModel } from './robot-model.ts'
import { turned } from './rotations.ts'

const GRAVITY = 9.81

/**
 * The joints whose effort is less than what holds the links beyond them in a pose, as text for a person: a real arm would sink there. Simulated
 * ones do not, for their gravity is compensated, but move as slowly as their efforts make them.
 * @param q [n] the pose.
 */
export function weakJoints(model: RobotModel, base: PoseSpec, q: ArrayLike<number>): string[] {
  const arm = new Kinematics(model, base)
  arm.forward(q)
  const centers = model.links.map(({ inertialPose }, link) => {
    const away = turned(arm.rotations.subarray(9 * link, 9 * link + 9), inertialPose.positionM)
    return away.map((x, i) => x + arm.positions[3 * link + i]!)
  })
  const weak: string[] = []
  for (const { name, kind, axis, child, maxEffort, mimic } of model.joints) {
    if (kind === 'fixed' || mimic !== undefined || maxEffort <= 0) continue
    const at = arm.linkIndex(child)
    const [x, y, z] = turned(arm.rotations.subarray(9 * at, 9 * at + 9), axis)
    const beyond = linksBeyond(model, child)
    let load = 0
    model.links.forEach(({ name: link, massKg }, i) => {
      if (!beyond.has(link)) return
      const [dx, dy] = [centers[i]![0]! - arm.positions[3 * at]!, centers[i]![1]! - arm.positions[3 * at + 1]!]
      load += massKg * GRAVITY * (kind === 'prismatic' ? z! : x! * dy - y! * dx)
    })
    const unit = kind === 'prismatic' ? 'N' : 'N m'
    if (Math.abs(load) > maxEffort) weak.push(`${name} (${+Math.abs(load).toPrecision(2)} of ${maxEffort} ${unit})`)
  }
  return weak
}

function linksBeyond({ joints }: RobotModel, root: string): ReadonlySet<string> {
  const links = new Set([root])
  for (const { parent, child } of joints) if (links.has(parent)) links.add(child)
  return links
}
