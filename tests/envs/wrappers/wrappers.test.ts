import { describe, expect, it } from 'vitest'
import { makeEnv } from '../../../envs/index.ts'
import {
  actionNoise,
  actionRepeat,
  frameStack,
  latentGoal,
  observationNoise,
  timeLimit,
} from '../../../envs/wrappers/index.ts'
import type { Env, EnvState, SimulatedGoalEnv, SimulatedEnv } from '../../../src/core/env.ts'
import { isGoalEnv, isSimulatedEnv } from '../../../src/core/env.ts'
import { Rng } from '../../../src/core/rng.ts'
import { makeEnv as makeOddEnv } from '../vector/odd-envs.ts'
import { meanColors } from './mean-colors.ts'

async function push(options: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  return (await makeEnv('armature/PushPuck-v0', { size: 8, supersample: 'off', ...options })) as SimulatedGoalEnv
}

async function pendulum(): Promise<SimulatedEnv> {
  return (await makeEnv('armature/Pendulum-v1')) as SimulatedEnv
}

/** What the env shows in `steps` steps of one action after a seeded reset. */
async function play<T>(
  env: Env,
  steps: number,
  look: (result: Awaited<ReturnType<Env['step']>>) => T,
  seed = 3,
): Promise<T[]> {
  await env.reset({ seed })
  const action = new Float32Array(env.spec.actionSpace.shape[0]!).fill(0.6)
  const seen: T[] = []
  for (let i = 0; i < steps; i++) seen.push(look(await env.step(action)))
  return seen
}

describe('wrapped envs', () => {
  it('can do what the env in them can, no more and no less', async () => {
    const odd = timeLimit(await makeOddEnv(), 5)
    expect([isSimulatedEnv(odd), isGoalEnv(odd)]).toEqual([false, false])
    const swinging = timeLimit(await pendulum(), 5)
    expect([isSimulatedEnv(swinging), isGoalEnv(swinging)]).toEqual([true, false])
    expect(isGoalEnv(timeLimit(await push(), 5))).toBe(true)
  })

  it('refuse states of envs in other wrappers', async () => {
    const [plain, limited, stacked] = [await push(), timeLimit(await push(), 5), frameStack(await push(), 2)]
    const states: EnvState[] = []
    for (const env of [plain, limited, stacked]) {
      await env.reset({ seed: 0 })
      states.push(await env.saveState())
    }
    await expect(plain.restoreState(states[1]!)).rejects.toMatchObject({ code: 'bad-argument' })
    await expect(limited.restoreState(states[0]!)).rejects.toMatchObject({ code: 'bad-argument' })
    await expect(limited.restoreState(states[2]!)).rejects.toThrow(/frame-stack/)
  })

  it('refuse settings that make no sense', async () => {
    const env = await pendulum()
    expect(() => timeLimit(env, 201)).toThrow(/integer from 1 to 200/)
    expect(() => actionRepeat(env, 0)).toThrow(/integer from 1/)
    expect(() => frameStack(env, 1.5)).toThrow(/integer from 1/)
    expect(() => actionNoise(env, -1)).toThrow(/from 0 to 1/)
    expect(() => observationNoise(env, { proprio: Number.NaN })).toThrow(/from 0 to 1/)
    expect(() => latentGoal(env as SimulatedGoalEnv, { encode: meanColors })).toThrow(/camera/)
  })
})

describe('timeLimit', () => {
  it('truncates, and leaves the end of a task alone', async () => {
    const flags = await play(timeLimit(await push(), 3), 3, ({ truncated }) => truncated)
    expect(flags).toEqual([false, false, true])
    for (let seed = 0; seed < 10; seed++) {
      const odd = await makeOddEnv()
      const ends: number[] = []
      const action = new Float32Array(1)
      await odd.reset({ seed })
      for (let step = 1; step <= 11 && ends.length === 0; step++)
        if ((await odd.step(action)).terminated) ends.push(step)
      if (ends[0] === undefined) continue
      const limited = timeLimit(await makeOddEnv(), ends[0])
      await limited.reset({ seed })
      for (let step = 1; step < ends[0]; step++) await limited.step(action)
      expect(await limited.step(action)).toMatchObject({ terminated: true, truncated: false })
      return
    }
    throw new Error('no seed has an episode that terminates')
  })
})

describe('actionRepeat', () => {
  it('sums rewards and skips what lies between', async () => {
    const single = await play(await pendulum(), 9, ({ reward, observation }) => [reward, ...observation.state])
    const repeated = actionRepeat(await pendulum(), 3)
    const triple = await play(repeated, 3, ({ reward, observation }) => [reward, ...observation.state])
    for (const [i, [reward, ...state]] of triple.entries()) {
      const [a, b, c] = single.slice(3 * i, 3 * i + 3) as [number[], number[], number[]]
      expect(reward).toBeCloseTo(a[0]! + b[0]! + c[0]!, 12)
      expect(state).toEqual(c.slice(1))
    }
    expect(repeated.spec).toMatchObject({ controlHz: 20 / 3, maxEpisodeSteps: 67 })
  })

  it('stops where the episode ends', async () => {
    const rewards = await play(actionRepeat(await push({ maxEpisodeSteps: 5 }), 3), 2, ({ reward, truncated }) => ({
      reward,
      truncated,
    }))
    const single = await play(await push({ maxEpisodeSteps: 5 }), 5, ({ reward }) => reward)
    expect(rewards[0]!.truncated).toBe(false)
    expect(rewards[1]).toEqual({ reward: single[3]! + single[4]!, truncated: true })
  })
})

describe('frameStack', () => {
  it('shows the last frames, oldest first, along the channels', async () => {
    const frames = await play(await push(), 4, ({ observation }) => observation.images['front']!.slice())
    const env = frameStack(await push(), 3)
    expect(env.spec.imageSpaces['front']!.shape).toEqual([8, 8, 9])
    const stacks = await play(env, 4, ({ observation }) => observation.images['front']!.slice())
    expect(stacks[3]).toEqual(stackOf([frames[1]!, frames[2]!, frames[3]!]))
    const first = (await (await push()).reset({ seed: 3 })).observation.images['front']!
    expect(stacks[1]).toEqual(stackOf([first, frames[0]!, frames[1]!]))
    const again = (await env.reset({ seed: 3 })).observation.images['front']!
    expect(again).toEqual(stackOf([first, first, first]))
  })

  it('repeats goal images and renders single ones', async () => {
    const plain = await push()
    const env = frameStack(await push(), 2)
    const goal = plain.sampleGoal(new Rng(1))
    const image = (await plain.renderGoal(goal))['front']!
    expect((await env.renderGoal(goal))['front']).toEqual(stackOf([image, image]))
    expect((await env.render()).length).toBe(8 * 8 * 3)
  })
})

function stackOf(frames: readonly Uint8Array[]): Uint8Array {
  const pixels = Array.from({ length: frames[0]!.length / 3 }, (_, pixel) => pixel)
  return Uint8Array.from(
    pixels.flatMap((pixel) => frames.flatMap((frame) => Array.from(frame.subarray(3 * pixel, 3 * pixel + 3)))),
  )
}

describe('noise', () => {
  it('has the deviation that was asked for, and spares the privileged state', async () => {
    const env = observationNoise(await pendulum(), { proprio: 0.05 })
    const errors = await play(env, 200, ({ observation: { proprio, state } }) => (proprio[2]! - state[2]!) / 16)
    const std = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length)
    // Three standard errors of the deviation of 200 samples.
    expect(Math.abs(std - 0.05)).toBeLessThan(0.0075)
  })

  it('on images rounds and stays in range', async () => {
    const exact = await play(await push(), 2, ({ observation }) => observation.images['front']!.slice())
    const env = observationNoise(await push(), { images: 0.1 })
    const noisy = await play(env, 2, ({ observation }) => observation.images['front']!.slice())
    const errors = exact.flatMap((image, i) => [...image].map((value, j) => noisy[i]![j]! - value))
    const median = errors.map(Math.abs).toSorted((a, b) => a - b)[Math.floor(errors.length / 2)]!
    // Half of all normal errors are below 0.6745 deviations; clipping spares that half.
    expect(median).toBeGreaterThan(15)
    expect(median).toBeLessThan(19)
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(5)
  })

  it('moves the robot otherwise than it was told, by the seed', async () => {
    const positions = async (std: number, seed: number): Promise<number[]> =>
      (await play(actionNoise(await push(), std), 5, ({ observation }) => observation.state[0]!, seed)).map(Number)
    const exact = await positions(0, 3)
    expect(exact).toEqual(await play(await push(), 5, ({ observation }) => observation.state[0]!))
    const noisy = await positions(0.2, 3)
    expect(noisy).not.toEqual(exact)
    expect(await positions(0.2, 3)).toEqual(noisy)
    expect(await positions(0.2, 4)).not.toEqual(noisy)
  })
})

describe('latentGoal', () => {
  it('pays minus the distance of latents, and nothing at the goal', async () => {
    const env = latentGoal(await push(), { encode: meanColors })
    const { info, observation } = await env.reset({ seed: 3 })
    const goal = [...meanColors((await env.renderGoal(env.goal))['front']!)]
    const here = [...meanColors(observation.images['front']!)]
    expect(info['latent_distance']).toBeCloseTo(Math.hypot(...here.map((x, i) => x - goal[i]!)), 10)
    expect(info['latent_distance']).toBeGreaterThan(0)
    expect(info['distance']).toBeGreaterThan(0)
    env.setGoal(env.achievedGoal(observation.state))
    const { reward, info: after } = await env.step(new Float32Array(2))
    expect(reward).toBe(-after['latent_distance']!)
    expect(after['latent_distance']).toBeLessThan(info['latent_distance']! / 10)
  })

  it('awaits encoders', async () => {
    const options = { encode: async (image: Uint8Array) => meanColors(image) }
    const rewards = await play(latentGoal(await push(), options), 3, ({ reward }) => reward)
    expect(rewards).toEqual(await play(latentGoal(await push(), { encode: meanColors }), 3, ({ reward }) => reward))
  })
})
