import { describe, expect, it } from 'vitest'
import { pushPuckExpert } from '../../envs/experts/push-puck.ts'
import { makeEnv } from '../../envs/index.ts'
import {
  HAND,
  HAND_BOX,
  HAND_GOAL_BOX,
  HAND_START,
  PUCK,
  PUCK_BOX,
  PUCK_GOAL_BOX,
} from '../../envs/tasks/push-puck-layout.ts'
import type { SimulatedGoalEnv } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'

const TOUCH_M = HAND.radiusM + PUCK.radiusM

async function makePushPuck(options: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  return (await makeEnv('armature/PushPuck-v0', options)) as SimulatedGoalEnv
}

/** Without a camera to speak of, for tests of the physics. */
const BLIND = { size: 1, supersample: 'off' }

/** Pixels of a 48 x 48 image in the puck's red, or in the hand's colour, the only one with much blue. */
function colored(image: Uint8Array, isColor: (red: number, blue: number) => boolean): { x: number; y: number }[] {
  const pixels: { x: number; y: number }[] = []
  for (let i = 0; i < 48 * 48; i++) {
    if (isColor(image[i * 3]!, image[i * 3 + 2]!)) pixels.push({ x: i % 48, y: Math.floor(i / 48) })
  }
  return pixels
}
const isPuck = (red: number, blue: number): boolean => red > blue + 70
const isHand = (_red: number, blue: number): boolean => blue > 140

function mean(pixels: readonly { x: number; y: number }[], axis: 'x' | 'y'): number {
  return pixels.reduce((sum, pixel) => sum + pixel[axis], 0) / pixels.length
}

describe('the push task', () => {
  it.each([
    { start: 'default', physics: 'simd' },
    { start: 'random', physics: 'simd' },
    { start: 'default', physics: 'scalar' },
  ])('is solved by a scripted pusher from $start starts on $physics physics', async (options) => {
    const env = await makePushPuck({ ...BLIND, ...options, maxEpisodeSteps: 100 })
    const expert = pushPuckExpert()
    let solved = 0
    for (let seed = 0; seed < 50; seed++) {
      let { observation } = await env.reset({ seed })
      for (let step = 0; step < 100; step++) {
        const result = await env.step(expert(observation, env.goal))
        observation = result.observation
        if (result.info['success'] === 1) {
          solved++
          break
        }
      }
    }
    expect(solved).toBeGreaterThanOrEqual(45)
    await env.close()
  })

  it('is not solved by doing nothing or by chance', async () => {
    const env = await makePushPuck(BLIND)
    const rng = new Rng(4)
    let solved = 0
    for (let seed = 0; seed < 50; seed++) {
      await env.reset({ seed })
      for (;;) {
        const { info, truncated } = await env.step(Float32Array.of(rng.uniform(-1, 1), rng.uniform(-1, 1)))
        if (truncated) {
          solved += info['success']!
          break
        }
      }
    }
    expect(solved).toBeLessThan(5)
    await env.close()
  })

  it('pays minus the sum of the distances and succeeds below 6 cm', async () => {
    const env = await makePushPuck(BLIND)
    await env.reset({ seed: 0 })
    const [startX, startY] = HAND_START
    env.setGoal(Float32Array.of(startX, startY + 0.03, 0.03, 0.04))
    const { reward, info, observation } = await env.step(new Float32Array(2))
    const [handX, handY, puckX, puckY] = observation.state
    expect(info['hand_distance']).toBeCloseTo(Math.hypot(handX! - startX, handY! - startY - 0.03), 6)
    expect(info['puck_distance']).toBeCloseTo(Math.hypot(puckX! - 0.03, puckY! - 0.04), 6)
    expect(reward).toBeCloseTo(-0.08, 3)
    expect(info['success']).toBe(0)
    env.setGoal(Float32Array.of(startX, startY + 0.03, 0.02, 0.02))
    expect((await env.step(new Float32Array(2))).info['success']).toBe(1)
    await env.close()
  })

  it('draws goals over the whole boxes, never with hand and puck inside each other', async () => {
    const env = await makePushPuck(BLIND)
    const rng = new Rng(2)
    const boxes = [...HAND_GOAL_BOX, ...PUCK_GOAL_BOX]
    const reach = [0, 0, 0, 0]
    for (let i = 0; i < 500; i++) {
      const goal = env.sampleGoal(rng)
      expect(Math.hypot(goal[0]! - goal[2]!, goal[1]! - goal[3]!)).toBeGreaterThan(TOUCH_M)
      for (const [k, limit] of boxes.entries()) {
        expect(Math.abs(goal[k]!)).toBeLessThanOrEqual(limit)
        reach[k] = Math.max(reach[k]!, Math.abs(goal[k]!) / limit)
      }
    }
    for (const share of reach) expect(share).toBeGreaterThan(0.97)
    expect(() => env.setGoal(Float32Array.of(1, 0, 0, 0))).toThrow(/hand_x_m is 1/)
    await expect(env.renderGoal(Float32Array.of(0, 0, 0))).rejects.toThrow(/3 elements instead of 4/)
    await env.close()
  })

  it('starts at random over the whole boxes when asked to', async () => {
    const env = await makePushPuck(BLIND)
    const boxes = [...HAND_BOX, ...PUCK_BOX]
    const reach = [0, 0, 0, 0]
    for (let i = 0; i < 300; i++) {
      const { state } = (await env.reset({ ...(i === 0 ? { seed: 1 } : {}), options: { start: 'random' } })).observation
      const before = state.slice()
      expect(Math.hypot(before[0]! - before[2]!, before[1]! - before[3]!)).toBeGreaterThan(TOUCH_M)
      const after = (await env.step(new Float32Array(2))).observation.state
      for (const [k, limit] of boxes.entries()) {
        reach[k] = Math.max(reach[k]!, Math.abs(before[k]!) / limit)
        expect(Math.abs(after[k]! - before[k]!)).toBeLessThan(2e-4)
      }
    }
    for (const share of reach) expect(share).toBeGreaterThan(0.95)
    await env.close()
  })

  it('refuses a state that another physics build saved', async () => {
    const [simd, scalar] = [await makePushPuck({ physics: 'simd' }), await makePushPuck({ physics: 'scalar' })]
    await simd.reset({ seed: 0 })
    await expect(scalar.restoreState(await simd.saveState())).rejects.toThrow(
      /snapshot of rapier 0\.21\.0 scalar.*option physics/,
    )
    await simd.close()
    await scalar.close()
  })
})

describe('pushing', () => {
  it('moves the hand 2 cm per step and keeps it where it is without action', async () => {
    const env = await makePushPuck(BLIND)
    await env.reset({ seed: 0 })
    for (let i = 1; i <= 5; i++) {
      const { state } = (await env.step(Float32Array.of(-1, 0))).observation
      expect(Math.abs(state[0]! + 0.02 * i)).toBeLessThan(0.002)
    }
    const { state } = (await env.step(new Float32Array(2))).observation
    const rest = state.slice()
    for (let i = 0; i < 10; i++) await env.step(new Float32Array(2))
    expect(Math.abs(state[0]! - rest[0]!)).toBeLessThan(0.001)
    expect(Math.abs(state[0]! + 0.1)).toBeLessThan(0.001)
    await env.close()
  })

  it('keeps the puck in touch while it pushes and lets it stop at once', async () => {
    const env = await makePushPuck(BLIND)
    await env.reset({ seed: 0 })
    const push = Float32Array.of(0, 1)
    let { state } = (await env.step(push)).observation
    let inTouch = 0
    for (let i = 1; i < 10; i++) {
      const [handBefore, puckBefore] = [state[1]!, state[3]!]
      state = (await env.step(push)).observation.state
      const gap = state[3]! - state[1]! - TOUCH_M
      expect(gap).toBeGreaterThan(-0.001)
      if (puckBefore - handBefore >= TOUCH_M + 0.001) continue
      expect(gap).toBeLessThan(0.002)
      inTouch++
    }
    expect(inTouch).toBeGreaterThan(3)
    expect(state[3]).toBeGreaterThan(0.1)
    const pushed = state[3]!
    await env.step(new Float32Array(2))
    expect(state[3]! - pushed).toBeLessThan(0.005)
    const stopped = state[3]!
    for (let i = 0; i < 5; i++) await env.step(new Float32Array(2))
    expect(Math.abs(state[3]! - stopped)).toBeLessThan(1e-4)
    await env.close()
  })

  it.each([
    [0, 1],
    [1, 0],
    [-1, 0],
    [1, 1],
  ])('cannot press the puck through the rim towards (%i, %i)', async (x, y) => {
    const env = await makePushPuck({ ...BLIND, maxEpisodeSteps: 200 })
    await env.reset({ seed: 0 })
    const { state } = (await env.step(new Float32Array(2))).observation
    // Go to the far side of the puck first, around it.
    const start = [-x * 0.1, -y * 0.1] as const
    await walk(env, state, start[0] || 0.1, -0.12)
    await walk(env, state, start[0], start[1])
    for (let i = 0; i < 40; i++) await env.step(Float32Array.of(x, y))
    expect(Math.abs(state[2]!)).toBeLessThan(PUCK_BOX[0] + 0.002)
    expect(Math.abs(state[3]!)).toBeLessThan(PUCK_BOX[1] + 0.002)
    expect(Math.max(Math.abs(state[2]!) / PUCK_BOX[0], Math.abs(state[3]!) / PUCK_BOX[1])).toBeGreaterThan(0.99)
    // Hand and puck must not have gone into each other: the puck is held by the rim, the hand by the puck or the box.
    expect(Math.hypot(state[0]! - state[2]!, state[1]! - state[3]!)).toBeGreaterThan(TOUCH_M - 0.003)
    await env.close()
  })

  it('can take the puck back from every corner', async () => {
    const env = await makePushPuck({ ...BLIND, maxEpisodeSteps: 150 })
    const expert = pushPuckExpert()
    for (const [cornerX, cornerY] of [
      [1, 1],
      [1, -1],
      [-1, 1],
      [-1, -1],
    ] as const) {
      let { observation } = await env.reset({ seed: 0 })
      for (const goal of [
        Float32Array.of(0, 0, cornerX * PUCK_BOX[0], cornerY * PUCK_BOX[1]),
        Float32Array.of(0.1, 0.1, 0, 0),
      ]) {
        env.setGoal(goal)
        let puckDistance = 1
        for (let i = 0; i < 70 && puckDistance > 0.015; i++) {
          const result = await env.step(expert(observation, goal))
          observation = result.observation
          puckDistance = result.info['puck_distance']!
        }
        expect(puckDistance).toBeLessThan(0.015)
      }
    }
    await env.close()
  })

  it('keeps everything finite and inside for 6,000 random steps', async () => {
    const env = await makePushPuck({ ...BLIND, start: 'random', maxEpisodeSteps: 400 })
    const rng = new Rng(6)
    const action = new Float32Array(2)
    await env.reset({ seed: 6 })
    const { stateSpace } = env.spec
    const [high, low] = [stateSpace.high as number[], stateSpace.low as number[]]
    let touched = 0
    for (let i = 0; i < 6000; i++) {
      // Long strokes: white noise hardly moves the hand.
      if (i % 7 === 0) rng.fillUniform(action, -1, 1)
      const { observation, reward, truncated } = await env.step(action)
      const { state } = observation
      const isInside = state.every((x, k) => x >= low[k]! && x <= high[k]!)
      if (!isInside || !Number.isFinite(reward)) throw new Error(`step ${i}: ${state.join(' ')}`)
      const distance = Math.hypot(state[0]! - state[2]!, state[1]! - state[3]!)
      if (distance < TOUCH_M - 0.005) throw new Error(`step ${i}: hand is ${TOUCH_M - distance} m inside the puck`)
      if (distance < TOUCH_M + 0.001) touched++
      if (truncated) await env.reset()
    }
    expect(touched).toBeGreaterThan(150)
    await env.close()
  })
})

describe('the front camera', () => {
  it('shows puck and hand, large, clear of each other and where they are', async () => {
    const env = await makePushPuck()
    const seen: { puck: [number, number]; hand: [number, number]; state: Float32Array }[] = []
    for (let i = 0; i < 60; i++) {
      const { observation } = await env.reset({ ...(i === 0 ? { seed: 3 } : {}), options: { start: 'random' } })
      const image = observation.images['front']!
      const [puck, hand] = [colored(image, isPuck), colored(image, isHand)]
      expect(Math.max(...puck.map((p) => p.x)) - Math.min(...puck.map((p) => p.x))).toBeGreaterThanOrEqual(4)
      expect(Math.max(...puck.map((p) => p.y)) - Math.min(...puck.map((p) => p.y))).toBeGreaterThanOrEqual(4)
      expect(puck.length).toBeGreaterThan(30)
      expect(hand.length).toBeGreaterThan(9)
      seen.push({
        puck: [mean(puck, 'x'), mean(puck, 'y')],
        hand: [mean(hand, 'x'), mean(hand, 'y')],
        state: observation.state.slice(),
      })
    }
    // Right in the image is +x, up is +y.
    expect(
      correlation(
        seen.map((s) => s.puck[0]),
        seen.map((s) => s.state[2]!),
      ),
    ).toBeGreaterThan(0.99)
    expect(
      correlation(
        seen.map((s) => -s.puck[1]),
        seen.map((s) => s.state[3]!),
      ),
    ).toBeGreaterThan(0.99)
    expect(
      correlation(
        seen.map((s) => s.hand[0]),
        seen.map((s) => s.state[0]!),
      ),
    ).toBeGreaterThan(0.99)
    expect(
      correlation(
        seen.map((s) => -s.hand[1]),
        seen.map((s) => s.state[1]!),
      ),
    ).toBeGreaterThan(0.99)
    await env.close()
  })

  it('renders a goal as it will look when it is reached', async () => {
    const env = await makePushPuck()
    await env.reset({ seed: 1 })
    let { observation } = await env.reset({ options: { start: 'random' } })
    const reached = (await env.renderGoal(env.achievedGoal(observation.state)))['front']!
    expect(Buffer.compare(reached, observation.images['front']!)).toBe(0)
    const expert = pushPuckExpert()
    for (let i = 0; i < 40; i++) {
      observation = (await env.step(expert(observation, env.goal))).observation
    }
    const after = (await env.renderGoal(env.achievedGoal(observation.state)))['front']!
    const largest = after.reduce((most, x, i) => Math.max(most, Math.abs(x - observation.images['front']![i]!)), 0)
    expect(largest).toBeLessThan(20)
    await env.close()
  })

  it('hides the goal, which the view for people shows', async () => {
    const env = await makePushPuck()
    const { observation } = await env.reset({ seed: 0 })
    const [front, human] = [observation.images['front']!.slice(), await env.render('human')]
    env.setGoal(Float32Array.of(-0.1, 0.05, 0.12, 0.09))
    expect(Buffer.compare(await env.render(), front)).toBe(0)
    const moved = await env.render('human')
    expect(moved.length).toBe(480 * 360 * 3)
    expect(Buffer.compare(moved, human)).not.toBe(0)
    await expect(env.render('top')).rejects.toThrow(/"top".*front, side, human/)
    await env.close()
  })
})

async function walk(env: SimulatedGoalEnv, state: Float32Array, x: number, y: number): Promise<void> {
  for (let i = 0; i < 30; i++) {
    const [dx, dy] = [(x - state[0]!) / 0.02, (y - state[1]!) / 0.02]
    await env.step(Float32Array.of(Math.max(-1, Math.min(1, dx)), Math.max(-1, Math.min(1, dy))))
  }
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [a, b].map((x) => x.reduce((sum, v) => sum + v, 0) / x.length) as [number, number]
  const product = (x: readonly number[], mx: number, y: readonly number[], my: number): number =>
    x.reduce((sum, v, i) => sum + (v - mx) * (y[i]! - my), 0)
  return product(a, meanA, b, meanB) / Math.sqrt(product(a, meanA, a, meanA) * product(b, meanB, b, meanB))
}
