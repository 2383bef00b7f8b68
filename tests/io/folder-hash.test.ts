import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
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

test.skipIf(process.platform === 'win32')('links count as what they lead to', async () => {
  const files = { 'meta/info.json': 'one', 'data/chunk/y.parquet': 'two' }
  const real = folder('real', files)
  const hash = await hashFolder(real)
  const links = folder('links', {})
  mkdirSync(join(links, 'meta'), { recursive: true })
  symlinkSync(join(real, 'meta/info.json'), join(links, 'meta/info.json'))
  symlinkSync(join(real, 'data'), join(links, 'data'))
  expect(await hashFolder(links)).toBe(hash)
  writeFileSync(join(real, 'data/chunk/y.parquet'), 'twO')
  expect(await hashFolder(links)).not.toBe(hash)
  expect(await hashFolder(links)).toBe(await hashFolder(real))
})

test.skipIf(process.platform === 'win32')('what is not read is not followed, but counts', async () => {
  const path = folder('odd', { x: '1' })
  const before = await hashFolder(path)
  symlinkSync('/dev/zero', join(path, 'zero'))
  symlinkSync('.', join(path, 'loop'))
  symlinkSync('nowhere', join(path, 'broken'))
  execFileSync('mkfifo', [join(path, 'pipe')])
  const after = await hashFolder(path)
  expect(after).not.toBe(before)
  rmSync(join(path, 'broken'))
  symlinkSync('elsewhere', join(path, 'broken'))
  expect(await hashFolder(path)).not.toBe(after)
})
