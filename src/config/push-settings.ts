/** What recipes that push have in common. */

export const pushPuck = { id: 'armature/PushPuck-v0' }
/** The same nets for all variants of the task, so that they differ in what they see and what they are paid alone. */
const pushAgent = { name: 'sac', config: { hidden: [256, 256], learningRate: 1e-3 } }
/** Pushing pays off after a detour of about a second: a horizon of 50 control steps sees it and is learned faster than 100. */
export const pushReplay = { gamma: 0.98 }
export const pushTraining = { steps: 40_000, batchSize: 256, updates: 2, evalEvery: 10_000, evalEpisodes: 50 }

export const onPuck = { env: pushPuck, agent: pushAgent, replay: pushReplay, training: pushTraining }

export const stateGoals = { representation: { kind: 'state' }, goals: { source: { name: 'env' } } } as const
