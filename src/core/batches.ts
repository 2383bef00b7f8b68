import type { InputData } from './encoder-input.ts'

/** The batches that encoders learn from. `src/replay` draws them from a replay or a dataset. */

/** uint8 frames [count, height, width, channels], row-major. */
export interface FrameBatch {
  readonly frames: Uint8Array
  readonly count: number
}

/** Two augmentations of each of `count` frames. */
export interface AugmentedPairBatch {
  readonly count: number
  /** uint8 [count, height, width, channels] */
  readonly first: Uint8Array
  readonly second: Uint8Array
}

/** `count` runs of `length` frames. The frames of a run are from one episode and `stride` observations apart. */
export interface FrameTupleBatch {
  readonly count: number
  readonly length: number
  readonly stride: number
  /** uint8 [count, length, height, width, channels] */
  readonly frames: Uint8Array
  /** Episode of each run, [count]. */
  readonly episodes: Int32Array
  /** Number of each frame's observation in its episode, [count, length]. */
  readonly times: Int32Array
}

/** The same moments from several cameras. */
export interface MultiViewBatch {
  readonly count: number
  readonly views: number
  /** Names of the cameras, [views]. */
  readonly cameras: readonly string[]
  /** Frames of each moment, the oldest first; 1 unless windows were asked for. */
  readonly window: number
  /** uint8 [views, count, height, width, channels], or [views, count, window, height, width, channels] for a window above 1 */
  readonly frames: Uint8Array
  /** Episode, and its last observation in the window, of each moment, [count]. */
  readonly episodes: Int32Array
  readonly times: Int32Array
}

/** Steps in pixels, for encoders that learn from rewards and dynamics; of an encoder of vectors, float32 [..., size] stands for frames. */
export interface PixelTransitionBatch {
  readonly count: number
  /** uint8 [count, height, width, channels], before and after the step */
  readonly frames: InputData
  readonly nextFrames: InputData
  /** [count, actionSize], as executed */
  readonly actions: Float32Array
  /** [count] */
  readonly rewards: Float32Array
  /** [count]; 0 where the step terminated the task, else 1 */
  readonly notDone: Float32Array
  readonly episodes: Int32Array
  readonly times: Int32Array
}

/** Windows of `length` observations and the `length - 1` steps between them. A window never crosses the border of an episode. */
export interface EpisodeBatch {
  readonly count: number
  readonly length: number
  /** uint8 [count, length, height, width, channels], or float32 [count, length, size] */
  readonly frames: InputData
  /** [count, length - 1, actionSize] */
  readonly actions: Float32Array
  /** [count, length - 1] */
  readonly rewards: Float32Array
  readonly episodes: Int32Array
  /** First observation of each window, [count]. */
  readonly starts: Int32Array
}

/** A frame and the first frame of its episode, which shows what stays the same (CC-VAE). */
export interface ContextBatch {
  readonly count: number
  /** uint8 [count, height, width, channels] */
  readonly context: Uint8Array
  readonly frames: Uint8Array
}

/** Grasps (Grasp2Vec): the bin before and after, and what the gripper holds. */
export interface GraspTripletBatch {
  readonly count: number
  /** uint8 [count, height, width, channels] each */
  readonly before: Uint8Array
  readonly after: Uint8Array
  readonly outcome: Uint8Array
  /** [count], 1 where something was grasped */
  readonly success: Uint8Array
  /** [count], which object was grasped, 0 for none: for evaluation, not for learning */
  readonly objects: Int32Array
}

/** Batch type by kind. */
export interface Batches {
  readonly frames: FrameBatch
  readonly 'augmented-pairs': AugmentedPairBatch
  readonly 'frame-tuples': FrameTupleBatch
  readonly 'multi-view': MultiViewBatch
  readonly transitions: PixelTransitionBatch
  readonly episodes: EpisodeBatch
  readonly context: ContextBatch
  readonly 'grasp-triplets': GraspTripletBatch
}

/** The batch kinds that an encoder can ask of the data layer. */
export type BatchKind = keyof Batches
