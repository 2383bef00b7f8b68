import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { hashFolder } from '../../src/io/folder-hash.ts'

const root = mkdtempSync(join(tmpdir(), 'armature-hash-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

function folder(name: string, files: Readonly<Record<string, string>>): string {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(root, name, file, '..'), { recursive: true })
    writeFileSync(join(root, name, file), text)
  }
  return join(root, name)
}

test('depends on names and bytes, not on where the folder lies or in what order it was written', async () => {
  const a = folder('a', { 'x.txt': 'one', 'in/y.txt': 'two' })
  const hash = await hashFolder(a)
  expect(hash).toMatch(/^[0-9a-f]{64}$/)
  expect(await hashFolder(folder('b', { 'in/y.txt': 'two', 'x.txt': 'one' }))).toBe(hash)
  expect(await hashFolder(folder('c', { 'x.txt': 'one', 'in/y.txt': 'twO' }))).not.toBe(hash)
  expect(await hashFolder(folder('d', { 'x.txt': 'onetwo', 'in/y.txt': '' }))).not.toBe(hash)
  renameSync(join(a, 'x.txt'), join(a, 'z.txt'))
  expect(await hashFolder(`${a}/`)).not.toBe(hash)
  await expect(hashFolder(join(root, 'none'))).rejects.toMatchObject({ code: 'not-found' })
})
