import { createHash } from 'node:crypto'
import { readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { EpisodeData } from '../../src/core/dataset.ts'
import { hashFolder } from '../../src/io/folder-hash.ts'
import { ParquetFile } from '../../src/io/parquet/file.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import { CAMERA, foreignFolder } from '../io/foreign-folder.ts'
import { randomEpisode, SPEC } from '../io/lerobot-helpers.ts'
import { temporaryFolder } from './helpers.ts'
import { runHere } from './in-process.ts'

const cwd = temporaryFolder()
const at = (name: string): string => join(cwd, name)
const run = (...args: readonly string[]) => runHere(['data', ...args])

/** Its seed is not -0, which is read back as 0. */
function episodeOf(i: number): EpisodeData {
  const episode = randomEpisode(i, 4 + i)
  return { ...episode, info: { ...episode.info, seed: 10 + i } }
}

beforeAll(async () => {
  const writer = await LeRobotWriter.create(at('push'), SPEC)
  for (const i of [0, 1, 2, 3]) await writer.addEpisode(episodeOf(i))
  await writer.close()
})

describe('armature data', () => {
  test('info says what is in it', async () => {
    const { code, stdout } = await run('info', at('push'))
    expect(code).toBe(0)
    for (const text of [
      'test/Scene-v0',
      '4, 22 frames at 20 a second',
      'front 6x8x3, side 5x7x3',
      '2 of 4 succeeded',
    ]) {
      expect(stdout).toContain(text)
    }
  })

  test('check reads all, and says nothing of a whole one', async () => {
    const { code, stdout } = await run('check', at('push'))
    expect([code, stdout]).toEqual([0, `${at('push')}  4 of 4 episodes read whole, 0 faults\n`])
  })

  test('check exits with 1 and a line for each fault, and repair copies what is whole', async () => {
    const changeRows = (rows: Record<string, unknown>[], episode: number): Record<string, unknown>[] =>
      rows.map((row, t) => (episode === 1 && t === 0 ? { ...row, [CAMERA]: null } : row))
    const path = await foreignFolder(at('torn'), { lengths: [3, 2, 4], changeRows })
    const before = await hashFolder(path)
    const checked = await run('check', path)
    expect(checked.code).toBe(1)
    expect(checked.stdout).toMatch(/^episode 1: .*frame 0 of episode 1: got no image$/m)
    expect(checked.stdout).toMatch(/2 of 3 episodes read whole, 2 faults\n$/)
    const { code, stdout } = await run('repair', path, '--out', at('mended'))
    expect([code, await hashFolder(path)]).toEqual([0, before])
    expect(stdout).toContain('2 of 3 episodes, 7 frames')
    const source = await openDataset(path)
    const mended = await openDataset(at('mended'))
    for (const [now, old] of [0, 2].entries()) {
      const [a, b] = [await mended.readEpisode(now), await source.readEpisode(old)]
      expect({ ...a, info: 0 }).toEqual({ ...b, info: 0 })
    }
    expect((await run('check', at('mended'))).code).toBe(0)
  })

  test('check finds statistics of other rows', async () => {
    await cp(at('push'), at('stats'), { recursive: true })
    const file = at('stats/meta/stats.json')
    const stats = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, number[]>>
    stats['observation.state']!['max']![1] = 7
    writeFileSync(file, JSON.stringify(stats))
    const { code, stdout } = await run('check', at('stats'))
    expect(code).toBe(1)
    expect(stdout).toMatch(/stats\.json, observation\.state: max at 1 is 7, the rows have 0\.\d+/)
  })

  test.each([
    ['delete', ['--episodes', '1,2'], [0, 3]],
    ['split', ['--episodes', '2,1'], [1, 2]],
  ])('%s', async (action, flags, left) => {
    const { code } = await run(action, at('push'), ...flags, '--out', at(action))
    expect(code).toBe(0)
    const dataset = await openDataset(at(action))
    expect(dataset.episodes).toHaveLength(left.length)
    for (const [now, old] of left.entries()) {
      const episode = episodeOf(old)
      expect(await dataset.readEpisode(now)).toEqual({ ...episode, info: { ...episode.info, index: now } })
    }
  })

  test('trim keeps rows, and an outcome only with the end that it belongs to', async () => {
    expect((await run('trim', at('push'), '--from', '1', '--to', '5', '--out', at('short'))).code).toBe(0)
    const { episodes, readEpisode } = await openDataset(at('short')).then((dataset) => ({
      episodes: dataset.episodes,
      readEpisode: (index: number) => dataset.readEpisode(index),
    }))
    expect(episodes.map(({ length }) => length)).toEqual([3, 4, 4, 4])
    expect(episodes[0]!.success).toBe(true)
    expect(episodes[3]).not.toHaveProperty('success')
    const [now, old] = [await readEpisode(3), randomEpisode(3, 7)]
    expect(now.actions).toEqual(old.actions.slice(2, 8))
    expect(now.images['side']).toEqual(old.images['side']!.slice(105, 525))
  })

  test('relabel changes what was to be done, of all or some, and nothing else', async () => {
    const { code, stdout } = await run(
      'relabel',
      at('push'),
      '--task',
      'push it home',
      '--episodes',
      '1,3',
      '--out',
      at('named'),
    )
    expect([code, stdout]).toEqual([0, expect.stringContaining('4 of 4 episodes, 22 frames')])
    const [old, named] = [await openDataset(at('push')), await openDataset(at('named'))]
    expect(named.episodes.map(({ task }) => task)).toEqual([undefined, 'push it home', undefined, 'push it home'])
    const [before, after] = [await old.readEpisode(1), await named.readEpisode(1)]
    expect(after).toEqual({ ...before, info: { ...before.info, task: 'push it home' } })
    const tasks = await ParquetFile.open(at('named/meta/tasks.parquet'))
    expect(await tasks.read(['task', 'task_index'])).toEqual([
      { task: 'test/Scene-v0', task_index: 0n },
      { task: 'push it home', task_index: 1n },
    ])
    const rows = await ParquetFile.open(at('named/data/chunk-000/file-000.parquet'))
    const numbers = (await rows.read(['task_index', 'episode_index'])).map((row) => [
      row['episode_index'],
      row['task_index'],
    ])
    expect(numbers.filter(([episode, task]) => task !== (Number(episode) % 2 === 1 ? 1n : 0n))).toEqual([])
    expect((await run('check', at('named'))).code).toBe(0)
    expect((await run('info', at('named'))).stdout).toMatch(/tasks +test\/Scene-v0, push it home/)
  })

  test('check holds an episode against the hash of what was recorded', async () => {
    await cp(at('push'), at('bits'), { recursive: true })
    const file = at('bits/data/chunk-000/file-000.parquet')
    const bytes = readFileSync(file)
    const [value] = (await (await openDataset(at('push'))).readEpisode(2)).rewards
    const place = bytes.indexOf(Buffer.from(Float32Array.of(value!).buffer))
    bytes[place]! ^= 1
    writeFileSync(file, bytes)
    const { code, stdout } = await run('check', at('bits'))
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/^episode 2 of .*: its SHA-256 is [0-9a-f]{64}, armature\/sha256 says/),
    ])
    expect(stdout).toMatch(/3 of 4 episodes read whole, 1 faults\n$/)
    expect((await run('repair', at('bits'), '--out', at('bits-whole'))).stdout).toContain('3 of 4 episodes')
  })

  test("check holds the files of a hub's cache against the names of their blobs", async () => {
    const cache = at('hub/datasets--who--push')
    const snapshot = join(cache, 'snapshots/abc')
    await cp(await foreignFolder(at('plain')), snapshot, { recursive: true })
    const data = join(snapshot, 'data/chunk-000/file-000.parquet')
    const bytes = readFileSync(data)
    const name = createHash('sha256').update(bytes).digest('hex')
    await mkdir(join(cache, 'blobs'))
    writeFileSync(join(cache, 'blobs', name), bytes)
    rmSync(data)
    symlinkSync(`../../../../blobs/${name}`, data)
    writeFileSync(join(snapshot, 'meta/stats.json'), '{}')
    expect((await run('check', snapshot)).stdout).toMatch(/2 of 2 episodes read whole, 0 faults\n$/)
    const other = `${name.slice(0, -1)}${name.endsWith('0') ? '1' : '0'}`
    renameSync(join(cache, 'blobs', name), join(cache, 'blobs', other))
    rmSync(data)
    symlinkSync(`../../../../blobs/${other}`, data)
    const { code, stdout } = await run('check', snapshot)
    expect([code, stdout]).toEqual([1, expect.stringContaining(`its SHA-256 is ${name}, its blob is called ${other}`)])
  })

  test.each([
    ['delete', 'push', '--episodes', '0'],
    ['trim', 'push', '--from', '1'],
    ['relabel', 'push', '--task', 'lift'],
    ['split', 'push', '--episodes', '1,2'],
    ['merge', 'push', 'push'],
  ])('%s keeps how each episode looked', async (action, first, ...rest) => {
    const others = rest.map((word) => (word === 'push' ? at(word) : word))
    expect((await run(action, at(first), ...others, '--out', at(`looks-${action}`))).code).toBe(0)
    const { episodes } = await openDataset(at(`looks-${action}`))
    expect(episodes.length).toBeGreaterThan(1)
    for (const { seed, looks } of episodes) expect(looks).toEqual(episodeOf(seed! - 10).info.looks)
  })

  test('merge puts datasets of one form into one, and refuses others', async () => {
    await run('split', at('push'), '--episodes', '0', '--out', at('one'))
    expect((await run('merge', at('push'), at('one'), '--out', at('all'))).code).toBe(0)
    const merged = await openDataset(at('all'))
    expect(merged.episodes).toHaveLength(5)
    expect((await merged.readEpisode(4)).state).toEqual(randomEpisode(0, 4).state)
    const other = await foreignFolder(at('other'))
    const { code, stderr } = await run('merge', at('push'), other, '--out', at('none'))
    expect([code, stderr]).toEqual([2, expect.stringMatching(/merge of .*other: expected front 6x8x3/)])
  })

  test.each([
    [['delete', 'push', '--out', 'x'], /data delete: expected --episodes/],
    [['delete', 'push', '--episodes', '9', '--out', 'x'], /episode 9 of/],
    [['split', 'push', '--episodes', '1'], /expected --out DIR/],
    [['trim', 'push', '--from', '3', '--to', '3', '--out', 'x'], /expected --from below --to/],
    [['relabel', 'push', '--out', 'x'], /data relabel: expected --task TEXT/],
    [['relabel', 'push', '--task', 'x', '--episodes', '9', '--out', 'x'], /episode 9 of/],
    [['info', 'push', 'push'], /expected one dataset, got 2/],
    [['delete', 'push', '--episodes', '0,1,2,3', '--out', 'x'], /at least one episode that is left/],
    [['check', 'nothing'], /is not a dataset/],
  ])('%j is refused in one line', async (args, message) => {
    const { code, stderr } = await run(...args.map((arg) => (['push', 'nothing', 'x'].includes(arg) ? at(arg) : arg)))
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)])
    expect(stderr.trim()).not.toContain('\n')
  })
})
