import { describe, expect, it } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import { PUCK } from '../../envs/tasks/push-puck-layout.ts'
import type { CameraEnv, Env, SimulatedGoalEnv } from '../../src/core/env.ts'
import { isCameraEnv } from '../../src/core/env.ts'

async function makePushPuck(options: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv & CameraEnv> {
  const env = (await makeEnv('armature/PushPuck-v0', options)) as SimulatedGoalEnv
  if (!isCameraEnv(env)) throw new Error('it has no cameras')
  return env
}

/** Column, row and depth of a point of the world. */
async function project(env: CameraEnv, camera: string, point: readonly [number, number, number]): Promise<number[]> {
  const { intrinsics: k, extrinsics: e } = await env.cameraMatrices(camera)
  const q = [0, 4, 8].map((r) => e[r]! * point[0] + e[r + 1]! * point[1] + e[r + 2]! * point[2] + e[r + 3]!)
  return [(k[0]! * q[0]!) / q[2]! + k[2]!, (k[4]! * q[1]!) / q[2]! + k[5]!, q[2]!]
}

describe('the cameras of a scene', () => {
  it('measure depth, ids and where things are', async () => {
    const env = await makePushPuck()
    expect(env.idNames[0]).toBe('nothing')
    const puck = env.idNames.indexOf('puck')
    let seen = 0
    for (let episode = 0; episode < 6; episode++) {
      const { observation } = await env.reset({
        ...(episode === 0 ? { seed: 1 } : {}),
        options: { start: 'random' },
      })
      const [, , x, y] = observation.state as unknown as [number, number, number, number]
      for (const [camera, width] of [
        ['front', 48],
        ['human', 480],
      ] as const) {
        const [column, row, z] = await project(env, camera, [x, y, PUCK.heightM])
        const ids = await env.renderIds(camera)
        const depth = await env.renderDepth(camera)
        const pixel = Math.floor(row!) * width + Math.floor(column!)
        const image = await env.render(camera)
        expect(ids.length * 3).toBe(image.length)
        // The hand is higher than the puck and may stand before it.
        if (ids[pixel] !== puck) continue
        seen++
        expect(Math.abs(depth[pixel]! - z!)).toBeLessThan(0.012)
        let [sumX, sumY, count] = [0, 0, 0]
        for (const [i, id] of ids.entries()) {
          if (id !== puck) continue
          sumX += i % width
          sumY += Math.floor(i / width)
          count++
        }
        expect(Math.hypot(sumX / count + 0.5 - column!, sumY / count + 0.5 - row!)).toBeLessThan(0.05 * width)
      }
    }
    expect(seen).toBeGreaterThan(8)
    await env.close()
    await expect(env.renderIds()).rejects.toMatchObject({ code: 'closed' })
    await expect(env.cameraMatrices()).rejects.toMatchObject({ code: 'closed' })
  })

  it('move by option, in every view and at every size', async () => {
    const plain = await makePushPuck()
    const [before, human] = [await plain.render('front'), await plain.render('human')]
    const env = await makePushPuck({ camera: { front: { eyeM: [0.1, -0.4, 0.7], fovYDeg: 40 } } })
    expect(Buffer.compare(await env.render('front'), before)).not.toBe(0)
    expect(Buffer.compare(await env.render('human'), human)).toBe(0)
    const { intrinsics } = await env.cameraMatrices('front', { width: 100, height: 80 })
    expect([...intrinsics]).toEqual([40 / Math.tan(Math.PI / 9), 0, 50, 0, 40 / Math.tan(Math.PI / 9), 40, 0, 0, 1])
    const { extrinsics } = await env.cameraMatrices('front')
    for (let r = 0; r < 3; r++) {
      const [a, b, c, t] = extrinsics.subarray(r * 4, r * 4 + 4) as unknown as [number, number, number, number]
      expect(a * 0.1 - b * 0.4 + c * 0.7 + t).toBeCloseTo(0, 12)
    }
    await env.close()
    await plain.close()
  })

  it('refuse moves of what is not there or makes no sense', async () => {
    const attempt = (camera: unknown): Promise<unknown> => makePushPuck({ camera })
    await expect(attempt({ top: { fovYDeg: 30 } })).rejects.toThrow(/"top".*front, side, human/)
    await expect(attempt({ front: { fov: 30 } })).rejects.toThrow(/no option "fov"; did you mean fovYDeg/)
    await expect(attempt({ front: { fovYDeg: 0 } })).rejects.toThrow(/from 1 to 170/)
    await expect(attempt({ front: { eyeM: [0, 1] } })).rejects.toThrow(/three numbers/)
    await expect(attempt({ front: 3 })).rejects.toThrow(/front.*an object/)
    await expect(attempt({ front: { eyeM: [0, 0, 1], targetM: [0, 0, 0], up: [0, 0, 1] } })).rejects.toThrow(
      /up direction/,
    )
  })
})

describe('goal', () => {
  it('is that of every episode, also after a state was restored', async () => {
    const goal = [-0.06, 0.02, 0.08, 0.06]
    const env = (await makePushPuck({ goal })) as SimulatedGoalEnv
    for (const seed of [1, 2]) {
      await env.reset({ seed })
      expect(env.goal).toEqual(Float32Array.from(goal))
    }
    const saved = await env.saveState()
    await env.restoreState(saved)
    expect(env.goal).toEqual(Float32Array.from(goal))
    await env.close()
  })

  it('is refused where it is none, or the scene has none', async () => {
    const attempt = (goal: unknown): Promise<unknown> => makePushPuck({ goal })
    await expect(attempt([0, 0])).rejects.toThrow('armature/PushPuck-v0 goal')
    await expect(attempt([0, 0, 9, 0])).rejects.toThrow('armature/PushPuck-v0 goal')
    await expect(attempt('left')).rejects.toThrow('option goal: expected a list of numbers, got "left"')
    await expect(makeEnv('armature/CartPole-v0', { goal: [0] })).rejects.toThrow(
      'armature/CartPole-v0 option goal: got one, in a scene without goals',
    )
  })
})

describe('startSeed', () => {
  const stateOf = async (env: Env, seed?: number): Promise<Float32Array> =>
    (await env.reset(seed === undefined ? {} : { seed })).observation.state.slice()

  it.each(['PickPlace', 'ArmLift', 'PushMulti', 'DiscArena', 'CartPole', 'Reacher', 'GraspBin'])(
    'begins every episode of %s where one with that seed does',
    async (name) => {
      const options = { size: 8, supersample: 'off' }
      const [fixed, plain] = await Promise.all([
        makeEnv(`armature/${name}-v0`, { ...options, startSeed: 5 }),
        makeEnv(`armature/${name}-v0`, options),
      ])
      const wanted = await stateOf(plain, 5)
      for (const seed of [1, 2, undefined]) expect(await stateOf(fixed, seed)).toEqual(wanted)
      expect(await stateOf(plain, 6)).not.toEqual(wanted)
      for (const env of [fixed, plain]) await env.close()
    },
  )

  it('leaves goals, and what is randomised, to the seed of the episode', async () => {
    const env = await makePushPuck({ startSeed: 5, start: 'random', randomize: { friction: 1 } })
    const drawn: unknown[] = []
    for (const seed of [1, 2, 1]) {
      const { info } = await env.reset({ seed })
      drawn.push([...env.goal, info['random_friction']])
    }
    expect(drawn[2]).toEqual(drawn[0])
    expect(drawn[1]).not.toEqual(drawn[0])
    await env.close()
  })
})

describe('actionRepeat', () => {
  it('holds each action: rewards of all its control steps, the picture after the last, an episode as long as before', async () => {
    for (const id of ['armature/PushPuck-v0', 'armature/CartPole-v0']) {
      const [held, plain] = await Promise.all([makeEnv(id, { actionRepeat: 3 }), makeEnv(id, {})])
      expect(held.spec.controlHz * 3).toBeCloseTo(plain.spec.controlHz)
      expect(held.spec.maxEpisodeSteps).toBe(Math.ceil(plain.spec.maxEpisodeSteps! / 3))
      await held.reset({ seed: 4 })
      await plain.reset({ seed: 4 })
      const action = new Float32Array(plain.spec.actionSpace.shape[0]!).fill(0.4)
      for (let step = 0; step < 4; step++) {
        const { reward, observation, info } = await held.step(action)
        const parts = [await plain.step(action), await plain.step(action), await plain.step(action)]
        const last = parts[2]!
        expect(reward).toBeCloseTo(
          parts.reduce((sum, part) => sum + part.reward, 0),
          6,
        )
        expect(observation).toEqual(last.observation)
        expect(info).toEqual(last.info)
      }
      await held.close()
      await plain.close()
    }
  })

  it('ends with the control step that ends the task', async () => {
    const env = await makeEnv('armature/PushPuck-v0', { actionRepeat: 7, maxEpisodeSteps: 2 })
    await env.reset({ seed: 1 })
    expect((await env.step(new Float32Array(2))).truncated).toBe(false)
    expect((await env.step(new Float32Array(2))).truncated).toBe(true)
    await env.close()
  })
})
