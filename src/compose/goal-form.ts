import type { GoalForm } from '../core/goals.ts'
import type { tf } from '../tensor/tf.ts'

/** A form that can also become part of an exported graph. */
export interface ExportableGoalForm extends GoalForm {
  /** What stands for the goal, from features [B, F] and goal [B, G]. */
  graph(features: tf.Tensor, goal: tf.Tensor): tf.Tensor
  /** True where the agent sees that alone, and not the features [B, F] before it; default false. */
  readonly hidesFeatures?: boolean
  /** True where features and goals must be points of one space. */
  readonly needsOneSpace: boolean
  /** True where what stands for the goal is the goal as it is: an agent may then be told which part of its input is one. Default false. */
  readonly keepsGoal?: boolean
}
