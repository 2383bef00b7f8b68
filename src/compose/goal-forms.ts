import { z } from 'zod'
import type { ShownGoals } from '../core/goals.ts'
import type { ExportableGoalForm } from './goal-form.ts'
import type { Representation } from '../run/representation.ts'
import type { HeatConfig } from './heat-form.ts'
import { heatForm, heatSchema } from './heat-form.ts'
import { tf } from '../tensor/tf.ts'
import { PLAIN_NAME, register } from '../core/registry.ts'

/** How the catalogue makes a form. `config` has gone through `configSchema`. */
export interface GoalFormEntry {
  readonly summary: string
  readonly configSchema: z.ZodType
  /** @throws ArmatureError `bad-config` for a representation that it cannot be used with */
  create(config: unknown, representation: Pick<Representation, 'name' | 'mapPlaces'>): ExportableGoalForm
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
  heat: {
    summary: 'where in the picture the goal is hottest, and the heat of all places: for features by place (Grasp2Vec)',
    configSchema: heatSchema,
    create: (config, representation) => heatForm(config as HeatConfig, representation),
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
  inputSize: (featureSize, goalSize) => featureSize + goalSize,
  write: (inputs, shown) => writeBeside(inputs, shown, (goal, feature) => goal - feature),
  graph: (features, goal) => tf.sub(goal, features),
}

/** [features | goal] */
export const goalForm: ExportableGoalForm = {
  name: 'goal',
  needsOneSpace: false,
  keepsGoal: true,
  inputSize: (featureSize, goalSize) => featureSize + goalSize,
  write: (inputs, shown) => writeBeside(inputs, shown, (goal) => goal),
  graph: (_features, goal) => goal,
}

/** Rows of features, each with what stands for the goal behind it. */
function writeBeside(
  inputs: Float32Array,
  { size, features, goals }: ShownGoals,
  standing: (goal: number, feature: number) => number,
): void {
  const [featureSize, goalSize] = [features.length / size, goals.length / size]
  for (let row = 0, at = 0; row < size; row++) {
    const own = row * featureSize
    for (let i = 0; i < featureSize; i++) inputs[at++] = features[own + i]!
    for (let i = 0; i < goalSize; i++) inputs[at++] = standing(goals[row * goalSize + i]!, features[own + i]!)
  }
}
