import type { RigidBody, World } from '@dimforge/rapier3d-simd-compat'
import type { Info } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { GripperLook } from '../camera/gripper-look.ts'
import type { Scene } from '../camera/scene.ts'
import type { Task, TaskSpec, TaskState } from '../task.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import type { GripperCommand, GripperHandles } from '../world/gripper.ts'
import { addGripper, GRIP_SETTINGS, Gripper } from '../world/gripper.ts'
import { createWorld } from '../world/physics-world.ts'
import type { Bar } from '../world/rim.ts'
import { addBars } from '../world/rim.ts'
import { scaleCollider } from '../world/scale-dynamics.ts'
import { SettledWorld } from '../world/settled-world.ts'
import {
  AIM_HALF_M,
  APART_M,
  BIN,
  CAMERAS,
  COLLISION,
  createGraspBinScene,
  HIGH_Z_M,
  HOME,
  JAW,
  LOW_Z_M,
  OPENING_M,
  SPREAD_HALF_M,
  WALLS,
} from './grasp-bin-layout.ts'
import { ObjectLook } from './grasp-bin-look.ts'
import type { ObjectInstance } from './procedural-objects.ts'
import { NOVEL_COUNT, objectColliders, objectInstance, TRAIN_COUNT } from './procedural-objects.ts'

export const GRASP_BIN_ID = 'armature/GraspBin-v0'

/** Objects in the full bin. */
export const SLOTS = 5
/** Numbers of one object in the state: see {@link GRASP_BIN_SPEC}. */
export const SLOT_SIZE = 5

/** Substeps of 1/240 s of each leg of a grasp. */
const LEGS = { approach: 96, steady: 12, descend: 60, close: 48, grip: 16, lift: 60, show: 96, rest: 16 } as const
const GRASP_SUBSTEPS = Object.values(LEGS).reduce((sum, leg) => sum + leg, 0)
const DROP_M = 0.003
const SETTLE_SUBSTEPS = 240
const STILL_M_PER_S = 0.002
/** What hangs higher than this after a grasp is in hand. */
const HELD_Z_M = 0.2

const SLOT_NAMES = ['instance', 'x_m', 'y_m', 'z_m', 'yaw_rad']
const STATE_SPACE: BoxSpace = {
  dtype: 'float32',
  shape: [SLOTS * SLOT_SIZE],
  low: Array.from({ length: SLOTS }, () => [-1, -0.3, -0.3, -0.05, -3.15]).flat(),
  high: Array.from({ length: SLOTS }, () => [TRAIN_COUNT + NOVEL_COUNT - 1, 0.3, 0.3, 0.2, 3.15]).flat(),
  names: Array.from({ length: SLOTS }, (_, slot) => SLOT_NAMES.map((name) => `object${slot}_${name}`)).flat(),
}
const PROPRIO_SPACE: BoxSpace = {
  dtype: 'float32',
  shape: [5],
  low: [-0.5, -0.8, 0, -3.15, -0.02],
  high: [0.5, 0.5, 0.6, 3.15, 0.12],
  names: ['jaw_x_m', 'jaw_y_m', 'jaw_z_m', 'jaw_yaw_rad', 'opening_m'],
}

export const GRASP_BIN_SPEC: TaskSpec = {
  id: GRASP_BIN_ID,
  actionNames: ['aim_x_11cm', 'aim_y_11cm', 'yaw_90deg'],
  proprioSpace: PROPRIO_SPACE,
  stateSpace: STATE_SPACE,
  controlHz: 240 / GRASP_SUBSTEPS,
  maxEpisodeSteps: SLOTS,
  observedCameras: ['scene', 'outcome'],
  starts: ['default'],
}

/** One object of an episode; without `body` once it is out of the scene. */
export interface Slot {
  readonly instance: ObjectInstance
  body: RigidBody | undefined
  /** In the bin: it can be grasped. Otherwise it is in hand or fell outside, and goes before the next grasp. */
  isInBin: boolean
}

interface Saved {
  readonly command: GripperCommand
  /** Numbers of the slots that the last grasp lifted; absent: none. */
  readonly lifted?: readonly number[]
  readonly slots: readonly { readonly instance: number; readonly body: number | null; readonly isInBin: boolean }[]
}

/** The bin without goals: every lifted object pays. */
export class GraspBin implements Task {
  readonly spec: TaskSpec = GRASP_BIN_SPEC
  readonly scene: Scene
  readonly cameras: Task['cameras'] = CAMERAS

  readonly #engine: PhysicsEngine
  readonly #pool: readonly ObjectInstance[]
  readonly #physics: SettledWorld
  #scales: readonly [mass: number, friction: number] = [1, 1]
  protected readonly jawLook: GripperLook
  protected readonly look: ObjectLook
  #jaw!: Gripper
  protected slots: Slot[] = []
  /** Slots that the last grasp lifted; the first is nearest to the fingers. */
  protected lifted: Slot[] = []

  /** @param shown the instances that there is a picture of: those of `pool` at least */
  constructor(engine: PhysicsEngine, pool: readonly ObjectInstance[], shown: readonly ObjectInstance[] = pool) {
    this.#engine = engine
    this.#pool = pool
    this.scene = createGraspBinScene(shown)
    this.jawLook = new GripperLook(this.scene, JAW.fingerHalfExtentsM)
    this.look = new ObjectLook(this.scene, shown)
    const { world, jaw } = buildWorld(engine)
    this.#physics = new SettledWorld(engine, world, 24, (current) => {
      this.#jaw = new Gripper(current, jaw, JAW, HOME)
    })
  }

  reset(_start: string, rng: Rng): void {
    this.#physics.reset()
    this.lifted = []
    const chosen = rng.shuffle([...this.#pool]).slice(0, SLOTS)
    const places = drawApart(rng)
    this.slots = chosen.map((instance, i) => {
      const [x, y] = places[i]!
      return { instance, body: this.#addObject(instance, x, y, rng.uniform(-Math.PI, Math.PI)), isInBin: true }
    })
    const { world } = this.#physics
    for (let i = 0; i < SETTLE_SUBSTEPS; i++) {
      world.step()
      if (i >= 24 && this.slots.every(({ body }) => speedOf(body!) < STILL_M_PER_S)) break
    }
  }

  scaleDynamics(massScale: number, frictionScale: number): void {
    this.#physics.scale(massScale, frictionScale)
    this.#scales = [massScale, frictionScale]
  }

  step(action: Float32Array): void {
    for (const slot of this.slots) if (!slot.isInBin) this.#remove(slot)
    this.#grasp(action[0]! * AIM_HALF_M, action[1]! * AIM_HALF_M, (action[2]! * Math.PI) / 2)
    const hand = { ...this.#jaw.position }
    const away = ({ body }: Slot): number => {
      const { x, y, z } = body!.translation()
      return Math.hypot(x - hand.x, y - hand.y, z - hand.z)
    }
    const inBin = this.slots.filter(({ isInBin }) => isInBin)
    this.lifted = inBin.filter(({ body }) => body!.translation().z > HELD_Z_M).toSorted((a, b) => away(a) - away(b))
    for (const slot of inBin) slot.isInBin = isInside(slot.body!)
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    const { x, y, z } = this.#jaw.position
    const [yaw, gap0, gap1] = [this.#jaw.yawRad, this.#jaw.fingerGapM(0), this.#jaw.fingerGapM(1)]
    proprio.set([x, y, z, yaw, gap0 + gap1])
    this.jawLook.show(x, y, z, yaw, gap0, gap1)
    state.fill(0)
    this.look.hideAll()
    for (let i = 0; i < SLOTS; i++) {
      const slot = this.slots[i]
      state[i * SLOT_SIZE] = slot?.isInBin === true ? slot.instance.index : -1
      if (slot?.body === undefined) continue
      const [at, turn] = [slot.body.translation(), slot.body.rotation()]
      this.look.show(slot.instance, at, turn)
      if (slot.isInBin) state.set([at.x, at.y, at.z, yawOf(turn)], i * SLOT_SIZE + 1)
    }
  }

  reward(): number {
    return this.lifted.length
  }

  terminated(): boolean {
    return this.slots.every(({ isInBin }) => !isInBin)
  }

  info(): Info {
    return {
      success: this.lifted.length > 0 ? 1 : 0,
      lifted_count: this.lifted.length,
      lifted_instance: this.lifted[0]?.instance.index ?? -1,
      in_bin_count: this.slots.filter(({ isInBin }) => isInBin).length,
    }
  }

  save(): TaskState {
    const slots = this.slots.map(({ instance, body, isInBin }) => ({
      instance: instance.index,
      body: body?.handle ?? null,
      isInBin,
    }))
    const lifted = this.lifted.map((slot) => this.slots.indexOf(slot))
    const saved: Saved = { command: [...this.#jaw.command], lifted, slots }
    return { json: saved, snapshot: this.#physics.save() }
  }

  restore({ json, snapshot }: TaskState): void {
    this.#physics.restore(snapshot)
    const { command, lifted = [], slots } = json as Saved
    for (const [i, value] of command.entries()) this.#jaw.command[i] = value
    this.slots = slots.map(({ instance, body, isInBin }) => ({
      instance: objectInstance(instance),
      body: body === null ? undefined : this.#physics.world.getRigidBody(body),
      isInBin,
    }))
    this.lifted = lifted.map((i) => this.slots[i]!)
  }

  close(): void {
    this.#physics.close()
  }

  /** Goes down at (x, y), closes, lifts, and comes home with what it has. */
  #grasp(x: number, y: number, yaw: number): void {
    const jaw = this.#jaw
    const [homeX, homeY, homeZ, homeYaw] = HOME
    jaw.move([x, y, HIGH_Z_M, yaw, OPENING_M], LEGS.approach)
    jaw.move([x, y, HIGH_Z_M, yaw, OPENING_M], LEGS.steady)
    jaw.move([x, y, LOW_Z_M, yaw, OPENING_M], LEGS.descend)
    jaw.move([x, y, jaw.command[2], yaw, -JAW.squeezeM], LEGS.close)
    jaw.move([x, y, jaw.command[2], yaw, -JAW.squeezeM], LEGS.grip)
    jaw.move([x, y, HIGH_Z_M, yaw, -JAW.squeezeM], LEGS.lift)
    jaw.move([homeX, homeY, homeZ, homeYaw, -JAW.squeezeM], LEGS.show)
    jaw.move([homeX, homeY, homeZ, homeYaw, -JAW.squeezeM], LEGS.rest)
  }

  #addObject(instance: ObjectInstance, x: number, y: number, yaw: number): RigidBody {
    const { rapier } = this.#engine
    const { world } = this.#physics
    const body = world.createRigidBody(
      rapier.RigidBodyDesc.dynamic()
        .setTranslation(x, y, instance.bottomM + DROP_M)
        .setRotation({ x: 0, y: 0, z: Math.sin(yaw / 2), w: Math.cos(yaw / 2) })
        // Rapier knows no rolling friction: without this a capsule rolls from under the gripper.
        .setAngularDamping(20)
        .setCanSleep(false),
    )
    for (const collider of objectColliders(rapier, instance)) {
      scaleCollider(world.createCollider(collider.setCollisionGroups(COLLISION.object), body), ...this.#scales)
    }
    return body
  }

  #remove(slot: Slot): void {
    if (slot.body !== undefined) this.#physics.world.removeRigidBody(slot.body)
    slot.body = undefined
  }
}

function buildWorld(engine: PhysicsEngine): { world: World; jaw: GripperHandles } {
  const world = createWorld(engine, GRIP_SETTINGS)
  const floor: Bar = { half: [1, 1, 0.05], center: [0, 0, -0.05] }
  addBars(engine, world, [floor, ...WALLS], 0.8, COLLISION.fixed)
  const [x, y, z] = HOME
  return { world, jaw: addGripper(engine, world, JAW, [x, y, z]) }
}

/** Places for the objects, apart from each other: drawn again from the start when one does not find room. */
function drawApart(rng: Rng): (readonly [number, number])[] {
  for (;;) {
    const places: (readonly [number, number])[] = []
    for (let i = 0; i < 60 && places.length < SLOTS; i++) {
      const [x, y] = [rng.uniform(-SPREAD_HALF_M, SPREAD_HALF_M), rng.uniform(-SPREAD_HALF_M, SPREAD_HALF_M)]
      if (places.every(([otherX, otherY]) => Math.hypot(x - otherX, y - otherY) > APART_M)) places.push([x, y])
    }
    if (places.length === SLOTS) return places
  }
}

function isInside(body: RigidBody): boolean {
  const { x, y, z } = body.translation()
  return Math.abs(x) < BIN.halfM && Math.abs(y) < BIN.halfM && z < HELD_Z_M
}

function speedOf(body: RigidBody): number {
  const { x, y, z } = body.linvel()
  return Math.hypot(x, y, z)
}

/** Of the object's x axis, seen from above. */
function yawOf({ x, y, z, w }: { x: number; y: number; z: number; w: number }): number {
  return Math.atan2(2 * (x * y + z * w), 1 - 2 * (y * y + z * z))
}
