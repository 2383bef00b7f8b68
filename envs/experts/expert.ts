import type { Observation } from '../../src/core/env.ts'

/** One episode's scripted behaviour: from privileged state and goal to an action, a new or reused array. It may keep phases between calls. */
export type Expert = (observation: Observation, goal: Float32Array | undefined) => Float32Array
/** Makes a fresh one at every reset. */
export type ExpertFactory = () => Expert
