import type { ExpertFactory } from '../../envs/experts/expert.ts'
import type { Env } from '../../src/core/env.ts'
import { isGoalEnv } from '../../src/core/env.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { sampleSpace } from '../../src/core/spaces.ts'

/** How many episodes of 100 (seeds 0 to 99) `info.success` was 1 in: at any step, and at the last. */
export interface Score {
  ever: number
  atEnd: number
}

/** Plays 100 episodes with a fresh expert each, or with uniform actions where there is none, and closes `env`. */
export async function score(env: Env, makeExpert?: ExpertFactory): Promise<Score> {
  const { actionSpace } = env.spec
  const rng = new Rng(1)
  const random = new Float32Array(sizeOf(actionSpace.shape))
  const total: Score = { ever: 0, atEnd: 0 }
  for (let seed = 0; seed < 100; seed++) {
    const expert = makeExpert?.()
    let { observation } = await env.reset({ seed })
    let [ever, last] = [0, 0]
    for (let isOver = false; !isOver;) {
      const goal = isGoalEnv(env) ? env.goal : undefined
      const result = await env.step(expert?.(observation, goal) ?? sampleSpace(actionSpace, rng, random))
      observation = result.observation
      last = result.info['success']!
      ever = Math.max(ever, last)
      isOver = result.terminated || result.truncated
    }
    total.ever += ever
    total.atEnd += last
  }
  await env.close()
  return total
}
