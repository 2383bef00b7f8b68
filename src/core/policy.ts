import type { Observation } from './env.ts'

/** A goal as a policy is told of it from outside: an image per camera, or a privileged state for oracles. */
export interface GoalView {
  readonly images: Readonly<Record<string, Uint8Array>>
  readonly state: Float32Array
}

/** What evaluation, collection, export and the bridge run: observation (and goal) in, action out. */
export interface Policy {
  readonly name: string
  /** Called once at the start of each episode. */
  begin(goal?: GoalView): Promise<void>
  /** An action in [-1, 1]; the array belongs to the caller. */
  act(observation: Observation): Promise<Float32Array>
}
