import { describe, expect, test } from 'vitest'
import type { Agent } from '../../src/core/agent.ts'
import type { Observation } from '../../src/core/env.ts'
import { boxSpace } from '../../src/core/spaces.ts'
import { differenceForm } from '../../src/compose/goal-forms.ts'
import { agentPolicy } from '../../src/run/policies.ts'
import type { Representation } from '../../src/run/representation.ts'

/** Features are the state, and the action is what the agent was shown. */
const representation: Representation = {
  name: 'state',
  size: 2,
  camera: undefined,
  takesContext: false,
  begin: () => ({
    observe: async ({ state }) => Float32Array.from(state),
    goal: async ({ state }) => Float32Array.from(state),
    save: () => ({}),
    restore: () => {},
  }),
}
const env = { spec: { id: 'test/Env-v0', actionSpace: boxSpace([4], -1, 1) } }
const mirror = { spec: { name: 'mirror' }, act: async (input: Float32Array) => input } as unknown as Agent
const at = (...state: number[]): Observation =>
  ({ images: {}, proprio: new Float32Array(0), state: Float32Array.from(state) }) as Observation

describe('a trained agent behind its representation', () => {
  test('sees its features and the way to the goal of the episode', async () => {
    const policy = agentPolicy({ env, representation, agent: mirror, form: differenceForm })
    await policy.begin({ images: {}, state: Float32Array.of(5, 1) })
    expect([...(await policy.act(at(2, 3)))]).toEqual([2, 3, 3, -2])
    expect([...(await policy.act(at(5, 1)))]).toEqual([5, 1, 0, 0])
  })

  test('sees its features alone where there is no goal', async () => {
    const policy = agentPolicy({ env, representation, agent: mirror, form: differenceForm })
    await policy.begin(undefined)
    expect([...(await policy.act(at(2, 3)))]).toEqual([2, 3])
  })
})
