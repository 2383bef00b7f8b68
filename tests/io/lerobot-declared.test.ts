import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { list } from '../../src/io/lerobot/columns.ts'
import { openDataset } from '../../src/io/lerobot/reader.ts'
import { FrameSink } from '../../src/io/lerobot/frame-sink.ts'
import { encodePng } from '../../src/io/png.ts'
import type { FolderOptions, FolderRow } from './foreign-folder.ts'
import { CAMERA, flatFrame, foreignFolder, shade } from './foreign-folder.ts'

let root = ''
let folders = 0
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'lerobot-declared-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const make = (options: FolderOptions): Promise<string> => foreignFolder(join(root, `set-${folders++}`), options)

/** Changes one row of episode 1. */
function inRow(t: number, change: FolderRow): NonNullable<FolderOptions['changeRows']> {
  return (rows, episode) => rows.map((row, i) => (episode === 1 && i === t ? { ...row, ...change } : row))
}

const NESTED = list('observation.state', { type: 'FLOAT' })
NESTED.splice(2, 1, ...list('element', { type: 'FLOAT' }))

describe('an episode that is not what the folder declares is refused, by its name and column', () => {
  it.each<[string, FolderOptions, RegExp]>([
    [
      'a null in a list',
      { changeRows: inRow(1, { 'observation.state': [1, null] }) },
      /episode 1, row 1, observation\.state: expected 2 finite numbers, shape \[2\], got null at 1/,
    ],
    ['a null for a list', { changeRows: inRow(0, { action: null }) }, /episode 1, row 0, action: .* got none/],
    [
      'a NaN',
      { changeRows: inRow(0, { 'observation.state': [NaN, 1] }) },
      /episode 1, row 0, observation\.state: .* got NaN at 0/,
    ],
    [
      'an infinite reward',
      { changeRows: inRow(0, { 'next.reward': Infinity }) },
      /episode 1, row 0, next\.reward: expected a finite number, got Infinity/,
    ],
    [
      'a list of another length',
      { changeRows: inRow(1, { action: [1, 2, 3] }), lengths: [3, 3] },
      /episode 1, row 1, action: .* got 3 numbers/,
    ],
    [
      'rows out of order',
      { changeRows: (rows, e) => (e === 1 ? rows.toReversed() : rows) },
      /episode 1, row 1, frame_index: expected 2, got 0/,
    ],
    [
      'times that go back',
      { changeRows: inRow(1, { timestamp: 0 }) },
      /episode 1, row 1, timestamp: expected more than 0 s, got 0 s/,
    ],
    [
      'an image of another size',
      {
        changeRows: inRow(0, {
          [CAMERA]: { bytes: encodePng({ data: flatFrame(0, 0, 4, 4), width: 4, height: 4 }), path: '' },
        }),
      },
      /frame 0 of episode 1: .* 4x4 instead of 10x8/,
    ],
    ['an image that is null', { changeRows: inRow(0, { [CAMERA]: null }) }, /frame 0 of episode 1: got no image/],
    [
      'fewer rows',
      { changeRows: (rows, e) => (e === 1 ? rows.slice(1) : rows) },
      /expected 2 rows of episode 1, got 1/,
    ],
    [
      'rows of another between its own',
      {
        lengths: [2, 3],
        changeRows: (rows, e) => rows.map((row, t) => (e === 1 && t === 1 ? { ...row, episode_index: 0n } : row)),
      },
      /episode_index: expected the rows of an episode together/,
    ],
  ])('%s', async (_what, options, message) => {
    const dataset = await openDataset(await make(options))
    await expect(dataset.readEpisode(1)).rejects.toMatchObject({
      code: 'corrupt-file',
      message: expect.stringMatching(message),
    })
  })

  it('text for numbers', async () => {
    const schema = { action: list('action', { type: 'BYTE_ARRAY', converted_type: 'UTF8' }) }
    const changeRows: FolderOptions['changeRows'] = (rows) => rows.map((row) => ({ ...row, action: ['a', 'b'] }))
    const dataset = await openDataset(await make({ schema, changeRows }))
    await expect(dataset.readEpisode(0)).rejects.toThrow(/episode 0, row 0, action: .* got the text "a" at 0/)
    expect(dataset.problems.join()).toMatch(/action is declared float32, but stored as UTF8/)
  })
})

describe('a difference that leaves values as they are is a line in problems', () => {
  it.each<[string, FolderOptions, RegExp]>([
    [
      'numbers of another type',
      { schema: { action: list('action', { type: 'DOUBLE' }) } },
      /action is declared float32, but stored as DOUBLE/,
    ],
    [
      'another rate',
      { changeInfo: (info) => (info['fps'] = 5) },
      /episode 0: timestamp of row 1 is 0\.100 s, not 0\.200 s at 5 frames a second/,
    ],
    [
      'a first row that does not count from 0',
      { changeRows: (rows) => rows.map((row, t) => ({ ...row, frame_index: BigInt(t + 4) })) },
      /episode 0: frame_index starts at 4/,
    ],
    ['index with a jump', { changeRows: inRow(1, { index: 77n }) }, /episode 1: index of row 1 is 77, not 4/],
    ['totals', { changeInfo: (info) => (info['total_episodes'] = 9) }, /total_episodes is 9, but 2 are listed/],
    [
      'total frames',
      { changeInfo: (info) => (info['total_frames'] = 9) },
      /total_frames is 9, but the listed episodes have 5/,
    ],
    ['a newer minor version', { version: 'v3.1' }, /version v3\.1 is newer/],
    [
      'a size said twice',
      { images: 'video', changeInfo: ({ features }) => (features[CAMERA]!['info'] = { 'video.height': 99 }) },
      /front: video\.height is 99, but its shape says 8/,
    ],
    [
      'an end of a video that its rows do not reach',
      {
        images: 'video',
        changeEpisodes: (rows) => rows.map((row) => ({ ...row, [`videos/${CAMERA}/to_timestamp`]: 9 })),
      },
      /episode 0 .* to_timestamp says 9\.000 s of front, its 3 rows take 0\.300 s/,
    ],
    [
      'a stretch inside that of another episode',
      {
        images: 'video',
        changeEpisodes: (rows) => rows.map((row) => ({ ...row, [`videos/${CAMERA}/from_timestamp`]: 0 })),
      },
      /episode 1: from_timestamp 0\.000 s .* before episode 0 ends/,
    ],
  ])('%s', async (_what, options, message) => {
    const dataset = await openDataset(await make(options))
    for (const { index } of dataset.episodes)
      await dataset.readEpisode(index, options.images === 'video' ? [] : undefined)
    expect(dataset.problems.join('\n')).toMatch(message)
    const before = dataset.problems.length
    await dataset.readEpisode(0, [])
    expect(dataset.problems).toHaveLength(before)
  })
})

describe('episodes that cannot be', () => {
  it('one without a camera is named, and read without it', async () => {
    const changeEpisodes: FolderOptions['changeEpisodes'] = (rows) =>
      rows.map((row, i) => (i === 1 ? { ...row, [`videos/${CAMERA}/chunk_index`]: null } : row))
    const dataset = await openDataset(await make({ images: 'video', changeEpisodes }))
    expect(dataset.problems).toEqual([
      expect.stringMatching(/^episode 1 of .* has no video of observation\.images\.front: .*chunk_index is null$/),
    ])
    await expect(dataset.readEpisode(1)).rejects.toThrow(
      /episode 1 of .*: expected a video of observation\.images\.front, got none/,
    )
    expect((await dataset.readEpisode(1, [])).proprio).toEqual(Float32Array.of(1, 0, 1, 1))
  })

  it.each(['v3.0', 'v2.1'])('of length 0, in %s: left out by name', async (version) => {
    const dataset = await openDataset(await make({ version, lengths: [0, 2] }))
    expect(dataset.problems).toEqual([expect.stringMatching(/episode 0 of .* has length 0: left out/)])
    expect(dataset.episodes.map(({ index }) => index)).toEqual([1])
    expect((await dataset.readEpisode(1)).actions).toHaveLength(2)
  })

  it('without a place for their rows: the row is named, the others are read', async () => {
    const changeEpisodes: FolderOptions['changeEpisodes'] = (rows) =>
      rows.map((row, i) => (i === 0 ? { ...row, 'data/file_index': null } : row))
    const dataset = await openDataset(await make({ changeEpisodes }))
    expect(dataset.problems[0]).toMatch(/row 0, data\/file_index: expected a whole number from 0 on, got null/)
    expect(dataset.episodes.map(({ index }) => index)).toEqual([1])
  })
})

it('lists within lists are read as their shape says, and refused otherwise', async () => {
  const nested = (state: (row: FolderRow) => unknown): FolderOptions => ({
    schema: { 'observation.state': NESTED },
    changeInfo: ({ features }) => (features['observation.state'] = { dtype: 'float32', shape: [2, 3], names: null }),
    changeRows: (rows) => rows.map((row) => ({ ...row, 'observation.state': state(row) })),
  })
  const good = await openDataset(
    await make(
      nested(() => [
        [1, 2, 3],
        [4, 5, 6],
      ]),
    ),
  )
  expect((await good.readEpisode(0)).proprio.slice(0, 6)).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6))
  const turned = await openDataset(
    await make(
      nested(() => [
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
    ),
  )
  await expect(turned.readEpisode(0)).rejects.toThrow(/observation\.state: .* got lists of other lengths/)
})

it.each(['v4.0', 'v1.6', '3', 'v3'])('version %s is refused', async (version) => {
  const path = await make({ changeInfo: (info) => (info['codebase_version'] = version) })
  await expect(openDataset(path)).rejects.toMatchObject({ code: 'bad-argument' })
})

it('names that every object has are no names of types, fields or cameras', async () => {
  const typed = await openDataset(
    await make({ changeInfo: ({ features }) => (features['action']!['dtype'] = '__proto__') }),
  )
  expect((await typed.readEpisode(0)).actions).toHaveLength(4)
  const path = await make({ changeInfo: (info) => (info['data_path'] = '{__proto__}.parquet') })
  expect((await openDataset(path)).problems[0]).toMatch(/\{__proto__\}\.parquet/)
  const named = await make({})
  const file = join(named, 'meta/info.json')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replaceAll('observation.images.front', 'observation.images.__proto__'))
  await expect(openDataset(named)).rejects.toThrow(/expected features of other names than __proto__/)
})

describe('frames are found by time', () => {
  const stretch = (times: readonly number[], fps: number): ConstructorParameters<typeof FrameSink>[0] => ({
    file: 'x.mp4',
    what: 'front of episode 0',
    timesS: Float64Array.from(times),
    fps,
    width: 1,
    height: 1,
  })
  const show = (sink: FrameSink, timeS: number, value: number, size: readonly [number, number] = [1, 1]) => {
    const [width, height] = size
    const pixels = (): Uint8Array => new Uint8Array(width * height * 4).fill(value)
    return sink.offer({ timeS, width, height, channels: 4, pixels })
  }

  it('whatever their number: a video of twice the rate, one that starts late, one with gaps', async () => {
    const sink = new FrameSink(stretch([1, 1.1, 1.2], 10))
    for (const [i, timeS] of [0.95, 1, 1.05, 1.1, 1.16, 1.201, 1.25].entries()) await show(sink, timeS, i)
    expect([...sink.frames()]).toEqual([1, 1, 1, 3, 3, 3, 5, 5, 5])
  })

  it('a time without a frame of its own is named, and no frame stands for two', async () => {
    const sink = new FrameSink(stretch([0, 0.1, 0.2], 10))
    for (const timeS of [0, 0.2]) await show(sink, timeS, 0)
    expect(() => sink.frames()).toThrow(/2 of 3 frames .* none at 0\.100 s \(row 1\)/)
  })

  it('of one pixel more, as codecs need, and no other size', async () => {
    await show(new FrameSink(stretch([0], 10)), 0, 1, [2, 2])
    for (const size of [
      [3, 1],
      [1, 3],
      [0, 1],
    ] as const) {
      await expect(show(new FrameSink(stretch([0], 10)), 0, 1, size)).rejects.toThrow(/instead of 1x1/)
    }
  })
})

describe('only regular files inside the dataset are read', () => {
  const imageAt = (path: string): FolderOptions => ({
    changeRows: (rows) => rows.map((row) => ({ ...row, [CAMERA]: { bytes: null, path } })),
  })

  it.each(['../x.png', '../../../../../../../../dev/zero', '/dev/zero', 'a/../../x.png', 'x\0.png'])(
    'not an image at %j',
    async (path) => {
      await writeFile(join(root, 'x.png'), encodePng({ data: flatFrame(0, 0, 8, 10), width: 10, height: 8 }))
      const dataset = await openDataset(await make(imageAt(path)))
      await expect(dataset.readEpisode(0)).rejects.toThrow(/expected a path inside the dataset, got one that leads out/)
    },
  )

  it.skipIf(process.platform === 'win32')('not a pipe, a folder, or a link to a device', async () => {
    const path = await make(imageAt('images/x.png'))
    const image = join(path, 'images/x.png')
    await mkdir(image, { recursive: true })
    await expect((await openDataset(path)).readEpisode(0)).rejects.toThrow(/expected a regular file/)
    await rm(image, { recursive: true })
    execFileSync('mkfifo', [image])
    await expect((await openDataset(path)).readEpisode(0)).rejects.toThrow(/expected a regular file/)
    await rm(image)
    await symlink('/dev/zero', image)
    await expect((await openDataset(path)).readEpisode(0)).rejects.toThrow(/leads out/)
  })

  it.each(['data_path', 'video_path'])('not at a %s that leads out', async (field) => {
    const images = field === 'video_path' ? 'video' : 'bytes'
    const dataset = await openDataset(
      await make({ images, changeInfo: (info) => (info[field] = '../../x/file.parquet') }),
    )
    expect(dataset.episodes).toEqual([])
    expect(dataset.problems[0]).toMatch(/leads out/)
  })

  it.each(['meta/info.json', 'meta/episodes/chunk-000/file-000.parquet', 'data/chunk-000/file-000.parquet'])(
    'not %s where it is a link to another place',
    async (name) => {
      const path = await make({})
      const other = join(root, `elsewhere-${folders++}`)
      await rename(join(path, name), other)
      await symlink(other, join(path, name))
      const said = await openDataset(path).then(
        ({ problems }) => problems.join('\n'),
        (error: Error) => error.message,
      )
      expect(said).toMatch(/leads out/)
    },
  )

  it('not a playlist that is called a video', async () => {
    const path = await make({ images: 'video' })
    await writeFile(
      join(path, `videos/${CAMERA}/chunk-000/file-000.mp4`),
      '#EXTM3U\n#EXTINF:3.0,\nfile:///secret.ts\n#EXT-X-ENDLIST\n',
    )
    await expect((await openDataset(path)).readEpisode(0)).rejects.toThrow(/expected an MP4 file/)
  })

  it('but the cache of a hub, where every file is a link to a blob, and a folder of links to another copy', async () => {
    const names = ['meta/info.json', 'meta/episodes/chunk-000/file-000.parquet', 'data/chunk-000/file-000.parquet']
    const whole = await make({})
    const expected = await (await openDataset(whole)).readEpisode(1)
    const cache = join(root, 'hub/datasets--some--name')
    const snapshot = join(cache, 'snapshots/0123abc')
    const copy = join(root, 'copy')
    await mkdir(join(cache, 'blobs'), { recursive: true })
    for (const [i, name] of names.entries()) {
      for (const folder of [snapshot, copy]) await mkdir(join(folder, name, '..'), { recursive: true })
      await symlink(join(whole, name), join(copy, name))
      await writeFile(join(cache, `blobs/${i}`), await readFile(join(whole, name)))
      await symlink(join(cache, `blobs/${i}`), join(snapshot, name))
    }
    for (const path of [snapshot, copy]) {
      const dataset = await openDataset(path)
      expect(dataset.problems).toEqual([])
      expect(await dataset.readEpisode(1)).toEqual(expected)
    }
  })
})

describe('outcomes that the rows tell', () => {
  it('are known without reading an episode', async () => {
    const extra = { 'next.success': 'BOOLEAN', 'next.done': 'BOOLEAN' } as const
    const changeRows: FolderOptions['changeRows'] = (rows, episode) =>
      rows.map((row, t) => ({ ...row, 'next.success': episode === 1 && t === 1, 'next.done': t === rows.length - 1 }))
    const { episodes, problems } = await openDataset(await make({ extra, changeRows, lengths: [3, 2, 2] }))
    expect(problems).toEqual([])
    expect(episodes.map(({ success, terminated }) => [success, terminated])).toEqual([
      [false, false],
      [true, true],
      [false, false],
    ])
  })

  it('without next.success stay unknown', async () => {
    const changeRows: FolderOptions['changeRows'] = (rows) =>
      rows.map((row, t) => ({ ...row, 'next.done': t === rows.length - 1 }))
    const { episodes } = await openDataset(await make({ extra: { 'next.done': 'BOOLEAN' }, changeRows }))
    expect(episodes[0]).not.toHaveProperty('success')
    expect(episodes[0]!.terminated).toBe(true)
  })
})

it('a row group that holds several episodes is read from the file once', async () => {
  const path = await make({ lengths: [3, 2, 4], rowGroupSize: 9 })
  const dataset = await openDataset(path)
  const first = await dataset.readEpisode(0)
  const data = join(path, 'data/chunk-000/file-000.parquet')
  const { length } = await readFile(data)
  await writeFile(data, new Uint8Array(length))
  const last = await dataset.readEpisode(2)
  expect([first.images['front']![0], last.images['front']![0]]).toEqual([shade(0, 0), shade(2, 0)])
  expect(last.proprio).toEqual(Float32Array.of(2, 0, 2, 1, 2, 2, 2, 3))
})

it('a parquet file whose footer speaks of more than there is is named when the folder is opened', async () => {
  const path = await make({})
  const data = join(path, 'data/chunk-000/file-000.parquet')
  const bytes = await readFile(data)
  const footer = bytes.readUInt32LE(bytes.length - 8) + 8
  await writeFile(data, Buffer.concat([bytes.subarray(0, 4), bytes.subarray(bytes.length - footer)]))
  const { problems, episodes } = await openDataset(path)
  expect(episodes).toEqual([])
  expect(problems[0]).toMatch(/file-000\.parquet: expected a whole parquet file, got column .* outside of the file/)
})
