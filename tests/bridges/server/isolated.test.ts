import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { Authorization } from '../../../bridges/zmq/authorization.ts'
import { authorizeKey, createKeyFile } from '../../../bridges/zmq/keys.ts'
import { flood } from '../../../src/bench/bridge/attacks.ts'
import type { TestBridge } from '../helpers.ts'
import { openActive, openBridge, until } from '../helpers.ts'
import { clock } from '../simple-robot.ts'

let bridge: TestBridge | undefined
afterEach(async () => {
  await bridge?.close()
  bridge = undefined
})

describe('a robot whose sockets have a thread of their own', () => {
  it('is driven, and counts what is not looked at', async () => {
    bridge = await openBridge({ isolated: true })
    const { server, robot } = bridge
    const client = await openActive(bridge)
    for (let k = 0; k < 20; k++) {
      const { observationSeq } = await client.nextObservation()
      client.act(Float32Array.of((k % 100) / 128, 0), { observationSeq })
    }
    expect(await until(() => robot.applied.length > 10)).toBe(true)
    await flood(server.endpoints, 10, 100)
    expect(await until(() => server.counters['messages_turned_away']! > 0)).toBe(true)
    await client.stop()
    expect(server.state).toBe('READY')
    expect(await until(() => robot.stops.includes('hold'))).toBe(true)
    expect(server.counters['observations_sent']).toBeGreaterThan(10)
  })

  it('asks for keys, and knows who is who', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'armature-keys-'))
    try {
      const [keys, known, stranger] = await Promise.all(
        ['robot', 'known', 'stranger'].map((name) => createKeyFile(join(folder, name), name)),
      )
      const list = join(folder, 'list.json')
      await authorizeKey(list, { publicKey: known!.publicKey, name: 'known', role: 'controller' })
      const authorization = await Authorization.open(list, () => 0)
      bridge = await openBridge({ isolated: true, security: { keys: keys!, authorization } })
      const connect = (own: typeof keys): Promise<PolicyClient> =>
        bridge!.connect({
          security: { keys: own!, robotKey: keys!.publicKey },
          timeoutMs: own === known ? 20_000 : 1500,
        })
      const client = await connect(known)
      await client.lease()
      await expect(connect(stranger)).rejects.toThrow(/no robot/)
      expect(bridge.events.some(({ text }) => text.includes('unknown key'))).toBe(true)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('lets go of its addresses, and says which it cannot have', async () => {
    bridge = await openBridge({ isolated: true })
    const { endpoints } = bridge.server
    const { control } = endpoints
    await expect(openBridgeAt(control)).rejects.toThrow(/cannot listen.*Address already in use/)
    await bridge.close()
    // All four: another program may have got the port beside it meanwhile.
    bridge = await openBridge({ isolated: true, endpoint: endpoints })
    expect(bridge.server.endpoints.control).toBe(control)
  })

  it('gives its thread back when it is closed: to end one corrupts the memory of the process now and then', async () => {
    const started: Worker[] = []
    const ended: Worker[] = []
    const onWorker = (worker: Worker): void => {
      started.push(worker)
      worker.once('exit', () => ended.push(worker))
    }
    process.on('worker', onWorker)
    for (let k = 0; k < 3; k++) {
      bridge = await openBridge({ isolated: true })
      const client = await openActive(bridge)
      await client.nextObservation()
      await bridge.close()
    }
    process.off('worker', onWorker)
    // One of a test before may have been there already.
    expect(started.length).toBeLessThanOrEqual(1)
    expect(ended).toEqual([])
    const [first, second] = [await openBridge({ isolated: true }), await openBridge({ isolated: true })]
    bridge = first
    await Promise.all([openActive(first), openActive(second)])
    await second.close()
    expect(first.server.state).toBe('ACTIVE')
  })

  it('ends with its process, with the exit code of that, and leaves no files', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'exiting-'))
    const env = { ...process.env, TMPDIR: folder }
    const script = fileURLToPath(new URL('exiting-process.ts', import.meta.url))
    const run = new Promise<{ code: unknown; stderr: string }>((resolve) => {
      const args = ['--import', fileURLToPath(import.meta.resolve('tsx')), script]
      execFile(process.execPath, args, { env }, (error, _, stderr) => resolve({ code: error?.code ?? 0, stderr }))
    })
    expect(await run).toEqual({ code: 3, stderr: '' })
    expect((await readdir(folder)).filter((name) => name.startsWith('armature-'))).toEqual([])
    await rm(folder, { recursive: true })
  })
})

async function openBridgeAt(endpoint: string): Promise<void> {
  const { RobotServer } = await import('../../../bridges/server/robot-server.ts')
  const { SimpleRobot } = await import('../simple-robot.ts')
  const server = new RobotServer({ robot: new SimpleRobot(), clock, endpoint })
  try {
    await server.start()
  } finally {
    await server.close()
  }
}
