import { describe, expect, test } from 'vitest'
import { checkEnv } from '../../envs/check.ts'
import { makeEnv } from '../../envs/index.ts'
import type { CameraEnv, SimulatedGoalEnv } from '../../src/core/env.ts'

type Scene = SimulatedGoalEnv & CameraEnv

async function scene(mismatch: object, more: object = {}): Promise<Scene> {
  return (await makeEnv('armature/PushPuck-v0', { size: 32, mismatch, ...more })) as Scene
}

/** Hand x after each step when it is told to go right, from a start of its own. */
async function positions(env: Scene, steps: number): Promise<number[]> {
  const { observation } = await env.reset({ seed: 4 })
  const seen = [observation.state[0]!]
  for (let i = 0; i < steps; i++) seen.push((await env.step(Float32Array.of(1, 0))).observation.state[0]!)
  return seen
}

describe('mismatch', () => {
  test.each([1, 2, 3])('actions arrive %d control steps late, in every episode', async (delaySteps) => {
    const [prompt, late] = [await scene({}), await scene({ delaySteps })]
    const [own, other] = [await positions(prompt, 6), await positions(late, 6)]
    for (let i = 0; i < delaySteps; i++) expect(Math.abs(other[i + 1]! - other[0]!)).toBeLessThan(1e-4)
    // From then on it does what the prompt one did before.
    for (let i = delaySteps; i <= 6; i++) expect(other[i]).toBeCloseTo(own[i - delaySteps]!, 3)
    expect(await positions(late, 6)).toEqual(other)
    for (const env of [prompt, late]) await env.close()
  })

  test('adds to the delay that is drawn, and a state goes on with its actions under way', async () => {
    const env = await scene({ delaySteps: 2 }, { randomize: { actionDelay: 3 } })
    const delays = new Set<number>()
    for (let seed = 0; seed < 30; seed++) delays.add((await env.reset({ seed })).info['random_action_delay_steps']!)
    expect([...delays].toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5])
    await env.step(Float32Array.of(1, 0))
    const state = await env.saveState()
    const go = async (): Promise<number[]> => {
      const seen = []
      for (let i = 0; i < 6; i++) seen.push((await env.step(new Float32Array(2))).observation.state[0]!)
      return seen
    }
    const first = await go()
    await env.restoreState(state)
    expect(await go()).toEqual(first)
    await env.close()
  })

  test('the camera for policies is moved with what it looks at, that for people is not', async () => {
    const [plain, moved] = [await scene({}), await scene({ cameraShiftM: [0, 0.02, 0] })]
    const front = { eyeM: [0, -0.18, 0.82], targetM: [0, 0.02, 0.01] }
    const placed = await scene({}, { camera: { front } })
    const shots = []
    for (const env of [plain, moved, placed]) {
      const { observation } = await env.reset({ seed: 2 })
      shots.push({ image: observation.images['front']!.slice(), human: await env.render('human') })
    }
    expect(shots[1]!.image).not.toEqual(shots[0]!.image)
    expect(shots[1]!.image).toEqual(shots[2]!.image)
    expect(shots[1]!.human).toEqual(shots[0]!.human)
    for (const env of [plain, moved, placed]) await env.close()
  })

  test.each([2 / 3, 4 / 3, 0])('every colour that is seen, also of goals, is %d times what it was', async (light) => {
    const [plain, other] = [await scene({}), await scene({ light })]
    const pictures = async (env: Scene): Promise<Uint8Array[]> => {
      const { observation } = await env.reset({ seed: 2 })
      const goal = await env.renderGoal(env.goal)
      return [observation.images['front']!.slice(), goal['front']!, await env.render('front')]
    }
    const [before, after] = [await pictures(plain), await pictures(other)]
    before.forEach((image, i) => {
      expect(after[i]).toEqual(image.map((level) => Math.min(255, Math.round(level * light))))
    })
    // Twice is as once: what is drawn is not lit again.
    await plain.step(new Float32Array(2))
    const { observation } = await other.step(new Float32Array(2))
    const lit = (await plain.render('front')).map((level) => Math.min(255, Math.round(level * light)))
    expect(observation.images['front']).toEqual(lit)
    for (const env of [plain, other]) await env.close()
  })

  test.each([
    [{ delaySteps: -1 }, 'an integer from 0 to 100'],
    [{ delaySteps: 1.5 }, 'an integer from 0 to 100'],
    [{ cameraShiftM: 0.02 }, 'three numbers'],
    [{ light: -1 }, 'a number from 0 to 10'],
    [{ lights: 1 }, 'did you mean light?'],
  ])('%j is refused', async (mismatch, message) => {
    await expect(scene(mismatch)).rejects.toThrow(message)
  })

  test('a scene with all of it is an env like any other', async () => {
    const mismatch = { delaySteps: 2, cameraShiftM: [0.01, 0.01, 0.01], light: 0.7 }
    const results = await checkEnv(() => scene(mismatch), { steps: 12 })
    expect(results.filter(({ ok }) => !ok)).toEqual([])
  })
})
