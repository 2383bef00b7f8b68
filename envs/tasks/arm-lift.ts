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
import { ROBOT_WITH_TOOL_OPTIONS, robotOf } from '../robots/robot-option.ts'
import type { Fingers } from '../robots/tools.ts'
import { pandaFingers, TOOL_HAND, withGripper } from '../robots/tools.ts'
import { symmetricSpace } from '../../src/core/spaces.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { GoalTask, Task, TaskSpec, TaskState } from '../task.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { loadPhysics, physicsOption } from '../world/engine.ts'
import { SettledWorld } from '../world/settled-world.ts'
import type { ArmBenchSpec, Corner } from './arm-bench.ts'
import { ARM_CAMERAS, ArmBench, COLLISION, CONTROL_HZ, tableCameras, times, TIP_NAMES, worktopOf } from './arm-bench.ts'

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
 *
 * `robot` and what goes with it (see `ROBOT_WITH_TOOL_OPTIONS`) put a robot from a file in the Panda's place, with its own gripper, or else the Panda's
 * at its tip. All sizes scale with its reach about the middle of the table, and with how far its gripper opens.
 */
export async function makeArmLift(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  const readers = { physics: physicsOption, control: controlOption, ...ROBOT_WITH_TOOL_OPTIONS }
  const options = readSceneOptions(ARM_LIFT_ID, readers, given)
  const robot = await robotOf(ARM_LIFT_ID, options, worktopOf(TIP_BOX, TIP_START), withGripper)
  const shared = { tipStart: TIP_START, friction: 1, fingersAt: 'open' } as const
  const fingers = robot?.fingers ?? pandaFingers(1, ({ kind }) => kind === 'prismatic')
  const arm: ArmBenchSpec =
    robot === undefined
      ? { ...shared, model: PANDA_WITH_GRIPPER, tip: 'tip', box: TIP_BOX, fingers }
      : { ...shared, ...robot, box: robot.fitted.box, fingers, pointsDown: true }
  return sceneEnv(new ArmLift(await loadPhysics(options.physics), arm, new Opening(fingers), options.control), options)
}

/** How far each side of a gripper stands from its middle, metres, as its coordinates tell. */
class Opening {
  readonly count: number
  readonly mostM: number
  readonly #leastM: number
  readonly #closed: readonly number[]
  /** Of each coordinate per metre of opening. */
  readonly #rates: readonly number[]

  constructor({ closed, open, gapM }: Fingers) {
    this.count = closed.length
    this.#leastM = gapM[0] / 2
    this.mostM = gapM[1] / 2
    this.#closed = closed
    this.#rates = open.map((q, i) => (q - closed[i]!) / (this.mostM - this.#leastM))
  }

  /** Moves the last coordinates of `q` by `byM`. */
  move(q: Float64Array, byM: number): void {
    for (let i = 0; i < this.count; i++) q[q.length - this.count + i]! += byM * this.#rates[i]!
  }

  /** The mean opening at `q`. */
  of(q: Float64Array): number {
    let sum = 0
    for (let i = 0; i < this.count; i++) sum += (q[q.length - this.count + i]! - this.#closed[i]!) / this.#rates[i]!
    return this.#leastM + sum / this.count
  }

  /** The coordinates at an opening, or at the nearest that there is. */
  at(openingM: number): number[] {
    const from = Math.max(this.#leastM, Math.min(this.mostM, openingM)) - this.#leastM
    return this.#closed.map((q, i) => q + from * this.#rates[i]!)
  }
}

class ArmLift implements GoalTask {
  readonly spec: TaskSpec
  readonly goalSpace: BoxSpace
  readonly scene: Scene
  readonly cameras: Task['cameras']
  readonly #bench: ArmBench
  readonly #physics: SettledWorld
  /** Of all that has a size: 1 on the Panda's table. */
  readonly #scale: number
  readonly #at = { x: 0, y: 0, z: 0 }
  readonly #turn = { x: 0, y: 0, z: 0, w: 1 }
  readonly #opening: Opening
  #cube!: RigidBody
  #openByM = 0

  constructor(engine: PhysicsEngine, arm: ArmBenchSpec, opening: Opening, control: ArmControlMode | undefined) {
    const scale = arm.fitted?.scale ?? 1
    const cubeLimits = CUBE_LIMITS.map((limit) => limit * Math.max(1, scale))
    this.#scale = scale
    this.#opening = opening
    this.#bench = new ArmBench(arm, control)
    this.goalSpace = symmetricSpace(cubeLimits, CUBE_NAMES)
    this.cameras = camerasOf(arm, scale)
    this.scene = this.#bench.createScene(primitives(scale))
    const { limits, names } = this.#bench.proprioLimits
    this.spec = {
      id: ARM_LIFT_ID,
      actionNames: [
        ...this.#bench.control.actionNames,
        `fingers_open_${Math.round(FINGER_STEP_M * scale * 1e4) / 10}mm`,
      ],
      proprioSpace: symmetricSpace(limits, names),
      stateSpace: symmetricSpace(
        [...this.#bench.tipLimits, 2 * Math.max(OPEN_M, opening.mostM), ...cubeLimits, 1.01, 1.01, 1.01, 1.01],
        [...TIP_NAMES, 'opening_m', ...CUBE_NAMES, ...TURN_NAMES],
      ),
      controlHz: CONTROL_HZ,
      maxEpisodeSteps: 100,
      starts: ['default'],
    }
    const { world, handles } = this.#bench.createWorld(engine)
    const cube = addCube(engine, world, scale)
    this.#physics = new SettledWorld(engine, world, SETTLE_SUBSTEPS, (current) => {
      this.#bench.attach(current, handles)
      this.#cube = current.getRigidBody(cube)
    })
  }

  reset(_start: string, rng: Rng): void {
    this.#physics.reset()
    const [x, y] = [rng.uniform(-START_BOX[0], START_BOX[0]), rng.uniform(-START_BOX[1], START_BOX[1])]
    const scale = this.#scale
    this.#cube.setTranslation({ x: x * scale, y: y * scale, z: this.#cube.translation(this.#at).z }, true)
  }

  step(action: Float32Array): void {
    this.#openByM = action.at(-1)! * FINGER_STEP_M * this.#scale
    this.#bench.step(action, this.#moveFingers)
  }

  readonly #moveFingers = (next: Float64Array): void => {
    this.#opening.move(next, this.#openByM)
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    this.#bench.observe(state, proprio)
    state[3] = this.#opening.of(this.#bench.arm.q)
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
    return Float32Array.from(GOAL_BOX[0], (low, i) => rng.uniform(low, GOAL_BOX[1][i]!) * this.#scale)
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice(4, 7)
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    return { distance: distance3(achieved, desired) }
  }

  isSuccess(distances: Info): boolean {
    return distances['distance']! < SUCCESS_M * this.#scale
  }

  showAt(goal: Float32Array): void {
    const [x, y, z] = [goal[0]!, goal[1]!, goal[2]!]
    const gripping = this.#opening.at(CUBE.halfM * this.#scale)
    if (z > RAISED_Z * this.#scale) this.#bench.showTipAt(x, y, z, gripping)
    else this.#bench.showTipAt(...times(TIP_START, this.#scale))
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
      collider.setMass(CUBE.massKg * this.#scale ** 3 * massScale)
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

function addCube({ rapier }: PhysicsEngine, world: World, scale: number): number {
  const half = CUBE.halfM * scale
  const [x, y] = FENCE_BOX.map((side) => side * scale + half)
  for (const side of [1, -1]) {
    for (const wall of [
      rapier.ColliderDesc.cuboid(0.05, 0.5 * Math.max(1, scale), 1).setTranslation(side * (x! + 0.05), 0, 1),
      rapier.ColliderDesc.cuboid(0.5 * Math.max(1, scale), 0.05, 1).setTranslation(0, side * (y! + 0.05), 1),
    ]) {
      world.createCollider(wall.setFriction(0).setCollisionGroups(COLLISION.fence))
    }
  }
  const cube = world.createRigidBody(rapier.RigidBodyDesc.dynamic().setTranslation(0, 0, half).setCanSleep(false))
  const collider = rapier.ColliderDesc.cuboid(half, half, half).setMass(CUBE.massKg * scale ** 3)
  world.createCollider(collider.setFriction(CUBE.friction).setCollisionGroups(COLLISION.object), cube)
  return cube.handle
}

function primitives(scale: number): readonly PrimitiveSpec[] {
  const half = CUBE.halfM * scale
  const halfExtentsM: Corner = [half, half, half]
  return [
    { name: 'goal', shape: { kind: 'box', halfExtentsM }, color: [255, 160, 150], visibleToCameras: false },
    { name: 'cube', shape: { kind: 'box', halfExtentsM }, color: [235, 45, 60], castsShadow: true },
  ]
}

/** Nearer than those of the other scenes with an arm: the cube is small. */
const CAMERAS = {
  front: { name: 'front', eyeM: [0.62, -0.14, 0.44], targetM: [-0.02, 0, 0.12], fovYDeg: 40 },
  side: { name: 'side', eyeM: [0.1, -0.65, 0.3], targetM: [0, 0, 0.1], fovYDeg: 42 },
} as const

/** The wrist's is on the hand, whose z points to the fingers, looking past them. */
function camerasOf({ model, fitted }: ArmBenchSpec, scale: number): Task['cameras'] {
  return {
    ...tableCameras({ ...ARM_CAMERAS, ...CAMERAS }, fitted),
    wrist: {
      name: 'wrist',
      eyeM: times([0.1, 0, -0.02], scale),
      targetM: times([0, 0, 0.08], scale),
      up: [-1, 0, 0],
      fovYDeg: 65,
      mount: primitiveOfLink(model, fitted === undefined ? 'hand' : TOOL_HAND),
    },
  }
}
