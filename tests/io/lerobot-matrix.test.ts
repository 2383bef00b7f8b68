import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Dataset } from '../../src/core/dataset.ts'
import { list } from '../../src/io/lerobot/columns.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import type { FolderOptions } from './foreign-folder.ts'
import { loadCodecs } from '../../src/io/lerobot/video-codecs.ts'
import { DEPTH_UNIT, flatFrame, foreignFolder, valuesAt } from './foreign-folder.ts'

let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'lerobot-matrix-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const VERSIONS = ['v2.0', 'v2.1', 'v3.0', 'v3.9'] as const
const SOME = ['SNAPPY', 'ZSTD'] as const
const CODECS = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'BROTLI', 'ZSTD', 'LZ4_RAW'] as const
/** Where images are, with the codecs that are tried with them. */
const IMAGES = {
  bytes: CODECS,
  files: CODECS,
  none: CODECS,
  jpeg: SOME,
  webp: SOME,
  depth: SOME,
  video: [SOME[0]],
} as const
type Images = keyof typeof IMAGES

const hasVideo = (await loadCodecs()) !== undefined || spawnSync('ffmpeg', ['-version']).status === 0

/** A trait of a folder: read exactly, with a line in `problems` or without, or refused where episode 1 is read. */
interface Trait {
  readonly options: FolderOptions
  readonly problem?: RegExp
  readonly refused?: RegExp
}

const TRAITS: Readonly<Record<string, Trait>> = {
  plain: { options: {} },
  'row groups of two': { options: { rowGroupSize: 2 } },
  'double precision': {
    options: { schema: { action: list('action', { type: 'DOUBLE' }) } },
    problem: /action is declared float32, but stored as DOUBLE/,
  },
  outcomes: {
    options: {
      extra: { 'next.success': 'BOOLEAN' },
      changeRows: (rows, episode) => rows.map((row, t) => ({ ...row, 'next.success': episode === 1 && t === 1 })),
    },
  },
  'numbers that start later': {
    options: { changeRows: (rows) => rows.map((row, t) => ({ ...row, frame_index: BigInt(t + 5) })) },
    problem: /frame_index starts at 5/,
  },
  'an empty episode': { options: { lengths: [3, 2, 0] }, problem: /episode 2 .* has length 0/ },
  'a null in a state': {
    options: {
      changeRows: (rows, episode) =>
        rows.map((row, t) => (episode === 1 && t === 0 ? { ...row, 'observation.state': [null, 1] } : row)),
    },
    refused: /episode 1, row 0, observation\.state: .* got null at 0/,
  },
  'a row too few': {
    options: { changeRows: (rows, episode) => (episode === 1 ? rows.slice(1) : rows) },
    refused: /expected 2 rows of episode 1, got 1/,
  },
}

/** Holds every value of an episode against what was written. */
async function requireExact(dataset: Dataset, episode: number, length: number, images: Images): Promise<void> {
  const data = await dataset.readEpisode(episode)
  const at = Array.from({ length }, (_, t) => valuesAt(episode, t))
  expect([...data.proprio]).toEqual(at.flatMap(({ state }) => state))
  expect([...data.actions]).toEqual(at.slice(0, -1).flatMap(({ action }) => action))
  expect([...data.rewards]).toEqual(at.slice(0, -1).map(({ reward }) => reward))
  const frames = Array.from({ length }, (_, t) => [...flatFrame(episode, t, 8, 10)]).flat()
  const isDepth = images === 'depth'
  expect(Object.values(data.images).map((pixels) => pixels.length)).toEqual(
    isDepth || images === 'none' ? [] : [frames.length],
  )
  expect(Object.values(data.depth ?? {}).map((depth) => [...depth])).toEqual(
    isDepth ? [frames.filter((_, i) => i % 3 === 0).map((x) => DEPTH_UNIT * x)] : [],
  )
  const tolerance = images === 'video' ? 4 : images === 'jpeg' ? 1 : 0
  for (const pixels of Object.values(data.images)) {
    expect(Math.max(...pixels.map((x, i) => Math.abs(x - frames[i]!)))).toBeLessThanOrEqual(tolerance)
  }
}

const cells = VERSIONS.flatMap((version) => (Object.keys(IMAGES) as Images[]).map((images) => ({ version, images })))

const tried = cells.filter(
  ({ version, images }) => images !== 'video' || (hasVideo && ['v2.1', 'v3.0'].includes(version)),
)

it.each(tried)(
  '$version, images as $images: every codec and trait is exact or refused in one line',
  async ({ version, images }) => {
    for (const codec of IMAGES[images]) {
      for (const [name, { options, problem, refused }] of Object.entries(TRAITS)) {
        const cell = `${version} ${images} ${codec} ${name}`
        const path = join(root, cell.replaceAll(' ', '-'))
        const dataset = await openDataset(await foreignFolder(path, { ...options, version, images, codec }))
        await requireExact(dataset, 0, 3, images)
        if (refused === undefined) await requireExact(dataset, 1, 2, images)
        else {
          const error: unknown = await dataset.readEpisode(1).catch((reason: unknown) => reason)
          expect(error, cell).toMatchObject({ code: 'corrupt-file', message: expect.stringMatching(refused) as string })
          expect((error as Error).message, cell).not.toContain('\n')
        }
        const expected = [...(version === 'v3.9' ? [/version v3\.9 is newer/] : []), ...(problem ? [problem] : [])]
        const said = dataset.problems.join('\n')
        for (const line of expected) expect(said, cell).toMatch(line)
        if (expected.length === 0 && refused === undefined) expect(dataset.problems, cell).toEqual([])
      }
    }
  },
)

it('are at least 200 cells', () => {
  const count = tried.reduce((sum, { images }) => sum + IMAGES[images].length * Object.keys(TRAITS).length, 0)
  expect(count).toBeGreaterThanOrEqual(200)
})
