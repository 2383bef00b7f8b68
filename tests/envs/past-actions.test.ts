import { describe, expect, it } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import type { SimulatedGoalEnv } from '../../src/core/env.ts'
import { envContract } from '../contracts/env-cases.ts'

const QUICK = { size: 8, supersample: 'off', physics: 'scalar' } as const
const push = (more: object): Promise<SimulatedGoalEnv> =>
  makeEnv('armature/PushPuck-v0', { ...QUICK, ...more }) as Promise<SimulatedGoalEnv>

envContract('PushPuck with past actions and noise behind its state', () => push({ pastActions: 2, noiseDims: 3 }))
envContract('CartPole with past actions, each held twice', () =>
  makeEnv('armature/CartPole-v0', { size: 24, supersample: 'off', pastActions: 3, actionRepeat: 2 }),
)

describe('pastActions', () => {
  it('puts the last actions behind state and proprioception, newest first, zeros before the first', async () => {
    const env = await push({ pastActions: 2, noiseDims: 1 })
    const { stateSpace, proprioSpace } = env.spec
    const names = ['hand_dx_2cm_1_ago', 'hand_dy_2cm_1_ago', 'hand_dx_2cm_2_ago', 'hand_dy_2cm_2_ago']
    expect(stateSpace.names!.slice(4)).toEqual([...names, 'noise_0'])
    expect(proprioSpace.names!.slice(2)).toEqual(names)
    const seen = ({ state, proprio }: { state: Float32Array; proprio: Float32Array }): number[] => {
      expect(proprio.slice(2)).toEqual(state.slice(4, 8))
      return Array.from(proprio.subarray(2))
    }
    for (const seed of [1, 2]) {
      expect(seen((await env.reset({ seed })).observation)).toEqual([0, 0, 0, 0])
      expect(seen((await env.step(Float32Array.of(0.25, -0.5))).observation)).toEqual([0.25, -0.5, 0, 0])
      expect(seen((await env.step(Float32Array.of(1, 0.75))).observation)).toEqual([1, 0.75, 0.25, -0.5])
      expect(seen((await env.step(Float32Array.of(0, 0))).observation)).toEqual([0, 0, 1, 0.75])
    }
    await env.close()
  })

  it('says what was sent, not what arrives', async () => {
    const env = await push({ pastActions: 1, mismatch: { delaySteps: 2 } })
    const { observation } = await env.reset({ seed: 1 })
    const before = observation.state.slice(0, 2)
    const { state } = (await env.step(Float32Array.of(1, 1))).observation
    expect(Array.from(state.subarray(4))).toEqual([1, 1])
    expect(Math.abs(state[0]! - before[0]!)).toBeLessThan(1e-3)
    await env.close()
  })

  it('is one for actions that are held, and leaves goals and distances alone', async () => {
    const [plain, past] = await Promise.all([push({ actionRepeat: 2 }), push({ actionRepeat: 2, pastActions: 2 })])
    for (const env of [plain, past]) await env.reset({ seed: 3 })
    for (const x of [0.5, -0.25]) {
      const [a, b] = [await plain.step(Float32Array.of(x, 1)), await past.step(Float32Array.of(x, 1))]
      expect([b.reward, b.info]).toEqual([a.reward, a.info])
      expect(past.achievedGoal(b.observation.state)).toEqual(plain.achievedGoal(a.observation.state))
    }
    expect([...past.goal]).toEqual([...plain.goal])
    const { state } = (await past.step(Float32Array.of(0, 0))).observation
    expect(Array.from(state.subarray(4))).toEqual([0, 0, -0.25, 1])
    for (const env of [plain, past]) await env.close()
  })

  it('comes back with a saved state', async () => {
    const env = await push({ pastActions: 2 })
    await env.reset({ seed: 1 })
    await env.step(Float32Array.of(0.5, 0.5))
    const saved = await env.saveState()
    const next = (await env.step(Float32Array.of(1, 1))).observation.state.slice()
    await env.reset({ seed: 2 })
    await env.restoreState(saved)
    expect((await env.step(Float32Array.of(1, 1))).observation.state).toEqual(next)
    await env.close()
  })
})
