import type { ColliderDesc, RigidBody, Rotation, Vector, World } from '@dimforge/rapier3d-simd-compat'
import { ArmatureError } from '../../src/core/errors.ts'
import type { ShapeSpec } from '../camera/meshes.ts'
import type { PhysicsEngine, Rapier } from '../world/engine.ts'
import type { JointDrive } from '../world/raw-joints.ts'
import { createDrive, moveDrive } from '../world/raw-joints.ts'
import { hullPoints } from './hull-points.ts'
import { Kinematics } from './kinematics.ts'
import { isLocked, withLockedFixed } from './locked-joints.ts'
import type { RigidGroup } from './rigid-groups.ts'
import { rigidGroups } from './rigid-groups.ts'
import type { JointModel, PoseSpec, RobotModel } from './robot-model.ts'
import { multiplyRotations, quatOfRotation, turned } from './rotations.ts'

export type JointGains = Pick<JointDrive, 'stiffness' | 'damping'>

/** How a robot stands in a world and how its joints are driven. */
export interface ArmSpec {
  readonly model: RobotModel
  /** Of the root link, which is fixed. */
  readonly base: PoseSpec
  /** [n] the coordinates at which it is built. */
  readonly home: readonly number[]
  /**
   * Where drives of turning joints measure from, which is where the half turn that they can go to either side begins: `home` (default), or the
   * middle of the joint's range, which loses least of it.
   */
  readonly zero?: 'home' | 'middle'
  /** Spring and damper of a joint, N m/rad and N m s/rad or N/m and N s/m; undefined: full effort at an error of 0.02, a tenth as damping. */
  readonly gains?: (joint: JointModel) => JointGains | undefined
  readonly collisionGroups: number
  readonly friction?: number
  /** 0 (default) is perfect gravity compensation. */
  readonly gravityScale?: number
}

/** Handles by which a restored world finds the arm again. */
export interface ArmHandles {
  /** One per rigid group. */
  readonly bodies: readonly number[]
  /** One per joint that moves. */
  readonly drives: readonly number[]
}

interface DrivenJoint {
  readonly joint: JointModel
  readonly parent: number
  readonly child: number
  /** In the world at home. */
  readonly axis: readonly [number, number, number]
  readonly anchors: readonly [Vector, Vector]
  readonly home: number
  /** The position at which the drive measures 0. */
  readonly zero: number
  readonly drive: JointDrive
}

/** Drives fold angles at half a turn: limits stay so far within it that an arm thrown against them does not pass it. */
const HALF_TURN = Math.PI - 0.1
const EFFORT_AT = 0.02
/** N m or N: what the gains of joints without a limit are made for. Files often say 0 where they mean none. */
const USUAL_EFFORT = 100

/** A stop acts only on a joint that has passed it, so it stands before the limit by what a fast one goes in a substep. */
const STOP_MARGIN_RAD = 0.05

function stopMargin({ kind, lower, upper }: JointModel): number {
  return kind === 'prismatic' ? 0 : Math.min(STOP_MARGIN_RAD, (upper - lower) / 4)
}

/** What can be computed of an arm before there is a world: bodies, joints, limits. */
export class ArmPlan {
  readonly spec: ArmSpec
  readonly kinematics: Kinematics
  /** [n] limits of the coordinates, a little within those of the model, and no wider than half a turn to either side of where drives measure from. */
  readonly lower: Float64Array
  readonly upper: Float64Array
  readonly groups: readonly RigidGroup[]
  /** Joints that move, also those that follow another, in the model's order; locked ones do not. */
  readonly driven: readonly DrivenJoint[]
  /** Index in `driven` of each coordinate; -1 for a locked one. */
  readonly ofCoordinate: readonly number[]

  /** @throws ArmatureError `bad-argument` when `home` does not fit the model. */
  constructor(spec: ArmSpec) {
    this.spec = spec
    this.kinematics = new Kinematics(spec.model, spec.base)
    const { joints, lower, upper } = this.kinematics
    const isOutside = spec.home.some((x, j) => !(x >= lower[j]! && x <= upper[j]!))
    if (spec.home.length !== joints.length || isOutside) {
      throw new ArmatureError('bad-argument', `home of ${spec.model.name}`, {
        expected: `${joints.length} positions within the limits of ${joints.map(({ name }) => name).join(', ')}`,
        got: `[${spec.home.join(', ')}]`,
      })
    }
    const reach = joints.map(({ kind }) => (kind === 'prismatic' ? Infinity : HALF_TURN))
    const zeros = joints.map((joint, j) => this.#zeroOf(joint, spec.home[j]!))
    const inside = joints.map(stopMargin)
    this.lower = lower.map((low, j) => Math.max(Math.min(low + inside[j]!, spec.home[j]!), zeros[j]! - reach[j]!))
    this.upper = upper.map((high, j) => Math.min(Math.max(high - inside[j]!, spec.home[j]!), zeros[j]! + reach[j]!))
    this.kinematics.forward(spec.home)
    const { groups, groupOf } = rigidGroups(withLockedFixed(this.kinematics, spec.home))
    this.groups = groups
    const moving = spec.model.joints.filter((joint) => joint.kind !== 'fixed' && !isLocked(joint))
    this.driven = moving.map((joint) => this.#plan(joint, groupOf))
    this.ofCoordinate = joints.map((joint) => moving.indexOf(joint))
  }

  /** Nearest to the middle of the range, or to home where the range is wider than a turn. */
  #zeroOf({ kind, lower, upper }: JointModel, home: number): number {
    if (kind === 'prismatic' || this.spec.zero !== 'middle') return home
    if (upper - lower <= 2 * HALF_TURN) return (lower + upper) / 2
    return Math.max(lower + HALF_TURN, Math.min(upper - HALF_TURN, home))
  }

  #plan(joint: JointModel, groupOf: Int32Array): DrivenJoint {
    const { kinematics, spec, groups } = this
    const { positions } = kinematics
    const link = kinematics.linkIndex(joint.child)
    const [parent, child] = [groupOf[kinematics.linkIndex(joint.parent)]!, groupOf[link]!]
    const axis = this.#toWorld(link, joint.axis)
    const isSliding = joint.kind === 'prismatic'
    const home = kinematics.jointPosition(joint, spec.home)
    const zero = this.#zeroOf(joint, home)
    const maxEffort = joint.maxEffort > 0 ? joint.maxEffort : Infinity
    const stiffness = (Number.isFinite(maxEffort) ? maxEffort : USUAL_EFFORT) / EFFORT_AT
    const gains = spec.gains?.(joint) ?? { stiffness, damping: stiffness / 10 }
    // A sliding joint acts at the centre of mass: from afar its force leaks into the locks of its rotation, and grips slip.
    const at = isSliding ? this.#toWorld(link, groups[child]!.centerOfMass) : [0, 0, 0]
    const root = groups[parent]!.root
    const away = [0, 1, 2].map((i) => positions[3 * link + i]! - positions[3 * root + i]! + at[i]!)
    const reach = isSliding ? Infinity : HALF_TURN
    const inside = stopMargin(joint)
    return {
      joint,
      parent,
      child,
      axis,
      anchors: [vector(away), vector(at)],
      home,
      zero,
      drive: {
        isSliding,
        ...gains,
        maxEffort,
        start: home - zero,
        lower: Math.max(Math.min(joint.lower + inside, home) - zero, -reach),
        upper: Math.min(Math.max(joint.upper - inside, home) - zero, reach),
      },
    }
  }

  #toWorld(link: number, v: ArrayLike<number>): [number, number, number] {
    const r = this.kinematics.rotations
    const row = (i: number): number =>
      r[9 * link + 3 * i]! * v[0]! + r[9 * link + 3 * i + 1]! * v[1]! + r[9 * link + 3 * i + 2]! * v[2]!
    return [row(0), row(1), row(2)]
  }
}

/**
 * Adds an arm to a new world: a multibody, which keeps its joints together exactly, with a drive beside each joint. Multibody joints
 * start at zero whatever the poses of their bodies are, so every body is world-aligned at home, and its mass and shapes are turned instead.
 */
export function addArm({ rapier }: PhysicsEngine, world: World, plan: ArmPlan): ArmHandles {
  const { spec, kinematics } = plan
  kinematics.forward(spec.home)
  const bodies = plan.groups.map((group, index) => addBody(rapier, world, plan, group, index === 0))
  const drives = plan.driven.map(({ joint, parent, child, axis, anchors, drive }) => {
    const [first, second] = [bodies[parent]!, bodies[child]!]
    const along = vector(axis)
    const data =
      joint.kind === 'prismatic'
        ? rapier.JointData.prismatic(...anchors, along)
        : rapier.JointData.revolute(...anchors, along)
    world.createMultibodyJoint(data, first, second, true).setContactsEnabled(false)
    return createDrive(rapier, world, first, second, anchors, along, drive).handle
  })
  return { bodies: bodies.map(({ handle }) => handle), drives }
}

function addBody(rapier: Rapier, world: World, plan: ArmPlan, group: RigidGroup, isRoot: boolean): RigidBody {
  const { spec, kinematics } = plan
  const { root, massKg, centerOfMass, principalInertia, principalAxes } = group
  const rotation = kinematics.rotations.slice(9 * root, 9 * root + 9)
  const desc = isRoot ? rapier.RigidBodyDesc.fixed() : rapier.RigidBodyDesc.dynamic()
  const [x, y, z] = kinematics.positions.subarray(3 * root, 3 * root + 3)
  const body = world.createRigidBody(
    desc
      .setTranslation(x!, y!, z!)
      .setGravityScale(spec.gravityScale ?? 0)
      .setCanSleep(false)
      .setAdditionalMassProperties(
        massKg,
        vector(turned(rotation, centerOfMass)),
        vector(principalInertia),
        quaternionOf(product(rotation, principalAxes)),
      ),
  )
  for (const { geometry, position, rotation: own } of group.collisions) {
    const [cx, cy, cz] = turned(rotation, position)
    const collider = colliderOf(rapier, geometry.shape, product(rotation, own))
      .setTranslation(cx!, cy!, cz!)
      .setDensity(0)
      .setFriction(spec.friction ?? 0.5)
      .setCollisionGroups(spec.collisionGroups)
    world.createCollider(collider, body)
  }
  return body
}

/** Round shapes stand along y in Rapier, along z here. */
const Y_TO_Z = Float64Array.of(1, 0, 0, 0, 0, -1, 0, 1, 0)

function colliderOf(rapier: Rapier, shape: ShapeSpec, rotation: Float64Array): ColliderDesc {
  const straight = quaternionOf(rotation)
  const upright = quaternionOf(product(rotation, Y_TO_Z))
  switch (shape.kind) {
    case 'box':
      return rapier.ColliderDesc.cuboid(...shape.halfExtentsM).setRotation(straight)
    case 'sphere':
      return rapier.ColliderDesc.ball(shape.radiusM)
    case 'cylinder':
      return rapier.ColliderDesc.cylinder(shape.heightM / 2, shape.radiusM).setRotation(upright)
    case 'capsule':
      return rapier.ColliderDesc.capsule(shape.heightM / 2, shape.radiusM).setRotation(upright)
    case 'mesh': {
      const hull = rapier.ColliderDesc.convexHull(hullPoints(shape.vertices))
      if (hull !== null) return hull.setRotation(straight)
      throw new ArmatureError('bad-argument', 'collision mesh of a robot', { expected: 'a body with a volume' })
    }
    case 'plane':
      throw new ArmatureError('bad-argument', 'collision shape of a robot', {
        expected: 'box, sphere, cylinder, capsule or mesh, of which the hull is taken',
        got: shape.kind,
      })
  }
}

/** An arm in one world: look it up again when the world was replaced. */
export class Arm {
  /** [n] positions and speeds of the coordinates at the last `read`; rad, rad/s or m, m/s. */
  readonly q: Float64Array
  readonly qd: Float64Array
  readonly #plan: ArmPlan
  readonly #world: World
  readonly #bodies: readonly RigidBody[]
  readonly #drives: readonly number[]
  readonly #rotations: [Rotation, Rotation] = [
    { x: 0, y: 0, z: 0, w: 1 },
    { x: 0, y: 0, z: 0, w: 1 },
  ]
  readonly #vectors: [Vector, Vector] = [
    { x: 0, y: 0, z: 0 },
    { x: 0, y: 0, z: 0 },
  ]

  constructor(world: World, handles: ArmHandles, plan: ArmPlan) {
    this.#plan = plan
    this.#world = world
    this.#bodies = handles.bodies.map((handle) => world.getRigidBody(handle))
    this.#drives = handles.drives
    this.q = Float64Array.from(plan.spec.home)
    this.qd = new Float64Array(plan.spec.home.length)
  }

  /** The body of rigid group `index`, e.g. for contacts; the last ones are those of the last joints. */
  body(index: number): RigidBody {
    return this.#bodies[index]!
  }

  /** Reads positions and speeds out of the physics. */
  read(): void {
    const { driven, ofCoordinate } = this.#plan
    for (let j = 0; j < ofCoordinate.length; j++) {
      const joint = driven[ofCoordinate[j]!]
      if (joint === undefined) continue
      if (joint.drive.isSliding) this.#readSlide(joint, j)
      else this.#readTurn(joint, j)
    }
  }

  /**
   * Tells every drive where to be and how fast to go there: [n] each. Speeds feed the dampers forward, without which a moving target is
   * followed with a lag of damping / stiffness seconds.
   */
  setTargets(q: ArrayLike<number>, qd: ArrayLike<number>): void {
    const { driven, ofCoordinate, kinematics } = this.#plan
    for (let j = 0; j < ofCoordinate.length; j++) {
      const at = ofCoordinate[j]!
      if (at < 0) continue
      const { drive, zero } = driven[at]!
      moveDrive(this.#world, this.#drives[at]!, drive, q[j]! - zero, qd[j]!)
    }
    for (let at = 0; at < driven.length; at++) {
      const { joint, drive, zero } = driven[at]!
      if (joint.mimic === undefined) continue
      const leader = kinematics.joints.findIndex(({ name }) => name === joint.mimic!.joint)
      const speed = joint.mimic.multiplier * qd[leader]!
      moveDrive(this.#world, this.#drives[at]!, drive, kinematics.jointPosition(joint, q) - zero, speed)
    }
  }

  #readTurn({ parent, child, axis, home, zero }: DrivenJoint, j: number): void {
    const [first, second] = [this.#bodies[parent]!, this.#bodies[child]!]
    const p = first.rotation(this.#rotations[0])
    const c = second.rotation(this.#rotations[1])
    // The vector part of conj(p) c.
    const x = p.w * c.x - p.x * c.w - p.y * c.z + p.z * c.y
    const y = p.w * c.y + p.x * c.z - p.y * c.w - p.z * c.x
    const z = p.w * c.z - p.x * c.y + p.y * c.x - p.z * c.w
    const w = p.w * c.w + p.x * c.x + p.y * c.y + p.z * c.z
    const angle = 2 * Math.atan2(x * axis[0] + y * axis[1] + z * axis[2], w)
    // Of the turns that look alike the one within half a turn of where the drive measures from.
    const fromZero = home - zero + angle
    this.q[j] = zero + fromZero - 2 * Math.PI * Math.round(fromZero / (2 * Math.PI))
    const before = first.angvel(this.#vectors[0])
    const after = second.angvel(this.#vectors[1])
    this.qd[j] = alongTurned(p, axis, after.x - before.x, after.y - before.y, after.z - before.z)
  }

  #readSlide({ parent, child, axis, anchors, home }: DrivenJoint, j: number): void {
    const [first, second] = [this.#bodies[parent]!, this.#bodies[child]!]
    const p = first.rotation(this.#rotations[0])
    const a = first.translation(this.#vectors[0])
    const b = second.translation(this.#vectors[1])
    const [along, across] = [anchors[0], anchors[1]]
    // Both bodies are turned alike, so their anchors can be compared in the parent's frame.
    const offset = (along.x - across.x) * axis[0] + (along.y - across.y) * axis[1] + (along.z - across.z) * axis[2]
    this.q[j] = home + alongTurned(p, axis, b.x - a.x, b.y - a.y, b.z - a.z) - offset
    const center = second.worldCom()
    const before = first.velocityAtPoint(center)
    const after = second.linvel(this.#vectors[1])
    this.qd[j] = alongTurned(p, axis, after.x - before.x, after.y - before.y, after.z - before.z)
  }
}

/** The component of (x, y, z) along `axis` turned by `q`. */
function alongTurned(q: Rotation, axis: readonly [number, number, number], x: number, y: number, z: number): number {
  const [ax, ay, az] = axis
  const tx = 2 * (q.y * az - q.z * ay)
  const ty = 2 * (q.z * ax - q.x * az)
  const tz = 2 * (q.x * ay - q.y * ax)
  return (
    x * (ax + q.w * tx + q.y * tz - q.z * ty) +
    y * (ay + q.w * ty + q.z * tx - q.x * tz) +
    z * (az + q.w * tz + q.x * ty - q.y * tx)
  )
}

function vector(v: ArrayLike<number>): Vector {
  return { x: v[0]!, y: v[1]!, z: v[2]! }
}

function quaternionOf(rotation: Float64Array): Rotation {
  const [x, y, z, w] = quatOfRotation(rotation)
  return { x, y, z, w }
}

function product(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(9)
  multiplyRotations(a, 0, b, 0, out, 0)
  return out
}
