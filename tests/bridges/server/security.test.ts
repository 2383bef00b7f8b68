import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { curveKeyPair, Dealer } from 'zeromq'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeMessage } from '../../../bridges/protocol/codec.ts'
import type { HelloMessage } from '../../../bridges/protocol/messages.ts'
import { Authorization } from '../../../bridges/zmq/authorization.ts'
import type { KeyPair, Role } from '../../../bridges/zmq/keys.ts'
import { authorizeKey } from '../../../bridges/zmq/keys.ts'
import { proveKey } from '../../../bridges/zmq/key-proof.ts'
import { isLoopback } from '../../../bridges/zmq/sockets.ts'
import type { TestBridge } from '../helpers.ts'
import { openBridge, until, wait } from '../helpers.ts'

let bridge: TestBridge | undefined
let folder: string
const raw: Dealer[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'armature-security-'))
})

afterEach(async () => {
  for (const socket of raw.splice(0)) socket.close()
  await bridge?.close()
  bridge = undefined
  rmSync(folder, { recursive: true, force: true })
})

const robotKeys: KeyPair = { name: 'robot', ...curveKeyPair() }
const HOUR_MS = 3_600_000
let nowMs = Date.parse('2026-06-01T00:00:00Z')

function newKeys(name: string): KeyPair {
  return { name, ...curveKeyPair() }
}

async function openSecure(): Promise<{
  bridge: TestBridge
  readonly allow: (keys: KeyPair, role: Role, expires?: string) => Promise<void>
}> {
  const path = join(folder, 'authorized_keys.json')
  const allow = async (keys: KeyPair, role: Role, expires?: string): Promise<void> => {
    await authorizeKey(path, { publicKey: keys.publicKey, name: keys.name, role, ...(expires ? { expires } : {}) })
    await authorization?.reload()
  }
  let authorization: Authorization | undefined
  await allow(newKeys('nobody'), 'observer')
  authorization = await Authorization.open(path, () => nowMs)
  bridge = await openBridge({ security: { keys: robotKeys, authorization } })
  return { bridge, allow }
}

const securityOf = (keys: KeyPair): { keys: KeyPair; robotKey: string } => ({ keys, robotKey: robotKeys.publicKey })

function hello(fields: Partial<HelloMessage> = {}): Buffer {
  return encodeMessage({
    kind: 'hello',
    session: '',
    seq: 1,
    timeUs: 1,
    epoch: 0,
    name: 'raw',
    software: 'test',
    role: 'controller',
    protocols: ['1.0'],
    arrayCodecs: ['openpi'],
    ...fields,
  })
}

async function sendRaw(bytes: Buffer, keys?: KeyPair, routingId = 'raw client'): Promise<void> {
  const curve = keys && {
    curveServerKey: robotKeys.publicKey,
    curvePublicKey: keys.publicKey,
    curveSecretKey: keys.secretKey,
  }
  const socket = new Dealer({ linger: 0, routingId, ...curve })
  raw.push(socket)
  socket.connect(bridge!.server.endpoints.control)
  await socket.send(bytes)
}

describe('a robot with keys', () => {
  it('lets a known key in, in its role', async () => {
    const { allow } = await openSecure()
    const keys = newKeys('laptop')
    await allow(keys, 'controller')
    const client = await bridge!.connect({ security: securityOf(keys) })
    await client.lease()
    await client.arm()
    await client.start()
    expect(bridge!.server.state).toBe('ACTIVE')
    expect(client.welcome.insecure).toBe(false)
  })

  it('refuses no key, an unknown one and an expired one before anything is decoded', async () => {
    const { allow } = await openSecure()
    const expired = newKeys('expired')
    await allow(expired, 'controller', new Date(nowMs - HOUR_MS).toISOString())
    for (const security of [undefined, securityOf(newKeys('unknown')), securityOf(expired)]) {
      const options = { timeoutMs: 400, ...(security && { security }) }
      await expect(bridge!.connect(options)).rejects.toThrow(/no robot at/)
    }
    expect(bridge!.server.counters.control_rx).toBe(0)
    expect(bridge!.events.some(({ text }) => text.includes('127.0.0.1 was refused: unknown key'))).toBe(true)
    expect(bridge!.events.some(({ text }) => text.includes('expired expired at'))).toBe(true)
    expect(bridge!.events.filter(({ event }) => event === 'security').length).toBeGreaterThanOrEqual(2)
  })

  it("refuses an observer's key in the controller's role, and its actions", async () => {
    const { allow } = await openSecure()
    const keys = newKeys('camera')
    await allow(keys, 'observer')
    await expect(bridge!.connect({ security: securityOf(keys) })).rejects.toThrow(
      /role_forbidden.*for the role observer/,
    )
    expect(bridge!.events.some(({ event, code }) => event === 'security' && code === 'role_forbidden')).toBe(true)
    const observer = await bridge!.connect({ security: securityOf(keys), role: 'observer' })
    await expect(observer.lease()).rejects.toThrow(/role_forbidden/)
    observer.act(Float32Array.of(1, 1), { observationSeq: 1 })
    expect(await until(() => bridge!.server.counters.actions_rejected_role_forbidden === 1)).toBe(true)
  })

  it("refuses a hello with somebody else's key", async () => {
    const { allow } = await openSecure()
    const observer = newKeys('camera')
    const controller = newKeys('laptop')
    await allow(observer, 'observer')
    await allow(controller, 'controller')
    const { publicKey } = controller
    const forged = proveKey(observer.secretKey, robotKeys.publicKey, Buffer.from('raw client'))
    await sendRaw(hello({ publicKey, keyProof: forged }), observer)
    expect(await until(() => bridge!.events.some(({ text }) => text.includes('does not hold the key')))).toBe(true)
    // A proof that was made for another connection.
    const stolen = proveKey(controller.secretKey, robotKeys.publicKey, Buffer.from('other client'))
    await sendRaw(hello({ publicKey, keyProof: stolen, seq: 2 }), observer, 'second client')
    await sendRaw(hello({ seq: 3 }), observer, 'third client')
    expect(await until(() => bridge!.events.filter(({ code }) => code === 'unauthorized').length >= 3)).toBe(true)
    expect(bridge!.server.peerCount).toBe(0)
  })

  it('shuts out a client whose key expires while it drives', async () => {
    const { allow } = await openSecure()
    const keys = newKeys('laptop')
    await allow(keys, 'controller', new Date(nowMs + HOUR_MS).toISOString())
    const client = await bridge!.connect({ security: securityOf(keys) })
    await client.lease()
    await client.arm()
    await client.start()
    nowMs += 2 * HOUR_MS
    expect(await until(() => bridge!.events.some(({ text }) => text.includes('laptop was shut out')))).toBe(true)
    expect(bridge!.server.state).toBe('SAFE_STOP')
    expect(bridge!.server.peerCount).toBe(0)
  })
})

describe('a robot without keys', () => {
  it('refuses to listen where others could reach it, unless told that they may', async () => {
    await expect(openBridge({ endpoint: 'tcp://0.0.0.0:*' })).rejects.toThrow(/keys.*keygen/)
    expect(['tcp://127.0.0.1:5', 'tcp://[::1]:5', 'tcp://localhost:5', 'ipc:///tmp/x'].every(isLoopback)).toBe(true)
    expect(['tcp://*:5', 'tcp://0.0.0.0:5', 'tcp://127.0.0.1.evil.org:5', 'tcp://10.0.0.1:5'].some(isLoopback)).toBe(
      false,
    )
  })

  it('refuses another protocol version and another schema, and says why', async () => {
    bridge = await openBridge()
    await sendRaw(hello({ protocols: ['2.0'] }))
    expect(await until(() => bridge!.events.some(({ code }) => code === 'version_unsupported'))).toBe(true)
    await sendRaw(Buffer.from('rb0h\x80'), undefined, 'old client')
    expect(await until(() => bridge!.events.filter(({ code }) => code === 'version_unsupported').length === 2)).toBe(
      true,
    )
    await expect(bridge.connect({ observationDigest: 'f'.repeat(64) })).rejects.toThrow(
      /schema_mismatch.*observationDigest/,
    )
    const accepting = bridge.connect({ observationDigest: 'f'.repeat(64), acceptMismatch: true })
    await expect(accepting).rejects.toThrow(/schema_mismatch/)
    expect(bridge.server.peerCount).toBe(0)
  })

  it('decodes nothing but hello from those it does not know, and survives garbage', async () => {
    bridge = await openBridge()
    const ping = encodeMessage({ kind: 'ping', session: '', seq: 1, timeUs: 1, epoch: 0, t1Us: 1 })
    const bomb = Buffer.concat([Buffer.from('rb1h'), Buffer.from('dd01ffffff'.repeat(10), 'hex')])
    for (const bytes of [ping, Buffer.alloc(0), Buffer.from('GET / HTTP/1.1'), bomb])
      await sendRaw(bytes, undefined, `g${bytes.length}`)
    expect(await until(() => bridge!.server.counters.control_rx === 4)).toBe(true)
    const codes = new Set(bridge.events.map(({ code }) => code))
    expect(codes).toContain('unauthorized')
    expect(codes).toContain('decode_limit')
    const client = await bridge.connect()
    await client.lease()
    await wait(50)
    expect(client.state).toBe('READY')
  })

  it('serves no more clients than it may', async () => {
    bridge = await openBridge({ maxPeers: 2 })
    await bridge.connect({ role: 'observer' })
    await bridge.connect({ role: 'observer' })
    await expect(bridge.connect({ role: 'observer' })).rejects.toThrow(/busy.*2 observers/)
  })
})
