import type { RigidBody, World } from '@dimforge/rapier3d-simd-compat'
import type {
  EnvSpec,
  EnvState,
  GoalEnv,
  Info,
  Observation,
  ResetOptions,
  ResetResult,
  StepResult,
} from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { boxSpace, checkAction, imageSpace, whyOutside } from '../../src/core/spaces.ts'
import type { ImageSize } from '../camera/camera.ts'
import { Rasterizer } from '../camera/rasterizer.ts'
import type { Primitive, Scene } from '../camera/scene.ts'
import { setPosition } from '../camera/scene.ts'
import type { EpisodeState } from '../episode.ts'
import { Episode } from '../episode.ts'
import { imageSize, integer, oneOf, readOptions } from '../options.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { loadPhysics } from '../world/engine.ts'
import type { MocapHandHandles } from '../world/mocap-hand.ts'
import { addMocapHand, placeMocapHand, Z_UP } from '../world/mocap-hand.ts'
import { createWorld, restoreWorld } from '../world/physics-world.ts'
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

const STATE_NAMES = ['hand_x_m', 'hand_y_m', 'puck_x_m', 'puck_y_m']

const OPTIONS = {
  size: imageSize,
  physics: oneOf('auto', 'simd', 'scalar'),
  start: oneOf('default', 'goal', 'random'),
  maxEpisodeSteps: integer(1, 1_000_000),
  supersample: oneOf('on', 'off'),
}

/** Options of `makeEnv('armature/PushPuck-v0', ...)`. */
export type PushPuckOptions = ReturnType<typeof readOptions<typeof OPTIONS>>

/**
 * Push a puck to a place on the table and take the hand to another place: the Sawyer push task of RIG and Skew-Fit, with a mocap
 * hand instead of the arm. Action: hand displacement, 2 cm per unit, at 20 Hz. State and goal: hand xy, puck xy in metres.
 * Reward: minus the sum of the two distances; success when it is below 6 cm. Never terminates; truncated after 50 steps.
 *
 * `reset` starts with the hand before the puck; with `{ start: 'goal' }` at another random goal, as data for encoders are collected in
 * RIG; with `{ start: 'random' }` with both anywhere they can be without touching.
 */
export async function makePushPuck(given: Readonly<Record<string, unknown>> = {}): Promise<GoalEnv> {
  const options = readOptions(PUSH_PUCK_ID, OPTIONS, given)
  return new PushPuck(await loadPhysics(options.physics), options)
}

interface SavedState {
  readonly physics: string
  readonly episode: EpisodeState
  readonly goal: readonly number[]
  readonly target: readonly [number, number]
}

class PushPuck implements GoalEnv {
  readonly spec: EnvSpec
  readonly goalSpace: BoxSpace
  readonly goal: Float32Array = new Float32Array(4)

  readonly #engine: PhysicsEngine
  readonly #physicsName: string
  readonly #start: 'default' | 'goal' | 'random'
  readonly #episode: Episode
  readonly #handles: MocapHandHandles & { readonly puck: number }
  readonly #settledSnapshot: Uint8Array
  readonly #puckRestZ: number
  readonly #scene: Scene = createPushPuckScene()
  readonly #handShape: Primitive
  readonly #puckShape: Primitive
  readonly #camera: Rasterizer
  readonly #otherViews: Map<string, Rasterizer> = new Map()
  readonly #observation: Observation & { readonly images: { readonly front: Uint8Array } }
  readonly #vector = { x: 0, y: 0, z: HAND.centerZ }
  #world: World
  #hand!: RigidBody
  #target!: RigidBody
  #puck!: RigidBody
  #targetX = 0
  #targetY = 0

  constructor(engine: PhysicsEngine, options: PushPuckOptions) {
    const size = options.size ?? { width: 48, height: 48 }
    this.#engine = engine
    this.#physicsName = `rapier ${engine.version} ${engine.build}`
    this.#start = options.start ?? 'default'
    this.spec = pushPuckSpec(size, options.maxEpisodeSteps ?? 50)
    this.goalSpace = this.spec.stateSpace
    this.#episode = new Episode(this.spec.id, this.spec.maxEpisodeSteps)
    this.#handShape = this.#scene.primitive('hand')
    this.#puckShape = this.#scene.primitive('puck')
    this.#camera = new Rasterizer(this.#scene, CAMERAS.front, size, options.supersample === 'off' ? 1 : 2)
    this.#observation = {
      images: { front: new Uint8Array(size.width * size.height * 3) },
      proprio: new Float32Array(2),
      state: new Float32Array(4),
    }
    const { world, handles } = buildWorld(engine)
    for (let i = 0; i < SETTLE_SUBSTEPS; i++) world.step()
    this.#handles = handles
    this.#settledSnapshot = world.takeSnapshot()
    this.#world = world
    this.#adopt(world)
    this.#puckRestZ = this.#puck.translation().z
    this.#readState()
  }

  async reset(options: ResetOptions = {}): Promise<ResetResult> {
    const { start = this.#start } = readOptions(`${this.spec.id} reset`, { start: OPTIONS.start }, options.options)
    this.#episode.begin(options.seed)
    const { rng } = this.#episode
    // Only a restored snapshot is the same to the last bit each time: contact caches survive setting poses back.
    this.#adopt(restoreWorld(this.#engine, this.#settledSnapshot))
    if (start === 'random') this.#place(drawApart(rng, HAND_BOX, PUCK_BOX))
    if (start === 'goal') this.#place(this.sampleGoal(rng))
    this.#setGoalValues(this.sampleGoal(rng))
    this.#observe()
    return { observation: this.#observation, info: this.#info() }
  }

  async step(action: Float32Array): Promise<StepResult> {
    this.#episode.requireRunning()
    checkAction(this.spec.actionSpace, action)
    this.#moveHand(action[0]! * ACTION_M, action[1]! * ACTION_M)
    this.#observe()
    const info = this.#info()
    const truncated = this.#episode.advance(false)
    return { observation: this.#observation, reward: -info['distance']!, terminated: false, truncated, info }
  }

  setGoal(goal: Float32Array): void {
    this.#checkGoal(goal)
    this.#setGoalValues(goal)
  }

  sampleGoal(rng: Rng): Float32Array {
    return drawApart(rng, HAND_GOAL_BOX, PUCK_GOAL_BOX)
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice()
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    const hand = Math.hypot(achieved[0]! - desired[0]!, achieved[1]! - desired[1]!)
    const puck = Math.hypot(achieved[2]! - desired[2]!, achieved[3]! - desired[3]!)
    return { hand_distance: hand, puck_distance: puck, distance: hand + puck }
  }

  /** The physics is not touched: cameras see poses only, and those of a puck at rest follow from `goal`. */
  async renderGoal(goal: Float32Array): Promise<Readonly<Record<string, Uint8Array>>> {
    this.#episode.requireOpen()
    this.#checkGoal(goal)
    setPosition(this.#handShape, goal[0]!, goal[1]!, HAND.centerZ)
    setPosition(this.#puckShape, goal[2]!, goal[3]!, this.#puckRestZ)
    this.#camera.render()
    const front = this.#camera.rgb.slice()
    this.#showPoses()
    return { front }
  }

  async render(camera: string = 'front', size?: ImageSize): Promise<Uint8Array> {
    this.#episode.requireOpen()
    if (camera !== 'front' && camera !== 'human') {
      throw new ArmatureError('not-found', `camera "${camera}" of ${this.spec.id}`, { fix: 'there is front, human' })
    }
    const view = this.#view(camera, size)
    view.render()
    return view.rgb.slice()
  }

  async saveState(): Promise<EnvState> {
    this.#episode.requireOpen()
    const saved: SavedState = {
      physics: this.#physicsName,
      episode: this.#episode.state,
      goal: [...this.goal],
      target: [this.#targetX, this.#targetY],
    }
    return { id: this.spec.id, json: JSON.stringify(saved), snapshot: this.#world.takeSnapshot() }
  }

  async restoreState(state: EnvState): Promise<void> {
    this.#episode.requireOpen()
    const saved = state.id === this.spec.id ? (JSON.parse(state.json) as SavedState) : undefined
    if (saved?.physics !== this.#physicsName) {
      throw new ArmatureError('bad-argument', `state for ${this.spec.id}`, {
        expected: `one saved by it on ${this.#physicsName}`,
        got: `${state.id} on ${saved?.physics ?? 'another physics'}`,
      })
    }
    this.#episode.restore(saved.episode)
    this.#adopt(restoreWorld(this.#engine, state.snapshot))
    ;[this.#targetX, this.#targetY] = saved.target
    this.#setGoalValues(saved.goal)
    this.#observe()
  }

  async close(): Promise<void> {
    if (this.#episode.close()) this.#world.free()
  }

  /** Makes `world` the current one and frees the one before. */
  #adopt(world: World): void {
    if (this.#world !== world) this.#world.free()
    this.#world = world
    this.#hand = world.getRigidBody(this.#handles.hand)
    this.#target = world.getRigidBody(this.#handles.target)
    this.#puck = world.getRigidBody(this.#handles.puck)
    ;[this.#targetX, this.#targetY] = HAND_START
  }

  #place(state: Float32Array): void {
    const [handX, handY, puckX, puckY] = [state[0]!, state[1]!, state[2]!, state[3]!]
    placeMocapHand(this.#hand, this.#target, HAND, handX, handY)
    this.#puck.setTranslation({ x: puckX, y: puckY, z: this.#puckRestZ }, true)
    ;[this.#targetX, this.#targetY] = [handX, handY]
  }

  /** One control step: the target moves by (dx, dy), within the box and near the hand, spread over the substeps. */
  #moveHand(dx: number, dy: number): void {
    const [fromX, fromY] = [this.#targetX, this.#targetY]
    const hand = this.#hand.translation(this.#vector)
    const leadX = clamp(fromX + dx, HAND_BOX[0]) - hand.x
    const leadY = clamp(fromY + dy, HAND_BOX[1]) - hand.y
    const scale = Math.min(1, HAND.maxLeadM / Math.hypot(leadX, leadY))
    const toX = hand.x + leadX * scale
    const toY = hand.y + leadY * scale
    const at = this.#vector
    at.z = HAND.centerZ
    for (let substep = 1; substep <= SUBSTEPS; substep++) {
      at.x = fromX + ((toX - fromX) * substep) / SUBSTEPS
      at.y = fromY + ((toY - fromY) * substep) / SUBSTEPS
      this.#target.setNextKinematicTranslation(at)
      this.#world.step()
    }
    this.#targetX = toX
    this.#targetY = toY
  }

  #observe(): void {
    this.#readState()
    this.#camera.render()
    this.#observation.images.front.set(this.#camera.rgb)
  }

  /** Physics to `state`, `proprio` and the poses that cameras see. */
  #readState(): void {
    const { state, proprio } = this.#observation
    const hand = this.#hand.translation(this.#vector)
    state[0] = proprio[0] = hand.x
    state[1] = proprio[1] = hand.y
    const puck = this.#puck.translation(this.#vector)
    state[2] = puck.x
    state[3] = puck.y
    this.#showPoses()
  }

  #showPoses(): void {
    const hand = this.#hand.translation(this.#vector)
    setPosition(this.#handShape, hand.x, hand.y, hand.z)
    // The puck cannot tilt, and its yaw cannot be seen: it is a plain solid of revolution.
    const puck = this.#puck.translation(this.#vector)
    setPosition(this.#puckShape, puck.x, puck.y, puck.z)
  }

  #checkGoal(goal: Float32Array): void {
    const why = whyOutside(this.goalSpace, goal)
    if (why !== undefined) throw new ArmatureError('bad-value', `${this.spec.id} goal`, { got: why })
  }

  #setGoalValues(goal: ArrayLike<number>): void {
    this.goal.set(goal)
    setPosition(this.#scene.primitive('goal-hand'), goal[0]!, goal[1]!, 0.001)
    setPosition(this.#scene.primitive('goal-puck'), goal[2]!, goal[3]!, 0.001)
  }

  #info(): Info {
    const distances = this.goalDistances(this.#observation.state, this.goal)
    return { success: distances['distance']! < SUCCESS_M ? 1 : 0, ...distances }
  }

  #view(camera: 'front' | 'human', size: ImageSize = this.#defaultSize(camera)): Rasterizer {
    const { width, height } = this.#camera
    if (camera === 'front' && size.width === width && size.height === height) return this.#camera
    const key = `${camera} ${size.width}x${size.height}`
    let view = this.#otherViews.get(key)
    if (view === undefined) {
      view = new Rasterizer(this.#scene, CAMERAS[camera], size, 2)
      this.#otherViews.set(key, view)
    }
    return view
  }

  #defaultSize(camera: 'front' | 'human'): ImageSize {
    return camera === 'front' ? this.#camera : { width: 480, height: 360 }
  }
}

function pushPuckSpec(size: ImageSize, maxEpisodeSteps: number): EnvSpec {
  const limits = [HAND_BOX[0], HAND_BOX[1], PUCK_BOX[0], PUCK_BOX[1]].map((limit) => limit + SLACK_M)
  const lows = limits.map((limit) => -limit)
  return {
    id: PUSH_PUCK_ID,
    actionSpace: boxSpace([2], -1, 1, ['hand_dx_2cm', 'hand_dy_2cm']),
    imageSpaces: { front: imageSpace(size.height, size.width) },
    proprioSpace: {
      dtype: 'float32',
      shape: [2],
      low: lows.slice(0, 2),
      high: limits.slice(0, 2),
      names: STATE_NAMES.slice(0, 2),
    },
    stateSpace: { dtype: 'float32', shape: [4], low: lows, high: limits, names: STATE_NAMES },
    controlHz: CONTROL_HZ,
    maxEpisodeSteps,
  }
}

function buildWorld(engine: PhysicsEngine): { world: World; handles: MocapHandHandles & { readonly puck: number } } {
  const { rapier } = engine
  const world = createWorld(engine)
  const table = rapier.ColliderDesc.cuboid(0.5, 0.5, 0.05).setTranslation(0, 0, -0.05)
  world.createCollider(table.setFriction(1).setCollisionGroups(COLLISION.table))
  for (const { half, center } of RIM_BARS) {
    const bar = rapier.ColliderDesc.cuboid(...half).setTranslation(...center)
    world.createCollider(bar.setFriction(0.2).setCollisionGroups(COLLISION.table))
  }
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
  const handles = addMocapHand(engine, world, HAND, HAND_START[0], HAND_START[1])
  return { world, handles: { ...handles, puck: puck.handle } }
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

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value))
}
