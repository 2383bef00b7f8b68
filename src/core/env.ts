import type { BoxSpace } from './spaces.ts'
import type { Rng } from './rng.ts'

/**
 * What an env shows after `reset` and `step`. The arrays belong to the env, which overwrites them at its next `step` or `reset`:
 * copy what you keep, as replay does. No two arrays share memory.
 */
export interface Observation {
  /** RGB by camera name, uint8 [height, width, 3] row-major. */
  readonly images: Readonly<Record<string, Uint8Array>>
  /** What the robot measures of itself. */
  readonly proprio: Float32Array
  /** Privileged simulator state: for rewards of baselines and for evaluation only. */
  readonly state: Float32Array
}

/** Scalars beside the observation, e.g. `success` (0 or 1) and distances in metres. */
export type Info = Readonly<Record<string, number>>

export interface ResetOptions {
  /** Restarts the env's random stream. Without a seed the stream continues, as in Gymnasium. */
  readonly seed?: number
  /** Scene-specific, e.g. `{ start: 'random' }`; an unknown key is an error. */
  readonly options?: Readonly<Record<string, unknown>>
}

export interface ResetResult {
  readonly observation: Observation
  readonly info: Info
}

export interface StepResult {
  readonly observation: Observation
  readonly reward: number
  /** The task ended: do not bootstrap beyond this step. */
  readonly terminated: boolean
  /** Time ran out: bootstrap from the value of this observation. */
  readonly truncated: boolean
  readonly info: Info
  /** The action that was executed, where it can differ from the one asked for, as on a robot with limits. Replay stores this one. */
  readonly appliedAction?: Float32Array
}

/** What is known of an env before it runs. */
export interface EnvSpec {
  /** `namespace/Name-vN`; the version rises whenever results could change. */
  readonly id: string
  readonly actionSpace: BoxSpace
  readonly imageSpaces: Readonly<Record<string, BoxSpace>>
  /** Cameras that `render` takes, observed or not. Default: those of `imageSpaces`. */
  readonly cameras?: readonly string[]
  readonly proprioSpace: BoxSpace
  readonly stateSpace: BoxSpace
  readonly controlHz: number
  readonly maxEpisodeSteps: number
}

/**
 * An environment with Gymnasium's semantics. Actions lie in `spec.actionSpace`; that of the scenes here is [-1, 1].
 *
 * @example
 * const env = await makeEnv('armature/PushPuck-v0')
 * let { observation } = await env.reset({ seed: 7 })
 * const result = await env.step(Float32Array.of(1, 0))
 * await env.close()
 *
 * Errors: `needs-reset` when stepped before the first reset or after the end of an episode; `bad-shape` / `bad-value` for an
 * action outside its space; `closed` after `close` (which may be called twice).
 */
export interface Env {
  readonly spec: EnvSpec
  reset(options?: ResetOptions): Promise<ResetResult>
  step(action: Float32Array): Promise<StepResult>
  /** A new RGB image of `camera` (default: the first), uint8 [height, width, 3], at any size. */
  render(camera?: string, size?: { readonly width: number; readonly height: number }): Promise<Uint8Array>
  close(): Promise<void>
}

/** An env that can be saved and restored within an episode; it then continues bit for bit. */
export interface SimulatedEnv extends Env {
  /** The whole state: physics, random stream, goal, step count. */
  saveState(): Promise<EnvState>
  restoreState(state: EnvState): Promise<void>
}

/** Opaque to all but the env that made it. */
export interface EnvState {
  readonly id: string
  readonly json: string
  /** Physics snapshot; empty where the state is in `json`. */
  readonly snapshot: Uint8Array
}

/**
 * An env whose task is to reach a goal, a point of `goalSpace` (e.g. hand and puck positions). `reset` draws a new goal;
 * `reward`, `success` and the distances in `info` are measured against it.
 *
 * Errors, of a robot that is asked what only a scene can tell: `unsupported-op`.
 */
export interface GoalEnv extends Env {
  readonly goalSpace: BoxSpace
  readonly goal: Float32Array
  sampleGoal(rng: Rng): Float32Array
  /** The point of `goalSpace` reached in `state`, a state as in `Observation.state`. */
  achievedGoal(state: Float32Array): Float32Array
  /** Distances in metres, by name, between two points of `goalSpace`; `distance` is the sum that scores the task. */
  goalDistances(achieved: Float32Array, desired: Float32Array): Info
  /** Images of `goal` from the observation cameras: a scene sets its simulator there, renders, and restores it. */
  renderGoal(goal: Float32Array): Promise<Readonly<Record<string, Uint8Array>>>
}

/** A simulated env with goals: it can be saved, and told what to reach. */
export interface SimulatedGoalEnv extends GoalEnv, SimulatedEnv {
  setGoal(goal: Float32Array): void
}

/** An env that measures with its cameras, for evaluation and not for agents. Camera and size default to those of `render`. */
export interface CameraEnv extends Env {
  /** Name of each id of `renderIds`; id 0 is the background. */
  readonly idNames: readonly string[]
  /** Metres along the optical axis, new float32 [height, width]; Infinity where there is nothing. */
  renderDepth(camera?: string, size?: { readonly width: number; readonly height: number }): Promise<Float32Array>
  /** Id of the primitive at each pixel, new uint16 [height, width]; {@link DISTRACTOR_ID} at a distractor. */
  renderIds(camera?: string, size?: { readonly width: number; readonly height: number }): Promise<Uint16Array>
  /** Where the camera is now. */
  cameraMatrices(camera?: string, size?: { readonly width: number; readonly height: number }): Promise<CameraMatrices>
}

/** The id of distractors, which are no primitives of the scene. */
export const DISTRACTOR_ID = 0x7fff

/**
 * A pinhole camera. The point p of the world is q = E [p, 1] in its optical frame (x right, y down, z forward, metres) and, with
 * k = K q, at column k[0] / k[2] and row k[1] / k[2] of the image, in which the pixel at the top left spans 0 to 1.
 */
export interface CameraMatrices {
  /** K, row-major [3, 3]. */
  readonly intrinsics: Float64Array
  /** E, row-major [3, 4]. */
  readonly extrinsics: Float64Array
}

export function isCameraEnv(env: Env): env is CameraEnv {
  return 'renderIds' in env
}

export function isGoalEnv(env: Env): env is GoalEnv {
  return 'goalSpace' in env
}

export function isSimulatedGoalEnv(env: Env): env is SimulatedGoalEnv {
  return isGoalEnv(env) && isSimulatedEnv(env) && 'setGoal' in env
}

export function isSimulatedEnv(env: Env): env is SimulatedEnv {
  return 'saveState' in env && env.saveState !== undefined
}
