import { describe, expect, it } from 'vitest'
import { pickPlaceExpert } from '../../envs/experts/pick-place.ts'
import { makeEnv } from '../../envs/index.ts'
import { CUBE, CUBE_BOX, CUBE_REACH_M, GOAL_HIGH_M, GOAL_LOW_M, JAW } from '../../envs/tasks/pick-place-layout.ts'
import type { SimulatedGoalEnv } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import { sampleSpace } from '../../src/core/spaces.ts'

async function makePickPlace(options: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  return (await makeEnv('armature/PickPlace-v0', options)) as SimulatedGoalEnv
}

/** Without a camera to speak of, for tests of the physics. */
const BLIND = { size: 1, supersample: 'off' }
const STILL = new Float32Array(4)

describe('the pick-and-place task', () => {
  it.each([
    { episodes: 100, start: 'default', physics: 'simd' },
    { episodes: 10, start: 'held', physics: 'simd' },
    { episodes: 10, start: 'goal', physics: 'scalar' },
  ])('is solved by its expert from $start starts on $physics physics', async ({ episodes, ...options }) => {
    const env = await makePickPlace({ ...BLIND, ...options })
    let solved = 0
    for (let seed = 0; seed < episodes; seed++) {
      const expert = pickPlaceExpert()
      let { observation, info } = await env.reset({ seed })
      for (let step = 0; step < 50 && info['success'] !== 1; step++) {
        ;({ observation, info } = await env.step(expert(observation, env.goal)))
      }
      solved += info['success']!
    }
    expect(solved).toBeGreaterThanOrEqual(episodes * 0.9)
    await env.close()
  })

  it('is not solved by chance', async () => {
    const env = await makePickPlace(BLIND)
    const [rng, action] = [new Rng(4), new Float32Array(4)]
    let solved = 0
    for (let seed = 0; seed < 20; seed++) {
      await env.reset({ seed })
      for (;;) {
        const { info, truncated } = await env.step(sampleSpace(env.spec.actionSpace, rng, action))
        if (info['success'] === 1 || truncated) {
          solved += info['success']!
          break
        }
      }
    }
    expect(solved).toBeLessThanOrEqual(3)
    await env.close()
  })

  it('draws half of its goals in the air and half on the table', async () => {
    const env = await makePickPlace(BLIND)
    const rng = new Rng(2)
    let inAir = 0
    const reach = [0, 0]
    for (let i = 0; i < 500; i++) {
      const [x, y, z] = env.sampleGoal(rng)
      reach[0] = Math.max(reach[0]!, Math.abs(x!) / CUBE_BOX[0])
      reach[1] = Math.max(reach[1]!, Math.abs(y!) / CUBE_BOX[1])
      if (z! >= GOAL_LOW_M) inAir++
      else expect(z).toBeCloseTo(CUBE.halfM, 3)
      expect(z).toBeLessThanOrEqual(GOAL_HIGH_M)
    }
    for (const share of reach) expect(share > 0.97 && share <= 1).toBe(true)
    expect(Math.abs(inAir - 250)).toBeLessThan(50)
    await env.close()
  })

  it('succeeds within 3 cm and pays minus the distance', async () => {
    const env = await makePickPlace(BLIND)
    const { observation } = await env.reset({ seed: 0 })
    const cube = observation.state.slice(4)
    env.setGoal(Float32Array.of(cube[0]!, cube[1]!, cube[2]! + 0.028))
    const near = await env.step(STILL)
    expect([near.info['success'], near.reward]).toEqual([1, -near.info['distance']!])
    expect(near.reward).toBeCloseTo(-0.028, 4)
    env.setGoal(Float32Array.of(cube[0]!, cube[1]!, cube[2]! + 0.032))
    expect((await env.step(STILL)).info['success']).toBe(0)
    await env.close()
  })

  it('starts with the cube in hand when asked to, and goes on holding it', async () => {
    const env = await makePickPlace({ ...BLIND, start: 'held' })
    for (let seed = 0; seed < 10; seed++) {
      const { observation } = await env.reset({ seed })
      const before = observation.state.slice()
      expect(before[6]).toBeGreaterThan(GOAL_LOW_M - 0.002)
      for (let i = 0; i < 30; i++) await env.step(STILL)
      for (const [k, value] of observation.state.entries()) expect(Math.abs(value - before[k]!)).toBeLessThan(3e-4)
    }
    const { state } = (await env.step(Float32Array.of(0, 0, 0, 1))).observation
    for (let i = 0; i < 10; i++) await env.step(Float32Array.of(0, 0, 0, 1))
    expect(state[6]).toBeLessThan(0.04)
    expect(state[3]).toBeCloseTo(JAW.maxOpeningM, 3)
    await env.close()
  })

  it('moves 2 cm per unit and step, and closes on nothing', async () => {
    const env = await makePickPlace(BLIND)
    const { observation } = await env.reset({ seed: 0 })
    const { state } = observation
    const before = state.slice()
    for (let i = 0; i < 3; i++) await env.step(Float32Array.of(1, -1, 0.5, -0.5))
    await env.step(STILL)
    for (const [k, moved] of [0.06, -0.06, 0.03, -0.03].entries())
      expect(Math.abs(state[k]! - before[k]! - moved)).toBeLessThan(0.002)
    for (let i = 0; i < 5; i++) await env.step(Float32Array.of(0, 0, 0, -1))
    expect(Math.abs(state[3]!)).toBeLessThan(0.001)
    await env.close()
  })

  it('keeps everything finite, and the cube within reach, for 2,000 random steps', async () => {
    const env = await makePickPlace({ ...BLIND, start: 'goal', maxEpisodeSteps: 200 })
    const [rng, action] = [new Rng(6), new Float32Array(4)]
    await env.reset({ seed: 6 })
    let touched = 0
    for (let i = 0; i < 2000; i++) {
      // Long strokes: white noise hardly moves the gripper.
      if (i % 7 === 0) sampleSpace(env.spec.actionSpace, rng, action)
      // Downwards more often than up, to be among the cube.
      action[2] = Math.min(action[2]!, 0.5)
      const { observation, truncated } = await env.step(action)
      const [x, y, z] = observation.state.subarray(4)
      const isThere = Math.max(Math.abs(x!), Math.abs(y!)) < CUBE_REACH_M + 0.01 && z! > 0.012 && z! < 0.3
      if (!isThere) throw new Error(`step ${i}: ${observation.state.join(' ')}`)
      if (Math.abs(x! - observation.state[0]!) < 0.06 && observation.state[2]! < 0.06) touched++
      if (truncated) await env.reset()
    }
    expect(touched).toBeGreaterThan(60)
    await env.close()
  })

  it('shows a goal in the air in hand', async () => {
    const env = await makePickPlace({ start: 'held', cameras: ['front', 'side'] })
    const { observation } = await env.reset({ seed: 5 })
    const goal = await env.renderGoal(env.achievedGoal(observation.state))
    for (const [camera, image] of Object.entries(observation.images)) {
      const far = image.filter((value, i) => Math.abs(value - goal[camera]![i]!) > 40).length
      expect(far / image.length).toBeLessThan(0.01)
    }
    await env.close()
  })
})
