import { createHash } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { envRobot } from '../../../bridges/adapters/env-robot.ts'
import type { RemoteEnv } from '../../../bridges/client/remote-env.ts'
import { connectRemoteEnv, RemoteGoalEnv } from '../../../bridges/client/remote-env.ts'
import { RobotServer } from '../../../bridges/server/robot-server.ts'
import { makeEnv } from '../../../envs/index.ts'
import type { Env, Observation } from '../../../src/core/env.ts'
import { isGoalEnv, isSimulatedEnv, isSimulatedGoalEnv } from '../../../src/core/env.ts'
import { Rng } from '../../../src/core/rng.ts'
import { sampleSpace } from '../../../src/core/spaces.ts'
import { evaluatePolicy } from '../../../src/evaluate/policy.ts'
import { MemoryLink } from '../memory-network.ts'
import { clock } from '../simple-robot.ts'
import { simulatedBridge } from '../simulated-bridge.ts'
import { PATIENCE_MS } from '../helpers.ts'

const opened: { close(): Promise<void> }[] = []

afterEach(async () => {
  for (const part of opened.splice(0).toReversed()) await part.close()
})

async function remote(env: Env, mode: 'lockstep' | 'realtime' = 'lockstep'): Promise<RemoteEnv> {
  const server = new RobotServer({ robot: envRobot(env), clock, mode })
  await server.start()
  opened.push(server)
  const client = await connectRemoteEnv({ endpoint: server.endpoints.control, clock, timeoutMs: PATIENCE_MS })
  opened.push(client)
  return client
}

async function localEnv(id: string): Promise<Env> {
  const env = await makeEnv(id)
  opened.push(env)
  return env
}

function copyOf({ images, proprio, state }: Observation): unknown {
  const copies = Object.entries(images).map(([name, pixels]) => [
    name,
    createHash('sha256').update(pixels).digest('hex'),
  ])
  return { images: Object.fromEntries(copies) as unknown, proprio: [...proprio], state: [...state] }
}

/** All that an env shows over resets and random steps. */
async function trace(env: Env, steps: number): Promise<unknown[]> {
  const rng = new Rng(5)
  const seen: unknown[] = []
  let isOver = true
  for (let i = 0; i < steps; i++) {
    if (isOver) {
      const { observation, info } = await env.reset(i === 0 ? { seed: 3 } : {})
      seen.push(copyOf(observation), info, isGoalEnv(env) ? [[...env.goal], await env.renderGoal(env.goal)] : [])
    }
    const action = sampleSpace(env.spec.actionSpace, rng, new Float32Array(env.spec.actionSpace.shape[0]!))
    const { observation, appliedAction, ...result } = await env.step(action)
    expect(appliedAction ?? action).toEqual(action)
    seen.push(copyOf(observation), result)
    isOver = result.terminated || result.truncated || i % 17 === 16
  }
  return seen
}

describe('RemoteEnv in lock-step', () => {
  it.each(['armature/PushPuck-v0', 'armature/Pendulum-v1'])('%s is bit-equal to the env in process', async (id) => {
    const here = await trace(await localEnv(id), 60)
    const there = await trace(await remote(await makeEnv(id)), 60)
    expect(there).toEqual(here)
  })

  it('evaluates a policy to the same numbers', async () => {
    const policy = {
      name: 'still',
      begin: async (): Promise<void> => {},
      act: async (): Promise<Float32Array> => Float32Array.of(0.3, -0.2),
    }
    const options = { episodes: 1, firstSeed: 11 }
    const here = await evaluatePolicy(await localEnv('armature/PushPuck-v0'), policy, options)
    const there = await evaluatePolicy(await remote(await makeEnv('armature/PushPuck-v0')), policy, options)
    expect(there).toEqual(here)
  })

  it('plays an interrupted episode again to the same state', async () => {
    const env = await remote(await makeEnv('armature/PushPuck-v0'))
    const act = (): Promise<unknown> =>
      env.step(Float32Array.of(0.25, 0.5)).then(({ observation, ...rest }) => [copyOf(observation), rest])
    await env.reset({ seed: 9 })
    for (let i = 0; i < 5; i++) await act()
    if (!isSimulatedEnv(env)) throw new Error('no simulated env')
    const state = await env.saveState()
    const next = await act()
    await env.reset({ seed: 10 })
    await env.restoreState(state)
    expect(await act()).toEqual(next)
  })

  it('saves no episode that cannot be had twice', async () => {
    const env = await remote(await makeEnv('armature/PushPuck-v0'))
    if (!isSimulatedEnv(env)) throw new Error('no simulated env')
    await env.reset()
    await expect(env.restoreState(await env.saveState())).rejects.toMatchObject({ code: 'unsupported-op' })
  })

  it('keeps the contract of an env', async () => {
    const env = await remote(await makeEnv('armature/PushPuck-v0'))
    await expect(env.step(Float32Array.of(0, 0))).rejects.toMatchObject({ code: 'needs-reset' })
    const { observation } = await env.reset({ seed: 1 })
    await expect(env.step(Float32Array.of(0))).rejects.toMatchObject({ code: 'bad-shape' })
    await expect(env.step(Float32Array.of(2, 0))).rejects.toMatchObject({ code: 'bad-value' })
    await expect(env.step(Float32Array.of(NaN, 0))).rejects.toMatchObject({ code: 'bad-value' })
    const [camera] = Object.keys(env.spec.imageSpaces)
    expect(await env.render(camera)).toEqual(observation.images[camera!])
    await expect(env.render('nowhere')).rejects.toMatchObject({ code: 'bad-argument' })
    await env.close()
    await env.close()
    await expect(env.reset()).rejects.toMatchObject({ code: 'closed' })
  })

  it('asks the twin for what a robot does not know, or says so', async () => {
    const env = await remote(await makeEnv('armature/PushPuck-v0'))
    if (!(env instanceof RemoteGoalEnv)) throw new Error('no goal env')
    await env.reset({ seed: 1 })
    expect(() => env.sampleGoal(new Rng(0))).toThrow(/twin/)
    expect(isSimulatedGoalEnv(env)).toBe(false)
    const twin = await localEnv('armature/PushPuck-v0')
    if (!isGoalEnv(twin)) throw new Error('no goal env')
    const withTwin = new RemoteGoalEnv(env.client, env.goalSpace, { twin })
    expect(withTwin.sampleGoal(new Rng(0))).toEqual(twin.sampleGoal(new Rng(0)))
    expect(withTwin.goalDistances(env.goal, env.goal).distance).toBe(0)
  })
})

describe('RemoteEnv in real time', () => {
  it('says what the robot did', async () => {
    const limits = {
      name: 'half',
      actionKind: 'position' as const,
      mode: 'per-joint' as const,
      speedUpShare: 1,
      elements: ['a_rad', 'b_rad'].map((name) => ({ name, min: -1, max: 1, softMargin: 0.5, isGripper: false })),
    }
    const { time, network } = await simulatedBridge({ limits }, { maxEpisodeSteps: 12, isSimulated: true })
    const env = await time.during(
      connectRemoteEnv({
        endpoint: 'memory:0',
        clock: time.clock,
        sleep: time.sleep,
        transport: (handlers) => new MemoryLink(network, time, handlers),
      }),
    )
    await time.during(env.reset({ seed: 1 }))
    const applied = new Set<number>()
    for (let isOver = false; !isOver;) {
      const result = await time.during(env.step(Float32Array.of(0.9, -0.2)))
      if (result.appliedAction !== undefined) applied.add(result.appliedAction[0]!)
      isOver = result.truncated
    }
    expect([...applied]).toEqual([0.5])
    await time.during(env.reset())
    expect(isSimulatedEnv(env)).toBe(false)
    const { observation } = await time.during(env.step(Float32Array.of(0.1, 0.1)))
    expect(observation.proprio[0]).toBeCloseTo(0.1)
    await time.during(env.close())
  })
})
