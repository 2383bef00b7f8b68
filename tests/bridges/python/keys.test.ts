import { chmod, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Dealer } from 'zeromq'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ObservedMessage } from '../../../bridges/client/observer-client.ts'
import { ObserverClient } from '../../../bridges/client/observer-client.ts'
import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { decodeMessage, encodeMessage } from '../../../bridges/protocol/codec.ts'
import type { KeyPair } from '../../../bridges/zmq/keys.ts'
import { authorizeKey, createKeyFile } from '../../../bridges/zmq/keys.ts'
import { proveKey } from '../../../bridges/zmq/key-proof.ts'
import { until } from '../helpers.ts'
import { clock } from '../simple-robot.ts'
import { runPeer, runSession, startMockArm, whyNoPython } from './python.ts'

const reason = whyNoPython('zmq', 'msgpack', 'numpy')
const NAMES = ['robot', 'driver', 'camera', 'boss', 'stranger', 'expired'] as const
type Name = (typeof NAMES)[number]

describe.skipIf(reason !== '')(`a robot in Python with keys ${reason}`, { timeout: 60_000 }, () => {
  const closing: (() => Promise<void>)[] = []
  let folder: string
  let list: string
  let keys: Record<Name, KeyPair>
  let arm: Awaited<ReturnType<typeof startMockArm>>

  function kept<T extends { close(): Promise<void> }>(thing: T): T {
    closing.push(() => thing.close())
    return thing
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'armature-keys-'))
    list = join(folder, 'authorized_keys.json')
    const pairs = NAMES.map(async (name) => [name, await createKeyFile(join(folder, `${name}.key`), name)])
    keys = Object.fromEntries(await Promise.all(pairs)) as Record<Name, KeyPair>
    for (const [name, role] of [
      ['driver', 'controller'],
      ['camera', 'observer'],
      ['boss', 'operator'],
    ] as const)
      await authorizeKey(list, { publicKey: keys[name].publicKey, name, role })
    const { publicKey } = keys.expired
    await authorizeKey(list, { publicKey, name: 'expired', role: 'operator', expires: '2020-01-01T00:00:00.000Z' })
    arm = await startMockArm('--key', join(folder, 'robot.key'), '--authorized', list)
  })

  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close()
  })

  afterAll(async () => {
    await arm.close()
    await rm(folder, { recursive: true })
  })

  const securityOf = (name: Name): { keys: KeyPair; robotKey: string } => ({
    keys: keys[name],
    robotKey: keys.robot.publicKey,
  })

  async function connect(name: Name, role: 'controller' | 'observer' | 'operator'): Promise<PolicyClient> {
    const security = securityOf(name)
    return kept(await PolicyClient.connect({ endpoint: arm.address, clock, security, role, timeoutMs: 1500 }))
  }

  async function listen(): Promise<ObservedMessage[]> {
    const heard: ObservedMessage[] = []
    const onMessage = (message: ObservedMessage): unknown => heard.push(message)
    kept(await ObserverClient.connect({ endpoint: arm.address, clock, security: securityOf('camera'), onMessage }))
    expect(await until(() => heard.some(({ kind }) => kind === 'metrics'))).toBe(true)
    return heard
  }

  const isTold = (heard: readonly ObservedMessage[], text: string): Promise<boolean> =>
    until(() => heard.some((m) => m.kind === 'event' && m.event === 'security' && m.text.includes(text)))

  it('is driven by clients in TypeScript and in Python, each with its key', async () => {
    const client = await connect('driver', 'controller')
    expect(client.welcome.insecure).toBe(false)
    await client.lease()
    await client.arm()
    await client.reset()
    await client.start()
    for await (const observation of client.observations()) {
      if (observation.applied?.action[0] === 0.25) break
      client.act(Float32Array.of(0.25, -0.5), { observationSeq: observation.observationSeq })
    }
    await client.stop()
    await client.close()
    const parts = [keys.driver.publicKey, keys.driver.secretKey, keys.robot.publicKey]
    expect(await runSession('drive', arm.address, parts)).toMatchObject({ applied: [0.25, -0.5] })
  })

  it('refuses no key, an unknown and an expired one, and says so', async () => {
    const heard = await listen()
    await expect(PolicyClient.connect({ endpoint: arm.address, clock, timeoutMs: 400 })).rejects.toThrow(/no robot at/)
    await expect(connect('stranger', 'observer')).rejects.toThrow(/no robot at/)
    await expect(connect('expired', 'observer')).rejects.toThrow(/no robot at/)
    expect(await isTold(heard, '127.0.0.1 was refused: unknown key')).toBe(true)
    expect(await isTold(heard, 'the key of expired has expired')).toBe(true)
  })

  it("refuses an observer's key in the controller's role, and everything beyond its own", async () => {
    const heard = await listen()
    await expect(connect('camera', 'controller')).rejects.toThrow(/role_forbidden.*camera is for the role observer/)
    expect(await isTold(heard, 'the key of camera is for the role observer, not controller')).toBe(true)
    const observer = await connect('camera', 'observer')
    await expect(observer.lease()).rejects.toThrow(/role_forbidden/)
    const driver = await connect('driver', 'controller')
    await expect(driver.clear()).rejects.toThrow(/role_forbidden/)
    const operator = await connect('boss', 'operator')
    await expect(operator.clear()).rejects.toThrow(/nothing to clear/)
  })

  it("takes no message of a connection for another one's, whatever it says and proves", async () => {
    const { publicKey } = keys.driver
    const options = {
      curveServerKey: keys.robot.publicKey,
      curvePublicKey: keys.camera.publicKey,
      curveSecretKey: keys.camera.secretKey,
      routingId: 'camera as driver',
      receiveTimeout: 3000,
      linger: 0,
    }
    const socket = new Dealer(options)
    kept({ close: () => Promise.resolve(socket.close()) })
    socket.connect(arm.address)
    const header = { session: '', seq: 1, timeUs: 1, epoch: 0, name: 'raw', software: 'test' } as const
    const who = { role: 'observer', protocols: ['1.0'], arrayCodecs: ['openpi'] } as const
    const keyProof = proveKey(keys.driver.secretKey, keys.robot.publicKey, Buffer.from(options.routingId))
    await socket.send(encodeMessage({ kind: 'hello', ...header, ...who, publicKey, keyProof }))
    expect(decodeMessage((await socket.receive())[0]!)).toMatchObject({ kind: 'error', code: 'unauthorized' })
    // The session of somebody else, on a connection with another key.
    const driver = await connect('driver', 'controller')
    await driver.lease()
    const session = driver.welcome.session
    await socket.send(encodeMessage({ kind: 'command', ...header, session, seq: 2, command: 'arm' }))
    expect(decodeMessage((await socket.receive())[0]!)).toMatchObject({ kind: 'error', code: 'unauthorized' })
    expect(driver.armed).toBe(false)
  })

  it('stops and shuts out a client whose key is taken from the list, and keeps a list that it cannot read', async () => {
    const heard = await listen()
    const client = await connect('driver', 'controller')
    await client.lease()
    await client.arm()
    await client.reset()
    await client.start()
    const drive = setInterval(() => {
      try {
        client.act(Float32Array.of(0, 0), { observationSeq: 1 })
      } catch {
        clearInterval(drive) // shut out
      }
    }, 20)
    closing.push(() => Promise.resolve(clearInterval(drive)))
    const before = await readFile(list, 'utf8')
    const replace = async (text: string): Promise<void> => {
      await writeFile(`${list}.new`, text)
      await rename(`${list}.new`, list)
    }
    await replace('{"keys": [{}]}')
    expect(await isTold(heard, 'the list of keys cannot be read, and stays as it was')).toBe(true)
    expect(client.state).toBe('ACTIVE')
    const { keys: entries } = JSON.parse(before) as { keys: { name: string }[] }
    await replace(JSON.stringify({ keys: entries.filter(({ name }) => name !== 'driver') }))
    expect(await isTold(heard, 'driver was shut out: unknown key')).toBe(true)
    const isStopped = (m: ObservedMessage): boolean => m.kind === 'event' && m.toState === 'SAFE_STOP'
    expect(await until(() => heard.some(isStopped))).toBe(true)
    await (await connect('boss', 'operator')).clear()
  })

  it('reads the files of keygen and authorize, and refuses others', async () => {
    const files = { open: 'open.key', list: 'bad.json', naive: 'naive.json' }
    const path = (name: string): string => join(folder, name)
    await writeFile(path(files.open), await readFile(path('camera.key')))
    await chmod(path(files.open), 0o644)
    const { publicKey } = keys.camera
    await writeFile(path(files.list), JSON.stringify({ keys: [{ publicKey, name: 'x', role: 'king' }] }))
    const naive = { publicKey, name: 'x', role: 'observer', expires: '2030-01-01T00:00:00' }
    await writeFile(path(files.naive), JSON.stringify({ keys: [naive] }))
    const questions = [
      `key=${path('camera.key')}`,
      `key=${path(files.open)}`,
      `key=${path(files.list)}`,
      ...[files.list, files.naive, 'none.json'].map((name) => `list=${path(name)}`),
    ]
    await chmod(path(files.list), 0o600)
    expect(JSON.parse(runPeer('keys', undefined, ...questions).toString())).toEqual([
      [keys.camera.publicKey, keys.camera.secretKey, null],
      expect.stringContaining('FILE can be read by others: run "chmod 600 FILE"'),
      expect.stringContaining('FILE is no key file'),
      expect.stringContaining('FILE is no list of authorized keys: an entry has'),
      expect.stringContaining('FILE is no list of authorized keys: an entry has'),
      expect.stringContaining('No such file'),
    ])
  })
})

describe.skipIf(reason !== '')(`a robot in Python without keys ${reason}`, { timeout: 60_000 }, () => {
  it('does not listen where others could reach it', () => {
    const open = ['tcp://*:*', 'tcp://0.0.0.0:*', 'tcp://127.0.0.1.evil.org:*', 'tcp://10.0.0.1:5', 'tcp://[::]:5']
    const addresses = ['tcp://127.0.0.1:*', ...open, 'tcp://127.0.0.2:*']
    expect(JSON.parse(runPeer('reachable', undefined, ...addresses).toString())).toEqual(open)
  })

  it('stops when its driver fails', () => {
    expect(JSON.parse(runPeer('broken').toString())).toEqual({
      // One step of 0.25 and of 0.125 rad from where the arm is: a at -0.5 and b at 0.5.
      applied: [-0.25, 0.625],
      '': ['READY', true, false, null],
      reset: ['SAFE_STOP', false, true, 'internal'],
      read: ['SAFE_STOP', false, true, null],
      apply: ['SAFE_STOP', false, true, null],
      stop: ['SAFE_STOP', false, true, 'internal'],
      sensor: ['SAFE_STOP', false, true, null],
    })
  })
})
