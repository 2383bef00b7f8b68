import type { ActMode, Agent } from '../core/agent.ts'
import { agentInput } from '../core/goals.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { GoalView, Policy } from '../core/policy.ts'
import type { Rng } from '../core/rng.ts'
import type { BoxSpace } from '../core/spaces.ts'
import { sampleSpace } from '../core/spaces.ts'
import type { Representation } from './representation.ts'

/** A trained agent behind its representation. The goal is encoded once, at the start of the episode. */
export function agentPolicy(representation: Representation, agent: Agent, mode: ActMode = 'mean'): Policy {
  let episode = representation.begin()
  let view: GoalView | undefined
  let goal: Float32Array | undefined
  return {
    name: `${representation.name}+${agent.spec.name}`,
    begin: async (given) => {
      episode = representation.begin()
      view = given
      goal = given && !representation.takesContext ? await episode.goal(given) : undefined
    },
    act: async (observation) => {
      const features = await episode.observe(observation)
      if (view !== undefined) goal ??= await episode.goal(view)
      return agent.act(agentInput(features, goal), 1, mode)
    },
  }
}

/** Uniformly random actions. */
export function randomPolicy(actionSpace: BoxSpace, rng: Rng): Policy {
  return {
    name: 'random',
    begin: async () => {},
    act: async () => sampleSpace(actionSpace, rng, new Float32Array(sizeOf(actionSpace.shape))),
  }
}

/** Does nothing: what is achieved without moving. */
export function stillPolicy(actionSpace: BoxSpace): Policy {
  return { name: 'still', begin: async () => {}, act: async () => new Float32Array(sizeOf(actionSpace.shape)) }
}
