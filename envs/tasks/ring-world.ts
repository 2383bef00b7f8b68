import type { Info, SimulatedEnv } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import type { RngState } from '../../src/core/rng.ts'
import { symmetricSpace } from '../../src/core/spaces.ts'
import type { CameraSpec } from '../camera/camera.ts'
import { Scene, setPosition } from '../camera/scene.ts'
import { integer } from '../options.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { Task, TaskSpec, TaskState } from '../task.ts'

export const RING_WORLD_ID = 'armature/RingWorld-v0'

const RADIUS_M = 0.15
const HALF_WIDTH_M = 0.04
const DOT_M = 0.032
const STEP_RAD = 0.1
const SUCCESS_RAD = 0.1
/** So that a rounded coordinate is in its space. */
const SLACK_M = 0.001

const RING_WORLD_SPEC: TaskSpec = {
  id: RING_WORLD_ID,
  actionNames: ['angle_step_0.1_rad'],
  proprioSpace: symmetricSpace([STEP_RAD + 0.001], ['last_step_rad']),
  stateSpace: symmetricSpace([RADIUS_M + SLACK_M, RADIUS_M + SLACK_M], ['dot_x_m', 'dot_y_m']),
  controlHz: 20,
  maxEpisodeSteps: 50,
  starts: ['random', 'opposite'],
}

const OPTIONS = { slipPercent: integer(0, 100) }

/**
 * Go around a ring to the green mark: DonutWorld of DeepMDP (Gelada et al. 2019), where the true distance of two states is the way along
 * the ring, {@link ringArcM}, while pixels say only whether two dots overlap. An action of 1 turns by 0.1 rad counter-clockwise, 63 make
 * a lap. Here the dot goes both ways and is paid for being near a mark, 1 - arc / half a lap, so that there is a reward to learn from.
 *
 * State: [x, y] of the dot; proprio: its last step only, as from a wheel, so that the place must be seen. `slipPercent` (default 0):
 * how often a random action takes the place of the one that was given. `{ start: 'opposite' }` starts farthest from the mark.
 * `success` in info: within 0.1 rad of the mark. Never terminates; truncated after 50 steps.
 */
export async function makeRingWorld(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedEnv> {
  const options = readSceneOptions(RING_WORLD_ID, OPTIONS, given)
  return sceneEnv(new RingWorld(options.slipPercent ?? 0), options)
}

/** The way along the ring between two states [x, y], metres. */
export function ringArcM(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [ax, ay, bx, by] = [a[0]!, a[1]!, b[0]!, b[1]!]
  return RADIUS_M * Math.abs(Math.atan2(ax * by - ay * bx, ax * bx + ay * by))
}

interface SavedState {
  readonly angle: number
  readonly lastStep: number
  readonly slips: RngState
}

class RingWorld implements Task {
  readonly spec: TaskSpec = RING_WORLD_SPEC
  readonly scene: Scene = createRingScene()
  readonly cameras: Task['cameras'] = CAMERAS

  readonly #slipPercent: number
  readonly #dot = this.scene.primitive('dot')
  /** From the mark, counter-clockwise, in [-pi, pi). */
  #angle = 0
  #lastStep = 0
  #slips = new Rng(0)

  constructor(slipPercent: number) {
    this.#slipPercent = slipPercent
  }

  reset(start: string, rng: Rng): void {
    this.#angle = start === 'opposite' ? -Math.PI : rng.uniform(-Math.PI, Math.PI)
    this.#lastStep = 0
    this.#slips = new Rng(rng.nextSeed())
  }

  step(action: Float32Array): void {
    const slips = this.#slips.uniform(0, 100) < this.#slipPercent
    this.#lastStep = STEP_RAD * (slips ? this.#slips.uniform(-1, 1) : action[0]!)
    const turned = this.#angle + this.#lastStep
    this.#angle = turned - 2 * Math.PI * Math.floor((turned + Math.PI) / (2 * Math.PI))
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    const x = -RADIUS_M * Math.sin(this.#angle)
    const y = RADIUS_M * Math.cos(this.#angle)
    state[0] = x
    state[1] = y
    proprio[0] = this.#lastStep
    setPosition(this.#dot, x, y, 0.01)
  }

  reward(): number {
    return 1 - Math.abs(this.#angle) / Math.PI
  }

  info(): Info {
    const away = Math.abs(this.#angle)
    return { success: away < SUCCESS_RAD ? 1 : 0, arc_m: RADIUS_M * away }
  }

  save(): TaskState {
    const saved: SavedState = { angle: this.#angle, lastStep: this.#lastStep, slips: this.#slips.state }
    return { json: saved, snapshot: new Uint8Array(0) }
  }

  restore({ json }: TaskState): void {
    const { angle, lastStep, slips } = json as SavedState
    this.#angle = angle
    this.#lastStep = lastStep
    this.#slips = Rng.fromState(slips)
  }

  close(): void {}
}

/** From straight above, and at a slant for people. */
const CAMERAS: Readonly<Record<'front' | 'human', CameraSpec>> = {
  front: { name: 'front', eyeM: [0, 0, 1], targetM: [0, 0, 0], up: [0, 1, 0], fovYDeg: 26 },
  human: { name: 'human', eyeM: [0.15, -0.65, 0.6], targetM: [0, 0, 0], fovYDeg: 36 },
}

function createRingScene(): Scene {
  const disc = (radiusM: number): { kind: 'cylinder'; radiusM: number; heightM: number } => ({
    kind: 'cylinder',
    radiusM,
    heightM: 0.004,
  })
  return new Scene({
    background: [24, 26, 32],
    lightDirection: [-0.25, 0.35, 1],
    ambient: 0.6,
    primitives: [
      {
        name: 'floor',
        shape: { kind: 'plane', halfExtentsM: [2, 2] },
        color: [40, 44, 52],
        positionM: [0, 0, -0.002],
        isStatic: true,
      },
      { name: 'ring', shape: disc(RADIUS_M + HALF_WIDTH_M), color: [150, 156, 168], isStatic: true },
      {
        name: 'hole',
        shape: disc(RADIUS_M - HALF_WIDTH_M),
        color: [40, 44, 52],
        positionM: [0, 0, 0.001],
        isStatic: true,
      },
      {
        name: 'mark',
        shape: { kind: 'box', halfExtentsM: [RADIUS_M * SUCCESS_RAD, HALF_WIDTH_M, 0.003] },
        color: [40, 220, 90],
        positionM: [0, RADIUS_M, 0.001],
        isStatic: true,
      },
      { name: 'dot', shape: { kind: 'cylinder', radiusM: DOT_M, heightM: 0.01 }, color: [255, 70, 50] },
    ],
  })
}
