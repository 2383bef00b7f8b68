import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { removeFolderAtomic, removeLeftovers, writeFileAtomic, writeFolderAtomic } from '../../src/io/atomic.ts'
import { failure, temporaryFolder } from './helpers.ts'

const folder = temporaryFolder()

describe('writeFileAtomic', () => {
  it('writes text, bytes and pieces, and leaves no temporary file', async () => {
    const home = folder.path('files')
    await mkdir(home)
    await writeFileAtomic(join(home, 'text'), 'höhe')
    await writeFileAtomic(join(home, 'bytes'), Uint8Array.of(1, 2))
    await writeFileAtomic(join(home, 'pieces'), [Uint8Array.of(3), new Uint8Array(0), Uint8Array.of(4, 5)])
    expect(await readFile(join(home, 'text'), 'utf8')).toBe('höhe')
    expect([...(await readFile(join(home, 'bytes')))]).toEqual([1, 2])
    expect([...(await readFile(join(home, 'pieces')))]).toEqual([3, 4, 5])
    expect((await readdir(home)).toSorted()).toEqual(['bytes', 'pieces', 'text'])
  })

  it('replaces the old content', async () => {
    const file = folder.path('replaced')
    await writeFileAtomic(file, 'a long first version')
    await writeFileAtomic(file, 'second')
    expect(await readFile(file, 'utf8')).toBe('second')
  })

  it('says why it cannot write', async () => {
    const file = folder.path('plain-file')
    await writeFile(file, '')
    const error = await failure('unwritable', () => writeFileAtomic(join(file, 'below'), 'x'))
    expect(error.message).toContain(join(file, 'below'))
    expect(error.message).toContain('ENOTDIR')
  })
})

describe('writeFolderAtomic', () => {
  it('writes nested files and replaces the whole of an older folder', async () => {
    const home = folder.path('folders')
    await mkdir(home)
    await writeFolderAtomic(join(home, 'a'), { 'old.txt': 'old', 'deep/er/x.txt': '1' })
    await writeFolderAtomic(join(home, 'a'), { 'deep/y.txt': '2' })
    expect(await readdir(home)).toEqual(['a'])
    expect((await readdir(join(home, 'a'), { recursive: true })).toSorted()).toEqual(['deep', join('deep', 'y.txt')])
  })

  it('keeps the older folder when writing the new one fails', async () => {
    const home = folder.path('kept')
    await mkdir(home)
    await writeFolderAtomic(join(home, 'a'), { x: 'old' })
    // A file cannot also be a folder.
    await failure('unwritable', () => writeFolderAtomic(join(home, 'a'), { x: 'new', 'x/y': 'new' }))
    expect(await readFile(join(home, 'a', 'x'), 'utf8')).toBe('old')
    expect(await readdir(home)).toEqual(['a'])
  })

  it('clears what interrupted writes left, and nothing else', async () => {
    const home = folder.path('leftovers')
    await mkdir(join(home, '.tmp-123-step', 'inner'), { recursive: true })
    await writeFile(join(home, '.tmp-123-file'), 'x')
    await writeFile(join(home, 'kept'), 'x')
    await removeLeftovers(home)
    expect(await readdir(home)).toEqual(['kept'])
  })

  it('removes a folder', async () => {
    const home = folder.path('removed')
    await writeFolderAtomic(home, { 'a/b': 'x' })
    await removeFolderAtomic(home)
    await expect(readdir(home)).rejects.toThrow('ENOENT')
  })
})
