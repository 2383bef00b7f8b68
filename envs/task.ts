import type { Info } from '../src/core/env.ts'
import type { Rng } from '../src/core/rng.ts'
import type { BoxSpace } from '../src/core/spaces.ts'
import type { CameraSpec } from './camera/camera.ts'
import type { Scene } from './camera/scene.ts'

/** What is known of a task before it runs; sizes and units of its spaces come with names. */
export interface TaskSpec {
  /** `armature/Name-v0` */
  readonly id: string
  /** What an action of 1 does to each element, with its unit, e.g. `hand_dx_2cm`. */
  readonly actionNames: readonly string[]
  readonly proprioSpace: BoxSpace
  readonly stateSpace: BoxSpace
  readonly controlHz: number
  /** Steps after which an episode is truncated, unless the user says otherwise. */
  readonly maxEpisodeSteps: number
  /** Values of the option `start`; the first is the default. */
  readonly starts: readonly string[]
  /** Cameras observed by default; absent: the first. Empty: agents see no images and only `render` draws. */
  readonly observedCameras?: readonly string[]
}

/** Physics of a task, saved: `json` must survive JSON.stringify, `snapshot` may be empty. */
export interface TaskState {
  readonly json: unknown
  readonly snapshot: Uint8Array
}

/**
 * A scene in one file: physics, what moves it, what can be known of it, and how it looks. `SceneEnv` makes an env of it: episodes, cameras,
 * goals, checks, saving, randomisation and distractors are the same for every task and live there.
 *
 * A task draws random numbers only from the `Rng` it is given. After `reset` with an equal one it is equal to the last bit.
 */
export interface Task {
  readonly spec: TaskSpec
  readonly scene: Scene
  /** By name; env and users choose among them. `human` is for people. */
  readonly cameras: Readonly<Record<string, CameraSpec>>
  /** Back to the beginning of an episode, from `start`. */
  reset(start: string, rng: Rng): void
  /** One control step; `action` is valid. */
  step(action: Float32Array): void
  /** Writes [stateSize] and [proprioSize] from the physics, and moves the primitives of `scene` to where things are. */
  observe(state: Float32Array, proprio: Float32Array): void
  /** Reward of the step just made with `action`, as it arrived after delay and noise, for tasks without goals; called after `observe`. */
  reward?(action: Float32Array): number
  /** Whether the task itself ended; absent: never. */
  terminated?(): boolean
  /** Scalars beside the observation, with the same keys after every step. */
  info?(): Info
  /**
   * Scales masses and frictions of what the next `reset` makes; 1 is as built. It is also called before `restore`, for what a snapshot does
   * not hold. Absent: the task has none.
   */
  scaleDynamics?(massScale: number, frictionScale: number): void
  /** What `scaleDynamics` changes; absent: both. */
  readonly scales?: readonly ('mass' | 'friction')[]
  save(): TaskState
  restore(state: TaskState): void
  close(): void
}

/** A task of reaching a goal: a point of `goalSpace`, e.g. hand and puck positions. */
export interface GoalTask extends Task {
  readonly goalSpace: BoxSpace
  sampleGoal(rng: Rng): Float32Array
  /** The point of `goalSpace` that `state` has reached; a new array. */
  achievedGoal(state: Float32Array): Float32Array
  /** Named distances; `distance` is what the task is scored by, in metres where it can be. */
  goalDistances(achieved: Float32Array, desired: Float32Array): Info
  isSuccess(distances: Info): boolean
  /** Moves the primitives, not the physics, to where cameras would see them at `goal`. `observe` undoes it. */
  showAt(goal: Float32Array): void
  /** Moves the goal markers, which only people see. */
  markGoal(goal: Float32Array): void
}

export function isGoalTask(task: Task): task is GoalTask {
  return 'goalSpace' in task
}
