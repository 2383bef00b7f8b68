import { envs, makeEnv } from '../../envs/index.ts'
import type { Expert } from '../../envs/experts/expert.ts'
import type { Env } from '../../src/core/env.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { sampleSpace } from '../../src/core/spaces.ts'

/** Without a camera to speak of, for tests of the physics. */
export const BLIND: Readonly<Record<string, unknown>> = { size: 1, supersample: 'off' }

/** Of `episodes` episodes with seeds from 0, how many succeed at some step, played by the scene's expert or by uniform chance. */
export async function solvedEpisodes(
  id: string,
  player: 'expert' | 'chance',
  options: Readonly<Record<string, unknown>> = {},
  episodes = 100,
): Promise<number> {
  const env = await makeEnv(id, { ...BLIND, ...options })
  let solved = 0
  for (let seed = 0; seed < episodes; seed++) {
    if (await isSolved(env, seed, player === 'expert' ? envs[id]!.expert!() : chance(env, seed))) solved++
  }
  await env.close()
  return solved
}

async function isSolved(env: Env, seed: number, play: Expert): Promise<boolean> {
  let { observation } = await env.reset({ seed })
  for (;;) {
    const step = await env.step(play(observation, 'goal' in env ? (env.goal as Float32Array) : undefined))
    observation = step.observation
    if (step.info['success'] === 1) return true
    if (step.truncated) return false
  }
}

function chance({ spec }: Env, seed: number): Expert {
  const rng = new Rng(seed).split('chance')
  const action = new Float32Array(sizeOf(spec.actionSpace.shape))
  return () => sampleSpace(spec.actionSpace, rng, action)
}
