import { describe, expect, it } from 'vitest'
import { makeEnv } from '../../../envs/index.ts'
import { copiesOf } from '../../../envs/vector/env-copies.ts'
import type { CameraEnv, SimulatedGoalEnv } from '../../../src/core/env.ts'
import { isSimulatedGoalEnv } from '../../../src/core/env.ts'

/** Threads start slowly where many processes share a core. */
const SLOW_MS = 600_000
const PUSH = 'armature/PushPuck-v0'
const OPTIONS = { size: 16, maxEpisodeSteps: 4 }
type Scene = SimulatedGoalEnv & CameraEnv

async function scene(): Promise<Scene> {
  return (await makeEnv(PUSH, OPTIONS)) as Scene
}

/** All that an episode shows, from its reset to its end, and after a state of it is restored. */
async function everything(env: Scene, seed: number): Promise<unknown[]> {
  const shown: unknown[] = [structuredClone(await env.reset({ seed })), env.goal.slice()]
  shown.push(await env.renderGoal(env.goal), await env.renderIds(undefined, { width: 20, height: 20 }))
  shown.push(await env.render('human', { width: 8, height: 8 }), await env.cameraMatrices('front'))
  const state = await env.saveState()
  const action = Float32Array.of(0.5, -0.25)
  for (let i = 0; i < 4; i++) shown.push(structuredClone(await env.step(action)))
  await env.restoreState(state)
  shown.push(structuredClone(await env.step(action)), env.achievedGoal(Float32Array.of(1, 2, 3, 4)))
  return shown
}

describe('copies of an env', { timeout: SLOW_MS }, () => {
  it.each([0, 1, 2])('in %d threads show what the env itself does, each by itself', async (workers) => {
    const [env, alone] = [await scene(), await scene()]
    const copies = await copiesOf(env, { id: PUSH, count: 3, workers, options: OPTIONS })
    const seeds = [5, 6, 7]
    const shown = await Promise.all(seeds.map((seed, i) => everything(copies.envs[i] as Scene, seed)))
    for (const [i, seed] of seeds.entries()) expect(shown[i]).toEqual(await everything(alone, seed))
    await copies.close()
    await expect(copies.envs[1]!.reset()).rejects.toMatchObject({ code: workers === 0 ? 'closed' : 'env-failed' })
    expect((await env.reset({ seed: 1 })).info).toHaveProperty('distance')
    await Promise.all([env, alone].map((other) => other.close()))
  })

  it('in threads fail as the env itself does, and go on', async () => {
    const env = await scene()
    const { envs, close } = await copiesOf(env, { id: PUSH, count: 2, workers: 1, options: OPTIONS })
    await expect(envs[1]!.step(Float32Array.of(0, 0))).rejects.toMatchObject({ code: 'needs-reset' })
    await envs[1]!.reset({ seed: 1 })
    await expect(envs[1]!.step(Float32Array.of(0, 3))).rejects.toMatchObject({ code: 'bad-value' })
    expect((await envs[1]!.step(Float32Array.of(0, 1))).terminated).toBe(false)
    // A goal is set in the thread alone: what takes one by itself is no part of a copy.
    expect(isSimulatedGoalEnv(envs[1]!)).toBe(false)
    await close()
    await env.close()
  })

  it('that cannot be made are refused as the env itself is', async () => {
    const env = await scene()
    await expect(copiesOf(env, { id: PUSH, count: 2, workers: 2, options: { size: 0 } })).rejects.toMatchObject({
      code: 'bad-argument',
    })
    await env.close()
  })
})
