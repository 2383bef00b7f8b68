import type { ShapeSpec } from '../camera/meshes.ts'

/** A rigid pose in a parent frame: metres, unit quaternion xyzw. */
export interface PoseSpec {
  readonly positionM: readonly [number, number, number]
  readonly quatXyzw: readonly [number, number, number, number]
}

/** A robot as a tree of links, in the terms of URDF: what a built-in arm and a user's file have in common. SI units, z up. */
export interface RobotModel {
  readonly name: string
  /** Each link but the root is the child of exactly one joint; a parent stands before its children. */
  readonly links: readonly LinkModel[]
  /** In the order of their child links. */
  readonly joints: readonly JointModel[]
  /** What was mended in its file, one line per kind; absent: nothing. */
  readonly notices?: readonly string[]
}

export interface LinkModel {
  readonly name: string
  /** 0 for links that only mark a frame. */
  readonly massKg: number
  /** Of the centre of mass in the link's frame, turned along the inertia's axes. */
  readonly inertialPose: PoseSpec
  /** About the centre of mass in `inertialPose`, kg m^2: [ixx, ixy, ixz, iyy, iyz, izz]. */
  readonly inertia: readonly [number, number, number, number, number, number]
  readonly visuals: readonly GeometryModel[]
  readonly collisions: readonly GeometryModel[]
}

export interface GeometryModel {
  readonly shape: ShapeSpec
  /** In the link's frame. */
  readonly pose: PoseSpec
  /** 0..255 per channel; absent: the viewer chooses. */
  readonly color?: readonly [number, number, number]
}

export interface JointModel {
  readonly name: string
  readonly kind: 'revolute' | 'continuous' | 'prismatic' | 'fixed'
  readonly parent: string
  readonly child: string
  /** Of the child's frame in the parent's, at position 0. */
  readonly origin: PoseSpec
  /** Unit vector in the child's frame. */
  readonly axis: readonly [number, number, number]
  /** rad or m; infinite for `continuous`. */
  readonly lower: number
  readonly upper: number
  /** rad/s or m/s; 0: not told. */
  readonly maxSpeed: number
  /** N m or N; 0: not told. */
  readonly maxEffort: number
  /** Follows another joint: position = multiplier * its position + offset. */
  readonly mimic?: { readonly joint: string; readonly multiplier: number; readonly offset: number }
}

/** A link without body that marks a place. */
export function frameLink(name: string): LinkModel {
  const inertialPose: PoseSpec = { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] }
  return { name, massKg: 0, inertialPose, inertia: [0, 0, 0, 0, 0, 0], visuals: [], collisions: [] }
}

/** A joint that holds `child` to `parent`. */
export function fixedJoint(name: string, parent: string, child: string, origin: PoseSpec): JointModel {
  return { name, kind: 'fixed', parent, child, origin, axis: [0, 0, 1], lower: 0, upper: 0, maxSpeed: 0, maxEffort: 0 }
}
