import { ActionScale } from '../core/action-scale.ts'
import type { ActMode, Agent } from '../core/agent.ts'
import type { EnvSpec } from '../core/env.ts'
import type { GoalForm } from '../core/goals.ts'
import { agentInput } from '../core/goals.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { GoalView, Policy } from '../core/policy.ts'
import type { Rng } from '../core/rng.ts'
import type { BoxSpace } from '../core/spaces.ts'
import { bound, sampleSpace } from '../core/spaces.ts'
import type { EpisodeFeatures, Representation } from './representation.ts'

/** What an agent needs around it to act in an env. */
export interface AgentPolicyParts {
  /** Whose action space the actions are for. */
  readonly env: { readonly spec: Pick<EnvSpec, 'id' | 'actionSpace'> }
  readonly representation: Representation
  readonly agent: Agent
  /** The form in which it was shown goals; absent where there are none. */
  readonly form?: GoalForm | undefined
}

/**
 * A trained agent behind its representation, with actions in the bounds of the env. The goal is encoded once, at the start of the episode.
 * @throws ArmatureError `bad-config` for an action space without bounds
 */
export function agentPolicy({ env, representation, agent, form }: AgentPolicyParts, mode: ActMode = 'mean'): Policy {
  const actions = new ActionScale(env.spec.actionSpace, env.spec.id)
  let episode: EpisodeFeatures | undefined
  let view: GoalView | undefined
  let goal: Float32Array | undefined
  return {
    name: `${representation.name}+${agent.spec.name}`,
    begin: async (given) => {
      episode = representation.begin(given?.state)
      view = form && given
      goal = view && !representation.takesContext ? await episode.goal(view) : undefined
    },
    act: async (observation) => {
      episode ??= representation.begin()
      const features = await episode.observe(observation)
      if (view !== undefined) goal ??= await episode.goal(view)
      const input = goal && form ? agentInput(features, goal, form) : features
      return actions.toEnv(await agent.act(input, 1, mode, episode.frames?.()))
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

/** Does nothing: what is achieved without moving. Where zero is no action, it keeps to the one that is nearest to it. */
export function stillPolicy(actionSpace: BoxSpace): Policy {
  const { low, high, shape } = actionSpace
  const still = Float32Array.from({ length: sizeOf(shape) }, (_, i) =>
    Math.min(bound(high, i), Math.max(bound(low, i), 0)),
  )
  return { name: 'still', begin: async () => {}, act: async () => still.slice() }
}
