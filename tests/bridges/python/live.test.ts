import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { Authorization } from '../../../bridges/zmq/authorization.ts'
import { authorizeKey, createKeyFile } from '../../../bridges/zmq/keys.ts'
import { openBridge } from '../helpers.ts'
import { clock, SimpleRobot } from '../simple-robot.ts'
import { runSession, startMockArm, whyNoPython } from './python.ts'

const reason = whyNoPython('zmq', 'msgpack', 'numpy')
const noGymnasium = reason === '' ? whyNoPython('gymnasium') : reason
const closing: (() => Promise<void>)[] = []

/** Closed after the test, whatever comes of it. */
function kept<T extends { close(): Promise<void> }>(thing: T): T {
  closing.push(() => thing.close())
  return thing
}

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

describe.skipIf(reason !== '')(`a Python client and a robot in TypeScript ${reason}`, { timeout: 90_000 }, () => {
  it('drives it in real time', async () => {
    const bridge = kept(await openBridge())
    const seen = await runSession('drive', bridge.server.endpoints.control)
    expect(seen).toMatchObject({ applied: [0.25, -0.5], states: ['ACTIVE', 'READY'], same_clock: true })
    // The last action and the stop go over different sockets: the stop may win.
    expect((seen as { refusals: string[] }).refusals.filter((code) => code !== 'epoch_stale')).toEqual([])
    expect(bridge.robot.applied.at(-1)).toEqual([0.25, -0.5])
    expect(bridge.server.state).toBe('IDLE')
  })

  it('drives it in lock-step, step by step as in process', async () => {
    const bridge = kept(await openBridge({ mode: 'lockstep' }))
    const seen = await runSession('lockstep', bridge.server.endpoints.control)
    const episode = Array.from({ length: 10 }, (_, i) => [i + 1, ...Float32Array.of(0.1 * i, -0.05 * i)])
    expect(seen).toEqual({ seen: [...episode, ...episode], refused: 'late' })
    expect(bridge.robot.applied).toHaveLength(20)
  })

  it('is let in by its key, and not without', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'armature-keys-'))
    closing.push(() => rm(folder, { recursive: true }))
    const robotKeys = await createKeyFile(join(folder, 'robot.key'), 'robot')
    const [known, stranger, observer] = await Promise.all(
      ['known', 'stranger', 'observer'].map((name) => createKeyFile(join(folder, `${name}.key`), name)),
    )
    const list = join(folder, 'authorized_keys.json')
    await authorizeKey(list, { publicKey: known!.publicKey, name: 'known', role: 'controller' })
    await authorizeKey(list, { publicKey: observer!.publicKey, name: 'observer', role: 'observer' })
    const authorization = await Authorization.open(list, () => 0)
    const bridge = kept(await openBridge({ security: { keys: robotKeys, authorization } }))
    const address = bridge.server.endpoints.control
    const keysOf = ({ publicKey, secretKey }: typeof robotKeys): string[] => [publicKey, secretKey, robotKeys.publicKey]
    expect(await runSession('drive', address, keysOf(known!))).toMatchObject({ applied: [0.25, -0.5] })
    expect(await runSession('refused', address, keysOf(observer!))).toEqual({ code: 'role_forbidden' })
    expect(await runSession('refused', address, keysOf(stranger!))).toEqual({ code: 'unauthorized' })
    expect(await runSession('refused', address)).toEqual({ code: 'unauthorized' })
  })

  it.skipIf(noGymnasium !== '')(`is an env that Gymnasium accepts ${noGymnasium}`, async () => {
    const bridge = kept(await openBridge({ mode: 'lockstep' }, new SimpleRobot({ maxEpisodeSteps: 12 })))
    expect(await runSession('env', bridge.server.endpoints.control)).toEqual({ keys: ['proprio'], steps: 12 })
  })
})

describe.skipIf(reason !== '')(`a robot in Python ${reason}`, { timeout: 90_000 }, () => {
  it('keeps the rules', async () => {
    const arm = kept(await startMockArm())
    expect(await runSession('rules', arm.address)).toEqual({
      'start without lease': 'lease_denied',
      'start before arm': 'not_armed',
      'second lease': 'lease_denied',
      observer: 'role_forbidden',
      'other digest': 'schema_mismatch',
      'old epoch': 'epoch_stale',
      'five bad ones': 'SAFE_STOP',
      'lease while latched': 'fault_latched',
      'clear by controller': 'role_forbidden',
      cleared: 'IDLE',
      // 0.2 rad from where it is, whatever is asked for; then on to the end of its range.
      'first step': [0.2, 0.2],
      clamped: [1, 3],
      silence: 'HOLD',
      'longer silence': 'SAFE_STOP',
      killed: 'SAFE_STOP',
    })
  })

  it('survives what is no message, and stops for it', async () => {
    const arm = kept(await startMockArm())
    expect(await runSession('garbage', arm.address)).toEqual({ after: 'SAFE_STOP', drive: [0.25, -0.5] })
  })

  it('is driven by a policy in TypeScript', async () => {
    const arm = kept(await startMockArm())
    const client = kept(await PolicyClient.connect({ endpoint: arm.address, clock }))
    expect(client.schema.action.names).toEqual(['shoulder_rad', 'elbow_rad'])
    await client.lease()
    await client.arm()
    await client.reset({ seed: 1 })
    await client.start()
    let applied = 0
    for await (const observation of client.observations()) {
      if (observation.applied !== undefined && observation.applied.seq > 0) applied++
      expect([...observation.images['top']!.pixels.data.subarray(0, 6)]).toEqual([255, 0, 0, 0, 0, 0])
      if (applied >= 10) {
        // Each period changes the target by 0.2 rad at most.
        expect([...observation.applied!.action]).toEqual([0.5, -0.5])
        break
      }
      client.act(Float32Array.of(0.5, -0.5), { observationSeq: observation.observationSeq })
    }
    await client.stop()
    expect(client.state).toBe('READY')
  })

  it('runs in lock-step with a policy in TypeScript', async () => {
    const arm = kept(await startMockArm('--lockstep'))
    const client = kept(await PolicyClient.connect({ endpoint: arm.address, clock }))
    const rewards: number[][] = []
    await client.lease()
    for (let episode = 0; episode < 2; episode++) {
      if (!client.armed) await client.arm()
      let observation = await client.reset({ seed: 4 })
      await client.start()
      const seen = [observation.reward]
      for (let i = 0; i < 100; i++) {
        observation = await client.step(Float32Array.of(0.1, 0.2), observation.observationSeq)
        seen.push(observation.reward)
      }
      expect(observation.truncated).toBe(true)
      rewards.push(seen)
    }
    expect(rewards[0]).toEqual(rewards[1])
  })
})
