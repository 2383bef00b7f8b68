import { describe, expect, it } from 'vitest'
import { envs, makeEnv } from '../../envs/index.ts'
import { ARM_LIFT_ID } from '../../envs/tasks/arm-lift.ts'
import { ARM_PUSH_ID } from '../../envs/tasks/arm-push.ts'
import { ARM_REACH_ID } from '../../envs/tasks/arm-reach.ts'
import type { SimulatedGoalEnv, Observation } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import { envContract } from '../contracts/env-cases.ts'

const SMALL = { size: 1, supersample: 'off' }
const IDS = [ARM_REACH_ID, ARM_PUSH_ID, ARM_LIFT_ID]

type Play = (observation: Observation, goal: Float32Array) => Float32Array

/** Whether an episode of `play` succeeds at any step. */
async function succeeds(env: SimulatedGoalEnv, seed: number, play: Play): Promise<boolean> {
  const { observation } = await env.reset({ seed })
  for (;;) {
    const { info, terminated, truncated } = await env.step(play(observation, env.goal))
    if (info['success'] === 1) return true
    if (terminated || truncated) return false
  }
}

async function make(id: string, options: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  return (await makeEnv(id, { ...SMALL, ...options })) as SimulatedGoalEnv
}

/** The element of an observation's state that the task calls `name`. */
function stateOf(env: SimulatedGoalEnv, { state }: Observation, name: string): number {
  return state[env.spec.stateSpace.names!.indexOf(name)]!
}

describe.each(IDS)('%s', (id) => {
  it('is solved by its expert in 27 of 30 episodes', async () => {
    const env = await make(id)
    let wins = 0
    for (let seed = 0; seed < 30; seed++) if (await succeeds(env, seed, envs[id]!.expert!())) wins++
    expect(wins).toBeGreaterThanOrEqual(27)
    await env.close()
  })

  it('is not solved by random play', async () => {
    const env = await make(id)
    const action = new Float32Array(env.spec.actionSpace.shape[0]!)
    let wins = 0
    for (let seed = 0; seed < 10; seed++) {
      const rng = new Rng(seed)
      if (await succeeds(env, seed, () => rng.fillUniform(action, -1, 1))) wins++
    }
    expect(wins).toBeLessThanOrEqual(1)
    await env.close()
  })
})

it('reaches from anywhere', async () => {
  const env = await make(ARM_REACH_ID, { start: 'random' })
  const starts = new Set<string>()
  for (let seed = 0; seed < 5; seed++) {
    const { observation } = await env.reset({ seed })
    starts.add(observation.state.join(' '))
    expect(await succeeds(env, seed, envs[ARM_REACH_ID]!.expert!())).toBe(true)
  }
  expect(starts.size).toBe(5)
  await env.close()
})

it.each(['joint-delta', 'joint-position'] as const)('is moved by %s too', async (control) => {
  const env = await make(ARM_REACH_ID, { control })
  expect(env.spec.actionSpace.names).toHaveLength(7)
  const { observation } = await env.reset({ seed: 1 })
  const before = observation.proprio[0]!
  const action = new Float32Array(7)
  // The first joint starts in the middle of its range.
  action[0] = 1
  for (let i = 0; i < 10; i++) await env.step(action)
  expect(observation.proprio[0]! - before).toBeGreaterThan(0.3)
  await env.close()
})

describe.each(['simd', 'scalar'] as const)('a grip on the %s build', (physics) => {
  it('holds a cube for 5 s and through jerks', async () => {
    const env = await make(ARM_LIFT_ID, { physics, maxEpisodeSteps: 1000 })
    const { observation } = await env.reset({ seed: 4 })
    const expert = envs[ARM_LIFT_ID]!.expert!()
    for (let i = 0; i < 45; i++) await env.step(expert(observation, env.goal))
    const slip = (): number[] =>
      ['x', 'y', 'z'].map(
        (axis) => stateOf(env, observation, `cube_${axis}_m`) - stateOf(env, observation, `tip_${axis}_m`),
      )
    const held = slip()
    expect(stateOf(env, observation, 'cube_z_m')).toBeGreaterThan(0.09)
    const still = Float32Array.of(0, 0, 0, -1)
    for (let i = 0; i < 100; i++) await env.step(still)
    slip().forEach((x, i) => expect(Math.abs(x - held[i]!)).toBeLessThan(5e-4))
    for (let i = 0; i < 40; i++) await env.step(Float32Array.of(0, i % 4 < 2 ? 1 : -1, i % 4 < 2 ? -0.5 : 0.5, -1))
    for (let i = 0; i < 5; i++) await env.step(still)
    slip().forEach((x, i) => expect(Math.abs(x - held[i]!)).toBeLessThan(4e-3))
    await env.close()
  })

  it('lets go', async () => {
    const env = await make(ARM_LIFT_ID, { physics })
    const { observation } = await env.reset({ seed: 4 })
    const expert = envs[ARM_LIFT_ID]!.expert!()
    for (let i = 0; i < 45; i++) await env.step(expert(observation, env.goal))
    for (let i = 0; i < 15; i++) await env.step(Float32Array.of(0, 0, 0, 1))
    expect(stateOf(env, observation, 'cube_z_m')).toBeCloseTo(0.02, 2)
    await env.close()
  })

  it('stops the rod at a blocked puck without winding up', async () => {
    const env = await make(ARM_PUSH_ID, { physics })
    const { observation } = await env.reset({ seed: 1 })
    const act = async (steps: number, ...action: number[]): Promise<void> => {
      for (let i = 0; i < steps; i++) await env.step(Float32Array.from(action))
    }
    await act(6, 0, 0, -1)
    await act(30, 1, 0, 0)
    // The puck lies against the rim, whose inner edge its centre keeps a radius from.
    expect(stateOf(env, observation, 'puck_x_m')).toBeGreaterThan(0.135)
    expect(stateOf(env, observation, 'puck_x_m')).toBeLessThan(0.15)
    const pressed = stateOf(env, observation, 'tip_x_m')
    await act(2, -1, 0, 0)
    expect(stateOf(env, observation, 'tip_x_m')).toBeLessThan(pressed + 1e-3)
    await act(3, -1, 0, 0)
    expect(stateOf(env, observation, 'tip_x_m')).toBeLessThan(pressed - 0.03)
    await env.close()
  })
})

const TINY = { size: { width: 24, height: 16 }, supersample: 'off', physics: 'scalar' }

envContract('ArmPush on scalar physics, by joint-delta, from random starts', () =>
  makeEnv(ARM_PUSH_ID, { ...TINY, control: 'joint-delta', start: 'random' }),
)
envContract('ArmLift on scalar physics, by joint-position', () =>
  makeEnv(ARM_LIFT_ID, { ...TINY, control: 'joint-position' }),
)
envContract('ArmReach on scalar physics, from random starts', () => makeEnv(ARM_REACH_ID, { ...TINY, start: 'random' }))
envContract('ArmReach by joint-position', () => makeEnv(ARM_REACH_ID, { ...TINY, control: 'joint-position' }))
