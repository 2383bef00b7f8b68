import type { SimulatedEnv } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { symmetricSpace } from '../../src/core/spaces.ts'
import { Scene, setPosition, setRotation } from '../camera/scene.ts'
import { integer, readOptions } from '../options.ts'
import { sceneEnv } from '../scene-env.ts'
import type { Task, TaskSpec, TaskState } from '../task.ts'

export const PENDULUM_ID = 'armature/Pendulum-v1'

const GRAVITY = 10
const MASS = 1
const LENGTH = 1
const DT_S = 0.05
const MAX_TORQUE = 2
const MAX_SPEED = 8

const OPTIONS = { maxEpisodeSteps: integer(1, 1_000_000) }

const SPACE: BoxSpace = symmetricSpace([1, 1, MAX_SPEED], ['cos_theta', 'sin_theta', 'theta_dot_rad_per_s'])

const PENDULUM_SPEC: TaskSpec = {
  id: PENDULUM_ID,
  actionNames: ['torque_2_n_m'],
  proprioSpace: SPACE,
  stateSpace: SPACE,
  controlHz: 1 / DT_S,
  maxEpisodeSteps: 200,
  starts: ['random'],
  observedCameras: [],
}

/**
 * Swing a pendulum up and hold it: Pendulum-v1 of OpenAI Gym, equation by equation, in float64. theta is 0 upright and grows
 * counter-clockwise; u = 2 * action is the torque in N m; reward -(theta^2 + 0.1 thetaDot^2 + 0.001 u^2), measured before the step.
 * The start is uniform, theta in [-pi, pi], thetaDot in [-1, 1]. Never terminates; truncated after 200 steps.
 *
 * Observation: `proprio` and `state` are both [cos theta, sin theta, thetaDot]; no images, `render()` draws the rod.
 */
export async function makePendulum(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedEnv> {
  return sceneEnv(new Pendulum(), { ...readOptions(PENDULUM_ID, OPTIONS, given), size: { width: 256, height: 256 } })
}

interface SavedState {
  readonly theta: number
  readonly thetaDot: number
}

class Pendulum implements Task {
  readonly spec: TaskSpec = PENDULUM_SPEC
  readonly scene: Scene = createPendulumScene()
  readonly cameras: Task['cameras'] = { front: CAMERA }

  readonly #rod = this.scene.primitive('rod')
  #theta = Math.PI
  #thetaDot = 0
  #reward = 0

  reset(_start: string, rng: Rng): void {
    this.#theta = rng.uniform(-Math.PI, Math.PI)
    this.#thetaDot = rng.uniform(-1, 1)
  }

  step(action: Float32Array): void {
    const torque = MAX_TORQUE * action[0]!
    this.#reward = pendulumReward(this.#theta, this.#thetaDot, torque)
    ;[this.#theta, this.#thetaDot] = pendulumStep(this.#theta, this.#thetaDot, torque)
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    proprio[0] = state[0] = Math.cos(this.#theta)
    proprio[1] = state[1] = Math.sin(this.#theta)
    proprio[2] = state[2] = this.#thetaDot
    const half = this.#theta / 2
    // Seen along -y from the front, a counter-clockwise turn is one about -y.
    setRotation(this.#rod, 0, -Math.sin(half), 0, Math.cos(half))
    setPosition(this.#rod, (-Math.sin(this.#theta) * LENGTH) / 2, 0, (Math.cos(this.#theta) * LENGTH) / 2)
  }

  reward(): number {
    return this.#reward
  }

  save(): TaskState {
    const saved: SavedState = { theta: this.#theta, thetaDot: this.#thetaDot }
    return { json: saved, snapshot: new Uint8Array(0) }
  }

  restore({ json }: TaskState): void {
    const { theta, thetaDot } = json as SavedState
    this.#theta = theta
    this.#thetaDot = thetaDot
  }

  close(): void {}
}

/** -(theta^2 + 0.1 thetaDot^2 + 0.001 torque^2) with theta wrapped to [-pi, pi). */
export function pendulumReward(theta: number, thetaDot: number, torque: number): number {
  const angle = wrapAngle(theta)
  return -(angle * angle + 0.1 * thetaDot * thetaDot + 0.001 * torque * torque)
}

/** Semi-implicit Euler step of m l^2/3 thetaDotDot = m g l/2 sin(theta) + torque: the next [theta, thetaDot]. */
export function pendulumStep(theta: number, thetaDot: number, torque: number): [number, number] {
  const acceleration = ((3 * GRAVITY) / (2 * LENGTH)) * Math.sin(theta) + (3 / (MASS * LENGTH * LENGTH)) * torque
  const speed = Math.max(-MAX_SPEED, Math.min(MAX_SPEED, thetaDot + acceleration * DT_S))
  return [theta + speed * DT_S, speed]
}

function wrapAngle(theta: number): number {
  const turns = (theta + Math.PI) / (2 * Math.PI)
  return (turns - Math.floor(turns)) * 2 * Math.PI - Math.PI
}

const CAMERA = { name: 'front', eyeM: [0, -5, 0], targetM: [0, 0, 0], fovYDeg: 28 } as const

function createPendulumScene(): Scene {
  return new Scene({
    background: [235, 235, 235],
    lightDirection: [0.3, -1, 0.6],
    ambient: 0.5,
    primitives: [
      { name: 'rod', shape: { kind: 'capsule', radiusM: 0.1, heightM: LENGTH }, color: [204, 77, 77] },
      { name: 'axle', shape: { kind: 'sphere', radiusM: 0.05 }, color: [40, 40, 40], positionM: [0, -0.11, 0] },
    ],
  })
}
