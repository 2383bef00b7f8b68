import type { SimulatedGoalEnv, Info } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { symmetricSpace } from '../../src/core/spaces.ts'
import { distance2 } from '../distance.ts'
import type { CameraSpec } from '../camera/camera.ts'
import type { PrimitiveSpec, Rgb } from '../camera/scene.ts'
import { Scene, setPosition } from '../camera/scene.ts'
import { oneOf } from '../options.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { GoalTask, Task, TaskSpec, TaskState } from '../task.ts'
import type { HueRange } from './hues.ts'
import { colorOfHue, GROUND_RANGE, HUES as RANGES } from './hues.ts'

export const DISC_ARENA_ID = 'armature/DiscArena-v0'

/** The disc's centre stays within this of the middle, in x and y; its space is a little wider. */
const ARENA_M = 0.2
const SLACK_M = 0.001
const STEP_M = 0.02
const SUCCESS_M = 0.03
const DISC = { radiusM: 0.03, heightM: 0.02 }

const LIMIT_M = ARENA_M + SLACK_M
const PLACE_SPACE = symmetricSpace([LIMIT_M, LIMIT_M], ['disc_x_m', 'disc_y_m'])

const DISC_ARENA_SPEC: TaskSpec = {
  id: DISC_ARENA_ID,
  actionNames: ['disc_dx_2cm', 'disc_dy_2cm'],
  proprioSpace: PLACE_SPACE,
  stateSpace: symmetricSpace([LIMIT_M, LIMIT_M, 1, 1], ['disc_x_m', 'disc_y_m', 'cos_hue', 'sin_hue']),
  controlHz: 20,
  maxEpisodeSteps: 50,
  starts: ['random', 'middle'],
}

const HUES = { ...RANGES, blue: [0.6, 0.6] } as const

const OPTIONS = { hues: oneOf('all', 'seen', 'unseen', 'blue'), ground: oneOf('grey', 'random') }
/** [lowest, highest] channel, 0..255: brighter than any ground. */
const DISC_RANGE: readonly [number, number] = [50, 255]
const GREY_GROUND: Rgb = [44, 47, 52]

/**
 * Take a disc, whose colour is another in every episode, to a place in a walled arena: Point2D of multiworld in metres (5 cm for its
 * unit: arena +-20 cm, success within 3 cm) with steps of 2 cm, and the random colour that CC-VAE is about. Goal images have the
 * colour of the episode. State: [x, y, cos hue, sin hue]; proprio and goal: [x, y].
 *
 * `hues`: `all` (default), `seen` for three quarters of the colour circle, `unseen` for the rest (violet to red), `blue` for one colour
 * as in Point2D. `ground`: `grey` (default), or `random` for a dark colour of any hue that is drawn at every reset and stays for the
 * episode. `{ start: 'middle' }` starts there instead of anywhere. Reward: minus the distance. Never terminates; truncated
 * after 50 steps.
 */
export async function makeDiscArena(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  const options = readSceneOptions(DISC_ARENA_ID, OPTIONS, given)
  return sceneEnv(new DiscArena(HUES[options.hues ?? 'all'], options.ground === 'random'), options)
}

interface SavedState {
  readonly x: number
  readonly y: number
  readonly hue: number
  /** Of ground that has one, in turns. */
  readonly groundHue?: number
}

class DiscArena implements GoalTask {
  readonly spec: TaskSpec = DISC_ARENA_SPEC
  readonly goalSpace: BoxSpace = PLACE_SPACE
  readonly scene: Scene = createDiscArenaScene()
  readonly cameras: Task['cameras'] = CAMERAS

  readonly #hues: HueRange
  readonly #isGroundRandom: boolean
  readonly #disc = this.scene.primitive('disc')
  readonly #floor = this.scene.primitive('floor')
  #x = 0
  #y = 0
  #hue = 0
  #groundHue: number | undefined

  constructor(hues: HueRange, isGroundRandom: boolean) {
    this.#hues = hues
    this.#isGroundRandom = isGroundRandom
  }

  reset(start: string, rng: Rng): void {
    const hue = rng.uniform(...this.#hues)
    const isAnywhere = start === 'random'
    this.#x = isAnywhere ? rng.uniform(-ARENA_M, ARENA_M) : 0
    this.#y = isAnywhere ? rng.uniform(-ARENA_M, ARENA_M) : 0
    this.#paint(hue, this.#isGroundRandom ? rng.uniform() : undefined)
  }

  #paint(hue: number, groundHue: number | undefined): void {
    this.#hue = hue
    this.#disc.color.set(colorOfHue(hue, DISC_RANGE))
    this.#groundHue = groundHue
    this.#floor.color.set(groundHue === undefined ? GREY_GROUND : colorOfHue(groundHue, GROUND_RANGE))
  }

  step(action: Float32Array): void {
    this.#x = clamp(this.#x + STEP_M * action[0]!)
    this.#y = clamp(this.#y + STEP_M * action[1]!)
  }

  sampleGoal(rng: Rng): Float32Array {
    return Float32Array.of(rng.uniform(-ARENA_M, ARENA_M), rng.uniform(-ARENA_M, ARENA_M))
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice(0, 2)
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    return { distance: distance2(achieved, desired) }
  }

  isSuccess(distances: Info): boolean {
    return distances['distance']! < SUCCESS_M
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    state[0] = proprio[0] = this.#x
    state[1] = proprio[1] = this.#y
    state[2] = Math.cos(2 * Math.PI * this.#hue)
    state[3] = Math.sin(2 * Math.PI * this.#hue)
    setPosition(this.#disc, this.#x, this.#y, DISC.heightM / 2)
  }

  showAt(goal: Float32Array): void {
    setPosition(this.#disc, goal[0]!, goal[1]!, DISC.heightM / 2)
  }

  markGoal(goal: Float32Array): void {
    setPosition(this.scene.primitive('goal'), goal[0]!, goal[1]!, 0.001)
  }

  save(): TaskState {
    const groundHue = this.#groundHue
    const saved: SavedState = { x: this.#x, y: this.#y, hue: this.#hue, ...(groundHue !== undefined && { groundHue }) }
    return { json: saved, snapshot: new Uint8Array(0) }
  }

  restore({ json }: TaskState): void {
    const { x, y, hue, groundHue } = json as SavedState
    this.#x = x
    this.#y = y
    this.#paint(hue, groundHue)
  }

  close(): void {}
}

function clamp(x: number): number {
  return Math.max(-ARENA_M, Math.min(ARENA_M, x))
}

/** From straight above; and a view for people, with the goal shown. */
const CAMERAS: Readonly<Record<'front' | 'human', CameraSpec>> = {
  front: { name: 'front', eyeM: [0, 0, 1], targetM: [0, 0, 0], up: [0, 1, 0], fovYDeg: 28.5 },
  human: { name: 'human', eyeM: [0.15, -0.75, 0.75], targetM: [0, -0.02, 0], fovYDeg: 38, showsHidden: true },
}

function createDiscArenaScene(): Scene {
  const inner = ARENA_M + DISC.radiusM
  const wall = (name: string, x: number, y: number): PrimitiveSpec => ({
    name,
    shape: { kind: 'box', halfExtentsM: x === 0 ? [inner + 0.02, 0.01, 0.015] : [0.01, inner, 0.015] },
    positionM: [x, y, 0.015],
    color: [170, 174, 182],
    isStatic: true,
  })
  return new Scene({
    background: [20, 22, 26],
    lightDirection: [-0.25, 0.35, 1],
    ambient: 0.55,
    shadow: { onto: 'floor', z: 0, strength: 0.35 },
    primitives: [
      {
        name: 'floor',
        shape: { kind: 'plane', halfExtentsM: [2, 2] },
        color: GREY_GROUND,
        isStatic: true,
      },
      wall('wall-far', 0, inner + 0.01),
      wall('wall-near', 0, -inner - 0.01),
      wall('wall-right', inner + 0.01, 0),
      wall('wall-left', -inner - 0.01, 0),
      {
        name: 'goal',
        shape: { kind: 'cylinder', radiusM: SUCCESS_M, heightM: 0.001 },
        color: [235, 235, 235],
        visibleToCameras: false,
      },
      { name: 'disc', shape: { kind: 'cylinder', ...DISC }, color: [255, 255, 255], castsShadow: true },
    ],
  })
}
