import type { SimulatedGoalEnv, Info } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { symmetricSpace } from '../../src/core/spaces.ts'
import { distance2 } from '../distance.ts'
import type { Primitive, Scene } from '../camera/scene.ts'
import { setPosition, setRotation } from '../camera/scene.ts'
import { oneOf } from '../options.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { GoalTask, Task, TaskSpec, TaskState } from '../task.ts'
import { capsuleBody, joinBodies, PlanarArm, scaleBody } from '../world/planar-arm.ts'
import { RungeKutta4 } from '../world/runge-kutta.ts'
import { ARM_Z, CAMERAS, createReacherScene, LINK_M, TIP_M } from './reacher-scene.ts'

export const REACHER_ID = 'armature/Reacher-v0'

const TORQUE_N_M = 0.05
const DAMPING = 0.01
const CONTROL_HZ = 50
const SUBSTEPS = 4
const WRIST_RAD = (160 * Math.PI) / 180
const TARGET_M = { easy: 0.05, hard: 0.015 } as const
const GOAL_RING_M = [0.05, 0.2] as const
/** The tip's farthest place, and a little more so that a rounded one is in its space. */
const REACH_M = 2 * LINK_M + 0.001
/** Beyond what torque, damping and the swing of one joint through the other allow (42 rad/s), also with half the damping. */
const MAX_SPEED = 100

const TIP_NAMES = ['tip_x_m', 'tip_y_m']
const ARM_NAMES = ['cos_shoulder', 'sin_shoulder', 'wrist_rad', 'shoulder_speed_rad_per_s', 'wrist_speed_rad_per_s']
const ARM_LIMITS = [1, 1, WRIST_RAD + 0.001, MAX_SPEED, MAX_SPEED]

const REACHER_SPEC: TaskSpec = {
  id: REACHER_ID,
  actionNames: ['shoulder_torque_0.05_n_m', 'wrist_torque_0.05_n_m'],
  proprioSpace: symmetricSpace(ARM_LIMITS, ARM_NAMES),
  stateSpace: symmetricSpace([REACH_M, REACH_M, ...ARM_LIMITS], [...TIP_NAMES, ...ARM_NAMES]),
  controlHz: CONTROL_HZ,
  maxEpisodeSteps: 1000,
  starts: ['random', 'stretched'],
}

const OPTIONS = { target: oneOf('easy', 'hard'), showTarget: oneOf('on', 'off') }

/**
 * Bring the tip of a two-link arm, which lies on the table, to a target: the reacher of dm_control with its sizes, masses, damping,
 * torques (0.05 N m per unit) and 20 s at 50 Hz. `target: 'easy'` (default) has a radius of 5 cm, `'hard'` of 1.5 cm; `success`, and
 * dm_control's reward, is 1 while tip and target touch. The reward here is minus the distance, or with `reward: 'sparse'` success - 1.
 *
 * Goal: [x, y] of the target. It is seen by the cameras as in dm_control; `showTarget: 'off'` hides it, for policies that are given goal
 * images. Goal images keep the elbow on the side where it is now. State: [tip x, y, cos and sin of the shoulder, wrist, their speeds];
 * proprio: without the tip. `{ start: 'stretched' }` starts straight along x. The wrist stops dead at 160 degrees, where
 * dm_control has a soft spring. Never terminates.
 */
export async function makeReacher(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  const options = readSceneOptions(REACHER_ID, OPTIONS, given)
  return sceneEnv(new Reacher(TARGET_M[options.target ?? 'easy'], options.showTarget !== 'off'), options)
}

/** Both links are 12 cm from joint to joint or tip; the second one's rod is shorter and carries a ball at the tip. */
function createArm(massScale: number, frictionScale: number): PlanarArm {
  const upper = scaleBody(capsuleBody(0.01, 0, LINK_M), massScale)
  const lower = joinBodies(capsuleBody(0.01, 0, 0.1), capsuleBody(0.01, LINK_M, LINK_M))
  return new PlanarArm(LINK_M, upper, scaleBody(lower, massScale), DAMPING * frictionScale)
}

interface SavedState {
  readonly state: readonly number[]
  readonly scales: readonly [number, number]
}

class Reacher implements GoalTask {
  readonly spec: TaskSpec = REACHER_SPEC
  readonly goalSpace: BoxSpace = symmetricSpace([REACH_M, REACH_M], TIP_NAMES)
  readonly scene: Scene
  readonly cameras: Task['cameras'] = CAMERAS

  readonly #touchM: number
  readonly #upper: Primitive
  readonly #lower: Primitive
  readonly #elbow: Primitive
  readonly #tip: Primitive
  readonly #target: Primitive
  /** Shoulder and wrist angle, then their speeds. */
  readonly #state = new Float64Array(4)
  readonly #torque: Float64Array = new Float64Array(2)
  readonly #ode = new RungeKutta4(4, (state, rate) => this.#arm.rates(state, this.#torque[0]!, this.#torque[1]!, rate))
  #arm = createArm(1, 1)
  #scales: readonly [number, number] = [1, 1]

  constructor(targetM: number, showsTarget: boolean) {
    this.#touchM = targetM + TIP_M
    this.scene = createReacherScene(targetM, showsTarget)
    this.#upper = this.scene.primitive('upper-arm')
    this.#lower = this.scene.primitive('lower-arm')
    this.#elbow = this.scene.primitive('elbow')
    this.#tip = this.scene.primitive('tip')
    this.#target = this.scene.primitive('target')
  }

  reset(start: string, rng: Rng): void {
    this.#state.fill(0)
    if (start === 'stretched') return
    this.#state[0] = rng.uniform(-Math.PI, Math.PI)
    this.#state[1] = rng.uniform(-WRIST_RAD, WRIST_RAD)
  }

  step(action: Float32Array): void {
    this.#torque[0] = TORQUE_N_M * action[0]!
    this.#torque[1] = TORQUE_N_M * action[1]!
    for (let i = 0; i < SUBSTEPS; i++) {
      this.#ode.step(this.#state, 1 / (CONTROL_HZ * SUBSTEPS))
      this.#arm.stopSecond(this.#state, WRIST_RAD)
    }
  }

  /** Uniform in angle and in distance from the shoulder, as in dm_control. */
  sampleGoal(rng: Rng): Float32Array {
    const angle = rng.uniform(0, 2 * Math.PI)
    const radius = rng.uniform(...GOAL_RING_M)
    return Float32Array.of(radius * Math.sin(angle), radius * Math.cos(angle))
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice(0, 2)
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    return { distance: distance2(achieved, desired) }
  }

  isSuccess(distances: Info): boolean {
    return distances['distance']! <= this.#touchM
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    const s = this.#state
    const [shoulder, wrist] = [s[0]!, s[1]!]
    state[0] = LINK_M * (Math.cos(shoulder) + Math.cos(shoulder + wrist))
    state[1] = LINK_M * (Math.sin(shoulder) + Math.sin(shoulder + wrist))
    state[2] = proprio[0] = Math.cos(shoulder)
    state[3] = proprio[1] = Math.sin(shoulder)
    for (let i = 1; i < 4; i++) state[i + 3] = proprio[i + 1] = s[i]!
    this.#pose(shoulder, wrist)
  }

  showAt(goal: Float32Array): void {
    const [shoulder, wrist] = reacherAngles(goal[0]!, goal[1]!, this.#state[1]! < 0 ? -1 : 1)
    this.#pose(shoulder, wrist)
  }

  markGoal(goal: Float32Array): void {
    setPosition(this.#target, goal[0]!, goal[1]!, 0.003)
  }

  scaleDynamics(massScale: number, frictionScale: number): void {
    this.#scales = [massScale, frictionScale]
    this.#arm = createArm(massScale, frictionScale)
  }

  save(): TaskState {
    const saved: SavedState = { state: [...this.#state], scales: this.#scales }
    return { json: saved, snapshot: new Uint8Array(0) }
  }

  restore({ json }: TaskState): void {
    const { state, scales } = json as SavedState
    this.#state.set(state)
    this.scaleDynamics(...scales)
  }

  close(): void {}

  #pose(shoulder: number, wrist: number): void {
    const [elbowX, elbowY] = [LINK_M * Math.cos(shoulder), LINK_M * Math.sin(shoulder)]
    const outer = shoulder + wrist
    const [alongX, alongY] = [LINK_M * Math.cos(outer), LINK_M * Math.sin(outer)]
    setPosition(this.#upper, elbowX / 2, elbowY / 2, ARM_Z)
    layAlong(this.#upper, shoulder)
    setPosition(this.#elbow, elbowX, elbowY, ARM_Z)
    setPosition(this.#lower, elbowX + alongX / 2, elbowY + alongY / 2, ARM_Z)
    layAlong(this.#lower, outer)
    setPosition(this.#tip, elbowX + alongX, elbowY + alongY, ARM_Z)
  }
}

/**
 * Shoulder and wrist angle that take the tip to (x, y), with a wrist of sign `side`; for points out of reach, towards them.
 */
export function reacherAngles(x: number, y: number, side: -1 | 1): [shoulder: number, wrist: number] {
  const wrist = side * Math.min(WRIST_RAD, 2 * Math.acos(Math.min(1, Math.hypot(x, y) / (2 * LINK_M))))
  return [Math.atan2(y, x) - wrist / 2, wrist]
}

/** Lays a capsule, whose axis is its z, along `angle` in the plane of the table. */
function layAlong(capsule: Primitive, angle: number): void {
  const [c, s] = [Math.cos(angle / 2) * Math.SQRT1_2, Math.sin(angle / 2) * Math.SQRT1_2]
  setRotation(capsule, -s, c, s, c)
}
