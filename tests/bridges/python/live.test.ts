import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Authorization } from '../../../bridges/zmq/authorization.ts'
import { authorizeKey, createKeyFile } from '../../../bridges/zmq/keys.ts'
import { imageSpace } from '../../../src/core/spaces.ts'
import { openBridge } from '../helpers.ts'
import { SimpleRobot } from '../simple-robot.ts'
import { runSession, whyNoPython } from './python.ts'

const reason = whyNoPython('zmq', 'msgpack', 'numpy')
const noGymnasium = reason === '' ? whyNoPython('gymnasium') : reason
const noPillow = reason === '' ? whyNoPython('PIL') : reason
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

  it.skipIf(noPillow !== '')(`takes camera images as JPEG, in their colours ${noPillow}`, async () => {
    const robot = new SimpleRobot({ imageSpaces: { front: imageSpace(48, 64) } })
    const read = robot.read.bind(robot)
    const front = new Uint8Array(48 * 64 * 3).map((_, i) => (i % 3 === 0 ? 200 : 20))
    robot.read = async () => {
      const reading = await read()
      return { ...reading, observation: { ...reading.observation, images: { front } } }
    }
    const bridge = kept(await openBridge({}, robot))
    const seen = (await runSession('jpeg', bridge.server.endpoints.control)) as { first: number[] }
    expect(seen).toMatchObject({ codec: 'jpeg', shape: [48, 64, 3] })
    for (const [i, value] of [200, 20, 20].entries()) expect(Math.abs(seen.first[i]! - value)).toBeLessThan(8)
  })

  it.skipIf(noGymnasium !== '')(`is an env that Gymnasium accepts ${noGymnasium}`, async () => {
    const bridge = kept(await openBridge({ mode: 'lockstep' }, new SimpleRobot({ maxEpisodeSteps: 12 })))
    expect(await runSession('env', bridge.server.endpoints.control)).toEqual({ keys: ['proprio'], steps: 12 })
  })
})
