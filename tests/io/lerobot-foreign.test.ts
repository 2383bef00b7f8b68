import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ColumnSource } from 'hyparquet-writer'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataSchema, list, rootOf } from '../../src/io/lerobot/columns.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { encodePng } from '../../src/io/png.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lerobot-foreign-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const LENGTHS = [3, 2]
const scalar = (dtype: string): Record<string, unknown> => ({ dtype, shape: [1], names: null })
const FEATURES = {
  'observation.image': { dtype: 'image', shape: [3, 4, 5], names: ['channels', 'height', 'width'] },
  'observation.state': { dtype: 'float32', shape: [2], names: { motors: ['shoulder', 'elbow'] } },
  action: { dtype: 'float32', shape: [2], names: ['shoulder', 'elbow'] },
  timestamp: scalar('float32'),
  frame_index: scalar('int64'),
  episode_index: scalar('int64'),
  index: scalar('int64'),
  task_index: scalar('int64'),
}

/** Every pixel of frame `t` of an episode. */
function grey(episode: number, t: number): number {
  return 40 * episode + 10 * t
}

/** Rows of the given episodes, in the columns that LeRobot itself writes. */
function rows(episodes: readonly number[]): Uint8Array {
  const of = episodes.flatMap((episode) => Array.from({ length: LENGTHS[episode]! }, (_, t) => ({ episode, t })))
  const png = (value: number): Uint8Array => encodePng({ data: new Uint8Array(60).fill(value), width: 5, height: 4 })
  const ints = (value: (row: { episode: number; t: number }) => number): bigint[] => of.map((row) => BigInt(value(row)))
  const columnData: ColumnSource[] = [
    { name: 'observation.image', data: of.map(({ episode, t }) => ({ bytes: png(grey(episode, t)), path: null })) },
    { name: 'observation.state', data: of.map(({ episode, t }) => [episode, t]) },
    { name: 'action', data: of.map(({ episode, t }) => [-episode - 1, t]) },
    { name: 'timestamp', data: of.map(({ t }) => t / 30) },
    { name: 'frame_index', data: ints(({ t }) => t) },
    { name: 'episode_index', data: ints(({ episode }) => episode) },
    // Some converters leave numbers that count from 0 in each file.
    { name: 'index', data: ints(({ t }) => t) },
    { name: 'task_index', data: ints(() => 0) },
  ]
  const features = { ...FEATURES, 'observation.image': { ...FEATURES['observation.image'], shape: [4, 5, 3] } }
  const schema = dataSchema(features as unknown as Parameters<typeof dataSchema>[0])
  return new Uint8Array(parquetWriteBuffer({ columnData, schema, rowGroupSize: 2 }))
}

async function write(path: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), content)
  }
}

function info(version: string, paths: Record<string, unknown>): string {
  const totals = { total_episodes: 2, total_frames: 5, chunks_size: 1000, fps: 30, splits: { train: '0:2' } }
  return JSON.stringify({ codebase_version: version, robot_type: 'so100', ...totals, ...paths, features: FEATURES })
}

function v3(): Record<string, Uint8Array | string> {
  const names = [
    'episode_index',
    'length',
    'dataset_from_index',
    'dataset_to_index',
    'data/chunk_index',
    'data/file_index',
  ]
  const values = [[0, 1], LENGTHS, [0, 3], [3, 5], [0, 0], [0, 0]]
  const integers = names.map((name, i): ColumnSource => ({ name, data: values[i]!.map(BigInt) }))
  const statistics: ColumnSource = { name: 'stats/action/mean', data: [[0.5], [0.5]] }
  const schema = rootOf([
    ...names.map((name) => [{ name, type: 'INT64' as const, repetition_type: 'REQUIRED' as const }]),
    list(statistics.name, { type: 'DOUBLE' }),
  ])
  const episodes = parquetWriteBuffer({ columnData: [...integers, statistics], schema })
  return {
    'meta/info.json': info('v3.0', {
      data_path: 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet',
      video_path: null,
    }),
    'meta/episodes/chunk-000/file-000.parquet': new Uint8Array(episodes),
    'data/chunk-000/file-000.parquet': rows([0, 1]),
  }
}

function v21(): Record<string, Uint8Array | string> {
  const lines = LENGTHS.map((length, i) => JSON.stringify({ episode_index: i, tasks: ['fold'], length }))
  return {
    'meta/info.json': info('v2.1', {
      data_path: 'data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet',
      video_path: 'videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4',
    }),
    'meta/episodes.jsonl': `${lines.join('\n')}\n`,
    'data/chunk-000/episode_000000.parquet': rows([0]),
    'data/chunk-000/episode_000001.parquet': rows([1]),
  }
}

describe.each([
  ['v3.0', v3],
  ['v2.1', v21],
] as const)('a LeRobot folder made elsewhere, %s', (version, files) => {
  it('is read: the last row of an episode is its last observation', async () => {
    const path = join(folder, version)
    await write(path, files())
    const dataset = await openDataset(path)
    expect(dataset.problems).toEqual([])
    expect(dataset.spec).toMatchObject({
      source: 'so100',
      fps: 30,
      cameras: { image: { dtype: 'uint8', shape: [4, 5, 3] } },
      actionSpace: { shape: [2], names: ['shoulder', 'elbow'] },
      proprioSpace: { shape: [2], names: ['shoulder', 'elbow'] },
      stateSpace: { shape: [0] },
    })
    expect(dataset.episodes).toMatchObject(
      LENGTHS.map((length, index) => ({
        index,
        length,
        terminated: false,
        policy: 'unknown',
        objects: [],
      })),
    )
    const second = await dataset.readEpisode(1)
    expect(second.images['image']).toEqual(Uint8Array.from({ length: 120 }, (_, i) => grey(1, i < 60 ? 0 : 1)))
    expect(second.proprio).toEqual(Float32Array.of(1, 0, 1, 1))
    expect(second.actions).toEqual(Float32Array.of(-2, 0))
    expect([...second.rewards, second.state.length]).toEqual([0, 0])
    expect((await dataset.readEpisode(0)).actions).toHaveLength(4)
  })
})

describe('a LeRobot folder made elsewhere, damaged', () => {
  it('v2.1: a file that is cut off and one that is missing are named, the list may end in the middle of a line', async () => {
    const path = join(folder, 'damaged')
    const files = v21()
    const lines = `${String(files['meta/episodes.jsonl'])}{"episode_index":2,"length":2}\n{"episode_in`
    await write(path, { ...files, 'meta/episodes.jsonl': lines })
    await truncate(join(path, 'data/chunk-000/episode_000001.parquet'), 600)
    const { problems, episodes } = await openDataset(path)
    expect(episodes.map(({ index }) => index)).toEqual([0])
    expect(problems).toEqual([
      expect.stringMatching(/episodes\.jsonl: line 4 is not an episode/),
      expect.stringMatching(/episode_000001\.parquet: expected a whole parquet file/),
      expect.stringMatching(/no file .*episode_000002\.parquet/),
      expect.stringMatching(/total_episodes is 2, but 3 are listed/),
    ])
  })

  it('v3.0: an episode with fewer rows than are said to be there fails by itself', async () => {
    const path = join(folder, 'short')
    await write(path, { ...v3(), 'data/chunk-000/file-000.parquet': rows([1]) })
    const dataset = await openDataset(path)
    await expect(dataset.readEpisode(0)).rejects.toThrow(/expected 3 rows of episode 0, got 0/)
    expect((await dataset.readEpisode(1)).info.length).toBe(2)
  })

  it('videos without a decoder: one line says what to install', async () => {
    const path = join(folder, 'video')
    const files = v21()
    const parsed = JSON.parse(String(files['meta/info.json'])) as { features: Record<string, unknown> }
    parsed.features['observation.images.top'] = {
      dtype: 'video',
      shape: [4, 5, 3],
      names: ['height', 'width', 'channels'],
    }
    const videos = [0, 1].map((i) => [`videos/chunk-000/observation.images.top/episode_00000${i}.mp4`, '\0\0\0\bmdat'])
    await write(path, { ...files, 'meta/info.json': JSON.stringify(parsed), ...Object.fromEntries(videos) })
    const dataset = await openDataset(path)
    expect(Object.keys(dataset.spec.cameras)).toEqual(['image', 'top'])
    const paths = process.env.PATH
    process.env.PATH = folder
    try {
      await expect(dataset.readEpisode(0, ['top'])).rejects.toMatchObject({
        // Where a decoder is installed it says that this is no video.
        message: expect.stringMatching(
          /episode_000000\.mp4; run "npm install @napi-rs|episode_000000\.mp4, observation\.images\.top of episode 0: got/,
        ),
      })
      expect(Object.keys((await dataset.readEpisode(0, ['image'])).images)).toEqual(['image'])
    } finally {
      process.env.PATH = paths
    }
  })
})
