import { describe, expect, it } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import type { SimulatedEnv } from '../../src/core/env.ts'
import { envContract } from '../contracts/env-cases.ts'

const ID = 'armature/CartPole-v0'
const QUICK = { size: 1, supersample: 'off' } as const
const TRUE_SIZE = 5

const make = (noiseDims: number, more: object = {}): Promise<SimulatedEnv> =>
  makeEnv(ID, { ...QUICK, noiseDims, ...more }) as Promise<SimulatedEnv>

/** States after the reset and `steps` steps, copied. */
async function play(env: SimulatedEnv, steps: number): Promise<Float32Array[]> {
  const states: Float32Array[] = []
  for (let step = 0; step < steps; step++) {
    states.push((await env.step(Float32Array.of(Math.sin(step)))).observation.state.slice())
  }
  return states
}

envContract('CartPole with noise behind its state', () => make(10))
envContract('PushPuck with noise behind its state', () =>
  makeEnv('armature/PushPuck-v0', { size: 24, supersample: 'off', noiseDims: 3, physics: 'scalar' }),
)

describe('noiseDims', () => {
  it('puts independent standard normals behind the state, drawn anew at each step', async () => {
    const env = await make(4)
    expect(env.spec.stateSpace.shape).toEqual([TRUE_SIZE + 4])
    expect(env.spec.stateSpace.names!.slice(-2)).toEqual(['noise_2', 'noise_3'])
    await env.reset({ seed: 1 })
    const states = await play(env, 1000)
    for (let dim = 0; dim < 4; dim++) {
      const values = states.map((state) => state[TRUE_SIZE + dim]!)
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length
      const square = values.reduce((sum, x) => sum + x * x, 0) / values.length
      // Five standard errors.
      expect(Math.abs(mean)).toBeLessThan(0.16)
      expect(Math.abs(square - 1)).toBeLessThan(0.23)
      const other = states.map((state) => state[TRUE_SIZE + ((dim + 1) % 4)]!)
      expect(Math.abs(correlation(values, other))).toBeLessThan(0.16)
      expect(Math.abs(correlation(values.slice(1), values.slice(0, -1)))).toBeLessThan(0.16)
    }
    await env.close()
  })

  it('changes neither starts nor what comes of actions', async () => {
    const [plain, noisy] = [await make(0), await make(10)]
    expect(plain.spec.stateSpace.shape).toEqual([TRUE_SIZE])
    for (const env of [plain, noisy]) await env.reset({ seed: 5 })
    const [without, beside] = [await play(plain, 20), await play(noisy, 20)]
    expect(beside.map((state) => state.slice(0, TRUE_SIZE))).toEqual(without)
    for (const env of [plain, noisy]) await env.close()
  })

  it('follows from the seed, goes on without one, and differs between episodes', async () => {
    const [env, again] = [await make(2), await make(2)]
    const noises: number[][] = []
    for (const seed of [3, undefined, 4, 3] as const) {
      const first = (await env.reset(seed === undefined ? {} : { seed })).observation.state.slice()
      noises.push([...first, ...(await play(env, 5)).flatMap((state) => [...state])])
    }
    expect(noises[3]).toEqual(noises[0])
    expect(new Set(noises.map((values) => values[TRUE_SIZE])).size).toBe(3)
    const first = (await again.reset({ seed: 3 })).observation.state.slice()
    expect([...first, ...(await play(again, 5)).flatMap((state) => [...state])]).toEqual(noises[0])
    for (const each of [env, again]) await each.close()
  })

  it('goes on bit for bit from a saved state', async () => {
    const env = await make(3, { actionRepeat: 2 })
    const { observation } = await env.reset({ seed: 9 })
    await play(env, 7)
    const [saved, shown] = [await env.saveState(), observation.state.slice()]
    const ahead = await play(env, 10)
    await env.restoreState(JSON.parse(JSON.stringify({ ...saved, snapshot: [] })) as typeof saved)
    expect(observation.state).toEqual(shown)
    expect(await play(env, 10)).toEqual(ahead)
    await env.close()
  })

  it('refuses states of other noise, and numbers that make no sense', async () => {
    const [two, three, none] = [await make(2), await make(3), await make(0)]
    await two.reset({ seed: 0 })
    const saved = await two.saveState()
    for (const other of [three, none]) await expect(other.restoreState(saved)).rejects.toThrow(/noise and past actions/)
    for (const wrong of [-1, 1.5, 'many', 1e9]) {
      await expect(makeEnv(ID, { noiseDims: wrong })).rejects.toThrow(/noiseDims.*an integer from 0 to 1000/)
    }
    for (const env of [two, three, none]) await env.close()
  })

  it('is not what a goal is measured by', async () => {
    const make = (noiseDims: number): Promise<SimulatedEnv> =>
      makeEnv('armature/Reach-v0', { ...QUICK, noiseDims }) as Promise<SimulatedEnv>
    const [plain, noisy] = [await make(0), await make(5)]
    for (const env of [plain, noisy]) await env.reset({ seed: 2 })
    const action = Float32Array.of(1, -1, 0.5)
    expect((await noisy.step(action)).info).toEqual((await plain.step(action)).info)
    for (const env of [plain, noisy]) await env.close()
  })
})

function correlation(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + x * b[i]!, 0) / a.length
}
