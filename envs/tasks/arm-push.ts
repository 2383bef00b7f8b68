import type { RigidBody } from '@dimforge/rapier3d-simd-compat'
import type { SimulatedGoalEnv, Info } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { symmetricSpace } from '../../src/core/spaces.ts'
import { distance2 } from '../distance.ts'
import type { PrimitiveSpec, Scene } from '../camera/scene.ts'
import { setPosition } from '../camera/scene.ts'
import type { ArmControlMode } from '../robots/arm-control.ts'
import { controlOption } from '../robots/arm-control.ts'
import { PANDA_WITH_TOOL } from '../robots/panda.ts'
import { ROBOT_WITH_TOOL_OPTIONS, robotOf } from '../robots/robot-option.ts'
import { withRod } from '../robots/tools.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { GoalTask, Task, TaskSpec, TaskState } from '../task.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { loadPhysics, physicsOption } from '../world/engine.ts'
import { Z_UP } from '../world/mocap-hand.ts'
import type { Bar } from '../world/rim.ts'
import { addBars, barPrimitives, rimBars } from '../world/rim.ts'
import { SettledWorld } from '../world/settled-world.ts'
import type { ArmBenchSpec, Corner } from './arm-bench.ts'
import { ARM_CAMERAS, ArmBench, COLLISION, CONTROL_HZ, tableCameras, times, TIP_NAMES, worktopOf } from './arm-bench.ts'

export const ARM_PUSH_ID = 'armature/ArmPush-v0'

const SUCCESS_M = 0.05
const SETTLE_SUBSTEPS = 60
const PUCK: { readonly radiusM: number; readonly heightM: number; readonly massKg: number } = {
  radiusM: 0.04,
  heightM: 0.04,
  massKg: 0.2,
}
/** Half extents of where the puck's centre can be, where goals are, and of where it starts around the middle. */
const PUCK_BOX: readonly [number, number] = [0.14, 0.16]
const GOAL_BOX: readonly [number, number] = [0.12, 0.14]
const START_BOX: readonly [number, number] = [0.02, 0.02]
/** Goals lie at least this far from the middle, or the puck would often start at its goal. */
const MIN_GOAL_M = 0.09
const RIM_HEIGHT_M = 0.012
/** All around the puck's box, with the tip of the rod from just above the rim. */
const TIP_BOX: readonly [Corner, Corner] = [
  [-0.23, -0.25, 0.018],
  [0.23, 0.25, 0.2],
]
const TIP_START: Corner = [-0.14, 0, 0.1]

const PUCK_FRICTION = 0.6
/** How far the puck may be pressed beyond its box for an instant. */
const SLACK_M = 0.05
const PUCK_LIMITS: readonly number[] = PUCK_BOX.map((half) => half + SLACK_M)
const PUCK_NAMES: readonly string[] = ['puck_x_m', 'puck_y_m']
const HALF_RIM_M = 0.006

function rimOf(scale: number): readonly Bar[] {
  const [x, y] = PUCK_BOX.map((half) => (half + PUCK.radiusM) * scale)
  return rimBars(x!, y!, HALF_RIM_M * scale, RIM_HEIGHT_M * scale)
}

/**
 * Push a puck to a place on the table with the rod of a Panda. Action (`control: 'cartesian-delta'`): the tip's displacement, 2 cm per unit,
 * at 20 Hz; or all joints (see `ArmControlMode`). State: the tip's position, the puck's x and y; goal: the puck's x and y, in metres.
 * Reward: minus the puck's distance; success below 5 cm. Never terminates; truncated after 100 steps. `reset` puts the puck near the
 * middle; with `start: 'random'` anywhere in its box. In goal images the arm is where episodes start.
 *
 * `robot` and what goes with it (see `ROBOT_WITH_TOOL_OPTIONS`) put a robot from a file in the Panda's place, which pushes with its own gripper, closed,
 * or with the rod at its tip. All sizes scale with its reach about the middle of the table.
 */
export async function makeArmPush(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  const readers = { physics: physicsOption, control: controlOption, ...ROBOT_WITH_TOOL_OPTIONS }
  const options = readSceneOptions(ARM_PUSH_ID, readers, given)
  const robot = await robotOf(ARM_PUSH_ID, options, worktopOf(TIP_BOX, TIP_START), withRod)
  const arm: ArmBenchSpec =
    robot === undefined
      ? { model: PANDA_WITH_TOOL, tip: 'tip', tipStart: TIP_START, box: TIP_BOX }
      : { ...robot, tipStart: TIP_START, box: robot.fitted.box, pointsDown: true }
  return sceneEnv(new ArmPush(await loadPhysics(options.physics), arm, options.control), options)
}

class ArmPush implements GoalTask {
  readonly spec: TaskSpec
  readonly goalSpace: BoxSpace
  readonly scene: Scene
  readonly cameras: Task['cameras']
  readonly #bench: ArmBench
  readonly #physics: SettledWorld
  /** Of all that has a size: 1 on the Panda's table. */
  readonly #scale: number
  readonly #puckRestZ: number
  readonly #at = { x: 0, y: 0, z: 0 }
  #puck!: RigidBody

  constructor(engine: PhysicsEngine, arm: ArmBenchSpec, control: ArmControlMode | undefined) {
    const scale = arm.fitted?.scale ?? 1
    const puckLimits = PUCK_LIMITS.map((limit) => limit * scale)
    this.#scale = scale
    this.#bench = new ArmBench(arm, control)
    this.goalSpace = symmetricSpace(puckLimits, PUCK_NAMES)
    this.cameras = tableCameras(ARM_CAMERAS, arm.fitted)
    const rim = rimOf(scale)
    this.scene = this.#bench.createScene(primitives(rim, scale))
    const { limits, names } = this.#bench.proprioLimits
    this.spec = {
      id: ARM_PUSH_ID,
      actionNames: this.#bench.control.actionNames,
      proprioSpace: symmetricSpace(limits, names),
      stateSpace: symmetricSpace([...this.#bench.tipLimits, ...puckLimits], [...TIP_NAMES, ...PUCK_NAMES]),
      controlHz: CONTROL_HZ,
      maxEpisodeSteps: 100,
      starts: ['default', 'random'],
    }
    const { world, handles } = this.#bench.createWorld(engine)
    const puck = addPuck(engine, world, rim, scale)
    this.#physics = new SettledWorld(engine, world, SETTLE_SUBSTEPS, (current) => {
      this.#bench.attach(current, handles)
      this.#puck = current.getRigidBody(puck)
    })
    this.#puckRestZ = this.#puck.translation().z
  }

  reset(start: string, rng: Rng): void {
    this.#physics.reset()
    const [halfX, halfY] = start === 'random' ? PUCK_BOX : START_BOX
    const [x, y] = [rng.uniform(-halfX, halfX) * this.#scale, rng.uniform(-halfY, halfY) * this.#scale]
    this.#puck.setTranslation({ x, y, z: this.#puckRestZ }, true)
  }

  step(action: Float32Array): void {
    this.#bench.step(action)
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    this.#bench.observe(state, proprio)
    // The puck cannot tilt, and its yaw cannot be seen: it is a plain solid of revolution.
    const { x, y, z } = this.#puck.translation(this.#at)
    state[3] = x
    state[4] = y
    setPosition(this.scene.primitive('puck'), x, y, z)
  }

  sampleGoal(rng: Rng): Float32Array {
    for (;;) {
      const [x, y] = [rng.uniform(-GOAL_BOX[0], GOAL_BOX[0]), rng.uniform(-GOAL_BOX[1], GOAL_BOX[1])]
      if (Math.hypot(x, y) > MIN_GOAL_M) return Float32Array.of(x * this.#scale, y * this.#scale)
    }
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice(3, 5)
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    return { distance: distance2(achieved, desired) }
  }

  isSuccess(distances: Info): boolean {
    return distances['distance']! < SUCCESS_M * this.#scale
  }

  showAt(goal: Float32Array): void {
    this.#bench.showTipAt(...times(TIP_START, this.#scale))
    setPosition(this.scene.primitive('puck'), goal[0]!, goal[1]!, this.#puckRestZ)
  }

  markGoal(goal: Float32Array): void {
    setPosition(this.scene.primitive('goal'), goal[0]!, goal[1]!, 0.001)
  }

  scaleDynamics(massScale: number, frictionScale: number): void {
    this.#physics.resettle(() => {
      const collider = this.#puck.collider(0)
      collider.setMass(PUCK.massKg * this.#scale ** 3 * massScale)
      collider.setFriction(PUCK_FRICTION * frictionScale)
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

function addPuck(
  engine: PhysicsEngine,
  world: ReturnType<ArmBench['createWorld']>['world'],
  rim: readonly Bar[],
  scale: number,
): number {
  const { rapier } = engine
  addBars(engine, world, rim, 0.2, COLLISION.fence)
  const puck = world.createRigidBody(
    rapier.RigidBodyDesc.dynamic()
      .setTranslation(0, 0, (PUCK.heightM * scale) / 2)
      .enabledRotations(false, false, true)
      .setAngularDamping(20)
      .setCanSleep(false),
  )
  const cylinder = rapier.ColliderDesc.cylinder((PUCK.heightM * scale) / 2, PUCK.radiusM * scale).setRotation(Z_UP)
  const collider = cylinder
    .setMass(PUCK.massKg * scale ** 3)
    .setFriction(PUCK_FRICTION)
    .setCollisionGroups(COLLISION.object)
  world.createCollider(collider, puck)
  return puck.handle
}

function primitives(rim: readonly Bar[], scale: number): PrimitiveSpec[] {
  return [
    ...barPrimitives(rim, 'rim', [196, 176, 120]),
    {
      name: 'goal',
      shape: { kind: 'cylinder', radiusM: PUCK.radiusM * scale, heightM: 0.001 },
      color: [255, 170, 160],
      visibleToCameras: false,
    },
    {
      name: 'puck',
      shape: { kind: 'cylinder', radiusM: PUCK.radiusM * scale, heightM: PUCK.heightM * scale },
      color: [240, 50, 50],
      castsShadow: true,
    },
  ]
}
