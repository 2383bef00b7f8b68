import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { ArmatureError } from '../../src/core/errors.ts'
import { ParquetFile } from '../../src/io/parquet/file.ts'
import { walkDeltas, walkRuns } from '../../src/io/parquet/runs.ts'
import { readThrift } from '../../src/io/parquet/thrift.ts'
import { unpack } from '../../src/io/parquet/unpack.ts'
import { valuesAt } from './foreign-folder.ts'

const FIXTURES = fileURLToPath(new URL('./fixtures/', import.meta.url))

let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'parquet-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

async function readAll(path: string): Promise<readonly Record<string, unknown>[]> {
  const file = await ParquetFile.open(path)
  return file.read(file.columns)
}

describe('files of pyarrow', async () => {
  const names = (await readdir(FIXTURES)).filter((name) => name.endsWith('.parquet'))
  test.each(names)('%s is read exactly', async (name) => {
    const rows = await readAll(join(FIXTURES, name))
    const expected = [0, 0, 0, 1, 1].map((episode, i) => ({ ...valuesAt(episode, i - 3 * episode), episode }))
    expect(rows).toHaveLength(5)
    for (const [i, { state, action, reward, episode }] of expected.entries()) {
      expect(rows[i]).toMatchObject({
        'observation.state': state,
        action,
        'next.reward': reward,
        episode_index: BigInt(episode),
        index: BigInt(i),
      })
    }
  })

  // Sizes, counts and offsets are of a few bytes each: most of them get their largest value here, or none.
  test.each(['arrow-pages-1-none.parquet', 'arrow-pages-2-delta.parquet'])(
    '%s with one byte changed is read, or refused in one line',
    async (name) => {
      const bytes = await readFile(join(FIXTURES, name))
      const path = join(root, name)
      let refused = 0
      for (let at = 0; at < bytes.length; at += 3) {
        const changed = Buffer.from(bytes)
        changed[at] = at % 2 === 0 ? 0xff : 0
        await writeFile(path, changed)
        const error: unknown = await readAll(path).catch((reason: unknown) => reason)
        if (!(error instanceof Error)) continue
        refused++
        expect(error, `byte ${at}`).toBeInstanceOf(ArmatureError)
        expect(error.message, `byte ${at}`).toMatch(/^.*: expected a whole parquet file, got .+$/)
      }
      expect(refused).toBeGreaterThan(bytes.length / 30)
    },
  )
})

describe('what is damaged is refused before it is decoded', () => {
  const huge = [0xff, 0xff, 0xff, 0xff, 0x0f]

  it.each([
    ['a list of 2^32 flags', [0x19, 0xf1, ...huge, 0]],
    ['bytes that are not there', [0x18, ...huge, 0]],
    ['a number without end', [0x15, ...Array.from({ length: 40 }, () => 0xff), 0]],
    ['structs without end', Array.from({ length: 1000 }, () => 0x1c)],
    ['no end', [0x15, 0x02]],
    ['a map', [0x1b, 0, 0]],
  ])('thrift: %s', (_, bytes) => {
    expect(() => readThrift(Uint8Array.from(bytes))).toThrow(/^(a|structs|\d+) /)
  })

  it('reads thrift', () => {
    const bytes = Uint8Array.of(0x15, 0x03, 0x11, 0x2c, 0x29, 0x25, 0x02, 0x04, 0, 0x18, 0x01, 0x61, 0, 7)
    expect(readThrift(bytes)).toEqual({
      fields: { 1: -2, 2: true, 4: { 2: [1, 2] }, 5: Uint8Array.of(0x61) },
      end: 13,
    })
  })

  it.each([
    ['longer than the page says', [0xfe, 0xff, 0xff, 0x0f, 1], { width: 1, count: 4 }],
    ['of no length', [0, 0, 0, 0], { width: 0, count: 4 }],
    ['of packed groups of no length', [1, 0, 0], { width: 0, count: 4 }],
    ['that end too early', [3, 0x55], { width: 3, count: 8 }],
    ['of numbers too wide', [2, 0, 0, 0, 0, 0], { width: 40, count: 1 }],
    ['of levels too high', [2, 3], { width: 2, count: 1, largest: 2 }],
  ])('runs %s', (_, bytes, options) => {
    expect(() => walkRuns(Uint8Array.from(bytes), 0, options)).toThrow()
  })

  it('counts a level in runs and packed groups', () => {
    const bytes = Uint8Array.of(6, 1, 3, 0b1010_0110)
    expect(walkRuns(bytes, 0, { width: 1, count: 9, value: 1 })).toEqual({ end: 4, equal: 6 })
  })

  it.each([
    ['without parts', [128, 1, 0, 4, 0]],
    ['of another number', [128, 1, 4, 9, 0]],
    ['that end too early', [128, 1, 4, 4, 0, 0, 32, 32, 32, 32]],
    ['in a huge block', [...huge, 4, 4, 0]],
  ])('differences %s', (_, bytes) => {
    expect(() => walkDeltas(Uint8Array.from(bytes), 0, 4)).toThrow()
  })

  it('a codec that is not known', () => {
    expect(() => unpack(undefined, Uint8Array.of(1), 1)).toThrow('a codec that is not known, which is not unpacked')
  })

  it.each(['SNAPPY', 'GZIP', 'BROTLI', 'ZSTD', 'LZ4_RAW', 'LZ4'] as const)('%s of another size', async (codec) => {
    const name = `arrow-pages-1-${codec.toLowerCase().replace('_raw', '')}.parquet`
    const bytes = new Uint8Array(await readFile(join(FIXTURES, name)))
    // From the first page on, after its header: none of them has this size.
    for (let at = 4; at < 120; at++) expect(() => unpack(codec, bytes.subarray(at, at + 40), 2 ** 20)).toThrow()
  })
})
