import type { GoalReward } from '../core/goals.ts'

/** What one step has reached, and the goal that it is compared with. */
export interface GoalStep {
  /** Features of the goal and of what was reached, in the space of goals. */
  readonly goal: Float32Array
  readonly reached: Float32Array
  /** Steps from the start of the episode to what was reached. */
  readonly time: number
  /** Asked for by a reward that compares frames. */
  readonly goalFrame: () => Uint8Array
  readonly reachedFrame: () => Uint8Array
}

/** What one step pays with respect to a goal. */
export function goalPay(reward: GoalReward, { goal, reached, time, goalFrame, reachedFrame }: GoalStep): number {
  const rewards = new Float32Array(1)
  const outcome = { size: 1, featureSize: reached.length, reached, goals: goal, times: Int32Array.of(time) }
  reward.compute({ ...outcome, reachedFrame, goalFrame }, rewards)
  return rewards[0]!
}
