import { z } from 'zod'
import type { GoalForm } from '../core/goals.ts'
import { tf } from '../tensor/tf.ts'
import { PLAIN_NAME, register } from '../core/registry.ts'

/** A form that can also become part of an exported graph. */
export interface ExportableGoalForm extends GoalForm {
  /** What stands for the goal, [B, F], from features and goal [B, F]. */
  graph(features: tf.Tensor, goal: tf.Tensor): tf.Tensor
  /** True where features and goals must be points of one space. */
  readonly needsOneSpace: boolean
  /** True where what stands for the goal is the goal as it is: an agent may then be told which part of its input is one. Default false. */
  readonly keepsGoal?: boolean
}

/** How the catalogue makes a form. `config` has gone through `configSchema`. */
export interface GoalFormEntry {
  readonly summary: string
  readonly configSchema: z.ZodType
  create(config: unknown): ExportableGoalForm
}

const catalogue: Record<string, GoalFormEntry> = {
  difference: {
    summary: 'the way from the features to the goal: being there looks the same everywhere',
    configSchema: z.strictObject({}),
    create: () => differenceForm,
  },
  goal: {
    summary: 'the goal as it is: for goals that live in another space than the features',
    configSchema: z.strictObject({}),
    create: () => goalForm,
  },
}

/** How a goal can be put before an agent: a new form is a line above. */
export const goalForms: Readonly<Record<string, GoalFormEntry>> = catalogue

/** Makes one of your own known by its name. @throws ArmatureError `bad-argument` for a name that is none or is taken. */
export function registerGoalForm(name: string, entry: GoalFormEntry): void {
  register('form of goals', catalogue, PLAIN_NAME, name, entry, { configSchema: 'object', create: 'function' })
}

/** [features | goal - features]: being there looks the same everywhere, and the agent need not learn it place by place. */
export const differenceForm: ExportableGoalForm = {
  name: 'difference',
  needsOneSpace: true,
  complete(inputs, goals, featureSize) {
    for (let from = 0, row = 0; from < goals.length; row += 2 * featureSize) {
      for (let i = row; i < row + featureSize; i++) inputs[i + featureSize] = goals[from++]! - inputs[i]!
    }
  },
  graph: (features, goal) => tf.sub(goal, features),
}

/** [features | goal] */
export const goalForm: ExportableGoalForm = {
  name: 'goal',
  needsOneSpace: false,
  keepsGoal: true,
  complete(inputs, goals, featureSize) {
    for (let from = 0, row = 0; from < goals.length; row += 2 * featureSize) {
      for (let i = row; i < row + featureSize; i++) inputs[i + featureSize] = goals[from++]!
    }
  },
  graph: (_features, goal) => goal,
}
