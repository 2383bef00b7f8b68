import type { RigidBody, World } from '@dimforge/rapier3d-simd-compat'
import type { SimulatedGoalEnv, Info } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { distance3 } from '../distance.ts'
import { GripperLook } from '../camera/gripper-look.ts'
import type { Primitive, Scene } from '../camera/scene.ts'
import { setPosition, setRotation } from '../camera/scene.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { GoalTask, Task, TaskSpec, TaskState } from '../task.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { loadPhysics, physicsOption } from '../world/engine.ts'
import type { GripperCommand, GripperHandles } from '../world/gripper.ts'
import { addGripper, GRIP_SETTINGS, Gripper } from '../world/gripper.ts'
import { createWorld } from '../world/physics-world.ts'
import { SettledWorld } from '../world/settled-world.ts'
import {
  CAMERAS,
  COLLISION,
  createPickPlaceScene,
  CUBE,
  CUBE_BOX,
  CUBE_REACH_M,
  GOAL_HIGH_M,
  GOAL_LOW_M,
  JAW,
  JAW_BOX,
  JAW_START,
} from './pick-place-layout.ts'

export const PICK_PLACE_ID = 'armature/PickPlace-v0'

const SUBSTEPS = 12
const CONTROL_HZ = 20
const ACTION_M = 0.02
const SUCCESS_M = 0.03
const SETTLE_SUBSTEPS = 60
/** In which the fingers take hold of a cube that is put between them. */
const HOLD_SUBSTEPS = 36
/** Of the opening when the gripper is put around the cube. */
const CLEARANCE_M = 0.0005

const STATE_SPACE: BoxSpace = {
  dtype: 'float32',
  shape: [7],
  low: [-0.2, -0.2, 0, -0.02, -0.22, -0.22, -0.02],
  high: [0.2, 0.2, 0.3, 0.1, 0.22, 0.22, 0.4],
  names: ['jaw_x_m', 'jaw_y_m', 'jaw_z_m', 'opening_m', 'cube_x_m', 'cube_y_m', 'cube_z_m'],
}

const PICK_PLACE_SPEC: TaskSpec = {
  id: PICK_PLACE_ID,
  actionNames: ['jaw_dx_2cm', 'jaw_dy_2cm', 'jaw_dz_2cm', 'opening_2cm'],
  proprioSpace: partOf(STATE_SPACE, 0, 4),
  stateSpace: STATE_SPACE,
  controlHz: CONTROL_HZ,
  maxEpisodeSteps: 50,
  starts: ['default', 'goal', 'held'],
}

/**
 * Grasp a 4 cm cube with a floating parallel-jaw gripper and take it to a place, half of the time in the air: Fetch's pick-and-place
 * at table-top size, held by friction alone. Action: displacement of the gripper and change of its opening, 2 cm per unit, at 20 Hz.
 * State: middle of the fingers xyz, opening, cube xyz in metres; goal: cube xyz. Reward: minus the distance; success below 3 cm. Never
 * terminates; truncated after 50 steps.
 *
 * `reset` puts the cube at random on the table with the open gripper above the middle; with `{ start: 'goal' }` at another random goal,
 * in hand where that is in the air; with `{ start: 'held' }` in hand at a random place in the air.
 */
export async function makePickPlace(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  const options = readSceneOptions(PICK_PLACE_ID, { physics: physicsOption }, given)
  return sceneEnv(new PickPlace(await loadPhysics(options.physics)), options)
}

class PickPlace implements GoalTask {
  readonly spec: TaskSpec = PICK_PLACE_SPEC
  readonly goalSpace: BoxSpace = partOf(STATE_SPACE, 4, 7)
  readonly scene: Scene = createPickPlaceScene()
  readonly cameras: Task['cameras'] = CAMERAS

  readonly #physics: SettledWorld
  readonly #cubeRestZ: number
  readonly #jawLook: GripperLook = new GripperLook(this.scene, JAW.fingerHalfExtentsM)
  readonly #cubeShape: Primitive = this.scene.primitive('cube')
  readonly #turn = { x: 0, y: 0, z: 0, w: 1 }
  readonly #command: GripperCommand = [...JAW_START]
  #jaw!: Gripper
  #cube!: RigidBody

  constructor(engine: PhysicsEngine) {
    const { world, cube, jaw } = buildWorld(engine)
    this.#physics = new SettledWorld(engine, world, SETTLE_SUBSTEPS, (current) => {
      this.#jaw = new Gripper(current, jaw, JAW, JAW_START)
      this.#cube = current.getRigidBody(cube)
    })
    this.#cubeRestZ = this.#cube.translation().z
  }

  reset(start: string, rng: Rng): void {
    this.#physics.reset()
    const [x, y, z] = start === 'default' ? this.#onTable(rng) : start === 'held' ? inAir(rng) : this.sampleGoal(rng)
    this.#cube.setTranslation({ x: x!, y: y!, z: z! }, true)
    if (z! > this.#cubeRestZ) this.#hold(x!, y!, z!)
  }

  scaleDynamics(massScale: number, frictionScale: number): void {
    this.#physics.scale(massScale, frictionScale)
  }

  step(action: Float32Array): void {
    const to = this.#command
    const { command } = this.#jaw
    to[0] = clamp(command[0] + action[0]! * ACTION_M, -JAW_BOX.x, JAW_BOX.x)
    to[1] = clamp(command[1] + action[1]! * ACTION_M, -JAW_BOX.y, JAW_BOX.y)
    to[2] = clamp(command[2] + action[2]! * ACTION_M, JAW_BOX.low, JAW_BOX.high)
    to[3] = 0
    to[4] = clamp(command[4] + action[3]! * ACTION_M, -JAW.squeezeM, JAW.maxOpeningM)
    this.#jaw.move(to, SUBSTEPS)
  }

  sampleGoal(rng: Rng): Float32Array {
    return rng.uniform() < 0.5 ? inAir(rng) : this.#onTable(rng)
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice(4)
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    return { distance: distance3(achieved, desired) }
  }

  isSuccess(distances: Info): boolean {
    return distances['distance']! < SUCCESS_M
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    const { x, y, z } = this.#jaw.position
    const [gap0, gap1] = [this.#jaw.fingerGapM(0), this.#jaw.fingerGapM(1)]
    state[0] = proprio[0] = x
    state[1] = proprio[1] = y
    state[2] = proprio[2] = z
    state[3] = proprio[3] = gap0 + gap1
    this.#jawLook.show(x, y, z, 0, gap0, gap1)
    const cube = this.#cube.translation()
    state[4] = cube.x
    state[5] = cube.y
    state[6] = cube.z
    setPosition(this.#cubeShape, cube.x, cube.y, cube.z)
    const turn = this.#cube.rotation(this.#turn)
    setRotation(this.#cubeShape, turn.x, turn.y, turn.z, turn.w)
  }

  /** A cube in the air is shown in hand; one on the table with the gripper where episodes start. */
  showAt(goal: Float32Array): void {
    const [x, y, z] = [goal[0]!, goal[1]!, goal[2]!]
    setPosition(this.#cubeShape, x, y, z)
    setRotation(this.#cubeShape, 0, 0, 0, 1)
    const isHeld = z > this.#cubeRestZ + CUBE.halfM / 2
    const gap = isHeld ? CUBE.halfM : JAW.maxOpeningM / 2
    const [jawX, jawY, jawZ] = isHeld ? [x, y, z] : JAW_START
    this.#jawLook.show(jawX, jawY, jawZ, 0, gap, gap)
  }

  markGoal(goal: Float32Array): void {
    setPosition(this.scene.primitive('goal'), goal[0]!, goal[1]!, goal[2]!)
  }

  save(): TaskState {
    return { json: { command: [...this.#jaw.command] }, snapshot: this.#physics.save() }
  }

  restore({ json, snapshot }: TaskState): void {
    this.#physics.restore(snapshot)
    for (const [i, value] of (json as { command: GripperCommand }).command.entries()) this.#jaw.command[i] = value
  }

  close(): void {
    this.#physics.close()
  }

  #onTable(rng: Rng): Float32Array {
    const [x, y] = CUBE_BOX
    return Float32Array.of(rng.uniform(-x, x), rng.uniform(-y, y), this.#cubeRestZ)
  }

  /** Puts the gripper around a cube at (x, y, z) and lets it take hold. */
  #hold(x: number, y: number, z: number): void {
    this.#jaw.place([x, y, z, 0, 2 * CUBE.halfM + CLEARANCE_M])
    this.#jaw.move([x, y, z, 0, -JAW.squeezeM], 1)
    this.#jaw.move([x, y, z, 0, -JAW.squeezeM], HOLD_SUBSTEPS)
  }
}

function buildWorld(engine: PhysicsEngine): { world: World; jaw: GripperHandles; cube: number } {
  const { ColliderDesc, RigidBodyDesc } = engine.rapier
  const world = createWorld(engine, GRIP_SETTINGS)
  const addFixed = (half: readonly [number, number, number], x: number, y: number, z: number): void => {
    const box = ColliderDesc.cuboid(...half).setTranslation(x, y, z)
    world.createCollider(box.setFriction(0.8).setCollisionGroups(COLLISION.table))
  }
  addFixed([0.5, 0.5, 0.05], 0, 0, -0.05)
  const wallAt = CUBE_REACH_M + CUBE.halfM + 0.05
  for (const side of [-1, 1]) {
    addFixed([0.05, 0.5, 0.5], side * wallAt, 0, 0.4)
    addFixed([0.5, 0.05, 0.5], 0, side * wallAt, 0.4)
  }
  const cube = world.createRigidBody(RigidBodyDesc.dynamic().setTranslation(0, 0, CUBE.halfM).setCanSleep(false))
  const box = ColliderDesc.cuboid(CUBE.halfM, CUBE.halfM, CUBE.halfM)
  world.createCollider(box.setMass(CUBE.massKg).setFriction(0.8).setCollisionGroups(COLLISION.cube), cube)
  const [x, y, z] = JAW_START
  return { world, jaw: addGripper(engine, world, JAW, [x, y, z]), cube: cube.handle }
}

function inAir(rng: Rng): Float32Array {
  const [x, y] = CUBE_BOX
  return Float32Array.of(rng.uniform(-x, x), rng.uniform(-y, y), rng.uniform(GOAL_LOW_M, GOAL_HIGH_M))
}

function partOf({ dtype, low, high, names }: BoxSpace, from: number, to: number): BoxSpace {
  const [lows, highs] = [low as readonly number[], high as readonly number[]]
  return {
    dtype,
    shape: [to - from],
    low: lows.slice(from, to),
    high: highs.slice(from, to),
    names: names!.slice(from, to),
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value))
}
