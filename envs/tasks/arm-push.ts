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
import { readSceneOptions, sceneEnv } from '../scene-env.ts'
import type { GoalTask, Task, TaskSpec, TaskState } from '../task.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { loadPhysics, physicsOption } from '../world/engine.ts'
import { Z_UP } from '../world/mocap-hand.ts'
import type { Bar } from '../world/rim.ts'
import { addBars, barPrimitives, rimBars } from '../world/rim.ts'
import { SettledWorld } from '../world/settled-world.ts'
import type { Corner } from './arm-bench.ts'
import { ARM_CAMERAS, ArmBench, COLLISION, CONTROL_HZ, TIP_LIMITS, TIP_NAMES } from './arm-bench.ts'

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
const RIM: readonly Bar[] = rimBars(PUCK_BOX[0] + PUCK.radiusM, PUCK_BOX[1] + PUCK.radiusM, HALF_RIM_M, RIM_HEIGHT_M)

/**
 * Push a puck to a place on the table with the rod of a Panda. Action (`control: 'cartesian-delta'`): the tip's displacement, 2 cm per unit,
 * at 20 Hz; or all joints (see `ArmControlMode`). State: the tip's position, the puck's x and y; goal: the puck's x and y, in metres.
 * Reward: minus the puck's distance; success below 5 cm. Never terminates; truncated after 100 steps. `reset` puts the puck near the
 * middle; with `start: 'random'` anywhere in its box. In goal images the arm is where episodes start.
 */
export async function makeArmPush(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  const options = readSceneOptions(ARM_PUSH_ID, { physics: physicsOption, control: controlOption }, given)
  return sceneEnv(new ArmPush(await loadPhysics(options.physics), options.control), options)
}

class ArmPush implements GoalTask {
  readonly spec: TaskSpec
  readonly goalSpace: BoxSpace = symmetricSpace(PUCK_LIMITS, PUCK_NAMES)
  readonly scene: Scene
  readonly cameras: Task['cameras'] = ARM_CAMERAS
  readonly #bench: ArmBench
  readonly #physics: SettledWorld
  readonly #puckRestZ: number
  readonly #at = { x: 0, y: 0, z: 0 }
  #puck!: RigidBody

  constructor(engine: PhysicsEngine, control: ArmControlMode | undefined) {
    this.#bench = new ArmBench({ model: PANDA_WITH_TOOL, tip: 'tip', tipStart: TIP_START, box: TIP_BOX }, control)
    this.scene = this.#bench.createScene(primitives())
    const { limits, names } = this.#bench.proprioLimits
    this.spec = {
      id: ARM_PUSH_ID,
      actionNames: this.#bench.control.actionNames,
      proprioSpace: symmetricSpace(limits, names),
      stateSpace: symmetricSpace([...TIP_LIMITS, ...PUCK_LIMITS], [...TIP_NAMES, ...PUCK_NAMES]),
      controlHz: CONTROL_HZ,
      maxEpisodeSteps: 100,
      starts: ['default', 'random'],
    }
    const { world, handles } = this.#bench.createWorld(engine)
    const puck = addPuck(engine, world)
    this.#physics = new SettledWorld(engine, world, SETTLE_SUBSTEPS, (current) => {
      this.#bench.attach(current, handles)
      this.#puck = current.getRigidBody(puck)
    })
    this.#puckRestZ = this.#puck.translation().z
  }

  reset(start: string, rng: Rng): void {
    this.#physics.reset()
    const [halfX, halfY] = start === 'random' ? PUCK_BOX : START_BOX
    const [x, y] = [rng.uniform(-halfX, halfX), rng.uniform(-halfY, halfY)]
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
      if (Math.hypot(x, y) > MIN_GOAL_M) return Float32Array.of(x, y)
    }
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice(3, 5)
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    return { distance: distance2(achieved, desired) }
  }

  isSuccess(distances: Info): boolean {
    return distances['distance']! < SUCCESS_M
  }

  showAt(goal: Float32Array): void {
    this.#bench.showTipAt(...TIP_START)
    setPosition(this.scene.primitive('puck'), goal[0]!, goal[1]!, this.#puckRestZ)
  }

  markGoal(goal: Float32Array): void {
    setPosition(this.scene.primitive('goal'), goal[0]!, goal[1]!, 0.001)
  }

  scaleDynamics(massScale: number, frictionScale: number): void {
    this.#physics.resettle(() => {
      const collider = this.#puck.collider(0)
      collider.setMass(PUCK.massKg * massScale)
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

function addPuck(engine: PhysicsEngine, world: ReturnType<ArmBench['createWorld']>['world']): number {
  const { rapier } = engine
  addBars(engine, world, RIM, 0.2, COLLISION.fence)
  const puck = world.createRigidBody(
    rapier.RigidBodyDesc.dynamic()
      .setTranslation(0, 0, PUCK.heightM / 2)
      .enabledRotations(false, false, true)
      .setAngularDamping(20)
      .setCanSleep(false),
  )
  const cylinder = rapier.ColliderDesc.cylinder(PUCK.heightM / 2, PUCK.radiusM).setRotation(Z_UP)
  const collider = cylinder.setMass(PUCK.massKg).setFriction(PUCK_FRICTION).setCollisionGroups(COLLISION.object)
  world.createCollider(collider, puck)
  return puck.handle
}

function primitives(): PrimitiveSpec[] {
  return [
    ...barPrimitives(RIM, 'rim', [196, 176, 120]),
    {
      name: 'goal',
      shape: { kind: 'cylinder', radiusM: PUCK.radiusM, heightM: 0.001 },
      color: [255, 170, 160],
      visibleToCameras: false,
    },
    {
      name: 'puck',
      shape: { kind: 'cylinder', radiusM: PUCK.radiusM, heightM: PUCK.heightM },
      color: [240, 50, 50],
      castsShadow: true,
    },
  ]
}
