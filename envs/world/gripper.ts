import type {
  ImpulseJoint,
  PrismaticImpulseJoint,
  RigidBody,
  RigidBodyDesc,
  Vector,
  World,
} from '@dimforge/rapier3d-simd-compat'
import type { PhysicsEngine } from './engine.ts'
import type { GripSettings } from './physics-world.ts'
import type { AngularMotor, AxisMotor } from './raw-joints.ts'
import { createFreeJoint, holdAngleAtZero, holdAxisAtZero, limitMotorForce } from './raw-joints.ts'

/** A floating hand with two parallel fingers that hold by friction alone. */
export interface GripperSpec {
  /** Half extents of a finger: along the line of closing, across it, and up. */
  readonly fingerHalfExtentsM: readonly [number, number, number]
  /** At least half the mass of what is held, or the grip does not converge. */
  readonly fingerMassKg: number
  readonly palmMassKg: number
  readonly friction: number
  /** Between the inner faces of the open fingers. */
  readonly maxOpeningM: number
  /**
   * Of each finger. Below its force limit the spring is stiff sideways: two fingers that push with a constant force are
   * free to drift together with what they hold.
   */
  readonly fingerSpring: AxisMotor
  /** How far below 0 the opening is commanded when closed: what presses on thin objects. */
  readonly squeezeM: number
  readonly motor: AxisMotor
  /** Absent: the gripper does not turn. */
  readonly yawMotor?: AngularMotor
  /** The target stays within this distance of the hand, so that a blocked hand does not wind up. */
  readonly maxLeadM: number
  /** Rapier collision groups of the fingers (membership in the upper 16 bits, filter in the lower). */
  readonly collisionGroups: number
}

/** For objects of up to 0.2 kg and 7 cm: 15 N on a 4 cm cube. It does not turn unless you add {@link YAW_MOTOR}. */
export const GRIPPER: GripperSpec = {
  fingerHalfExtentsM: [0.006, 0.01, 0.02],
  fingerMassKg: 0.1,
  palmMassKg: 0.5,
  friction: 1,
  maxOpeningM: 0.08,
  fingerSpring: { stiffnessNPerM: 500, dampingNsPerM: 20, maxForceN: 40 },
  squeezeM: 0.02,
  motor: { stiffnessNPerM: 5000, dampingNsPerM: 200, maxForceN: 30 },
  maxLeadM: 0.03,
  collisionGroups: 0xffffffff,
}
export const YAW_MOTOR: AngularMotor = { stiffnessNmPerRad: 100, dampingNmsPerRad: 4, maxTorqueNm: 10 }
/** 4 sweeps and twice the usual contact stiffness: 20 N press fingers 0.2 mm deep into 0.1 kg. */
export const GRIP_SETTINGS: GripSettings = { contactFrequencyHz: 240, pgsIterations: 4 }

/** Handles by which a restored world finds the gripper again. */
export interface GripperHandles {
  readonly palm: number
  readonly target: number
  /** At +x and at -x of the palm when yaw is 0. */
  readonly fingers: readonly [number, number]
  readonly slides: readonly [number, number]
}

/**
 * Command of a gripper: where the middle between its fingers goes (x, y, z in metres), yaw in radians, and the opening between
 * the fingers in metres, from `-squeezeM` to `maxOpeningM`.
 */
export type GripperCommand = [x: number, y: number, z: number, yawRad: number, openingM: number]

const SIDES = [1, -1] as const
const ORIGIN = { x: 0, y: 0, z: 0 }

/**
 * Adds an open gripper to a new world. Its palm is a gravity-free body at the middle between the fingers, tied by motors to a
 * kinematic target; it has no collider. Each finger slides on a joint at its own centre of mass: with the joint's anchor at a palm
 * 10 cm above, the grip leaks into the joint's rotation locks and nothing holds.
 */
export function addGripper(
  engine: PhysicsEngine,
  world: World,
  spec: GripperSpec,
  [x, y, z]: readonly [number, number, number],
): GripperHandles {
  const { rapier } = engine
  const newBody = (dx: number): RigidBodyDesc =>
    rapier.RigidBodyDesc.dynamic()
      .setTranslation(x + dx, y, z)
      .setGravityScale(0)
      .setCanSleep(false)
  const palm = world.createRigidBody(newBody(0).enabledRotations(false, false, spec.yawMotor !== undefined))
  const inertia = spec.palmMassKg * spec.maxOpeningM ** 2
  palm.setAdditionalMassProperties(
    spec.palmMassKg,
    ORIGIN,
    { x: inertia, y: inertia, z: inertia },
    { ...ORIGIN, w: 1 },
    true,
  )
  const target = world.createRigidBody(
    rapier.RigidBodyDesc.kinematicPositionBased().setTranslation(x, y, z).setCanSleep(false),
  )
  const joint = createFreeJoint(rapier, world, target, palm)
  for (const axis of [0, 1, 2] as const) holdAxisAtZero(world, joint, axis, spec.motor)
  if (spec.yawMotor !== undefined) holdAngleAtZero(world, joint, 5, spec.yawMotor)
  const [halfX] = spec.fingerHalfExtentsM
  const parts = SIDES.map((side) => {
    // Its rotations stay free: a joint between two bodies that both cannot roll divides by zero once they turn.
    const finger = world.createRigidBody(newBody(side * (halfX + spec.maxOpeningM / 2)))
    world.createCollider(
      rapier.ColliderDesc.cuboid(...spec.fingerHalfExtentsM)
        .setMass(spec.fingerMassKg)
        .setFriction(spec.friction)
        .setCollisionGroups(spec.collisionGroups),
      finger,
    )
    return { finger: finger.handle, slide: addSlide(engine, world, spec, palm, finger, side).handle }
  })
  return {
    palm: palm.handle,
    target: target.handle,
    fingers: [parts[0]!.finger, parts[1]!.finger],
    slides: [parts[0]!.slide, parts[1]!.slide],
  }
}

/** The joint of one finger; its coordinate is the distance of the finger's inner face from the middle. */
function addSlide(
  { rapier }: PhysicsEngine,
  world: World,
  spec: GripperSpec,
  palm: RigidBody,
  finger: RigidBody,
  side: 1 | -1,
): ImpulseJoint {
  const anchor = { x: side * spec.fingerHalfExtentsM[0], y: 0, z: 0 }
  const data = rapier.JointData.prismatic(anchor, ORIGIN, { x: side, y: 0, z: 0 })
  data.limitsEnabled = true
  data.limits = [0, spec.maxOpeningM / 2]
  const slide = world.createImpulseJoint(data, palm, finger, true) as PrismaticImpulseJoint
  slide.setContactsEnabled(false)
  slide.configureMotorModel(rapier.MotorModel.ForceBased)
  const { stiffnessNPerM, dampingNsPerM, maxForceN } = spec.fingerSpring
  slide.configureMotorPosition(spec.maxOpeningM / 2, stiffnessNPerM, dampingNsPerM)
  limitMotorForce(world, slide, 0, maxForceN)
  return slide
}

/** A gripper in one world: look it up again when the world was replaced. */
export class Gripper {
  /** What it was told last. */
  readonly command: GripperCommand
  readonly #world: World
  readonly #spec: GripperSpec
  readonly #palm: RigidBody
  readonly #target: RigidBody
  readonly #fingers: readonly RigidBody[]
  readonly #slides: readonly PrismaticImpulseJoint[]
  readonly #vector = { x: 0, y: 0, z: 0 }
  readonly #other = { x: 0, y: 0, z: 0 }
  readonly #turn = { x: 0, y: 0, z: 0, w: 1 }

  constructor(world: World, handles: GripperHandles, spec: GripperSpec, command: Readonly<GripperCommand>) {
    this.#world = world
    this.#spec = spec
    this.#palm = world.getRigidBody(handles.palm)
    this.#target = world.getRigidBody(handles.target)
    this.#fingers = handles.fingers.map((handle) => world.getRigidBody(handle))
    this.#slides = handles.slides.map((handle) => world.getImpulseJoint(handle) as PrismaticImpulseJoint)
    this.command = [...command]
  }

  /** The middle of the palm, between the open fingers; overwritten by the next call. */
  get position(): Vector {
    return this.#palm.translation(this.#vector)
  }

  /** In (-pi, pi]. */
  get yawRad(): number {
    const { z, w } = this.#palm.rotation(this.#turn)
    const yaw = 2 * Math.atan2(z, w)
    return yaw > Math.PI ? yaw - 2 * Math.PI : yaw <= -Math.PI ? yaw + 2 * Math.PI : yaw
  }

  /** Distance of the inner face of finger 0 (at +x when yaw is 0) or 1 from the middle. */
  fingerGapM(finger: 0 | 1): number {
    const palm = this.position
    const at = this.#fingers[finger]!.translation(this.#other)
    return Math.hypot(at.x - palm.x, at.y - palm.y) - this.#spec.fingerHalfExtentsM[0]
  }

  /** Between the inner faces of the fingers. */
  get openingM(): number {
    return this.fingerGapM(0) + this.fingerGapM(1)
  }

  /** Places the gripper at `command`, at rest. For setting up a state, not for control. */
  place(command: Readonly<GripperCommand>): void {
    const [x, y, z, yaw, opening] = command
    const rotation = { x: 0, y: 0, z: Math.sin(yaw / 2), w: Math.cos(yaw / 2) }
    const reach = this.#spec.fingerHalfExtentsM[0] + Math.max(0, opening) / 2
    const bodies = [this.#palm, this.#target, ...this.#fingers]
    for (const [i, body] of bodies.entries()) {
      const along = i < 2 ? 0 : SIDES[i - 2]! * reach
      body.setTranslation({ x: x + along * Math.cos(yaw), y: y + along * Math.sin(yaw), z }, true)
      body.setRotation(rotation, true)
      body.setLinvel(ORIGIN, true)
      body.setAngvel(ORIGIN, true)
    }
    this.#target.setNextKinematicTranslation({ x, y, z })
    this.#target.setNextKinematicRotation(rotation)
    for (let i = 0; i < command.length; i++) this.command[i] = command[i]!
    this.#pull(opening)
  }

  /**
   * Steps the world `substeps` times while the command goes in a straight line to `to`, though never far from the hand. Spread over
   * the substeps: all at once it would be a spike of velocity.
   */
  move(to: Readonly<GripperCommand>, substeps: number): void {
    const [fromX, fromY, fromZ, fromYaw, fromOpening] = this.command
    const command = this.command
    const target = this.#vector
    for (let substep = 1; substep <= substeps; substep++) {
      const share = substep / substeps
      const hand = this.#palm.translation(this.#other)
      const [dx, dy] = [fromX + (to[0] - fromX) * share - hand.x, fromY + (to[1] - fromY) * share - hand.y]
      const dz = fromZ + (to[2] - fromZ) * share - hand.z
      const scale = Math.min(1, this.#spec.maxLeadM / Math.hypot(dx, dy, dz))
      target.x = command[0] = hand.x + dx * scale
      target.y = command[1] = hand.y + dy * scale
      target.z = command[2] = hand.z + dz * scale
      command[3] = fromYaw + (to[3] - fromYaw) * share
      command[4] = fromOpening + (to[4] - fromOpening) * share
      this.#target.setNextKinematicTranslation(target)
      if (this.#spec.yawMotor !== undefined) this.#turnTarget(command[3])
      this.#pull(command[4])
      this.#world.step()
    }
  }

  #turnTarget(yaw: number): void {
    const turn = this.#turn
    turn.x = turn.y = 0
    turn.z = Math.sin(yaw / 2)
    turn.w = Math.cos(yaw / 2)
    this.#target.setNextKinematicRotation(turn)
  }

  #pull(opening: number): void {
    const { stiffnessNPerM, dampingNsPerM } = this.#spec.fingerSpring
    for (const slide of this.#slides) slide.configureMotorPosition(opening / 2, stiffnessNPerM, dampingNsPerM)
  }
}
