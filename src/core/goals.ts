import type { Dataset, EpisodeData } from './dataset.ts'
import type { Env } from './env.ts'
import type { GoalView } from './policy.ts'
import type { Rng } from './rng.ts'

/** A goal in the agent's own coordinates. */
export interface Goal {
  /** [goalSize]: a latent, or a scaled state. */
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
  /**
   * The goal of an episode that has just begun in `env`, where the env says it; absent: {@link sample} draws it.
   * @param encode features of a goal, in the light of this episode
   */
  ofEpisode?(env: Env, encode: (goal: GoalView) => Promise<Float32Array>): Promise<Goal>
  /** Makes the goals again after their encoder has learned more. */
  refresh?(): Promise<void>
}

/** What a {@link GoalReward} may use: `size` reached points and the goals they are compared with, in the space of goals. */
export interface GoalOutcomes {
  readonly size: number
  readonly featureSize: number
  /** [size, featureSize] what is there after the step */
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

/** What an agent is shown: rows of features [B, F] and of goals [B, G]. */
export interface ShownGoals {
  readonly size: number
  /** [B, F] */
  readonly features: Float32Array
  /** [B, G] */
  readonly goals: Float32Array
}

/** The form in which a goal [G] is put before an agent, beside the features [F] of where it is or in their place. */
export interface GoalForm {
  /** e.g. `difference`, `goal` */
  readonly name: string
  /** Numbers that the agent sees of features and goal. */
  inputSize(featureSize: number, goalSize: number): number
  /** Writes what the agent sees, [B, inputSize], into `inputs`. */
  write(inputs: Float32Array, shown: ShownGoals): void
}

/** What an agent sees: its features [F] as they are, or with a goal a fresh [inputSize] of both in `form`. */
export function agentInput(features: Float32Array, goal: Float32Array | undefined, form: GoalForm): Float32Array {
  if (goal === undefined) return features
  const input = new Float32Array(form.inputSize(features.length, goal.length))
  form.write(input, { size: 1, features, goals: goal })
  return input
}
