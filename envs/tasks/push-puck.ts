import type { RigidBody, World } from '@dimforge/rapier3d-simd-compat'
import type { SimulatedGoalEnv, Info } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { symmetricSpace } from '../../src/core/spaces.ts'
import { distance2 } from '../distance.ts'
import type { Primitive, Scene } from '../camera/scene.ts'
import { setPosition } from '../camera/scene.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { GoalTask, Task, TaskSpec, TaskState } from '../task.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { loadPhysics, physicsOption } from '../world/engine.ts'
import type { MocapHandHandles } from '../world/mocap-hand.ts'
import { addMocapHand, MocapHand, Z_UP } from '../world/mocap-hand.ts'
import { createWorld } from '../world/physics-world.ts'
import { addBars } from '../world/rim.ts'
import { SettledWorld } from '../world/settled-world.ts'
import {
  CAMERAS,
  COLLISION,
  createPushPuckScene,
  HAND,
  HAND_BOX,
  HAND_GOAL_BOX,
  HAND_START,
  PUCK,
  PUCK_BOX,
  PUCK_GOAL_BOX,
  RIM_BARS,
} from './push-puck-layout.ts'

export const PUSH_PUCK_ID = 'armature/PushPuck-v0'

const SUBSTEPS = 12
const CONTROL_HZ = 20
const ACTION_M = 0.02
const SUCCESS_M = 0.06
/** Hand and puck do not start, and goals do not lie, nearer to each other than touching plus this. */
const GAP_M = 0.005
/** How far bodies may be pressed beyond their boxes for an instant. */
const SLACK_M = 0.02
const SETTLE_SUBSTEPS = 60

const LIMITS = [HAND_BOX[0], HAND_BOX[1], PUCK_BOX[0], PUCK_BOX[1]].map((limit) => limit + SLACK_M)
const STATE_SPACE = symmetricSpace(LIMITS, ['hand_x_m', 'hand_y_m', 'puck_x_m', 'puck_y_m'])

const PUSH_PUCK_SPEC: TaskSpec = {
  id: PUSH_PUCK_ID,
  actionNames: ['hand_dx_2cm', 'hand_dy_2cm'],
  proprioSpace: symmetricSpace(LIMITS.slice(0, 2), ['hand_x_m', 'hand_y_m']),
  stateSpace: STATE_SPACE,
  controlHz: CONTROL_HZ,
  maxEpisodeSteps: 50,
  starts: ['default', 'goal', 'random'],
}

/**
 * Push a puck to a place on the table and take the hand to another place: the Sawyer push task of RIG and Skew-Fit, with a mocap
 * hand instead of the arm. Action: hand displacement, 2 cm per unit, at 20 Hz. State and goal: hand xy, puck xy in metres.
 * Reward: minus the sum of the two distances; success when it is below 6 cm. Never terminates; truncated after 50 steps.
 *
 * `reset` starts with the hand before the puck; with `{ start: 'goal' }` at another random goal, as data for encoders are collected in
 * RIG; with `{ start: 'random' }` with both anywhere they can be without touching.
 */
export async function makePushPuck(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  const options = readSceneOptions(PUSH_PUCK_ID, { physics: physicsOption }, given)
  return sceneEnv(new PushPuck(await loadPhysics(options.physics)), options)
}

class PushPuck implements GoalTask {
  readonly spec: TaskSpec = PUSH_PUCK_SPEC
  readonly goalSpace: BoxSpace = PUSH_PUCK_SPEC.stateSpace
  readonly scene: Scene = createPushPuckScene()
  readonly cameras: Task['cameras'] = CAMERAS

  readonly #physics: SettledWorld
  readonly #puckRestZ: number
  readonly #handShape: Primitive = this.scene.primitive('hand')
  readonly #puckShape: Primitive = this.scene.primitive('puck')
  readonly #vector = { x: 0, y: 0, z: 0 }
  #hand!: MocapHand
  #puck!: RigidBody

  constructor(engine: PhysicsEngine) {
    const { world, puck, hand } = buildWorld(engine)
    this.#physics = new SettledWorld(engine, world, SETTLE_SUBSTEPS, (current) => {
      this.#hand = new MocapHand(current, hand, HAND, HAND_START)
      this.#puck = current.getRigidBody(puck)
    })
    this.#puckRestZ = this.#puck.translation().z
  }

  reset(start: string, rng: Rng): void {
    this.#physics.reset()
    if (start === 'random') this.#place(drawApart(rng, HAND_BOX, PUCK_BOX))
    if (start === 'goal') this.#place(this.sampleGoal(rng))
  }

  scaleDynamics(massScale: number, frictionScale: number): void {
    this.#physics.scale(massScale, frictionScale)
  }

  step(action: Float32Array): void {
    this.#hand.move(action[0]! * ACTION_M, action[1]! * ACTION_M, HAND_BOX, SUBSTEPS)
  }

  sampleGoal(rng: Rng): Float32Array {
    return drawApart(rng, HAND_GOAL_BOX, PUCK_GOAL_BOX)
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice()
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    const hand = distance2(achieved, desired)
    const puck = distance2(achieved, desired, 2)
    return { hand_distance: hand, puck_distance: puck, distance: hand + puck }
  }

  isSuccess(distances: Info): boolean {
    return distances['distance']! < SUCCESS_M
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    const hand = this.#hand.position
    state[0] = proprio[0] = hand.x
    state[1] = proprio[1] = hand.y
    setPosition(this.#handShape, hand.x, hand.y, hand.z)
    // The puck cannot tilt, and its yaw cannot be seen: it is a plain solid of revolution.
    const puck = this.#puck.translation(this.#vector)
    state[2] = puck.x
    state[3] = puck.y
    setPosition(this.#puckShape, puck.x, puck.y, puck.z)
  }

  showAt(goal: Float32Array): void {
    setPosition(this.#handShape, goal[0]!, goal[1]!, HAND.centerZ)
    setPosition(this.#puckShape, goal[2]!, goal[3]!, this.#puckRestZ)
  }

  markGoal(goal: Float32Array): void {
    setPosition(this.scene.primitive('goal-hand'), goal[0]!, goal[1]!, 0.001)
    setPosition(this.scene.primitive('goal-puck'), goal[2]!, goal[3]!, 0.001)
  }

  save(): TaskState {
    return { json: { hand: this.#hand.target }, snapshot: this.#physics.save() }
  }

  restore({ json, snapshot }: TaskState): void {
    this.#physics.restore(snapshot)
    this.#hand.target = (json as { hand: MocapHand['target'] }).hand
  }

  close(): void {
    this.#physics.close()
  }

  #place(state: Float32Array): void {
    this.#hand.place(state[0]!, state[1]!)
    this.#puck.setTranslation({ x: state[2]!, y: state[3]!, z: this.#puckRestZ }, true)
  }
}

function buildWorld(engine: PhysicsEngine): { world: World; hand: MocapHandHandles; puck: number } {
  const { rapier } = engine
  const world = createWorld(engine)
  const table = rapier.ColliderDesc.cuboid(0.5, 0.5, 0.05).setTranslation(0, 0, -0.05)
  world.createCollider(table.setFriction(1).setCollisionGroups(COLLISION.table))
  addBars(engine, world, RIM_BARS, 0.2, COLLISION.table)
  const puck = world.createRigidBody(
    rapier.RigidBodyDesc.dynamic()
      .setTranslation(0, 0, PUCK.heightM / 2)
      .enabledRotations(false, false, true)
      // As on felt: friction alone would let the puck slide on for a centimetre from full speed.
      .setLinearDamping(100)
      .setAngularDamping(20)
      .setCanSleep(false),
  )
  world.createCollider(
    rapier.ColliderDesc.cylinder(PUCK.heightM / 2, PUCK.radiusM)
      .setRotation(Z_UP)
      .setMass(PUCK.massKg)
      .setFriction(1)
      .setCollisionGroups(COLLISION.puck),
    puck,
  )
  return { world, hand: addMocapHand(engine, world, HAND, HAND_START[0], HAND_START[1]), puck: puck.handle }
}

/** Hand and puck, each uniform in its box (half extents), drawn again until they do not touch: [hand xy, puck xy]. */
function drawApart(rng: Rng, handBox: readonly [number, number], puckBox: readonly [number, number]): Float32Array {
  const distance = HAND.radiusM + PUCK.radiusM + GAP_M
  for (;;) {
    const [handX, handY] = [rng.uniform(-handBox[0], handBox[0]), rng.uniform(-handBox[1], handBox[1])]
    const [puckX, puckY] = [rng.uniform(-puckBox[0], puckBox[0]), rng.uniform(-puckBox[1], puckBox[1])]
    if (Math.hypot(handX - puckX, handY - puckY) > distance) return Float32Array.of(handX, handY, puckX, puckY)
  }
}
