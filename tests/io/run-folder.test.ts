import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRunFolder, openRunFolder } from '../../src/io/run-folder.ts'
import { failure, temporaryFolder } from './helpers.ts'

const folder = temporaryFolder()
const run = { config: { agent: { gamma: 0.99 } }, seed: 7, command: ['train', 'rig-push', '--seed', '7'] }

describe('run folder', () => {
  it('is created with its layout and everything needed to run again', async () => {
    const path = folder.path('deep/er/run')
    const created = await createRunFolder(path, run)
    expect((await readdir(path)).toSorted()).toEqual(['checkpoints', 'config.json', 'eval', 'videos'])
    const record = JSON.parse(await readFile(join(path, 'config.json'), 'utf8')) as Record<string, unknown>
    const own = JSON.parse(await readFile('package.json', 'utf8')) as {
      version: string
      dependencies: object
      optionalDependencies: object
    }
    expect(record).toMatchObject({
      ...run,
      versions: {
        armature: own.version,
        node: process.versions.node,
        'onnxruntime-node': (own.optionalDependencies as Record<string, string>)['onnxruntime-node'],
        '@dimforge/rapier3d-compat': (own.dependencies as Record<string, string>)['@dimforge/rapier3d-compat'],
      },
    })
    expect(await openRunFolder(path)).toEqual(created)
    expect(created.checkpoints).toBe(join(path, 'checkpoints'))
  })

  it('may be an existing empty folder, never one that holds something', async () => {
    const path = folder.path('used')
    await mkdir(path)
    await createRunFolder(path, run)
    const error = await failure('run-exists', () => createRunFolder(path, { ...run, seed: 8 }))
    expect(error.message).toContain('use --resume or another --out')
    expect((await openRunFolder(path)).record.seed).toBe(7)
  })

  it('says so where it cannot be written', async () => {
    const file = folder.path('file')
    await writeFile(file, '')
    await failure('unwritable', () => createRunFolder(file, run))
    await failure('unwritable', () => createRunFolder(join(file, 'below'), run))
  })

  it.skipIf(process.getuid?.() === 0)('says so where permissions forbid it', async () => {
    const path = folder.path('read-only')
    await mkdir(path, { mode: 0o555 })
    await failure('unwritable', () => createRunFolder(join(path, 'run'), run))
    await chmod(path, 0o755)
  })

  it('refuses a configuration that would not read back', async () => {
    const path = folder.path('not-json')
    const error = await failure('bad-value', () => createRunFolder(path, { ...run, config: { lr: [1, NaN] } }))
    expect(error.message).toContain('config.json.config.lr[1]')
    await expect(readdir(path)).rejects.toThrow('ENOENT')
  })

  it('tells a folder that is no run from one whose record is damaged', async () => {
    const path = folder.path('other')
    await mkdir(path)
    expect((await failure('not-found', () => openRunFolder(path))).message).toContain('not a run folder')
    await writeFile(join(path, 'config.json'), '{"seed": 1')
    await failure('corrupt-file', () => openRunFolder(path))
    await writeFile(join(path, 'config.json'), '{"seed": 1}')
    await failure('corrupt-file', () => openRunFolder(path))
  })
})
