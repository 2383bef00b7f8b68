import { Kinematics } from './kinematics.ts'
import type { GeometryModel, LinkModel, RobotModel } from './robot-model.ts'
import { multiplyRotations, rotationOfQuat, turned } from './rotations.ts'

/** Links that fixed joints make one rigid body, in the frame of the first of them. */
export interface RigidGroup {
  /** Index in the model of the link whose frame it has. */
  readonly root: number
  readonly massKg: number
  /** [3] */
  readonly centerOfMass: Float64Array
  /** [3] moments of inertia about the centre of mass, kg m^2, and the axes that they belong to: [3, 3], axes to frame. */
  readonly principalInertia: Float64Array
  readonly principalAxes: Float64Array
  readonly collisions: readonly PlacedGeometry[]
}

export interface PlacedGeometry {
  readonly geometry: GeometryModel
  /** [3] and [3, 3] in the group's frame. */
  readonly position: Float64Array
  readonly rotation: Float64Array
}

/** Splits a model into the bodies that move against each other, parents first. Links without mass or inertia get a little of both. */
export function rigidGroups(model: RobotModel): {
  readonly groups: readonly RigidGroup[]
  readonly groupOf: Int32Array
} {
  const atZero = new Kinematics(model)
  atZero.forward(new Float64Array(atZero.joints.length))
  const groupOf = new Int32Array(model.links.length)
  const members: number[][] = [[0]]
  for (let link = 1; link < model.links.length; link++) {
    const joint = model.joints.find(({ child }) => child === model.links[link]!.name)!
    const parent = groupOf[atZero.linkIndex(joint.parent)]!
    groupOf[link] = joint.kind === 'fixed' ? parent : members.length
    if (joint.kind === 'fixed') members[parent]!.push(link)
    else members.push([link])
  }
  return { groups: members.map((links) => merge(model, atZero, links)), groupOf }
}

/** Below these a body of no inertia would be thrown about by any touch. */
const MIN_MASS_KG = 0.01
const MIN_INERTIA = 1e-5

interface Part {
  readonly link: LinkModel
  readonly position: Float64Array
  readonly rotation: Float64Array
}

function merge(model: RobotModel, atZero: Kinematics, links: readonly number[]): RigidGroup {
  const root = links[0]!
  const parts = links.map((link) => ({ link: model.links[link]!, ...relativePose(atZero, root, link) }))
  const centers = parts.map((part) => placed(part, part.link.inertialPose))
  const massKg = parts.reduce((sum, { link }) => sum + link.massKg, 0)
  const centerOfMass = new Float64Array(3)
  parts.forEach(({ link }, k) => {
    for (let i = 0; i < 3; i++) centerOfMass[i]! += massKg > 0 ? (link.massKg / massKg) * centers[k]!.position[i]! : 0
  })
  const inertia = new Float64Array(9)
  parts.forEach(({ link }, k) => addInertia(link, centers[k]!, centerOfMass, inertia))
  const axes = principalAxesOf(inertia)
  return {
    root,
    massKg: Math.max(MIN_MASS_KG, massKg),
    centerOfMass,
    principalInertia: Float64Array.of(inertia[0]!, inertia[4]!, inertia[8]!).map((x) => Math.max(MIN_INERTIA, x)),
    principalAxes: axes,
    collisions: parts.flatMap((part) =>
      part.link.collisions.map((geometry) => ({ geometry, ...placed(part, geometry.pose) })),
    ),
  }
}

/** Pose of `link` in the frame of `root`. */
function relativePose(
  { positions, rotations }: Kinematics,
  root: number,
  link: number,
): { position: Float64Array; rotation: Float64Array } {
  const back = transposed(rotations.slice(9 * root, 9 * root + 9))
  const rotation = new Float64Array(9)
  multiplyRotations(back, 0, rotations, 9 * link, rotation, 0)
  const away = positions.slice(3 * link, 3 * link + 3).map((x, i) => x - positions[3 * root + i]!)
  return { position: turned(back, away), rotation }
}

function placed(
  { position, rotation }: Omit<Part, 'link'>,
  pose: LinkModel['inertialPose'],
): { position: Float64Array; rotation: Float64Array } {
  const own = rotationOfQuat(pose.quatXyzw, new Float64Array(9))
  const total = new Float64Array(9)
  multiplyRotations(rotation, 0, own, 0, total, 0)
  return { position: turned(rotation, pose.positionM).map((x, i) => x + position[i]!), rotation: total }
}

/** Adds R I R^T + m (d.d 1 - d d^T) of a link, d its centre from the common one. */
function addInertia(
  { massKg, inertia: [ixx, ixy, ixz, iyy, iyz, izz] }: LinkModel,
  center: { position: Float64Array; rotation: Float64Array },
  origin: Float64Array,
  sum: Float64Array,
): void {
  const own = Float64Array.of(ixx, ixy, ixz, ixy, iyy, iyz, ixz, iyz, izz)
  const [half, world] = [new Float64Array(9), new Float64Array(9)]
  multiplyRotations(center.rotation, 0, own, 0, half, 0)
  multiplyRotations(half, 0, transposed(center.rotation), 0, world, 0)
  const d = center.position.map((x, i) => x - origin[i]!)
  const squared = d[0]! * d[0]! + d[1]! * d[1]! + d[2]! * d[2]!
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      sum[3 * i + j]! += world[3 * i + j]! + massKg * ((i === j ? squared : 0) - d[i]! * d[j]!)
    }
  }
}

/** Diagonalises a symmetric [3, 3] in place (Jacobi's method); returns the eigenvectors as the columns of a rotation. */
function principalAxesOf(a: Float64Array): Float64Array {
  let axes = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1)
  for (let sweep = 0; sweep < 12; sweep++) {
    for (const [p, q] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const) {
      const off = a[3 * p + q]!
      if (Math.abs(off) < 1e-15) continue
      const angle = 0.5 * Math.atan2(2 * off, a[3 * q + q]! - a[3 * p + p]!)
      const [c, s] = [Math.cos(angle), Math.sin(angle)]
      const turn = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1)
      turn[3 * p + p] = turn[3 * q + q] = c
      turn[3 * p + q] = s
      turn[3 * q + p] = -s
      const [half, next, nextAxes] = [new Float64Array(9), new Float64Array(9), new Float64Array(9)]
      multiplyRotations(transposed(turn), 0, a, 0, half, 0)
      multiplyRotations(half, 0, turn, 0, next, 0)
      a.set(next)
      multiplyRotations(axes, 0, turn, 0, nextAxes, 0)
      axes = nextAxes
    }
  }
  return axes
}

function transposed(r: Float64Array): Float64Array {
  return Float64Array.of(r[0]!, r[3]!, r[6]!, r[1]!, r[4]!, r[7]!, r[2]!, r[5]!, r[8]!)
}
