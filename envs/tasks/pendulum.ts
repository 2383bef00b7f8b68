import type {
  EnvSpec,
  EnvState,
  Info,
  Observation,
  ResetOptions,
  ResetResult,
  SimulatedEnv,
  StepResult,
} from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { boxSpace, checkAction } from '../../src/core/spaces.ts'
import type { ImageSize } from '../camera/camera.ts'
import { Rasterizer } from '../camera/rasterizer.ts'
import { Scene, setPosition, setRotation } from '../camera/scene.ts'
import type { EpisodeState } from '../episode.ts'
import { Episode } from '../episode.ts'
import { integer, readOptions } from '../options.ts'

export const PENDULUM_ID = 'armature/Pendulum-v1'

const GRAVITY = 10
const MASS = 1
const LENGTH = 1
const DT_S = 0.05
const MAX_TORQUE = 2
const MAX_SPEED = 8

const OPTIONS = { maxEpisodeSteps: integer(1, 1_000_000) }

/**
 * Swing a pendulum up and hold it: Pendulum-v1 of OpenAI Gym, equation by equation, in float64. theta is 0 upright and grows
 * counter-clockwise; u = 2 * action is the torque in N m; reward -(theta^2 + 0.1 thetaDot^2 + 0.001 u^2), measured before the step.
 * The start is uniform, theta in [-pi, pi], thetaDot in [-1, 1]. Never terminates; truncated after 200 steps.
 *
 * Observation: `proprio` and `state` are both [cos theta, sin theta, thetaDot]; no images, `render()` draws the rod.
 */
export async function makePendulum(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedEnv> {
  const { maxEpisodeSteps = 200 } = readOptions(PENDULUM_ID, OPTIONS, given)
  return new Pendulum(maxEpisodeSteps)
}

interface SavedState {
  readonly episode: EpisodeState
  readonly theta: number
  readonly thetaDot: number
}

class Pendulum implements SimulatedEnv {
  readonly spec: EnvSpec
  readonly #episode: Episode
  readonly #observation: Observation = { images: {}, proprio: new Float32Array(3), state: new Float32Array(3) }
  readonly #scene = createPendulumScene()
  readonly #views: Map<string, Rasterizer> = new Map()
  #theta = Math.PI
  #thetaDot = 0

  constructor(maxEpisodeSteps: number) {
    const space = {
      ...boxSpace([3], -1, 1, ['cos_theta', 'sin_theta', 'theta_dot_rad_per_s']),
      low: [-1, -1, -MAX_SPEED],
      high: [1, 1, MAX_SPEED],
    }
    this.spec = {
      id: PENDULUM_ID,
      actionSpace: boxSpace([1], -1, 1, ['torque_2_n_m']),
      imageSpaces: {},
      cameras: ['front'],
      proprioSpace: space,
      stateSpace: space,
      controlHz: 1 / DT_S,
      maxEpisodeSteps,
    }
    this.#episode = new Episode(PENDULUM_ID, maxEpisodeSteps)
  }

  async reset(options: ResetOptions = {}): Promise<ResetResult> {
    readOptions(`${PENDULUM_ID} reset`, {}, options.options)
    this.#episode.begin(options.seed)
    this.#theta = this.#episode.rng.uniform(-Math.PI, Math.PI)
    this.#thetaDot = this.#episode.rng.uniform(-1, 1)
    this.#observe()
    return { observation: this.#observation, info: {} }
  }

  async step(action: Float32Array): Promise<StepResult> {
    this.#episode.requireRunning()
    checkAction(this.spec.actionSpace, action)
    const torque = MAX_TORQUE * action[0]!
    const reward = pendulumReward(this.#theta, this.#thetaDot, torque)
    ;[this.#theta, this.#thetaDot] = pendulumStep(this.#theta, this.#thetaDot, torque)
    this.#observe()
    const info: Info = {}
    return { observation: this.#observation, reward, terminated: false, truncated: this.#episode.advance(false), info }
  }

  async render(camera: string = 'front', size: ImageSize = { width: 256, height: 256 }): Promise<Uint8Array> {
    this.#episode.requireOpen()
    if (camera !== 'front') {
      throw new ArmatureError('not-found', `camera "${camera}" of ${PENDULUM_ID}`, { fix: 'there is front' })
    }
    const key = `${size.width}x${size.height}`
    const view = this.#views.get(key) ?? new Rasterizer(this.#scene, CAMERA, size, 2)
    this.#views.set(key, view)
    const rod = this.#scene.primitive('rod')
    const half = this.#theta / 2
    // Seen along -y from the front, a counter-clockwise turn is one about -y.
    setRotation(rod, 0, -Math.sin(half), 0, Math.cos(half))
    setPosition(rod, (-Math.sin(this.#theta) * LENGTH) / 2, 0, (Math.cos(this.#theta) * LENGTH) / 2)
    view.render()
    return view.rgb.slice()
  }

  async saveState(): Promise<EnvState> {
    this.#episode.requireOpen()
    const saved: SavedState = { episode: this.#episode.state, theta: this.#theta, thetaDot: this.#thetaDot }
    return { id: PENDULUM_ID, json: JSON.stringify(saved), snapshot: new Uint8Array(0) }
  }

  async restoreState(state: EnvState): Promise<void> {
    this.#episode.requireOpen()
    if (state.id !== PENDULUM_ID) {
      throw new ArmatureError('bad-argument', 'saved state', { expected: `one of ${PENDULUM_ID}`, got: state.id })
    }
    const saved = JSON.parse(state.json) as SavedState
    this.#episode.restore(saved.episode)
    this.#theta = saved.theta
    this.#thetaDot = saved.thetaDot
    this.#observe()
  }

  async close(): Promise<void> {
    this.#episode.close()
  }

  #observe(): void {
    const { proprio, state } = this.#observation
    proprio[0] = state[0] = Math.cos(this.#theta)
    proprio[1] = state[1] = Math.sin(this.#theta)
    proprio[2] = state[2] = this.#thetaDot
  }
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
