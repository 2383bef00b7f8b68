import { describe, expect, it } from 'vitest'
import { HANDLE, HOOKED, MOST_OPEN_RAD, pointOnDoor, STOP_RAD } from '../../envs/tasks/door-layout.ts'
import { DOOR_ID, makeDoor } from '../../envs/tasks/door.ts'
import type { SimulatedGoalEnv } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import { whyOutside } from '../../src/core/spaces.ts'
import { envContract } from '../contracts/env-cases.ts'
import { BLIND, solvedEpisodes } from './solved-episodes.ts'

envContract('Door on scalar physics from random starts', () =>
  makeDoor({ physics: 'scalar', start: 'random', size: 24 }),
)

describe('the door task', () => {
  it.each([
    { start: 'default', physics: 'simd' },
    { start: 'random', physics: 'scalar' },
  ])('is solved by its expert from $start starts on $physics physics', async (options) => {
    expect(await solvedEpisodes(DOOR_ID, 'expert', options, 50)).toBeGreaterThanOrEqual(47)
  })

  it('is not solved by chance', async () => {
    expect(await solvedEpisodes(DOOR_ID, 'chance', {}, 40)).toBeLessThanOrEqual(2)
  })

  it('succeeds when the angle is within 0.02 rad and the hand within 3 cm, and is paid for both distances', async () => {
    const env = await makeDoor({ ...BLIND, start: 'goal' })
    const { observation } = await env.reset({ seed: 3 })
    const here = env.achievedGoal(observation.state)
    const still = new Float32Array(3)
    for (const [dx, turn, success] of [
      [0.025, 0.018, 1],
      [0.032, 0, 0],
      [0, 0.025, 0],
    ] as const) {
      env.setGoal(Float32Array.of(here[0]! + dx, here[1]!, here[2]!, here[3]! + turn))
      const { info, reward } = await env.step(still)
      expect(info['success']).toBe(success)
      expect(info['hand_distance']).toBeCloseTo(dx, 3)
      expect(info['handle_distance']).toBeCloseTo(turn * Math.hypot(HANDLE.alongM, HANDLE.outM), 3)
      expect(reward).toBeCloseTo(-info['hand_distance']! - info['handle_distance']!, 6)
    }
    await env.close()
  })

  it('draws angles of goals and starts from closed to wide open', async () => {
    const env = await makeDoor({ ...BLIND, start: 'random' })
    const rng = new Rng(1)
    const [goals, starts] = [[] as number[], [] as number[]]
    for (let i = 0; i < 100; i++) {
      goals.push(env.sampleGoal(rng)[3]!)
      starts.push((await env.reset(i === 0 ? { seed: 0 } : {})).observation.state[3]!)
    }
    for (const angles of [goals, starts]) {
      expect(Math.min(...angles)).toBeGreaterThan(-1e-3)
      expect(Math.min(...angles)).toBeLessThan(0.05)
      expect(Math.max(...angles)).toBeGreaterThan(MOST_OPEN_RAD - 0.05)
      expect(Math.max(...angles)).toBeLessThan(MOST_OPEN_RAD + 1e-3)
    }
    await env.close()
  })
})

describe.each(['simd', 'scalar'])('the door on %s physics', (physics) => {
  it('opens when its handle is pulled from behind, up to its stop, and closes when it is pushed', async () => {
    const env = await makeDoor({ ...BLIND, physics, start: 'hooked' })
    await env.reset({ seed: 0 })
    let { state } = (await env.step(new Float32Array(3))).observation
    expect(Math.abs(state[3]!)).toBeLessThan(0.002)
    state = await pullTo(env, state, 1.3, 30)
    expect(Math.abs(state[3]! - STOP_RAD)).toBeLessThan(0.03)
    state = await pullTo(env, state, -0.2, 40)
    expect(Math.abs(state[3]!)).toBeLessThan(0.03)
    await env.close()
  })

  it('stays where it is left', async () => {
    const env = await makeDoor({ ...BLIND, physics, start: 'hooked' })
    await env.reset({ seed: 0 })
    const { state } = (await env.step(new Float32Array(3))).observation
    await pullTo(env, state, 0.5, 8)
    await env.step(Float32Array.of(0, 0, 1))
    const left = state[3]!
    expect(left).toBeGreaterThan(0.3)
    for (let i = 0; i < 6; i++) await env.step(Float32Array.of(0, 0, 1))
    for (let i = 0; i < 10; i++) await env.step(Float32Array.of(0, -1, 0))
    expect(Math.abs(state[3]! - left)).toBeLessThan(0.003)
    await env.close()
  })

  it('does not give way to a hand that pushes it shut, nor lets it through', async () => {
    const env = await makeDoor({ ...BLIND, physics })
    await env.reset({ seed: 0 })
    const { state } = (await env.step(Float32Array.of(-0.1, 1, 0))).observation
    for (let i = 0; i < 30; i++) await env.step(Float32Array.of(-0.1, 1, 0))
    expect(Math.abs(state[3]!)).toBeLessThan(0.02)
    // Panel 1 cm and hand 1.5 cm from the hinge's plane at y = 0.13.
    expect(state[1]!).toBeLessThan(0.108)
    expect(state[1]!).toBeGreaterThan(0.1)
    await env.close()
  })

  it('keeps its hinge together and everything in its space for 1500 random steps', async () => {
    const env = await makeDoor({ ...BLIND, physics, start: 'random' })
    const rng = new Rng(5)
    const action = new Float32Array(3)
    await env.reset({ seed: 5 })
    const { stateSpace } = env.spec
    let [before, turned] = [0, 0]
    for (let i = 0; i < 1500; i++) {
      if (i % 6 === 0) rng.fillUniform(action, -1, 1)
      const { observation, truncated } = await env.step(action)
      expect(whyOutside(stateSpace, observation.state)).toBeUndefined()
      if (Math.abs(observation.state[3]! - before) > 0.01) turned++
      before = observation.state[3]!
      if (truncated) before = (await env.reset()).observation.state[3]!
    }
    expect(turned).toBeGreaterThan(20)
    await env.close()
  })
})

describe("the door's cameras", () => {
  it.each(['front', 'side', 'top'])('%s shows hand, handle and panel, and the door turning', async (camera) => {
    const env = await makeDoor({ size: 64, cameras: [camera] })
    await env.reset({ seed: 0 })
    const [closed, open] = [
      (await env.renderGoal(Float32Array.of(-0.1, -0.15, 0.1, 0)))[camera]!,
      (await env.renderGoal(Float32Array.of(-0.1, -0.15, 0.1, 0.8)))[camera]!,
    ]
    for (const image of [closed, open]) {
      expect(count(image, ([red, , blue]) => blue > red + 50)).toBeGreaterThan(8)
      expect(count(image, ([red, green, blue]) => green > blue * 1.8 && green > red * 0.75)).toBeGreaterThan(5)
      expect(count(image, ([red, green]) => red > green * 1.8)).toBeGreaterThan(40)
    }
    expect(closed.filter((value, i) => Math.abs(value - open[i]!) > 30).length).toBeGreaterThan(300)
    await env.close()
  })
})

/** Moves a hooked hand along the arc of the handle towards `angle`; returns the last state. */
async function pullTo(env: SimulatedGoalEnv, from: Float32Array, angle: number, steps: number): Promise<Float32Array> {
  let state = from
  for (let i = 0; i < steps; i++) {
    const next = state[3]! + Math.max(-0.15, Math.min(0.15, angle - state[3]!))
    const [x, y] = pointOnDoor(next, HOOKED.alongM, HOOKED.outM)
    const [dx, dy] = [(x - state[0]!) / 0.02, (y - state[1]!) / 0.02]
    const scale = Math.max(1, Math.abs(dx), Math.abs(dy))
    state = (await env.step(Float32Array.of(dx / scale, dy / scale, 0))).observation.state
  }
  return state
}

function count(image: Uint8Array, test: (rgb: readonly [number, number, number]) => boolean): number {
  let found = 0
  for (let i = 0; i < image.length; i += 3) if (test([image[i]!, image[i + 1]!, image[i + 2]!])) found++
  return found
}
