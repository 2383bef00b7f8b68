import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ndarray } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import type { CheckpointParts } from '../../src/io/checkpoints.ts'
import { CheckpointStore } from '../../src/io/checkpoints.ts'
import { built } from '../built.ts'
import { failure, temporaryFolder } from './helpers.ts'

const folder = temporaryFolder()

function partsOf(step: number): CheckpointParts {
  return {
    model: { 'actor.w': ndarray(Float32Array.of(step, 0.1), [2]) },
    trainingState: {
      replay: { frames: ndarray(Uint8Array.of(1, 2, 3), [3]) },
      agent: { 'adam.m': ndarray(Float64Array.of(step / 3), [1]), updates: ndarray(Int32Array.of(step), []) },
    },
    json: { rng: new Rng(step).state, counters: { step } },
  }
}

async function storeWith(name: string, steps: readonly number[], keep = 10): Promise<CheckpointStore> {
  const store = new CheckpointStore(folder.path(name), { keep, config: { seed: 1 } })
  for (const step of steps) await store.save(step, partsOf(step))
  return store
}

describe('checkpoint store', () => {
  it('gives back what was saved', async () => {
    const store = await storeWith('round', [100_000])
    expect(await readdir(store.folder)).toEqual(['step_000100000'])
    const files = await readdir(store.pathOf(100_000), { recursive: true })
    expect(files.toSorted()).toEqual([
      'checksums.json',
      'config.json',
      'model.safetensors',
      'training_state',
      ...['agent.safetensors', 'counters.json', 'replay.safetensors', 'rng.json'].map((f) => join('training_state', f)),
    ])
    expect(await store.latest()).toEqual({ step: 100_000, config: { seed: 1 }, ...partsOf(100_000) })
  })

  it('knows its steps, and which is the newest', async () => {
    const store = await storeWith('steps', [20, 3, 1_000_000_000])
    await mkdir(join(store.folder, 'notes'))
    expect(await store.steps()).toEqual([3, 20, 1_000_000_000])
    expect((await store.latest())!.step).toBe(1_000_000_000)
    expect((await store.load(3)).json).toEqual(partsOf(3).json)
    const error = await failure('not-found', () => store.load(4))
    expect(error.message).toContain('3, 20, 1000000000')
  })

  it('has nothing before the first save', async () => {
    const store = new CheckpointStore(folder.path('none'))
    expect(await store.latest()).toBeUndefined()
    await failure('not-found', () => store.load(1))
  })

  it('keeps the newest', async () => {
    expect(await (await storeWith('keep', [1, 2, 3, 4], 2)).steps()).toEqual([3, 4])
    await failure('bad-argument', () => new CheckpointStore('x', { keep: 0 }))
  })

  it('replaces a checkpoint of the same step, and keeps the one it just wrote', async () => {
    const store = await storeWith('again', [1, 2, 3], 2)
    await store.save(1, partsOf(9))
    expect(await store.steps()).toEqual([1, 2, 3])
    expect((await store.load(1)).model).toEqual(partsOf(9).model)
  })

  it('refuses what would not read back equal', async () => {
    const store = new CheckpointStore(folder.path('refuse'))
    const bad = (json: Record<string, unknown>): Promise<void> => store.save(1, { ...partsOf(1), json })
    expect((await failure('bad-value', () => bad({ a: { b: [0, NaN] } }))).message).toContain('a.json.b[1]')
    expect((await failure('bad-value', () => bad({ a: new Map() }))).message).toContain('a Map')
    expect((await failure('bad-value', () => bad({ a: new Float32Array(1) }))).message).toContain('a Float32Array')
    await failure('bad-argument', () => bad({ '../a': 1 }))
    await failure('bad-argument', () => store.save(1.5, partsOf(1)))
    expect(await store.steps()).toEqual([])
  })

  it('says so where it cannot write', async () => {
    const file = folder.path('occupied')
    await writeFile(file, '')
    await failure('unwritable', () => new CheckpointStore(file).save(1, partsOf(1)))
  })
})

describe('a damaged checkpoint', () => {
  const flip = async (path: string): Promise<void> => {
    const bytes = await readFile(path)
    const middle = bytes.length >> 1
    bytes[middle] = bytes[middle]! ^ 1
    await writeFile(path, bytes)
  }
  const damages: [string, (path: string) => Promise<void>, string][] = [
    ['one bit of the weights', (path) => flip(join(path, 'model.safetensors')), 'model.safetensors'],
    ['one bit of the replay', (path) => flip(join(path, 'training_state/replay.safetensors')), 'replay.safetensors'],
    ['a cut random state', (path) => truncate(join(path, 'training_state/rng.json'), 5), 'rng.json'],
    ['a missing file', (path) => rm(join(path, 'config.json')), 'config.json'],
    ['no checksums', (path) => rm(join(path, 'checksums.json')), 'checksums.json'],
    ['cut checksums', (path) => truncate(join(path, 'checksums.json'), 20), 'checksums.json'],
    ['checksums of another kind', (path) => writeFile(join(path, 'checksums.json'), '{}'), 'checksums.json'],
    ['another format', (path) => writeFile(join(path, 'checksums.json'), '{"format":1,"sha256":{}}'), 'format 2'],
  ]

  it.each(damages)('%s: is refused by name, with the way out', async (name, damage, what) => {
    const store = await storeWith(`damaged ${name}`, [1, 2])
    await damage(store.pathOf(2))
    const error = await failure('corrupt-file', () => store.latest())
    expect(error.message).toContain(store.pathOf(2))
    expect(error.message).toContain(what)
    expect(error.message).toContain(`step 1 is intact: delete the folder ${store.pathOf(2)}`)
    await rm(store.pathOf(2), { recursive: true })
    expect((await store.latest())!.step).toBe(1)
  })

  it('skips older ones that are damaged too', async () => {
    const store = await storeWith('damaged twice', [1, 2, 3])
    await flip(join(store.pathOf(3), 'model.safetensors'))
    await flip(join(store.pathOf(2), 'model.safetensors'))
    expect((await failure('corrupt-file', () => store.latest())).message).toContain('step 1 is intact')
    await flip(join(store.pathOf(1), 'model.safetensors'))
    expect((await failure('corrupt-file', () => store.latest())).message).toContain('no older checkpoint is intact')
  })

  it('does not matter to who needs the model alone, where the replay is what is damaged', async () => {
    const store = await storeWith('damaged replay', [2])
    await flip(join(store.pathOf(2), 'training_state/replay.safetensors'))
    expect(await store.latest('model')).toEqual({ step: 2, config: { seed: 1 }, ...partsOf(2), trainingState: {} })
    await failure('corrupt-file', () => store.latest())
  })
})

describe('a writer that is killed', () => {
  it('never leaves half a checkpoint, and the next one goes on', async () => {
    const path = folder.path('killed')
    const store = new CheckpointStore(path)
    const rng = new Rng(3)
    const script = built('save-until-killed.ts', import.meta.url)
    let step = 1
    for (let round = 0; round < 5; round++) {
      const child = spawn(process.execPath, [script, path, String(step)], { stdio: 'pipe' })
      await once(child.stdout, 'data')
      await setTimeout(rng.uniform(0, 60))
      child.kill('SIGKILL')
      await once(child, 'close')
      for (const saved of await store.steps()) {
        const { json, model, trainingState } = await store.load(saved)
        expect(json['counter']).toBe(saved)
        for (const arrays of [model, trainingState['replay']!, trainingState['agent']!]) {
          expect(arrays['data']!.data.every((x) => x === saved)).toBe(true)
        }
      }
      const newest = (await store.latest())!.step
      expect(newest).toBeGreaterThanOrEqual(step)
      step = newest + 1
    }
    await store.save(step, partsOf(step))
    expect((await readdir(path)).every((name) => name.startsWith('step_'))).toBe(true)
  })
})
