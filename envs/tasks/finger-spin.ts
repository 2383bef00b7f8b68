import type { Info, SimulatedEnv } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import { symmetricSpace } from '../../src/core/spaces.ts'
import type { Primitive, Scene } from '../camera/scene.ts'
import { setPosition, setRotation } from '../camera/scene.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { Task, TaskSpec, TaskState } from '../task.ts'
import { FINGER, FingerPhysics, MAX_SPEED, SPINNER } from './finger-physics.ts'
import { CAMERAS, createFingerScene, END_M } from './finger-spin-scene.ts'

export const FINGER_SPIN_ID = 'armature/FingerSpin-v0'

const CONTROL_HZ = 50
/** rad/s, clockwise. */
const FAST = 15
/** Steps over which being fast is averaged, and the share of them that is success. */
const MEMORY_STEPS = 50
const SUCCESS_SHARE = 0.5

const JOINT_RAD = FINGER.limitRad + 0.001
const FINGER_NAMES = ['proximal_rad', 'distal_rad', 'proximal_speed_rad_per_s', 'distal_speed_rad_per_s', 'touch_log_n']
const FINGER_LIMITS = [JOINT_RAD, JOINT_RAD, MAX_SPEED, MAX_SPEED, 12]

const FINGER_SPIN_SPEC: TaskSpec = {
  id: FINGER_SPIN_ID,
  actionNames: ['proximal_torque_30_n_m', 'distal_torque_15_n_m'],
  proprioSpace: symmetricSpace(FINGER_LIMITS, FINGER_NAMES),
  stateSpace: symmetricSpace(
    [...FINGER_LIMITS, 1, 1, MAX_SPEED],
    [...FINGER_NAMES, 'cos_spinner', 'sin_spinner', 'spinner_speed_rad_per_s'],
  ),
  controlHz: CONTROL_HZ,
  maxEpisodeSteps: 1000,
  starts: ['random', 'rest'],
}

/**
 * Flick a spinner with a finger of two links so that it keeps turning clockwise: finger/spin of dm_control with its sizes, masses,
 * torques, dampers and 20 s at 50 Hz. Reward: 1 while the spinner turns at 15 rad/s or more, else 0. `success` in info: a running
 * mean of the reward, over about 1 s, is above one half. Starts anywhere without contact; `{ start: 'rest' }` with the finger
 * pointing down and the spinner upright.
 *
 * What differs: only the round fingertip touches, by a spring-and-damper contact of ours with friction 1, and the spinner is one capsule of
 * the outline of dm_control's two. Joints stop dead at 110 degrees. State: joint angles and speeds, log(1 + N) of the touch,
 * [cos, sin] of the spinner's axis, which looks the same after half a turn, and its speed; proprio: without the spinner.
 */
export async function makeFingerSpin(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedEnv> {
  return sceneEnv(new FingerSpin(), readSceneOptions(FINGER_SPIN_ID, {}, given))
}

interface SavedState {
  readonly state: readonly number[]
  readonly touchN: number
  readonly fastShare: number
  readonly scales: readonly [number, number]
}

class FingerSpin implements Task {
  readonly spec: TaskSpec = FINGER_SPIN_SPEC
  readonly scene: Scene = createFingerScene()
  readonly cameras: Task['cameras'] = CAMERAS

  readonly #physics = new FingerPhysics()
  readonly #proximal = this.scene.primitive('proximal')
  readonly #distal = this.scene.primitive('distal')
  readonly #tip = this.scene.primitive('fingertip')
  readonly #spinner = this.scene.primitive('spinner')
  readonly #ends = [this.scene.primitive('spinner-end-a'), this.scene.primitive('spinner-end-b')] as const
  #fastShare = 0
  #scales: readonly [number, number] = [1, 1]

  reset(start: string, rng: Rng): void {
    const { state } = this.#physics
    state.fill(0)
    this.#physics.touchN = 0
    this.#fastShare = 0
    state[0] = -Math.PI / 2
    state[4] = Math.PI / 2
    if (start === 'rest') return
    do {
      state[0] = rng.uniform(-FINGER.limitRad, FINGER.limitRad)
      state[1] = rng.uniform(-FINGER.limitRad, FINGER.limitRad)
      state[4] = rng.uniform(-Math.PI, Math.PI)
    } while (this.#physics.isTouching)
  }

  step(action: Float32Array): void {
    this.#physics.advance(action[0]!, action[1]!, 1 / CONTROL_HZ)
    this.#fastShare += (this.reward() - this.#fastShare) / MEMORY_STEPS
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    const s = this.#physics.state
    for (let i = 0; i < 4; i++) state[i] = proprio[i] = s[i]!
    state[4] = proprio[4] = Math.log1p(this.#physics.touchN)
    state[5] = Math.cos(s[4]!)
    state[6] = Math.sin(s[4]!)
    state[7] = s[5]!
    this.#pose(s[0]!, s[0]! + s[1]!, s[4]!)
  }

  reward(): number {
    return this.#physics.state[5]! <= -FAST ? 1 : 0
  }

  info(): Info {
    return { success: this.#fastShare > SUCCESS_SHARE ? 1 : 0 }
  }

  scaleDynamics(massScale: number, frictionScale: number): void {
    this.#scales = [massScale, frictionScale]
    this.#physics.scale(massScale, frictionScale)
  }

  save(): TaskState {
    const { state, touchN } = this.#physics
    const saved: SavedState = { state: [...state], touchN, fastShare: this.#fastShare, scales: this.#scales }
    return { json: saved, snapshot: new Uint8Array(0) }
  }

  restore({ json }: TaskState): void {
    const { state, touchN, fastShare, scales } = json as SavedState
    this.#physics.state.set(state)
    this.#physics.touchN = touchN
    this.#fastShare = fastShare
    this.scaleDynamics(...scales)
  }

  close(): void {}

  #pose(proximal: number, distal: number, spinner: number): void {
    const [baseX, baseZ] = FINGER.base
    const [hingeX, hingeZ] = SPINNER.hinge
    const [ux, uz] = [Math.cos(proximal), Math.sin(proximal)]
    const [vx, vz] = [Math.cos(distal), Math.sin(distal)]
    const elbowX = baseX + FINGER.proximalM * ux
    const elbowZ = baseZ + FINGER.proximalM * uz
    setPosition(this.#proximal, (baseX + elbowX) / 2, 0, (baseZ + elbowZ) / 2)
    setPosition(this.#distal, elbowX + (FINGER.distalM / 2) * vx, 0, elbowZ + (FINGER.distalM / 2) * vz)
    setPosition(this.#tip, elbowX + FINGER.distalM * vx, 0, elbowZ + FINGER.distalM * vz)
    turn(this.#proximal, proximal)
    turn(this.#distal, distal)
    turn(this.#spinner, spinner)
    for (const [i, end] of this.#ends.entries()) {
      const reach = i === 0 ? END_M : -END_M
      setPosition(end, hingeX + reach * Math.cos(spinner), -0.05, hingeZ + reach * Math.sin(spinner))
    }
  }
}

/** Turns a capsule, whose axis is its z, to `angle` in the plane of the finger. */
function turn(capsule: Primitive, angle: number): void {
  const half = (Math.PI / 2 - angle) / 2
  setRotation(capsule, 0, Math.sin(half), 0, Math.cos(half))
}
