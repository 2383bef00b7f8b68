import type { RigidBody, Vector, World } from '@dimforge/rapier3d-simd-compat'
import type { PhysicsEngine } from './engine.ts'
import type { AxisMotor } from './raw-joints.ts'
import { createFreeJoint, holdAxisAtZero } from './raw-joints.ts'

/** A vertical cylinder that is pulled after a target with a bounded force. */
export interface MocapHandSpec {
  readonly radiusM: number
  readonly heightM: number
  readonly massKg: number
  readonly friction: number
  /** Height of the cylinder's centre at first; a hand that moves on a plane stays there. */
  readonly centerZ: number
  readonly motor: AxisMotor
  /** The target stays within this distance of the hand, so that a blocked hand does not wind up. */
  readonly maxLeadM: number
  /** Rapier collision groups of the hand (membership in the upper 16 bits, filter in the lower). */
  readonly collisionGroups: number
}

/** Where the centre of a hand can be told to go in three dimensions, metres. */
export interface HandSpace {
  readonly low: readonly [number, number, number]
  readonly high: readonly [number, number, number]
}

/** Handles by which a restored world finds the hand again. */
export interface MocapHandHandles {
  readonly hand: number
  readonly target: number
}

/** Adds the hand to a new world: a gravity-free body tied by a motor on three axes to a kinematic target without collider. */
export function addMocapHand(
  engine: PhysicsEngine,
  world: World,
  spec: MocapHandSpec,
  x: number,
  y: number,
): MocapHandHandles {
  const { rapier } = engine
  const hand = world.createRigidBody(
    rapier.RigidBodyDesc.dynamic()
      .setTranslation(x, y, spec.centerZ)
      .setGravityScale(0)
      .lockRotations()
      .setCanSleep(false),
  )
  const volume = Math.PI * spec.radiusM * spec.radiusM * spec.heightM
  world.createCollider(
    rapier.ColliderDesc.cylinder(spec.heightM / 2, spec.radiusM)
      .setRotation(Z_UP)
      .setDensity(spec.massKg / volume)
      .setFriction(spec.friction)
      .setCollisionGroups(spec.collisionGroups),
    hand,
  )
  const target = world.createRigidBody(
    rapier.RigidBodyDesc.kinematicPositionBased().setTranslation(x, y, spec.centerZ).setCanSleep(false),
  )
  const joint = createFreeJoint(rapier, world, target, hand)
  for (const axis of [0, 1, 2] as const) holdAxisAtZero(world, joint, axis, spec.motor)
  return { hand: hand.handle, target: target.handle }
}

/** A mocap hand in one world: look it up again when the world was replaced. */
export class MocapHand {
  /** Where the hand is told to be. */
  target: readonly [number, number, number]
  readonly #world: World
  readonly #spec: MocapHandSpec
  readonly #hand: RigidBody
  readonly #targetBody: RigidBody
  readonly #vector = { x: 0, y: 0, z: 0 }

  /** `start` is where {@link addMocapHand} put it: x and y. */
  constructor(world: World, handles: MocapHandHandles, spec: MocapHandSpec, start: readonly [number, number]) {
    this.#world = world
    this.#spec = spec
    this.#hand = world.getRigidBody(handles.hand)
    this.#targetBody = world.getRigidBody(handles.target)
    this.target = [start[0], start[1], spec.centerZ]
  }

  /** Of the cylinder's centre; overwritten by the next call. */
  get position(): Vector {
    return this.#hand.translation(this.#vector)
  }

  /** Places the hand and its target at a point, at rest. For setting up a state, not for control. */
  place(x: number, y: number, z: number = this.#spec.centerZ): void {
    const at = { x, y, z }
    this.#hand.setTranslation(at, true)
    this.#hand.setLinvel(ORIGIN, true)
    this.#targetBody.setTranslation(at, true)
    this.#targetBody.setNextKinematicTranslation(at)
    this.target = [x, y, z]
  }

  /**
   * Steps the world `substeps` times while the target moves by (dx, dy) on the hand's plane, within `box` (half extents) and near the
   * hand.
   */
  move(dx: number, dy: number, box: readonly [number, number], substeps: number): void {
    const hand = this.position
    const leadX = between(this.target[0] + dx, -box[0], box[0]) - hand.x
    const leadY = between(this.target[1] + dy, -box[1], box[1]) - hand.y
    const scale = Math.min(1, this.#spec.maxLeadM / Math.hypot(leadX, leadY))
    this.#follow(hand.x + leadX * scale, hand.y + leadY * scale, this.#spec.centerZ, substeps)
  }

  /** As `move`, in three dimensions: `step` is (dx, dy, dz). */
  moveInSpace(step: readonly [number, number, number], { low, high }: HandSpace, substeps: number): void {
    const hand = this.position
    const leadX = between(this.target[0] + step[0], low[0], high[0]) - hand.x
    const leadY = between(this.target[1] + step[1], low[1], high[1]) - hand.y
    const leadZ = between(this.target[2] + step[2], low[2], high[2]) - hand.z
    const scale = Math.min(1, this.#spec.maxLeadM / Math.hypot(leadX, leadY, leadZ))
    this.#follow(hand.x + leadX * scale, hand.y + leadY * scale, hand.z + leadZ * scale, substeps)
  }

  /** Moves the target to a point over all substeps. All at once would be a spike of velocity. */
  #follow(toX: number, toY: number, toZ: number, substeps: number): void {
    const [fromX, fromY, fromZ] = this.target
    const at = this.#vector
    for (let substep = 1; substep <= substeps; substep++) {
      at.x = fromX + ((toX - fromX) * substep) / substeps
      at.y = fromY + ((toY - fromY) * substep) / substeps
      at.z = fromZ + ((toZ - fromZ) * substep) / substeps
      this.#targetBody.setNextKinematicTranslation(at)
      this.#world.step()
    }
    this.target = [toX, toY, toZ]
  }
}

function between(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value))
}

/** Cylinders of Rapier stand along y; this turns them up (xyzw, 90 degrees about x). */
export const Z_UP: { readonly x: number; readonly y: number; readonly z: number; readonly w: number } = {
  x: Math.SQRT1_2,
  y: 0,
  z: 0,
  w: Math.SQRT1_2,
}

const ORIGIN = { x: 0, y: 0, z: 0 }
