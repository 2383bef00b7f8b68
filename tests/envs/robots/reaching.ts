import { expect } from 'vitest'
import { armReachExpert } from '../../../envs/experts/arm-reach.ts'
import type { GoalEnv } from '../../../src/core/env.ts'

/** Whether the tip of an arm gets to all of some goals, and is at none of them from the start. */
export async function expectReaching(env: GoalEnv, goals: number): Promise<void> {
  for (let seed = 0; seed < goals; seed++) {
    const expert = armReachExpert()
    let { observation, info } = await env.reset({ seed })
    expect(info['success']).toBe(0)
    for (let step = 0; step < 50 && info['success'] === 0; step++) {
      ;({ observation, info } = await env.step(expert(observation, env.goal)))
    }
    expect(info['success']).toBe(1)
  }
}
