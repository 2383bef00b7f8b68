import type { Info, SimulatedEnv } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import type { CameraSpec } from '../camera/camera.ts'
import type { PrimitiveSpec } from '../camera/scene.ts'
import { Scene, setPosition, setRotation } from '../camera/scene.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { Task, TaskSpec, TaskState } from '../task.ts'

export const MOUNTAIN_CAR_ID = 'armature/MountainCarContinuous-v0'

const [MIN_X, MAX_X, GOAL_X] = [-1.2, 0.6, 0.45]
const MAX_SPEED = 0.07
const POWER = 0.0015
const GRAVITY = 0.0025
const GOAL_PAYS = 100
const ACTION_COSTS = 0.1

const SPACE: BoxSpace = {
  dtype: 'float32',
  shape: [2],
  // As float32 rounds them.
  low: [MIN_X, -MAX_SPEED].map(Math.fround),
  high: [MAX_X, MAX_SPEED].map(Math.fround),
  names: ['car_x', 'car_speed_per_step'],
}

const MOUNTAIN_CAR_SPEC: TaskSpec = {
  id: MOUNTAIN_CAR_ID,
  actionNames: ['engine'],
  proprioSpace: SPACE,
  stateSpace: SPACE,
  controlHz: 30,
  maxEpisodeSteps: 999,
  starts: ['default'],
}

/**
 * Drive an underpowered car out of a valley: MountainCarContinuous-v0 of Gymnasium, equation by equation, in float64 (Moore 1990 with a
 * continuous engine). The hill has the height 0.45 sin(3 x) + 0.55; a push of the engine adds 0.0015 per step to the speed, gravity
 * -0.0025 cos(3 x). The car starts at rest, x in [-0.6, -0.4]; the wall at x = -1.2 stops it. The episode terminates at x = 0.45, and is
 * truncated after 999 steps.
 *
 * `state` and `proprio` are both [x, speed]. Reward: 100 at the goal, minus 0.1 action^2 of each step; with `reward: 'sparse'` 1 at the
 * goal, else 0. `success` in info: the car is there.
 */
export async function makeMountainCar(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedEnv> {
  const options = readSceneOptions(MOUNTAIN_CAR_ID, {}, given)
  return sceneEnv(new MountainCar(options.reward === 'sparse'), options)
}

/** The next [x, speed] after a step with `action` in [-1, 1]. */
export function mountainCarStep(x: number, speed: number, action: number): [x: number, speed: number] {
  const pushed = speed + POWER * action - GRAVITY * Math.cos(3 * x)
  const limited = Math.max(-MAX_SPEED, Math.min(MAX_SPEED, pushed))
  const moved = Math.max(MIN_X, Math.min(MAX_X, x + limited))
  return [moved, moved === MIN_X && limited < 0 ? 0 : limited]
}

interface SavedState {
  readonly x: number
  readonly speed: number
}

class MountainCar implements Task {
  readonly spec: TaskSpec = MOUNTAIN_CAR_SPEC
  readonly scene: Scene = createMountainScene()
  readonly scales = [] as const
  readonly cameras: Task['cameras'] = { front: CAMERA }

  readonly #isSparse: boolean
  readonly #car = this.scene.primitive('car')
  #x = 0
  #speed = 0

  constructor(isSparse: boolean) {
    this.#isSparse = isSparse
  }

  reset(_start: string, rng: Rng): void {
    this.#x = rng.uniform(-0.6, -0.4)
    this.#speed = 0
  }

  step(action: Float32Array): void {
    ;[this.#x, this.#speed] = mountainCarStep(this.#x, this.#speed, action[0]!)
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    state[0] = proprio[0] = this.#x
    state[1] = proprio[1] = this.#speed
    place(this.#x, CAR_HALF_HEIGHT, (x, z) => setPosition(this.#car, x, 0, z))
    setRotation(this.#car, ...slopeQuat(this.#x))
  }

  reward(action: Float32Array): number {
    if (this.#isSparse) return this.terminated() ? 1 : 0
    return (this.terminated() ? GOAL_PAYS : 0) - ACTION_COSTS * action[0]! ** 2
  }

  terminated(): boolean {
    return this.#x >= GOAL_X && this.#speed >= 0
  }

  info(): Info {
    return { success: this.terminated() ? 1 : 0 }
  }

  save(): TaskState {
    const saved: SavedState = { x: this.#x, speed: this.#speed }
    return { json: saved, snapshot: new Uint8Array(0) }
  }

  restore({ json }: TaskState): void {
    const { x, speed } = json as SavedState
    this.#x = x
    this.#speed = speed
  }

  close(): void {}
}

const CAR_HALF_HEIGHT = 0.05
const CAMERA: CameraSpec = { name: 'front', eyeM: [-0.3, -4, 0.6], targetM: [-0.3, 0, 0.5], fovYDeg: 26 }
/** Straight pieces that the hill is drawn with. */
const PIECES = 24

const height = (x: number): number => 0.45 * Math.sin(3 * x) + 0.55

/** Turns the x axis along the hill: about -y, as z is up. */
function slopeQuat(x: number): readonly [number, number, number, number] {
  const half = Math.atan(1.35 * Math.cos(3 * x)) / 2
  return [0, -Math.sin(half), 0, Math.cos(half)]
}

/** Gives `put` the point that lies `above` the hill at `x`, square to it. */
function place<T>(x: number, above: number, put: (x: number, z: number) => T): T {
  const slope = Math.atan(1.35 * Math.cos(3 * x))
  return put(x - above * Math.sin(slope), height(x) + above * Math.cos(slope))
}

function createMountainScene(): Scene {
  const length = (MAX_X - MIN_X) / PIECES
  const hill = Array.from({ length: PIECES }, (_, i): PrimitiveSpec => {
    const x = MIN_X + (i + 0.5) * length
    const alongM = length * Math.hypot(1, 1.35 * Math.cos(3 * x))
    return {
      name: `hill-${i}`,
      shape: { kind: 'box', halfExtentsM: [alongM / 2 + 0.005, 0.1, 0.015] },
      color: [130, 136, 146],
      positionM: [x, 0, height(x) - 0.015],
      quatXyzw: slopeQuat(x),
      isStatic: true,
    }
  })
  return new Scene({
    background: [38, 44, 54],
    lightDirection: [0.3, -1, 0.7],
    ambient: 0.5,
    primitives: [
      ...hill,
      {
        name: 'flag',
        shape: { kind: 'box', halfExtentsM: [0.015, 0.02, 0.1] },
        color: [40, 220, 90],
        positionM: [GOAL_X, 0, height(GOAL_X) + 0.1],
        isStatic: true,
      },
      { name: 'car', shape: { kind: 'box', halfExtentsM: [0.08, 0.06, CAR_HALF_HEIGHT] }, color: [255, 190, 40] },
    ],
  })
}
