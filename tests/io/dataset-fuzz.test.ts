import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.ts'
import type { FuzzedFolder } from './dataset-fuzz.ts'
import { fuzzedFolders, fuzzOnce, removeFolders } from './dataset-fuzz.ts'

/** A share of what bench/dataset-fuzz.ts does, the same in every run. */
const COUNT = 600

let root = ''
let folders: FuzzedFolder[] = []
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'dataset-fuzz-'))
  folders = await fuzzedFolders(root)
})
afterAll(() => removeFolders(root))

it('refuses folders with changed bytes and values in one line, or reads what they now say', async () => {
  const rng = new Rng(Number(process.env['ARMATURE_FUZZ_SEED'] ?? 1))
  const kinds = new Map<string, number>()
  for (let i = 0; i < COUNT; i++) {
    const { kind, ...outcome } = await fuzzOnce(folders, rng.split(i))
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    expect({ i, ...outcome }).not.toHaveProperty('fault')
  }
  expect([...kinds.keys()].toSorted()).toEqual(['read', 'refused', 'told'])
})
