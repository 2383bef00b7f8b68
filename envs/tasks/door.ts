import type { RevoluteImpulseJoint, RigidBody, World } from '@dimforge/rapier3d-simd-compat'
import type { SimulatedGoalEnv, Info } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { sampleSpace } from '../../src/core/spaces.ts'
import { distance3 } from '../distance.ts'
import type { Primitive, Scene } from '../camera/scene.ts'
import { setPosition, setRotation } from '../camera/scene.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { GoalTask, Task, TaskSpec, TaskState } from '../task.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { loadPhysics, physicsOption } from '../world/engine.ts'
import type { HandSpace, MocapHandHandles } from '../world/mocap-hand.ts'
import { addMocapHand, MocapHand } from '../world/mocap-hand.ts'
import { createWorld } from '../world/physics-world.ts'
import { SettledWorld } from '../world/settled-world.ts'
import {
  CAMERAS,
  COLLISION,
  createDoorScene,
  DOOR_PARTS,
  HAND,
  HAND_GOALS,
  HAND_SPACE,
  HAND_START,
  HANDLE,
  HANDLE_TOP_Z,
  HINGE,
  HINGE_FRICTION,
  HOOKED,
  MOST_OPEN_RAD,
  pointOnDoor,
  STOP_RAD,
} from './door-layout.ts'

export const DOOR_ID = 'armature/Door-v0'

const SUBSTEPS = 12
const CONTROL_HZ = 20
/** Displacement of the hand for an action of 1. */
export const ACTION_M: number = 0.02
const SUCCESS_HAND_M = 0.03
const SUCCESS_ANGLE_RAD = 0.02
/** From the hinge to the handle. */
const HANDLE_RADIUS_M = Math.hypot(HANDLE.alongM, HANDLE.outM)
const SUCCESS_HANDLE_M = 2 * HANDLE_RADIUS_M * Math.sin(SUCCESS_ANGLE_RAD / 2)
/** How far bodies may be pressed beyond their limits for an instant. */
const SLACK_M = 0.03
const SLACK_RAD = 0.1
const SETTLE_SUBSTEPS = 10

const NAMES = ['hand_x_m', 'hand_y_m', 'hand_z_m', 'door_angle_rad']
const STATE_SPACE = spaceOf(HAND_SPACE, STOP_RAD, SLACK_M, SLACK_RAD)
const GOAL_BOX = spaceOf(HAND_GOALS, MOST_OPEN_RAD, 0, 0)

const DOOR_SPEC: TaskSpec = {
  id: DOOR_ID,
  actionNames: ['hand_dx_2cm', 'hand_dy_2cm', 'hand_dz_2cm'],
  proprioSpace: {
    dtype: 'float32',
    shape: [3],
    low: (STATE_SPACE.low as number[]).slice(0, 3),
    high: (STATE_SPACE.high as number[]).slice(0, 3),
    names: NAMES.slice(0, 3),
  },
  stateSpace: STATE_SPACE,
  controlHz: CONTROL_HZ,
  maxEpisodeSteps: 100,
  starts: ['default', 'goal', 'random', 'hooked'],
}

/**
 * Open a door to an angle and take the hand to a place: the Sawyer door task of multiworld, with a mocap hand instead of the arm. The hand
 * is not tied to the door: it opens it from behind the handle's upright bar, which is open above. The hinge has dry friction. Action:
 * hand displacement, 2 cm per unit, at 20 Hz. State and goal: hand xyz in metres, angle in radians (0 closed, goals up to 0.83). Reward:
 * minus the sum of the hand's and the handle's distances; success when the angle is within 0.02 rad (4 mm at the handle) and the hand
 * within 3 cm. Never terminates; truncated after 100 steps.
 *
 * `reset` starts with the door closed and the hand before it; with `{ start: 'goal' }` at another random goal; with `{ start: 'random' }`
 * at one of those or, as often, with the hand behind the handle of a door that is open by chance; with `{ start: 'hooked' }` with the
 * hand behind the handle of the closed door.
 */
export async function makeDoor(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  const options = readSceneOptions(DOOR_ID, { physics: physicsOption }, given)
  return sceneEnv(new Door(await loadPhysics(options.physics)), options)
}

class Door implements GoalTask {
  readonly spec: TaskSpec = DOOR_SPEC
  readonly goalSpace: BoxSpace = STATE_SPACE
  readonly scene: Scene = createDoorScene()
  readonly cameras: Task['cameras'] = CAMERAS

  readonly #physics: SettledWorld
  readonly #handShape: Primitive = this.scene.primitive('hand')
  readonly #doorShapes: readonly Primitive[] = DOOR_PARTS.map(({ name }) => this.scene.primitive(name))
  readonly #step: [number, number, number] = [0, 0, 0]
  readonly #turn = { x: 0, y: 0, z: 0, w: 1 }
  #hand!: MocapHand
  #door!: RigidBody

  constructor(engine: PhysicsEngine) {
    const { world, hand, door } = buildWorld(engine)
    this.#physics = new SettledWorld(engine, world, SETTLE_SUBSTEPS, (current) => {
      this.#hand = new MocapHand(current, hand, HAND, HAND_START)
      this.#door = current.getRigidBody(door)
    })
  }

  reset(start: string, rng: Rng): void {
    this.#physics.reset()
    if (start === 'default') return
    const isHooked = start === 'hooked' || (start === 'random' && rng.int(2) === 1)
    const at = this.sampleGoal(rng)
    if (start === 'hooked') at[3] = 0
    const angle = at[3]!
    if (isHooked) at.set([...pointOnDoor(angle, HOOKED.alongM, HOOKED.outM), HOOKED.z])
    this.#hand.place(at[0]!, at[1]!, at[2]!)
    this.#door.setRotation({ x: 0, y: 0, z: -Math.sin(angle / 2), w: Math.cos(angle / 2) }, true)
  }

  scaleDynamics(massScale: number, frictionScale: number): void {
    this.#physics.scale(massScale, frictionScale)
  }

  step(action: Float32Array): void {
    for (let i = 0; i < 3; i++) this.#step[i] = action[i]! * ACTION_M
    this.#hand.moveInSpace(this.#step, HAND_SPACE, SUBSTEPS)
  }

  sampleGoal(rng: Rng): Float32Array {
    return sampleSpace(GOAL_BOX, rng, new Float32Array(4))
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice()
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    const hand = distance3(achieved, desired)
    const handle = 2 * HANDLE_RADIUS_M * Math.abs(Math.sin((achieved[3]! - desired[3]!) / 2))
    return { hand_distance: hand, handle_distance: handle, distance: hand + handle }
  }

  isSuccess(distances: Info): boolean {
    return distances['hand_distance']! < SUCCESS_HAND_M && distances['handle_distance']! < SUCCESS_HANDLE_M
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    const { x, y, z } = this.#hand.position
    state[0] = proprio[0] = x
    state[1] = proprio[1] = y
    state[2] = proprio[2] = z
    const turn = this.#door.rotation(this.#turn)
    state[3] = -2 * Math.atan2(turn.z, turn.w)
    setPosition(this.#handShape, x, y, z)
    this.#showDoor(state[3])
  }

  showAt(goal: Float32Array): void {
    setPosition(this.#handShape, goal[0]!, goal[1]!, goal[2]!)
    this.#showDoor(goal[3]!)
  }

  markGoal(goal: Float32Array): void {
    setPosition(this.scene.primitive('goal-hand'), goal[0]!, goal[1]!, goal[2]!)
    placeOnDoor(this.scene.primitive('goal-handle'), goal[3]!, HANDLE.alongM, HANDLE.outM, HANDLE_TOP_Z + 0.01)
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

  #showDoor(angle: number): void {
    for (let i = 0; i < DOOR_PARTS.length; i++) {
      const { alongM, outM, z } = DOOR_PARTS[i]!
      placeOnDoor(this.#doorShapes[i]!, angle, alongM, outM, z)
    }
  }
}

/** Turns and moves `primitive` to where it is on a door that is open by `angle`. */
function placeOnDoor(primitive: Primitive, angle: number, alongM: number, outM: number, z: number): void {
  const [x, y] = pointOnDoor(angle, alongM, outM)
  setPosition(primitive, x, y, z)
  setRotation(primitive, 0, 0, -Math.sin(angle / 2), Math.cos(angle / 2))
}

function buildWorld(engine: PhysicsEngine): { world: World; hand: MocapHandHandles; door: number } {
  const { rapier } = engine
  const world = createWorld(engine)
  const frame = world.createRigidBody(rapier.RigidBodyDesc.fixed().setTranslation(HINGE[0], HINGE[1], 0))
  const door = world.createRigidBody(
    rapier.RigidBodyDesc.dynamic().setTranslation(HINGE[0], HINGE[1], 0).setGravityScale(0).setCanSleep(false),
  )
  for (const { half, alongM, outM, z, massKg } of DOOR_PARTS) {
    const part = rapier.ColliderDesc.cuboid(...half).setTranslation(alongM, -outM, z)
    world.createCollider(part.setMass(massKg).setFriction(0.5).setCollisionGroups(COLLISION.door), door)
  }
  const anchor = { x: 0, y: 0, z: 0.1 }
  // Downwards, so that opening is positive.
  const hinge = rapier.JointData.revolute(anchor, anchor, { x: 0, y: 0, z: -1 })
  const joint = world.createImpulseJoint(hinge, frame, door, true) as RevoluteImpulseJoint
  joint.setContactsEnabled(false)
  joint.setLimits(0, STOP_RAD)
  // Dry friction: a motor towards standstill, stiff in speed, whose torque is bounded.
  joint.configureMotorModel(rapier.MotorModel.ForceBased)
  joint.configureMotorVelocity(0, HINGE_FRICTION.dampingNmsPerRad)
  joint.setMotorMaxForce(HINGE_FRICTION.torqueNm)
  return { world, hand: addMocapHand(engine, world, HAND, HAND_START[0], HAND_START[1]), door: door.handle }
}

function spaceOf({ low, high }: HandSpace, mostOpenRad: number, slackM: number, slackRad: number): BoxSpace {
  return {
    dtype: 'float32',
    shape: [4],
    low: [...low.map((limit) => limit - slackM), -slackRad],
    high: [...high.map((limit) => limit + slackM), mostOpenRad + slackRad],
    names: NAMES,
  }
}
