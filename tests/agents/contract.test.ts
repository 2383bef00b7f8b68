import { beforeAll, expect, it } from 'vitest'
import { agents } from '../../agents/index.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { agentCases } from '../contracts/agent-cases.ts'

/** Settings that keep each registered agent small enough for the pure JavaScript engine. */
const SMALL: Record<string, Record<string, unknown>> = {
  sac: { hidden: [8], criticNorm: 'batch' },
  crl: { hidden: [8], criticNorm: 'layer', embeddingSize: 4 },
  random: {},
  aim: { gains: [0.5, -2] },
}

/** Numbers of the observation that are a goal, for those that need one. */
const GOAL_SIZE: Record<string, number> = { crl: 1 }

beforeAll(async () => {
  await startEngine()
})

it('every registered agent is under contract', () => {
  expect(Object.keys(SMALL).sort()).toEqual(Object.keys(agents).sort())
})

for (const [name, entry] of Object.entries(agents)) agentCases(name, entry, SMALL[name]!, GOAL_SIZE[name])
