import type { Dataset, EpisodeData } from './dataset.ts'
import type { Rng } from './rng.ts'

/** A goal in the agent's own coordinates. */
export interface Goal {
  /** [featureSize]: a latent, or a scaled state. */
  readonly features: Float32Array
  /** Image of the goal, uint8 [height, width, 3]. Only rewards that compare pixels need it. */
  readonly frame?: Uint8Array
}

/** The first observation of an episode; views that are valid until the next call. */
export interface EpisodeStart {
  /** [featureSize] */
  readonly features: Float32Array
  /** uint8 [height, width, 3], where frames are kept. */
  readonly frame?: Uint8Array
}

/** Where goals come from: the env's own, the encoder's prior, achieved states, a demonstration. */
export interface GoalSource {
  /** e.g. `prior`, `env` */
  readonly name: string
  /** @param start of the episode that the goal is for: a source that imagines may keep to what cannot change within it. */
  sample(rng: Rng, start?: EpisodeStart): Goal
  /** Makes the goals again after their encoder has learned more. */
  refresh?(): Promise<void>
}

/** What a {@link GoalReward} may use: `size` reached points and the goals they are compared with. */
export interface GoalOutcomes {
  readonly size: number
  readonly featureSize: number
  /** [size, featureSize] features after the step */
  readonly reached: Float32Array
  /** [size, featureSize] */
  readonly goals: Float32Array
  /** [size] steps from the start of its episode to each reached point, 0 for the first observation: what a demonstration is followed by. */
  readonly times: Int32Array
  /** Frame after step `row`, uint8; only where replay keeps frames. */
  reachedFrame(row: number): Uint8Array
  goalFrame(row: number): Uint8Array
}

/** Features [length, featureSize] of all observations of an episode of `dataset`. */
export type EmbedEpisode = (episode: EpisodeData, dataset: Dataset) => Promise<Float32Array>

/** The reward of reaching a point, given a goal: a pure function, applied when replay is sampled. */
export interface GoalReward {
  readonly name: string
  /** True where `reachedFrame` and `goalFrame` are read: replay must then keep frames. */
  readonly needsFrames: boolean
  /** Whether what {@link prepare} reads is there: asked before anything long starts. */
  check?(): Promise<void>
  /**
   * There where it compares with recorded episodes in the place of goals: reads and embeds them. Called once the encoder has learned, and
   * after each time that it has learned more; only then can rewards be computed.
   */
  prepare?(embed: EmbedEpisode): Promise<void>
  /** Writes the rewards [size] into `rewards`. */
  compute(outcomes: GoalOutcomes, rewards: Float32Array): void
}

/** The form in which a goal is put before an agent, beside the features [F] of where it is. */
export interface GoalForm {
  /** e.g. `difference`, `goal` */
  readonly name: string
  /** Rows [features | anything] of `inputs` [B, 2 F] get what stands for the goal as their second half; `goals` is [B, F]. */
  complete(inputs: Float32Array, goals: Float32Array, featureSize: number): void
}

/** What an agent sees: its features [F] as they are, or with a goal a fresh [features | goal in `form`], [2 F]. */
export function agentInput(features: Float32Array, goal: Float32Array | undefined, form: GoalForm): Float32Array {
  if (goal === undefined) return features
  const input = new Float32Array(2 * features.length)
  input.set(features)
  form.complete(input, goal, features.length)
  return input
}
