import type { World } from '@dimforge/rapier3d-simd-compat'
import type { SimulatedGoalEnv, Info } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { sampleSpace } from '../../src/core/spaces.ts'
import { distance3 } from '../distance.ts'
import type { CameraSpec } from '../camera/camera.ts'
import { Scene, setPosition } from '../camera/scene.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { GoalTask, Task, TaskSpec, TaskState } from '../task.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { loadPhysics, physicsOption } from '../world/engine.ts'
import type { HandSpace, MocapHandHandles, MocapHandSpec } from '../world/mocap-hand.ts'
import { addMocapHand, MocapHand } from '../world/mocap-hand.ts'
import { createWorld } from '../world/physics-world.ts'
import { SettledWorld } from '../world/settled-world.ts'

export const REACH_ID = 'armature/Reach-v0'

const SUBSTEPS = 12
const CONTROL_HZ = 20
/** Displacement of the hand for an action of 1. */
export const ACTION_M: number = 0.02
const SUCCESS_M = 0.03
/** How far the hand may swing beyond its space for an instant. */
const SLACK_M = 0.02
const SETTLE_SUBSTEPS = 10

const HAND: MocapHandSpec = {
  radiusM: 0.03,
  heightM: 0.06,
  massKg: 0.5,
  friction: 0.5,
  centerZ: 0.12,
  motor: { stiffnessNPerM: 5000, dampingNsPerM: 200, maxForceN: 30 },
  maxLeadM: 0.03,
  // There is nothing that it could touch.
  collisionGroups: 0,
}
const HAND_START: readonly [number, number] = [0, -0.05]
/** Where the hand's centre can be: the hand ends 1 cm above the table. Table's frame: x right, y away from the camera, z up. */
const HAND_SPACE: HandSpace = { low: [-0.2, -0.15, 0.04], high: [0.2, 0.15, 0.24] }
const GOAL_INSET_M = 0.01

const NAMES = ['hand_x_m', 'hand_y_m', 'hand_z_m']
const STATE_SPACE = spaceAround(HAND_SPACE, SLACK_M)
const GOAL_BOX = spaceAround(HAND_SPACE, -GOAL_INSET_M)

const REACH_SPEC: TaskSpec = {
  id: REACH_ID,
  actionNames: ['hand_dx_2cm', 'hand_dy_2cm', 'hand_dz_2cm'],
  proprioSpace: STATE_SPACE,
  stateSpace: STATE_SPACE,
  controlHz: CONTROL_HZ,
  maxEpisodeSteps: 50,
  starts: ['default', 'goal', 'random'],
}

const CAMERAS: Readonly<Record<'front' | 'side' | 'top' | 'human', CameraSpec>> = {
  front: { name: 'front', eyeM: [0, -0.62, 0.52], targetM: [0, -0.005, 0.1], fovYDeg: 38 },
  side: { name: 'side', eyeM: [0.75, 0, 0.34], targetM: [0, 0, 0.115], fovYDeg: 34 },
  top: { name: 'top', eyeM: [0, 0, 0.95], targetM: [0, 0, 0], up: [0, 1, 0], fovYDeg: 34 },
  human: { name: 'human', eyeM: [0.45, -0.75, 0.5], targetM: [0, 0, 0.09], fovYDeg: 36, showsHidden: true },
}

/**
 * Take the hand to a place above the table: the Sawyer reach task of multiworld, with a mocap hand instead of the arm. Action: hand
 * displacement, 2 cm per unit, at 20 Hz. State, proprio and goal: hand xyz in metres. Reward: minus the distance; success when
 * it is below 3 cm. Never terminates; truncated after 50 steps.
 *
 * `reset` starts with the hand in front of the middle; with `{ start: 'goal' }` at another random goal; with `{ start: 'random' }`
 * anywhere that it can be.
 */
export async function makeReach(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  const options = readSceneOptions(REACH_ID, { physics: physicsOption }, given)
  return sceneEnv(new Reach(await loadPhysics(options.physics)), options)
}

class Reach implements GoalTask {
  readonly spec: TaskSpec = REACH_SPEC
  readonly goalSpace: BoxSpace = STATE_SPACE
  readonly scene: Scene = createScene()
  readonly cameras: Task['cameras'] = CAMERAS

  readonly #physics: SettledWorld
  readonly #handShape = this.scene.primitive('hand')
  readonly #step: [number, number, number] = [0, 0, 0]
  #hand!: MocapHand

  constructor(engine: PhysicsEngine) {
    const { world, hand } = buildWorld(engine)
    this.#physics = new SettledWorld(engine, world, SETTLE_SUBSTEPS, (current) => {
      this.#hand = new MocapHand(current, hand, HAND, HAND_START)
    })
  }

  reset(start: string, rng: Rng): void {
    this.#physics.reset()
    if (start === 'default') return
    const at = sampleSpace(start === 'goal' ? GOAL_BOX : spaceAround(HAND_SPACE, 0), rng, new Float32Array(3))
    this.#hand.place(at[0]!, at[1]!, at[2]!)
  }

  step(action: Float32Array): void {
    for (let i = 0; i < 3; i++) this.#step[i] = action[i]! * ACTION_M
    this.#hand.moveInSpace(this.#step, HAND_SPACE, SUBSTEPS)
  }

  sampleGoal(rng: Rng): Float32Array {
    return sampleSpace(GOAL_BOX, rng, new Float32Array(3))
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice()
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    return { distance: distance3(achieved, desired) }
  }

  isSuccess(distances: Info): boolean {
    return distances['distance']! < SUCCESS_M
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    const { x, y, z } = this.#hand.position
    state[0] = proprio[0] = x
    state[1] = proprio[1] = y
    state[2] = proprio[2] = z
    setPosition(this.#handShape, x, y, z)
  }

  showAt(goal: Float32Array): void {
    setPosition(this.#handShape, goal[0]!, goal[1]!, goal[2]!)
  }

  markGoal(goal: Float32Array): void {
    setPosition(this.scene.primitive('goal-hand'), goal[0]!, goal[1]!, goal[2]!)
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
}

function buildWorld(engine: PhysicsEngine): { world: World; hand: MocapHandHandles } {
  const world = createWorld(engine)
  return { world, hand: addMocapHand(engine, world, HAND, HAND_START[0], HAND_START[1]) }
}

/** The hand's shadow on the table shows how high it is. */
function createScene(): Scene {
  return new Scene({
    background: [24, 26, 30],
    lightDirection: [-0.2, -0.3, 1],
    ambient: 0.45,
    shadow: { onto: 'table', z: 0, strength: 0.55 },
    primitives: [
      {
        name: 'table',
        shape: { kind: 'plane', halfExtentsM: [0.3, 0.25] },
        color: [92, 98, 106],
        checker: { color: [112, 118, 126], squareM: 0.1 },
        isStatic: true,
      },
      {
        name: 'goal-hand',
        shape: { kind: 'sphere', radiusM: 0.02 },
        color: [255, 200, 90],
        visibleToCameras: false,
      },
      {
        name: 'hand',
        shape: { kind: 'cylinder', radiusM: HAND.radiusM, heightM: HAND.heightM },
        color: [120, 230, 255],
        castsShadow: true,
      },
    ],
  })
}

/** The hand's space, grown by `byM` on every side. */
function spaceAround({ low, high }: HandSpace, byM: number): BoxSpace {
  return {
    dtype: 'float32',
    shape: [3],
    low: low.map((limit) => limit - byM),
    high: high.map((limit) => limit + byM),
    names: NAMES,
  }
}
