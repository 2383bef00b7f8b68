import { spawn } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lockFolder } from '../../src/io/lock.ts'
import { failure, temporaryFolder } from './helpers.ts'

const folder = temporaryFolder()

async function newFolder(name: string): Promise<string> {
  const path = folder.path(name)
  await mkdir(path)
  return path
}

describe('the lock of a folder', () => {
  it('keeps others out until it is given free', async () => {
    const path = await newFolder('kept')
    const unlock = await lockFolder(path)
    const error = await failure('run-exists', () => lockFolder(path))
    expect(error.message).toContain(`${path} is being written by process ${process.pid}`)
    await unlock()
    expect(await readdir(path)).toEqual([])
    await (
      await lockFolder(path)
    )()
  })

  it('of a process that runs counts, that of one which is gone does not', async () => {
    const path = await newFolder('left')
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    await writeFile(join(path, '.lock'), String(child.pid))
    await failure('run-exists', () => lockFolder(path))
    const gone = new Promise((resolve) => {
      child.on('exit', resolve)
    })
    child.kill('SIGKILL')
    await gone
    await (
      await lockFolder(path)
    )()
    await writeFile(join(path, '.lock'), 'cut of')
    await (
      await lockFolder(path)
    )()
  })

  it('says so where it cannot be written', async () => {
    await failure('unwritable', () => lockFolder(folder.path('nowhere')))
  })
})
