import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readAuthorizedKeys, readKeyFile } from '../../bridges/zmq/keys.ts'
import { authorize } from '../../src/cli/authorize.ts'
import { createContext } from '../../src/cli/context.ts'
import { keygen } from '../../src/cli/keygen.ts'

let folder: string
const context = createContext([], { quiet: true }, new AbortController().signal)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'armature-keygen-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('makes a key and lets it in, by itself or by its file', async () => {
  const file = join(folder, 'authorized_keys.json')
  const { path, publicKey } = await keygen(context, 'laptop', { out: folder })
  expect((await readKeyFile(path)).publicKey).toBe(publicKey)
  await authorize(context, path, { role: 'observer', file })
  expect(await readAuthorizedKeys(file)).toEqual([{ publicKey, name: 'laptop', role: 'observer' }])
  await authorize(context, publicKey, { role: 'controller', name: 'desk', expires: '2027-01-31', file })
  const expires = '2027-01-31T00:00:00.000Z'
  expect(await readAuthorizedKeys(file)).toEqual([{ publicKey, name: 'desk', role: 'controller', expires }])
})

it('refuses names and times that are none, and never overwrites a key', async () => {
  const file = join(folder, 'authorized_keys.json')
  await expect(keygen(context, '../laptop', { out: folder })).rejects.toMatchObject({ code: 'bad-argument' })
  const { path, publicKey } = await keygen(context, 'laptop', { out: folder })
  await expect(keygen(context, 'laptop', { out: folder })).rejects.toMatchObject({ code: 'bad-argument' })
  expect((await readKeyFile(path)).publicKey).toBe(publicKey)
  await expect(authorize(context, publicKey, { role: 'observer', file })).rejects.toThrow(/--name/)
  await expect(authorize(context, path, { role: 'observer', expires: 'soon', file })).rejects.toThrow(/--expires/)
  await expect(readAuthorizedKeys(file)).rejects.toMatchObject({ code: 'not-found' })
})
