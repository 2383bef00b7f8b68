import type { RigidBody, World } from '@dimforge/rapier3d-simd-compat'
import type { SimulatedGoalEnv, Info } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { distance3 } from '../distance.ts'
import type { PrimitiveSpec, Scene } from '../camera/scene.ts'
import { setPosition, setRotation } from '../camera/scene.ts'
import type { ArmControlMode } from '../robots/arm-control.ts'
import { controlOption } from '../robots/arm-control.ts'
import { primitiveOfLink } from '../robots/robot-look.ts'
import { PANDA_WITH_GRIPPER } from '../robots/panda.ts'
import { symmetricSpace } from '../../src/core/spaces.ts'
import { readSceneOptions, sceneEnv } from '../scene-env.ts'
import type { GoalTask, Task, TaskSpec, TaskState } from '../task.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { loadPhysics, physicsOption } from '../world/engine.ts'
import { SettledWorld } from '../world/settled-world.ts'
import type { Corner } from './arm-bench.ts'
import { ARM_CAMERAS, ArmBench, COLLISION, CONTROL_HZ, TIP_LIMITS, TIP_NAMES } from './arm-bench.ts'

export const ARM_LIFT_ID = 'armature/ArmLift-v0'

const SUCCESS_M = 0.04
const SETTLE_SUBSTEPS = 60
const CUBE: { readonly halfM: number; readonly massKg: number; readonly friction: number } = {
  halfM: 0.02,
  massKg: 0.1,
  friction: 1,
}
/** Half extents of where the cube starts; its centre cannot leave `FENCE_BOX`. */
const START_BOX: readonly [number, number] = [0.08, 0.1]
const FENCE_BOX: readonly [number, number] = [0.19, 0.22]
const GOAL_BOX: readonly [Corner, Corner] = [
  [-0.08, -0.12, 0.1],
  [0.08, 0.12, 0.24],
]
/** The fingers' ends are 9 mm below the tip. */
const TIP_BOX: readonly [Corner, Corner] = [
  [-0.14, -0.17, 0.014],
  [0.14, 0.17, 0.26],
]
const TIP_START: Corner = [-0.08, 0, 0.16]
const OPEN_M = 0.04
/** What an action of 1 opens each finger by per control step: its speed limit. */
const FINGER_STEP_M = 0.01
/** Of the cube's centre; goals above it are shown in the gripper. */
const RAISED_Z = CUBE.halfM + 0.01

const CUBE_LIMITS: readonly number[] = [0.5, 0.5, 1.5]
const CUBE_NAMES: readonly string[] = ['cube_x_m', 'cube_y_m', 'cube_z_m']
const TURN_NAMES: readonly string[] = ['cube_qx', 'cube_qy', 'cube_qz', 'cube_qw']

/**
 * Pick up a cube of 4 cm with a Panda's gripper and lift it to a point in the air; friction alone holds it. Action
 * (`control: 'cartesian-delta'`): the tip's displacement, 2 cm per unit, and the opening of each finger, 1 cm per unit, at 20 Hz; or all
 * joints and the opening (see `ArmControlMode`). State: the tip's position, the mean opening of the fingers, the cube's position and
 * orientation (xyzw, w >= 0); goal: the cube's position, in metres. Reward: minus the cube's distance; success below 4 cm. Never terminates;
 * truncated after 100 steps. Goal images show the cube in the gripper, or on the table with the arm where episodes start.
 */
export async function makeArmLift(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  const options = readSceneOptions(ARM_LIFT_ID, { physics: physicsOption, control: controlOption }, given)
  return sceneEnv(new ArmLift(await loadPhysics(options.physics), options.control), options)
}

class ArmLift implements GoalTask {
  readonly spec: TaskSpec
  readonly goalSpace: BoxSpace = symmetricSpace(CUBE_LIMITS, CUBE_NAMES)
  readonly scene: Scene
  readonly cameras: Task['cameras'] = { ...ARM_CAMERAS, ...CAMERAS }
  readonly #bench: ArmBench
  readonly #physics: SettledWorld
  readonly #at = { x: 0, y: 0, z: 0 }
  readonly #turn = { x: 0, y: 0, z: 0, w: 1 }
  #cube!: RigidBody
  #opening = 0

  constructor(engine: PhysicsEngine, control: ArmControlMode | undefined) {
    const beyond = [OPEN_M, OPEN_M]
    const arm = { model: PANDA_WITH_GRIPPER, tip: 'tip', tipStart: TIP_START, box: TIP_BOX, beyond, friction: 1 }
    this.#bench = new ArmBench(arm, control)
    this.scene = this.#bench.createScene(PRIMITIVES)
    const { limits, names } = this.#bench.proprioLimits
    this.spec = {
      id: ARM_LIFT_ID,
      actionNames: [...this.#bench.control.actionNames, 'fingers_open_10mm'],
      proprioSpace: symmetricSpace(limits, names),
      stateSpace: symmetricSpace(
        [...TIP_LIMITS, 2 * OPEN_M, ...CUBE_LIMITS, 1.01, 1.01, 1.01, 1.01],
        [...TIP_NAMES, 'opening_m', ...CUBE_NAMES, ...TURN_NAMES],
      ),
      controlHz: CONTROL_HZ,
      maxEpisodeSteps: 100,
      starts: ['default'],
    }
    const { world, handles } = this.#bench.createWorld(engine)
    const cube = addCube(engine, world)
    this.#physics = new SettledWorld(engine, world, SETTLE_SUBSTEPS, (current) => {
      this.#bench.attach(current, handles)
      this.#cube = current.getRigidBody(cube)
    })
  }

  reset(_start: string, rng: Rng): void {
    this.#physics.reset()
    const [x, y] = [rng.uniform(-START_BOX[0], START_BOX[0]), rng.uniform(-START_BOX[1], START_BOX[1])]
    this.#cube.setTranslation({ x, y, z: this.#cube.translation(this.#at).z }, true)
  }

  step(action: Float32Array): void {
    this.#opening = action.at(-1)! * FINGER_STEP_M
    this.#bench.step(action, this.#moveFingers)
  }

  readonly #moveFingers = (next: Float64Array): void => {
    for (const finger of [next.length - 2, next.length - 1]) next[finger]! += this.#opening
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    this.#bench.observe(state, proprio)
    const { q } = this.#bench.arm
    state[3] = (q.at(-1)! + q.at(-2)!) / 2
    const { x, y, z } = this.#cube.translation(this.#at)
    const turn = this.#cube.rotation(this.#turn)
    const sign = turn.w < 0 ? -1 : 1
    state[4] = x
    state[5] = y
    state[6] = z
    state[7] = sign * turn.x
    state[8] = sign * turn.y
    state[9] = sign * turn.z
    state[10] = sign * turn.w
    const cube = this.scene.primitive('cube')
    setPosition(cube, x, y, z)
    setRotation(cube, turn.x, turn.y, turn.z, turn.w)
  }

  sampleGoal(rng: Rng): Float32Array {
    return Float32Array.from(GOAL_BOX[0], (low, i) => rng.uniform(low, GOAL_BOX[1][i]!))
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice(4, 7)
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    return { distance: distance3(achieved, desired) }
  }

  isSuccess(distances: Info): boolean {
    return distances['distance']! < SUCCESS_M
  }

  showAt(goal: Float32Array): void {
    const [x, y, z] = [goal[0]!, goal[1]!, goal[2]!]
    if (z > RAISED_Z) this.#bench.showTipAt(x, y, z, [CUBE.halfM, CUBE.halfM])
    else this.#bench.showTipAt(...TIP_START)
    const cube = this.scene.primitive('cube')
    setPosition(cube, x, y, z)
    setRotation(cube, 0, 0, 0, 1)
  }

  markGoal(goal: Float32Array): void {
    setPosition(this.scene.primitive('goal'), goal[0]!, goal[1]!, goal[2]!)
  }

  scaleDynamics(massScale: number, frictionScale: number): void {
    this.#physics.resettle(() => {
      const collider = this.#cube.collider(0)
      collider.setMass(CUBE.massKg * massScale)
      collider.setFriction(CUBE.friction * frictionScale)
    })
  }

  save(): TaskState {
    return { json: this.#bench.saved, snapshot: this.#physics.save() }
  }

  restore({ json, snapshot }: TaskState): void {
    this.#physics.restore(snapshot)
    this.#bench.restore(json)
  }

  close(): void {
    this.#physics.close()
  }
}

function addCube({ rapier }: PhysicsEngine, world: World): number {
  const [x, y] = FENCE_BOX.map((half) => half + CUBE.halfM)
  for (const side of [1, -1]) {
    for (const wall of [
      rapier.ColliderDesc.cuboid(0.05, 0.5, 1).setTranslation(side * (x! + 0.05), 0, 1),
      rapier.ColliderDesc.cuboid(0.5, 0.05, 1).setTranslation(0, side * (y! + 0.05), 1),
    ]) {
      world.createCollider(wall.setFriction(0).setCollisionGroups(COLLISION.fence))
    }
  }
  const cube = world.createRigidBody(rapier.RigidBodyDesc.dynamic().setTranslation(0, 0, CUBE.halfM).setCanSleep(false))
  const collider = rapier.ColliderDesc.cuboid(CUBE.halfM, CUBE.halfM, CUBE.halfM).setMass(CUBE.massKg)
  world.createCollider(collider.setFriction(CUBE.friction).setCollisionGroups(COLLISION.object), cube)
  return cube.handle
}

const SIDES: Corner = [CUBE.halfM, CUBE.halfM, CUBE.halfM]
const PRIMITIVES: readonly PrimitiveSpec[] = [
  { name: 'goal', shape: { kind: 'box', halfExtentsM: SIDES }, color: [255, 160, 150], visibleToCameras: false },
  { name: 'cube', shape: { kind: 'box', halfExtentsM: SIDES }, color: [235, 45, 60], castsShadow: true },
]

/** Nearer than those of the other scenes with an arm: the cube is small. */
const CAMERAS: Task['cameras'] = {
  front: { name: 'front', eyeM: [0.62, -0.14, 0.44], targetM: [-0.02, 0, 0.12], fovYDeg: 40 },
  side: { name: 'side', eyeM: [0.1, -0.65, 0.3], targetM: [0, 0, 0.1], fovYDeg: 42 },
  // On the hand, whose z points to the fingers, looking past them.
  wrist: {
    name: 'wrist',
    eyeM: [0.1, 0, -0.02],
    targetM: [0, 0, 0.08],
    up: [-1, 0, 0],
    fovYDeg: 65,
    mount: primitiveOfLink(PANDA_WITH_GRIPPER, 'hand'),
  },
}
