import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createKeyFile } from '../../../bridges/zmq/keys.ts'
import { runPeer, whyNoPython } from './python.ts'

const reason = whyNoPython('zmq', 'msgpack', 'numpy')

describe.skipIf(reason !== '')(`keys in Python ${reason}`, () => {
  it('are read from the files of keygen, and from no others', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'armature-keys-'))
    try {
      const path = (name: string): string => join(folder, name)
      const { publicKey, secretKey } = await createKeyFile(path('camera.key'), 'camera')
      await writeFile(path('open.key'), await readFile(path('camera.key')))
      await chmod(path('open.key'), 0o644)
      await writeFile(path('bad.json'), JSON.stringify({ keys: [{ publicKey, name: 'x', role: 'king' }] }))
      await chmod(path('bad.json'), 0o600)
      const files = ['camera.key', 'open.key', 'bad.json', 'none.json'].map(path)
      expect(JSON.parse(runPeer('keys', undefined, ...files).toString())).toEqual([
        [publicKey, secretKey, null],
        expect.stringContaining('FILE can be read by others: run "chmod 600 FILE"'),
        expect.stringContaining('FILE is no key file'),
        expect.stringContaining('No such file'),
      ])
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
