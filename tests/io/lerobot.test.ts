import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fc } from '../fast-check.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DatasetSpec, EpisodeData } from '../../src/core/dataset.ts'
import { boxSpace } from '../../src/core/spaces.ts'
import { checkDataset } from '../../src/io/lerobot/check-dataset.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import { built } from '../built.ts'
import { randomEpisode, SPEC } from './lerobot-helpers.ts'

let folder = ''
let folders = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lerobot-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Writes `episodes` into a new folder. */
async function write(episodes: readonly EpisodeData[], spec: DatasetSpec = SPEC): Promise<string> {
  const path = join(folder, `set-${folders++}`)
  const writer = await LeRobotWriter.create(path, spec)
  for (const episode of episodes) await writer.addEpisode(episode)
  await writer.close()
  return path
}

function numbered(episodes: readonly EpisodeData[]): EpisodeData[] {
  return episodes.map((episode, index) => ({ ...episode, info: { ...episode.info, index } }))
}

async function json(path: string, file: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(path, file), 'utf8')) as Record<string, unknown>
}

describe('a dataset written here', () => {
  it('gives back every episode as it was, in any order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 }), async (lengths) => {
        const episodes = numbered(lengths.map((length, i) => randomEpisode(i + 1, length)))
        const dataset = await openDataset(await write(episodes))
        expect(dataset.problems).toEqual([])
        expect(dataset.spec).toEqual(SPEC)
        expect(dataset.episodes).toEqual(episodes.map(({ info }) => info))
        for (const { info } of episodes.toReversed()) {
          expect(await dataset.readEpisode(info.index)).toEqual(episodes[info.index])
        }
      }),
      { numRuns: 6 },
    )
  })

  it.each([[0], [2]])('is refused where a reward is declared to be %i numbers', async (size) => {
    const path = await write([randomEpisode(1, 3)])
    const file = join(path, 'meta', 'info.json')
    const info = JSON.parse(await readFile(file, 'utf8')) as { features: Record<string, { shape: number[] }> }
    info.features['next.reward']!.shape = [size]
    await writeFile(file, JSON.stringify(info))
    await expect(openDataset(path)).rejects.toThrow(`info.json: expected next.reward of one number, not [${size}]`)
  })

  it('says in one line of a page or less what is wrong with its statistics', async () => {
    const path = await write([randomEpisode(1, 3)])
    const file = join(path, 'meta', 'stats.json')
    const own = JSON.parse(await readFile(file, 'utf8')) as Record<string, { max: unknown[] }>
    own['next.reward']!.max = ['x'.repeat(10_000) + '\n']
    await writeFile(file, JSON.stringify(own))
    const { faults } = await checkDataset(await openDataset(path), () => undefined)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(/^meta\/stats.json, next.reward: max at 0 is x/)
    expect([faults[0]!.includes('\n'), faults[0]!.length < 2000]).toEqual([false, true])
  })

  it.each([
    ['no record', { record: undefined }],
    ['null for the record', { record: null }],
    ['a list for it', { record: [] }],
    ['another form', { format: 2 }],
    ['no spaces', { spec: null }],
  ])('is refused where meta/armature.json has %s', async (_what, change) => {
    const path = await write([randomEpisode(1, 3)])
    const file = join(path, 'meta', 'armature.json')
    const own = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
    await writeFile(file, JSON.stringify({ ...own, ...change }))
    await expect(openDataset(path)).rejects.toMatchObject({
      code: 'corrupt-file',
      message: expect.stringMatching(/armature\.json: expected format 1/) as string,
    })
  })

  it('has vectors of one element, and none, as LeRobot has them', async () => {
    const spec: DatasetSpec = {
      source: 'test/Plain-v0',
      fps: 0.6,
      cameras: {},
      actionSpace: boxSpace([1], -1, 1),
      proprioSpace: boxSpace([1], -1, 1),
      stateSpace: boxSpace([0], -1, 1),
    }
    const { info, ...rest } = randomEpisode(5, 3, spec)
    const { goal: _goal, success: _success, seed: _seed, distractor: _distractor, looks: _looks, ...plain } = info
    const episode = { ...rest, info: { ...plain, index: 0, objects: [] } }
    const path = await write([episode], spec)
    const dataset = await openDataset(path)
    expect(dataset.spec).toEqual(spec)
    const { goalImages: _none, ...expected } = episode
    expect(await dataset.readEpisode(0)).toEqual({ ...expected, images: {}, state: new Float32Array(0) })
    const { fps, features } = await json(path, 'meta/info.json')
    expect(fps).toBe(1)
    expect(features).not.toHaveProperty('observation.environment_state')
    expect(features).toHaveProperty('action', { dtype: 'float32', shape: [1], names: null })
  })

  it.each([
    ['numbers in words', '0.5'],
    ['a list', [0.5]],
    ['what is not finite', { light_x: NaN }],
  ])('is read without looks that are %s, which it says', async (_what, looks) => {
    const { info, ...rest } = randomEpisode(1, 3)
    const { problems, episodes } = await openDataset(
      await write([{ ...rest, info: { ...info, looks: looks as never } }]),
    )
    expect(problems).toEqual([expect.stringMatching(/row 0, armature\/looks: not numbers by name/)])
    expect(episodes).toMatchObject([{ length: 3, policy: 'random' }])
    expect(episodes[0]).not.toHaveProperty('looks')
  })

  it('decodes only the cameras that are asked for, and refuses those that it has not', async () => {
    const dataset = await openDataset(await write([randomEpisode(1, 3)]))
    const { images, goalImages } = await dataset.readEpisode(0, ['side'])
    expect([Object.keys(images), Object.keys(goalImages!)]).toEqual([['side'], ['side']])
    await expect(dataset.readEpisode(0, ['top'])).rejects.toThrow(/camera "top" of .*; there is front, side/)
    await expect(dataset.readEpisode(1)).rejects.toThrow(/episode 1 of .*; it has 1/)
  })

  it('spreads over files before they get large, and statistics are those of all frames', async () => {
    const episodes = Array.from({ length: 40 }, (_, i) => randomEpisode(i + 1, 2))
    const path = await write(episodes)
    expect((await readdir(join(path, 'data/chunk-000'))).toSorted()).toEqual(['file-000.parquet', 'file-001.parquet'])
    const dataset = await openDataset(path)
    expect(dataset.episodes).toHaveLength(40)
    expect((await dataset.readEpisode(39)).actions).toEqual(episodes[39]!.actions)
    const stats = (await json(path, 'meta/stats.json')) as Record<string, Record<string, number[]>>
    const first = episodes.map(({ actions }) => actions[0]!)
    const mean = first.reduce((sum, x) => sum + x, 0) / 40
    expect(stats['action']!['mean']![0]).toBeCloseTo(mean, 6)
    expect(stats['action']!['max']![0]).toBe(Math.max(...first))
    const std = Math.sqrt(first.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 40)
    expect(stats['action']!['std']![0]).toBeCloseTo(std, 6)
    expect(stats['action']!['q50']![0]).toBeCloseTo(first.toSorted((a, b) => a - b)[20]!, 0)
    expect(stats['observation.images.front']).toMatchObject({
      count: [40],
      mean: [[[expect.any(Number)]], [[expect.any(Number)]], [[expect.any(Number)]]],
    })
    expect(await json(path, 'meta/info.json')).toMatchObject({
      total_episodes: 40,
      total_frames: 80,
      splits: { train: '0:40' },
    })
  })
})

describe('refusals', () => {
  it('takes no folder that is there, and leaves it alone', async () => {
    const path = join(folder, 'taken')
    await mkdir(path)
    await writeFile(join(path, 'mine.txt'), 'mine')
    await expect(LeRobotWriter.create(path, SPEC)).rejects.toThrow(/taken exists; name another folder/)
    expect(await readdir(path)).toEqual(['mine.txt'])
  })

  it.each([
    ['a camera that is missing', { images: {} }, /camera front: expected 432 elements, got 0/],
    ['an action too few', { actions: new Float32Array(2) }, /actions: expected 4 elements, got 2/],
    ['a number that is none', { rewards: Float32Array.of(0, NaN) }, /rewards: got NaN at 1/],
    ['a goal image of another size', { goalImages: { front: new Uint8Array(3) } }, /goal image of front/],
  ])('takes no episode with %s, and goes on', async (_what, change, message) => {
    const path = join(folder, `refused-${folders++}`)
    const writer = await LeRobotWriter.create(path, SPEC)
    await expect(writer.addEpisode({ ...randomEpisode(1, 3), ...change })).rejects.toThrow(message)
    await writer.addEpisode(randomEpisode(2, 3))
    await writer.close()
    await expect(writer.addEpisode(randomEpisode(3, 3))).rejects.toMatchObject({ code: 'closed' })
    const dataset = await openDataset(path)
    expect(dataset.episodes.map(({ seed }) => seed)).toEqual([-2])
  })

  it('says so where there is no dataset, and of a version that it cannot read', async () => {
    await expect(openDataset(folder)).rejects.toThrow(/is not a dataset: it has no meta\/info\.json/)
    const path = await write([randomEpisode(1, 2)])
    const info = await json(path, 'meta/info.json')
    await writeFile(join(path, 'meta/info.json'), JSON.stringify({ ...info, codebase_version: 'v1.6' }))
    await expect(openDataset(path)).rejects.toThrow(/expected codebase_version v3\.0, v2\.1 or v2\.0, got v1\.6/)
    await writeFile(join(path, 'meta/info.json'), '{"codeb')
    await expect(openDataset(path)).rejects.toThrow(/info\.json: expected JSON/)
  })
})

describe('damage', () => {
  it('of a data file that is cut off: it is named, and the episodes of the others are read', async () => {
    const episodes = Array.from({ length: 35 }, (_, i) => randomEpisode(i + 1, 2))
    const path = await write(episodes)
    const file = join(path, 'data/chunk-000/file-000.parquet')
    await truncate(file, (await stat(file)).size - 100)
    const dataset = await openDataset(path)
    const problem = expect.stringMatching(/file-000\.parquet: expected a whole parquet file, got /) as unknown
    expect(dataset.problems).toEqual([problem])
    expect(dataset.episodes.map(({ index }) => index)).toEqual([32, 33, 34])
    expect((await dataset.readEpisode(33)).state).toEqual(episodes[33]!.state)
  })

  it('of the list of episodes: what it listed is gone, and said', async () => {
    const path = await write(Array.from({ length: 33 }, (_, i) => randomEpisode(i + 1, 1)))
    const file = join(path, 'meta/episodes/chunk-000/file-000.parquet')
    await truncate(file, 1000)
    const dataset = await openDataset(path)
    expect(dataset.problems).toEqual([
      expect.stringContaining('meta/episodes/chunk-000/file-000.parquet'),
      expect.stringContaining('total_episodes is 33, but 1 are listed'),
    ])
    // Its rows are found by its number: those before it are not known any more.
    expect(dataset.episodes.map(({ index }) => index)).toEqual([32])
    expect((await dataset.readEpisode(32)).info.seed).toBe(-33)
  })

  it('inside a file: only what is read from there fails, with the place', async () => {
    const path = await write([randomEpisode(1, 3), randomEpisode(2, 3)])
    const file = join(path, 'data/chunk-000/file-000.parquet')
    const bytes = await readFile(file)
    const header = bytes.indexOf('IHDR')
    bytes[header + 8] = 99
    await writeFile(file, bytes)
    const dataset = await openDataset(path)
    expect(dataset.problems).toEqual([])
    await expect(dataset.readEpisode(0)).rejects.toThrow(/file-000\.parquet, frame 0 of episode 0: /)
    expect((await dataset.readEpisode(1)).info.seed).toBe(-2)
  })

  it.each([
    [1, 0],
    [12, 3],
    [33, 1],
  ])('by a kill after %i episodes and %i ms: what was finished can be read', async (episodes, delayMs) => {
    const path = join(folder, `killed-${episodes}`)
    const program = built('record-until-killed.ts', import.meta.url)
    const child = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const said: string[] = []
    child.stdout.on('data', (text: Buffer) => said.push(...text.toString().trim().split('\n')))
    while (said.length < episodes && child.exitCode === null) await setTimeout(2)
    await setTimeout(delayMs)
    child.kill('SIGKILL')
    await once(child, 'close')
    const dataset = await openDataset(path)
    expect(dataset.problems).toEqual([])
    expect(dataset.episodes.length).toBeGreaterThanOrEqual(said.length)
    for (const { index } of dataset.episodes) {
      expect((await dataset.readEpisode(index)).actions).toEqual(randomEpisode(index, 9).actions)
    }
  })

  it('by a disk that takes no more: what was finished is read, and the recording ends', async () => {
    const path = join(folder, 'full')
    const writer = await LeRobotWriter.create(path, SPEC)
    for (const i of [0, 1]) await writer.addEpisode(randomEpisode(i, 4))
    // A folder where the next copy would be made.
    await mkdir(join(path, `meta/episodes/chunk-000/.tmp-${process.pid}-file-000.parquet.part`))
    await expect(writer.addEpisode(randomEpisode(2, 4))).rejects.toMatchObject({ code: 'unwritable' })
    await expect(writer.addEpisode(randomEpisode(3, 4))).rejects.toMatchObject({ code: 'closed' })
    await writer.close()
    const dataset = await openDataset(path)
    expect(dataset.problems).toEqual([])
    expect(dataset.episodes).toHaveLength(2)
    for (const i of [0, 1]) expect((await dataset.readEpisode(i)).state).toEqual(randomEpisode(i, 4).state)
    expect(await json(path, 'meta/stats.json')).toMatchObject({ index: { max: [7], count: [8] } })
  })
})

/**
 * As strict as LeRobot's loader and its normalisers are: every feature has statistics of its shape, in order; images are
 * [3, 1, 1] in 0 .. 1.
 */
describe('statistics', () => {
  it.each(['png', 'mp4'] as const)('of every feature, with images as %s', async (images) => {
    const path = join(folder, `stats-${images}`)
    const writer = await LeRobotWriter.create(path, SPEC, { images })
    for (const i of [0, 1, 2]) await writer.addEpisode(randomEpisode(i, 4 + i))
    await writer.close()
    const { features, total_frames: frames } = await json(path, 'meta/info.json')
    const stats = (await json(path, 'meta/stats.json')) as Record<string, Record<string, unknown[]>>
    expect(Object.keys(stats).toSorted()).toEqual(Object.keys(features as object).toSorted())
    for (const [name, { dtype, shape }] of Object.entries(
      features as Record<string, { dtype: string; shape: number[] }>,
    )) {
      const isImage = dtype === 'image' || dtype === 'video'
      for (const key of ['min', 'q01', 'q10', 'q50', 'q90', 'q99', 'max', 'mean', 'std']) {
        const values = stats[name]![key]!.flat(3) as number[]
        expect([name, key, values.length]).toEqual([name, key, isImage ? 3 : shape[0]])
        expect(values.every(Number.isFinite)).toBe(true)
        if (isImage) expect(values.every((x) => x >= 0 && x <= 1)).toBe(true)
      }
      const [min, max, mean] = ['min', 'max', 'mean'].map((key) => stats[name]![key]!.flat(3) as number[])
      expect(min!.every((low, i) => low <= mean![i]! + 1e-9 && mean![i]! <= max![i]! + 1e-9)).toBe(true)
    }
    expect(stats['index']).toMatchObject({ min: [0], max: [(frames as number) - 1], count: [frames], mean: [7] })
    expect(stats['next.done']!['mean']![0]).toBeCloseTo(6 / 15, 9)
    expect(stats['timestamp']!['max']![0]).toBeCloseTo(5 / 20, 6)
  })
})
