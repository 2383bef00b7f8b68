import type {
  CameraEnv,
  CameraMatrices,
  EnvSpec,
  EnvState,
  SimulatedGoalEnv,
  Info,
  Observation,
  ResetOptions,
  ResetResult,
  SimulatedEnv,
  StepResult,
} from '../src/core/env.ts'
import { ArmatureError } from '../src/core/errors.ts'
import { sizeOf } from '../src/core/ndarray.ts'
import { Rng } from '../src/core/rng.ts'
import type { BoxSpace } from '../src/core/spaces.ts'
import { boxSpace, checkAction, imageSpace, whyOutside } from '../src/core/spaces.ts'
import type { CameraSpec, ImageSize } from './camera/camera.ts'
import { Rasterizer } from './camera/rasterizer.ts'
import type { Backdrop } from './camera/rasterizer.ts'
import type { EpisodeState } from './episode.ts'
import { Episode } from './episode.ts'
import type { Look, LookState } from './look/look.ts'
import { createLook, otherLook } from './look/look.ts'
import { relighting, shifted } from './look/mismatch.ts'
import { withPastActions } from './look/past-actions.ts'
import { withNoise } from './look/state-noise.ts'
import { readOptions } from './options.ts'
import type { SceneOptions } from './scene-options.ts'
import { startOption } from './scene-options.ts'
import type { GoalTask, Task } from './task.ts'
import { isGoalTask } from './task.ts'

const HUMAN = 'human'
const NOTHING = new Float32Array(0)
const DEFAULT_SIZE: ImageSize = { width: 48, height: 48 }
const HUMAN_SIZE: ImageSize = { width: 480, height: 360 }

interface SavedState {
  readonly episode: EpisodeState
  readonly task: unknown
  readonly goal?: readonly number[]
  readonly look?: LookState
}

/** Makes an env of `task`: a {@link SimulatedGoalEnv} where the task has goals. */
export function sceneEnv(task: GoalTask, options: SceneOptions): SimulatedGoalEnv
export function sceneEnv(task: Task, options: SceneOptions): SimulatedEnv
export function sceneEnv(task: Task, options: SceneOptions): SimulatedEnv {
  if (isGoalTask(task)) return new GoalSceneEnv(task, options)
  if (options.goal === undefined) return new SceneEnv(task, options)
  throw new ArmatureError('bad-argument', `${task.spec.id} option goal`, { got: 'one, in a scene without goals' })
}

class SceneEnv<T extends Task = Task> implements SimulatedEnv, CameraEnv {
  readonly spec: EnvSpec
  readonly idNames: readonly string[]
  protected readonly task: T
  protected readonly episode: Episode
  protected readonly observation: Observation
  /** The observed cameras. */
  protected readonly eyes: readonly { readonly name: string; readonly view: Rasterizer; readonly image: Uint8Array }[]
  /** What changes from episode to episode besides the task; undefined when nothing does. */
  protected readonly look: Look | undefined
  /** Changes the light of a picture, where it differs. */
  protected readonly relight: ((image: Uint8Array) => void) | undefined
  /** What the task writes of `observation.state`. */
  readonly #taskState: Float32Array
  /** And of `observation.proprio`. */
  readonly #taskProprio: Float32Array
  readonly #start: string
  readonly #startSeed: number | undefined
  readonly #actionRepeat: number
  readonly #size: ImageSize
  readonly #cameras: ReadonlyMap<string, CameraSpec>
  readonly #otherViews: Map<string, { readonly name: string; readonly view: Rasterizer }> = new Map()

  constructor(task: T, options: SceneOptions) {
    const { spec, scene } = task
    this.task = task
    this.idNames = ['nothing', ...scene.primitives.map((primitive) => primitive.spec.name)]
    this.#cameras = placeCameras(task, options)
    this.relight = relighting(options.mismatch ?? {})
    this.look = createLook(task, this.#cameras, options)
    this.#size = options.size ?? DEFAULT_SIZE
    this.#start = this.#checkStart(options.start ?? spec.starts[0]!)
    this.#startSeed = options.startSeed
    this.#actionRepeat = options.actionRepeat ?? 1
    const observed = options.cameras ?? spec.observedCameras ?? [Object.keys(task.cameras)[0]!]
    const samples = options.supersample === 'off' ? 1 : 2
    this.eyes = observed.map((name) => ({
      name,
      view: new Rasterizer(scene, this.#camera(name), this.#size, samples),
      image: new Uint8Array(this.#size.width * this.#size.height * 3),
    }))
    const withPast = (space: BoxSpace): BoxSpace => withPastActions(space, spec.actionNames, options.pastActions ?? 0)
    this.spec = {
      id: spec.id,
      actionSpace: boxSpace([spec.actionNames.length], -1, 1, spec.actionNames),
      imageSpaces: Object.fromEntries(observed.map((name) => [name, imageSpace(this.#size.height, this.#size.width)])),
      cameras: Object.keys(task.cameras),
      proprioSpace: withPast(spec.proprioSpace),
      stateSpace: withNoise(withPast(spec.stateSpace), options.noiseDims ?? 0),
      controlHz: spec.controlHz / this.#actionRepeat,
      maxEpisodeSteps: options.maxEpisodeSteps ?? Math.ceil(spec.maxEpisodeSteps / this.#actionRepeat),
    }
    this.episode = new Episode(spec.id, this.spec.maxEpisodeSteps)
    this.observation = {
      images: Object.fromEntries(this.eyes.map(({ name, image }) => [name, image])),
      proprio: new Float32Array(sizeOf(this.spec.proprioSpace.shape)),
      state: new Float32Array(sizeOf(this.spec.stateSpace.shape)),
    }
    this.#taskState = this.ownState(this.observation.state)
    this.#taskProprio = this.observation.proprio.subarray(0, sizeOf(spec.proprioSpace.shape))
    this.observeTask()
  }

  async reset(options: ResetOptions = {}): Promise<ResetResult> {
    const { start } = readOptions(`${this.spec.id} reset`, { start: startOption }, options.options)
    const from = start === undefined ? this.#start : this.#checkStart(start)
    this.episode.begin(options.seed)
    this.look?.begin(options.seed)
    this.begin(from, this.episode.rng)
    this.#dress()
    this.observe()
    return { observation: this.observation, info: this.info() }
  }

  async step(action: Float32Array): Promise<StepResult> {
    this.episode.requireRunning()
    checkAction(this.spec.actionSpace, action)
    this.look?.past?.add(action)
    let reward = 0
    let info: Info = {}
    let terminated = false
    for (let held = 0; held < this.#actionRepeat && !terminated; held++) {
      const arriving = this.look?.advance(action) ?? action
      this.task.step(arriving)
      this.observeTask()
      info = this.info()
      reward += this.reward(arriving, info)
      terminated = this.task.terminated?.() ?? false
    }
    this.#observeImages()
    const truncated = this.episode.advance(terminated)
    return { observation: this.observation, reward, terminated, truncated, info }
  }

  async render(camera: string = this.#defaultCamera(), size?: ImageSize): Promise<Uint8Array> {
    const image = this.#rendered(camera, size).rgb.slice()
    this.relight?.(image)
    return image
  }

  async renderDepth(camera: string = this.#defaultCamera(), size?: ImageSize): Promise<Float32Array> {
    return this.#rendered(camera, size).depth.slice()
  }

  async renderIds(camera: string = this.#defaultCamera(), size?: ImageSize): Promise<Uint16Array> {
    return this.#rendered(camera, size).ids.slice()
  }

  async cameraMatrices(camera: string = this.#defaultCamera(), size?: ImageSize): Promise<CameraMatrices> {
    return this.#view(camera, size).matrices()
  }

  async saveState(): Promise<EnvState> {
    this.episode.requireOpen()
    const { json, snapshot } = this.task.save()
    const look = this.look && { look: this.look.state }
    const saved: SavedState = { episode: this.episode.state, task: json, ...this.savedGoal(), ...look }
    return { id: this.spec.id, json: JSON.stringify(saved), snapshot }
  }

  async restoreState(state: EnvState): Promise<void> {
    this.episode.requireOpen()
    if (state.id !== this.spec.id) {
      throw new ArmatureError('bad-argument', `state for ${this.spec.id}`, {
        expected: 'one saved by it',
        got: `one of ${state.id}`,
      })
    }
    const saved = JSON.parse(state.json) as SavedState
    if ((saved.look === undefined) !== (this.look === undefined)) throw otherLook(this.spec.id)
    if (saved.look !== undefined) this.look!.restore(saved.look)
    this.task.restore({ json: saved.task, snapshot: state.snapshot })
    this.#dress()
    this.episode.restore(saved.episode)
    this.restoreGoal(saved)
    this.observe()
  }

  async close(): Promise<void> {
    if (this.episode.close()) this.task.close()
  }

  protected begin(start: string, rng: Rng): void {
    this.task.reset(start, this.#startSeed === undefined ? rng : new Rng(this.#startSeed))
  }

  protected info(): Info {
    const info = this.task.info?.() ?? {}
    return this.look === undefined ? info : { ...info, ...this.look.info }
  }

  protected reward(action: Float32Array, _info: Info): number {
    return this.task.reward?.(action) ?? 0
  }

  protected savedGoal(): { readonly goal?: readonly number[] } {
    return {}
  }

  protected restoreGoal(_saved: SavedState): void {}

  protected observe(): void {
    this.observeTask()
    this.#observeImages()
  }

  /** Of a state, a view of what the task writes, without past actions and noise. */
  protected ownState(state: Float32Array): Float32Array {
    return state.subarray(0, sizeOf(this.task.spec.stateSpace.shape))
  }

  protected observeTask(): void {
    this.task.observe(this.#taskState, this.#taskProprio)
    if (this.look === undefined) return
    const { state, proprio } = this.observation
    const past = this.look.past?.values ?? NOTHING
    state.set(past, this.#taskState.length)
    proprio.set(past, this.#taskProprio.length)
    if (this.look.noise) state.set(this.look.noise.values, this.#taskState.length + past.length)
  }

  #observeImages(): void {
    for (const { view, image } of this.eyes) {
      view.render(this.#backdrop(view))
      image.set(view.rgb)
      this.relight?.(image)
    }
  }

  /** None for cameras for people, who want to see the scene. */
  #backdrop(view: Rasterizer): Backdrop | undefined {
    return view.spec.showsHidden === true ? undefined : this.look?.distractor?.now(view)
  }

  /** Makes the scene look as it does in this episode, and aims the cameras. */
  #dress(): void {
    if (this.look === undefined) return
    this.look.dress()
    for (const { name, view } of [...this.eyes, ...this.#otherViews.values()]) view.aim(this.#camera(name))
  }

  #checkStart(start: string): string {
    const { id, starts } = this.task.spec
    if (!starts.includes(start)) {
      throw new ArmatureError('bad-argument', `${id} option start`, {
        expected: starts.join(' or '),
        got: `"${start}"`,
      })
    }
    return start
  }

  #defaultCamera(): string {
    return this.eyes[0]?.name ?? Object.keys(this.task.cameras)[0]!
  }

  #camera(name: string): CameraSpec {
    const camera = this.look?.camera(name) ?? this.#cameras.get(name)
    if (camera === undefined) throw noCamera(this.task, name)
    return camera
  }

  #rendered(camera: string, size: ImageSize | undefined): Rasterizer {
    const view = this.#view(camera, size)
    view.render(this.#backdrop(view))
    return view
  }

  #view(camera: string, size: ImageSize = camera === HUMAN ? HUMAN_SIZE : this.#size): Rasterizer {
    this.episode.requireOpen()
    const spec = this.#camera(camera)
    const eye = this.eyes.find(({ name }) => name === camera)
    if (eye !== undefined && eye.view.width === size.width && eye.view.height === size.height) return eye.view
    const key = `${camera} ${size.width}x${size.height}`
    const other = this.#otherViews.get(key) ?? {
      name: camera,
      view: new Rasterizer(this.task.scene, spec, size, 2),
    }
    this.#otherViews.set(key, other)
    return other.view
  }
}

class GoalSceneEnv extends SceneEnv<GoalTask> implements SimulatedGoalEnv {
  readonly goalSpace: BoxSpace
  readonly goal: Float32Array
  readonly #isSparse: boolean
  /** Of every episode; undefined: each draws its own. */
  readonly #fixedGoal: Float32Array | undefined

  constructor(task: GoalTask, options: SceneOptions) {
    super(task, options)
    this.goalSpace = task.goalSpace
    this.goal = new Float32Array(sizeOf(task.goalSpace.shape))
    this.#isSparse = options.reward === 'sparse'
    this.#fixedGoal = options.goal && Float32Array.from(options.goal)
    if (this.#fixedGoal !== undefined) this.#checkGoal(this.#fixedGoal)
  }

  setGoal(goal: Float32Array): void {
    this.#checkGoal(goal)
    this.#set(goal)
  }

  sampleGoal(rng: Rng): Float32Array {
    return this.task.sampleGoal(rng)
  }

  achievedGoal(state: Float32Array): Float32Array {
    return this.task.achievedGoal(this.ownState(state))
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    return this.task.goalDistances(achieved, desired)
  }

  /**
   * The physics is not touched: cameras see poses only, and those follow from `goal`. A distractor shows another background than the
   * observation's.
   */
  async renderGoal(goal: Float32Array): Promise<Readonly<Record<string, Uint8Array>>> {
    this.episode.requireOpen()
    this.#checkGoal(goal)
    this.task.showAt(goal)
    const images = Object.fromEntries(
      this.eyes.map(({ name, view }) => {
        view.render(view.spec.showsHidden === true ? undefined : this.look?.distractor?.forGoal(goal, view))
        const image = view.rgb.slice()
        this.relight?.(image)
        return [name, image]
      }),
    )
    this.observeTask()
    return images
  }

  protected override begin(start: string, rng: Rng): void {
    super.begin(start, rng)
    this.#set(this.#fixedGoal ?? this.task.sampleGoal(rng))
  }

  protected override info(): Info {
    const distances = this.task.goalDistances(this.achievedGoal(this.observation.state), this.goal)
    return { success: this.task.isSuccess(distances) ? 1 : 0, ...distances, ...super.info() }
  }

  protected override reward(_action: Float32Array, info: Info): number {
    return this.#isSparse ? info['success']! - 1 : -info['distance']!
  }

  protected override savedGoal(): { readonly goal: readonly number[] } {
    return { goal: [...this.goal] }
  }

  protected override restoreGoal({ goal }: SavedState): void {
    this.#set(goal!)
  }

  #checkGoal(goal: Float32Array): void {
    const why = whyOutside(this.goalSpace, goal)
    if (why !== undefined) throw new ArmatureError('bad-value', `${this.spec.id} goal`, { got: why })
  }

  #set(goal: ArrayLike<number>): void {
    this.goal.set(goal)
    this.task.markGoal(this.goal)
  }
}

/** The cameras of `task`, moved as the option `camera` says. */
function placeCameras(task: Task, { camera: moves = {}, mismatch = {} }: SceneOptions): Map<string, CameraSpec> {
  const cameras = new Map(Object.entries(task.cameras))
  for (const [name, move] of Object.entries(moves)) {
    const camera = cameras.get(name)
    if (camera === undefined) throw noCamera(task, name)
    cameras.set(name, { ...camera, ...move })
  }
  for (const [name, camera] of cameras) cameras.set(name, shifted(camera, mismatch))
  return cameras
}

function noCamera({ cameras, spec }: Task, name: string): ArmatureError {
  return new ArmatureError('not-found', `camera "${name}" of ${spec.id}`, {
    fix: `there is ${Object.keys(cameras).join(', ')}`,
  })
}
