import type { Rng } from './rng.ts'

/** A goal in the agent's own coordinates. */
export interface Goal {
  /** [featureSize]: a latent, or a scaled state. */
  readonly features: Float32Array
  /** What the camera would see there, uint8 [height, width, 3]; needed only by rewards that compare pixels. */
  readonly frame?: Uint8Array
}

/** Where goals come from: the env's own, the encoder's prior, achieved states, a demonstration. */
export interface GoalSource {
  /** e.g. `prior`, `env` */
  readonly name: string
  sample(rng: Rng): Goal
  /** Makes its goals again, after the encoder behind them has learned on. */
  refresh?(): Promise<void>
}

/** What a {@link GoalReward} may look at: `size` reached points and the goals that they are judged by. */
export interface GoalOutcomes {
  readonly size: number
  readonly featureSize: number
  /** [size, featureSize] features after the step */
  readonly reached: Float32Array
  /** [size, featureSize] */
  readonly goals: Float32Array
  /** Frame after step `row`, uint8; only where replay keeps frames. */
  reachedFrame(row: number): Uint8Array
  goalFrame(row: number): Uint8Array
}

/** What reaching a point pays, given a goal: a pure function, applied when replay is sampled. */
export interface GoalReward {
  readonly name: string
  /** True where `reachedFrame` and `goalFrame` are read: replay must then keep frames. */
  readonly needsFrames: boolean
  /** Writes the rewards [size] into `rewards`. */
  compute(outcomes: GoalOutcomes, rewards: Float32Array): void
}

/**
 * What an agent sees: its features [F] as they are, or with a goal a fresh [features | goal - features], [2 F]. Being there looks the same
 * everywhere then, and the agent need not learn it place by place.
 */
export function agentInput(features: Float32Array, goal: Float32Array | undefined): Float32Array {
  if (goal === undefined) return features
  const input = new Float32Array(2 * features.length)
  input.set(features)
  completeInputs(input, goal, features.length)
  return input
}

/** The same for many at once: rows [features | anything] of `inputs` [B, 2 F] become [features | goal - features]; `goals` is [B, F]. */
export function completeInputs(inputs: Float32Array, goals: Float32Array, featureSize: number): void {
  for (let from = 0, row = 0; from < goals.length; row += 2 * featureSize) {
    for (let i = row; i < row + featureSize; i++) inputs[i + featureSize] = goals[from++]! - inputs[i]!
  }
}
