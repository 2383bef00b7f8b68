/** What encoders learn from: one kind of batch each, drawn by `src/replay` from a replay or a dataset alike. */

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

/** `count` runs of `length` frames, each `stride` observations after the one before, from one episode a run. */
export interface FrameTupleBatch {
  readonly count: number
  readonly length: number
  readonly stride: number
  /** uint8 [count, length, height, width, channels] */
  readonly frames: Uint8Array
  /** Episode of each run, [count]. */
  readonly episodes: Int32Array
  /** Observation of its episode that each frame is, [count, length]. */
  readonly times: Int32Array
}

/** The same moments from several cameras. */
export interface MultiViewBatch {
  readonly count: number
  readonly views: number
  /** uint8 [views, count, height, width, channels] */
  readonly frames: Uint8Array
  /** [count] */
  readonly episodes: Int32Array
  readonly times: Int32Array
}

/** Steps as pixels: what an encoder that learns from rewards and dynamics takes. */
export interface PixelTransitionBatch {
  readonly count: number
  /** uint8 [count, height, width, channels], before and after the step */
  readonly frames: Uint8Array
  readonly nextFrames: Uint8Array
  /** [count, actionSize], as executed */
  readonly actions: Float32Array
  /** [count] */
  readonly rewards: Float32Array
  /** [count]; 0 where the step terminated the task, else 1 */
  readonly notDone: Float32Array
  readonly episodes: Int32Array
  readonly times: Int32Array
}

/** Windows of `length` observations with the `length - 1` steps between them, never across an episode's border. */
export interface EpisodeBatch {
  readonly count: number
  readonly length: number
  /** uint8 [count, length, height, width, channels] */
  readonly frames: Uint8Array
  /** [count, length - 1, actionSize] */
  readonly actions: Float32Array
  /** [count, length - 1] */
  readonly rewards: Float32Array
  readonly episodes: Int32Array
  /** First observation of each window, [count]. */
  readonly starts: Int32Array
}

/** A frame with the first frame of its episode: what is the same throughout it, and what moved (CC-VAE). */
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
