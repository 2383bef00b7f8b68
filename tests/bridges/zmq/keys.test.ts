import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { curveKeyPair } from 'zeromq'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Authorization, covers } from '../../../bridges/zmq/authorization.ts'
import { isKeyProof, proveKey } from '../../../bridges/zmq/key-proof.ts'
import { authorizeKey, createKeyFile, readAuthorizedKeys, readKeyFile } from '../../../bridges/zmq/keys.ts'
import { decodeZ85, encodeZ85 } from '../../../bridges/zmq/z85.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'armature-keys-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('Z85', () => {
  it('is that of RFC 32', () => {
    const bytes = Buffer.from('864fd26fb559f75b', 'hex')
    expect(encodeZ85(bytes)).toBe('HelloWorld')
    expect(decodeZ85('HelloWorld')).toEqual(bytes)
    expect(encodeZ85(Buffer.alloc(4, 255))).toBe('%nSc0')
  })

  it('refuses what it cannot mean', () => {
    expect(() => encodeZ85(new Uint8Array(3))).toThrow(/multiple of 4/)
    for (const text of ['abc', 'a bcd', '#####', '%nSc1']) expect(() => decodeZ85(text)).toThrow(/Z85/)
  })
})

describe('key files', () => {
  it('are for their owner alone, and are never overwritten', async () => {
    const path = join(folder, 'robot.key')
    const pair = await createKeyFile(path, 'robot')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(await readKeyFile(path)).toEqual(pair)
    await expect(createKeyFile(path, 'robot')).rejects.toThrow(/exists/)
    expect(await readKeyFile(path)).toEqual(pair)
    expect(readdirSync(folder)).toEqual(['robot.key'])
  })

  it.each([0o640, 0o604, 0o620])('are refused when others may use them: 0%o', async (mode) => {
    const path = join(folder, 'robot.key')
    await createKeyFile(path, 'robot')
    chmodSync(path, mode)
    await expect(readKeyFile(path)).rejects.toThrow(/chmod 600/)
  })

  it('say what is wrong with them', async () => {
    const path = join(folder, 'robot.key')
    await expect(readKeyFile(path)).rejects.toMatchObject({ code: 'not-found' })
    writeFileSync(path, '{"name":"robot","publicKey":"short","secretKey":"short"}', { mode: 0o600 })
    await expect(readKeyFile(path)).rejects.toThrow(/publicKey: a public key has 40 characters/)
  })
})

describe('authorized keys', () => {
  const { publicKey } = curveKeyPair()

  it('are added and replaced, and a broken list is left alone', async () => {
    const path = join(folder, 'authorized_keys.json')
    await authorizeKey(path, { publicKey, name: 'laptop', role: 'observer' })
    await authorizeKey(path, { publicKey: curveKeyPair().publicKey, name: 'other', role: 'operator' })
    await authorizeKey(path, { publicKey, name: 'laptop', role: 'controller' })
    expect((await readAuthorizedKeys(path)).map(({ name, role }) => `${name} ${role}`)).toEqual([
      'other operator',
      'laptop controller',
    ])
    await expect(authorizeKey(path, { publicKey: 'nonsense', name: 'x', role: 'observer' })).rejects.toThrow(/40/)
    writeFileSync(path, '{"keys": [')
    await expect(authorizeKey(path, { publicKey, name: 'laptop', role: 'observer' })).rejects.toThrow(/no JSON/)
    expect(readFileSync(path, 'utf8')).toBe('{"keys": [')
  })

  it('expire, and count without a restart; a broken list changes nothing', async () => {
    const path = join(folder, 'authorized_keys.json')
    let now = Date.parse('2026-01-01T00:00:00Z')
    await authorizeKey(path, { publicKey, name: 'laptop', role: 'controller', expires: '2026-01-01T01:00:00Z' })
    const authorization = await Authorization.open(path, () => now)
    expect(authorization.admit(publicKey)).toMatchObject({ name: 'laptop', role: 'controller' })
    expect(authorization.admit(curveKeyPair().publicKey)).toBe('unknown key')
    now += 3_600_000
    expect(authorization.admit(publicKey)).toBe('the key of laptop expired at 2026-01-01T01:00:00Z')
    await authorizeKey(path, { publicKey, name: 'laptop', role: 'observer' })
    await authorization.reload()
    expect(authorization.admit(publicKey)).toMatchObject({ role: 'observer' })
    writeFileSync(path, 'nonsense')
    await expect(authorization.reload()).rejects.toThrow(/no JSON/)
    expect(authorization.admit(publicKey)).toMatchObject({ role: 'observer' })
  })

  it('cover the roles below them', () => {
    expect(covers('operator', 'controller')).toBe(true)
    expect(covers('controller', 'controller')).toBe(true)
    expect(covers('observer', 'controller')).toBe(false)
    expect(covers('controller', 'operator')).toBe(false)
  })
})

describe('key proof', () => {
  it('convinces the robot only, of this key and this routing id only', () => {
    const robot = curveKeyPair()
    const client = curveKeyPair()
    const thief = curveKeyPair()
    const id = Buffer.from('connection 1')
    const proof = proveKey(client.secretKey, robot.publicKey, id)
    expect(isKeyProof(proof, robot.secretKey, client.publicKey, id)).toBe(true)
    expect(isKeyProof(proof, robot.secretKey, client.publicKey, Buffer.from('connection 2'))).toBe(false)
    expect(isKeyProof(proof, robot.secretKey, thief.publicKey, id)).toBe(false)
    expect(isKeyProof(proof, curveKeyPair().secretKey, client.publicKey, id)).toBe(false)
    expect(isKeyProof(proveKey(thief.secretKey, robot.publicKey, id), robot.secretKey, client.publicKey, id)).toBe(
      false,
    )
    expect(isKeyProof('', robot.secretKey, client.publicKey, id)).toBe(false)
  })
})
