import { describe, expect, test } from 'vitest'
import type { BatchKind } from '../../src/core/batches.ts'
import { Rng } from '../../src/core/rng.ts'
import { imageSpace } from '../../src/core/spaces.ts'
import type { BatchOptions, BatchSampler } from '../../src/replay/batch-sampler.ts'
import { makeSampler } from '../../src/replay/batch-sampler.ts'
import type { EpisodeSource } from '../../src/replay/episode-source.ts'
import { EpisodeSet } from '../../src/replay/episode-source.ts'
import { FAKE_SPEC, fakeEpisode, markOf } from './fake-dataset.ts'

const LENGTHS = [2, 9, 4, 30]
const source = new EpisodeSet(
  FAKE_SPEC,
  LENGTHS.map((length, index) => fakeEpisode(index + 300, length)),
)
const OPTIONS: BatchOptions = {
  frames: {},
  'augmented-pairs': { augment: [{ kind: 'shift', maxPixels: 2 }] },
  'frame-tuples': { length: 3, stride: 2 },
  'multi-view': {},
  transitions: {},
  episodes: { length: 4 },
  context: {},
  'grasp-triplets': {},
}
const KINDS = Object.keys(OPTIONS) as BatchKind[]

function sampler<K extends BatchKind>(kind: K, options: Partial<BatchOptions[K]> = {}, seed = 1): BatchSampler<K> {
  return makeSampler(kind, source, { ...OPTIONS[kind], ...options }, new Rng(seed))
}

/** Pearson's statistic of `counts` against equal expectations, in standard deviations of its own. */
function excess(counts: readonly number[]): number {
  const mean = counts.reduce((a, b) => a + b, 0) / counts.length
  const statistic = counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0)
  return (statistic - (counts.length - 1)) / Math.sqrt(2 * (counts.length - 1))
}

describe('samplers of every kind', () => {
  test.each(KINDS)('%s: the same seed gives the same batches, another seed others', (kind) => {
    const [a, b, other] = [sampler(kind), sampler(kind), sampler(kind, {}, 2)]
    for (const count of [5, 3, 5]) {
      const batch = structuredClone(a.sample(count))
      expect(b.sample(count)).toEqual(batch)
      expect(other.sample(count)).not.toEqual(batch)
    }
  })

  test.each(KINDS)('%s: buffers are reused from batch to batch', (kind) => {
    const one = sampler(kind)
    const buffers = (batch: object): ArrayBufferLike[] =>
      Object.values(batch).flatMap((value: unknown) => (ArrayBuffer.isView(value) ? [value.buffer] : []))
    const first = buffers(one.sample(8))
    expect(first.length).toBeGreaterThan(0)
    expect(buffers(one.sample(8)).every((buffer, i) => buffer === first[i])).toBe(true)
  })

  test.each(KINDS)('%s: a source without an episode that is long enough is an error that says so', (kind) => {
    const empty = makeSampler(kind, new EpisodeSet(FAKE_SPEC), OPTIONS[kind], new Rng(1))
    expect(() => empty.sample(1)).toThrow(/an episode of at least \d+ observations/)
    expect(() => sampler(kind).sample(0)).toThrow('a whole number >= 1')
  })

  test('frames: every observation is equally likely, whatever its episode', () => {
    const counts = new Map<string, number>()
    const one = sampler('frames')
    for (let i = 0; i < 90; i++) {
      const { frames, count } = one.sample(100)
      for (let row = 0; row < count; row++) {
        const { episode, time } = markOf(frames, row)
        counts.set(`${episode}/${time}`, (counts.get(`${episode}/${time}`) ?? 0) + 1)
      }
    }
    expect(counts.size).toBe(45)
    expect(Math.abs(excess([...counts.values()]))).toBeLessThan(4)
  })

  test('frame tuples: equal distances within one episode, all starts equally likely', () => {
    const { frames, episodes, times, count, length } = sampler('frame-tuples').sample(4000)
    const starts = new Map<string, number>()
    for (let row = 0; row < count * length; row++) {
      const at = Math.floor(row / length)
      expect(markOf(frames, row)).toEqual({ episode: episodes[at], time: times[row], camera: 'scene' })
      if (row % length > 0) expect(times[row]! - times[row - 1]!).toBe(2)
      else starts.set(`${episodes[at]}/${times[row]}`, (starts.get(`${episodes[at]}/${times[row]}`) ?? 0) + 1)
    }
    // Episodes of 9 and 30 observations have room for 5 observations at 5 and 26 places; the shorter ones have none.
    expect(starts.size).toBe(31)
    expect(Math.abs(excess([...starts.values()]))).toBeLessThan(4)
  })

  test('multi-view: moments of one episode stand together, at different times', () => {
    const { episodes, times } = sampler('multi-view', { rowsPerEpisode: 8 }).sample(80)
    for (let row = 0, groups = 0; row < 80; groups++) {
      // As many as asked for, or as the episode has.
      const length = LENGTHS[episodes[row]! - 300]!
      const rows = Math.min(8, length, 80 - row)
      const group = [...times.subarray(row, row + rows)]
      expect(new Set(episodes.subarray(row, row + rows)).size).toBe(1)
      expect(new Set(group).size).toBe(rows)
      expect(Math.max(...group)).toBeLessThan(length)
      row += rows
      expect(groups).toBeLessThan(41)
    }
  })

  test('multi-view: windows lie within their episode, and those of one episode do not overlap', () => {
    const window = { frames: 3, stride: 2 }
    const one = sampler('multi-view', { window, rowsPerEpisode: 2 })
    const ends = new Set<number>()
    for (let draw = 0; draw < 200; draw++) {
      const { episodes, times, window: frames, count } = one.sample(20)
      expect([frames, count]).toEqual([3, 20])
      for (let row = 0; row < 20; row++) {
        expect(times[row]).toBeGreaterThanOrEqual(4)
        expect(times[row]).toBeLessThan(LENGTHS[episodes[row]! - 300]!)
        if (episodes[row] === 301) ends.add(times[row]!)
      }
    }
    // Episode 301 has nine observations: five windows, of which no two are five apart.
    expect([...ends].toSorted((a, b) => a - b)).toEqual([4, 5, 6, 7, 8])
    const long = makeSampler(
      'multi-view',
      new EpisodeSet(FAKE_SPEC, [fakeEpisode(0, 30)]),
      { window, rowsPerEpisode: 5 },
      new Rng(3),
    )
    for (let draw = 0; draw < 50; draw++) {
      const times = [...long.sample(5).times].toSorted((a, b) => a - b)
      for (let i = 1; i < 5; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(5)
    }
  })

  test('multi-view: the same moments from all cameras', () => {
    const { frames, episodes, times, count, views } = sampler('multi-view').sample(50)
    expect(views).toBe(2)
    for (let row = 0; row < count; row++) {
      const mark = { episode: episodes[row], time: times[row] }
      expect(markOf(frames, row)).toEqual({ ...mark, camera: 'scene' })
      expect(markOf(frames, count + row)).toEqual({ ...mark, camera: 'outcome' })
    }
  })

  test('transitions: what a step did, and no bootstrap only where the task ended', () => {
    const batch = sampler('transitions').sample(600)
    let ended = 0
    for (let row = 0; row < batch.count; row++) {
      const [episode, time] = [batch.episodes[row]!, batch.times[row]!]
      expect(markOf(batch.frames, row)).toEqual({ episode, time, camera: 'scene' })
      expect(markOf(batch.nextFrames, row)).toEqual({ episode, time: time + 1, camera: 'scene' })
      expect([...batch.actions.subarray(2 * row, 2 * row + 2)]).toEqual([episode, time])
      expect(batch.rewards[row]).toBe(time % 2 === 1 ? time : 0)
      const isEnd = episode % 2 === 1 && time === LENGTHS[episode - 300]! - 2
      expect(batch.notDone[row]).toBe(isEnd ? 0 : 1)
      if (isEnd) ended++
    }
    expect(ended).toBeGreaterThan(0)
  })

  test('episodes: windows of consecutive observations with their steps', () => {
    const batch = sampler('episodes', { camera: 'outcome' }).sample(300)
    for (let row = 0; row < batch.count * batch.length; row++) {
      const [window, k] = [Math.floor(row / batch.length), row % batch.length]
      const [episode, time] = [batch.episodes[window]!, batch.starts[window]! + k]
      expect(markOf(batch.frames, row)).toEqual({ episode, time, camera: 'outcome' })
      if (k === batch.length - 1) continue
      const step = window * (batch.length - 1) + k
      expect([...batch.actions.subarray(2 * step, 2 * step + 2)]).toEqual([episode, time])
      expect(batch.rewards[step]).toBe(time % 2 === 1 ? time : 0)
    }
  })

  test('context: the first frame of the same episode', () => {
    const { context, frames, count } = sampler('context').sample(200)
    for (let row = 0; row < count; row++) {
      expect(markOf(context, row)).toEqual({ ...markOf(frames, row), time: 0 })
    }
  })

  test('grasps: before, after and outcome of a step; the object is the one that left the bin', () => {
    const { before, after, outcome, success, objects, count } = sampler('grasp-triplets').sample(400)
    for (let row = 0; row < count; row++) {
      const { episode, time } = markOf(before, row)
      expect(markOf(after, row)).toEqual({ episode, time: time + 1, camera: 'scene' })
      expect(markOf(outcome, row)).toEqual({ episode, time: time + 1, camera: 'outcome' })
      expect(success[row]).toBe(time % 2)
      expect(objects[row]).toBe(time === 1 ? 8 : 0)
    }
    expect(new Set(objects)).toEqual(new Set([0, 8]))
  })

  test('a source that changes is drawn from as it is now', () => {
    const growing = new EpisodeSet(FAKE_SPEC, [fakeEpisode(1, 3)])
    const one = makeSampler('transitions', growing, {}, new Rng(0))
    expect(new Set(one.sample(50).episodes)).toEqual(new Set([1]))
    growing.replace([fakeEpisode(2, 3), fakeEpisode(5, 40)])
    expect(new Set(one.sample(500).episodes)).toEqual(new Set([2, 5]))
  })
})

describe('augmented batches', () => {
  /** Where the mark of a frame of 8 x 8 is after it was shifted, as row and column; the rest of the frame is 0. */
  const dots = new EpisodeSet({ ...FAKE_SPEC, cameras: { scene: imageSpace(9, 9), outcome: imageSpace(9, 9) } }, [
    { ...fakeEpisode(0, 40), images: { scene: dotFrames(40), outcome: dotFrames(40) } },
  ])
  const shift = [{ kind: 'shift', maxPixels: 3 }] as const

  function dotFrames(count: number): Uint8Array {
    const frames = new Uint8Array(count * 243)
    for (let i = 0; i < count; i++) frames[i * 243 + (4 * 9 + 4) * 3] = 255
    return frames
  }

  function dotsOf(frames: Uint8Array | Float32Array): number[] {
    return Array.from({ length: frames.length / 243 }, (_, i) => frames.indexOf(255, i * 243) - i * 243)
  }

  function drawn<K extends BatchKind>(kind: K, options: BatchOptions[K]): ReturnType<BatchSampler<K>['sample']> {
    return makeSampler(kind, dots as EpisodeSource, options, new Rng(3)).sample(20)
  }

  test('pairs differ from each other and show the same frame', () => {
    const { first, second } = drawn('augmented-pairs', { augment: shift })
    const same = dotsOf(first).filter((at, i) => at === dotsOf(second)[i])
    expect(same.length).toBeLessThan(5)
  })

  test('frames that belong together move together, unless told otherwise', () => {
    const options = { augment: shift, length: 5 }
    const spread = (frames: Uint8Array | Float32Array): number[] =>
      Array.from({ length: 20 }, (_, i) => new Set(dotsOf(frames).slice(5 * i, 5 * i + 5)).size)
    for (const kind of ['frame-tuples', 'episodes'] as const) {
      expect(Math.max(...spread(drawn(kind, options).frames))).toBe(1)
      expect(Math.min(...spread(drawn(kind, { ...options, augmentTogether: false }).frames))).toBeGreaterThan(1)
    }
    const together = drawn('transitions', { augment: shift })
    expect(dotsOf(together.frames)).toEqual(dotsOf(together.nextFrames))
    expect(new Set(dotsOf(together.frames)).size).toBeGreaterThan(5)
    const apart = drawn('transitions', { augment: shift, augmentTogether: false })
    expect(dotsOf(apart.frames)).not.toEqual(dotsOf(apart.nextFrames))
    const { context, frames } = drawn('context', { augment: shift })
    expect(dotsOf(context)).toEqual(dotsOf(frames))
    const views = dotsOf(drawn('multi-view', { augment: shift }).frames)
    expect(views.slice(0, 20)).toEqual(views.slice(20))
    const looks = dotsOf(drawn('multi-view', { augment: shift, augmentTogether: false }).frames)
    expect(looks.slice(0, 20)).toEqual(views.slice(0, 20))
    expect(looks.slice(20)).not.toEqual(looks.slice(0, 20))
  })

  test('a crop changes the shape of the frames, and the sampler says so', () => {
    const crop = [{ kind: 'crop', height: 7, width: 6 }] as const
    const one = makeSampler('multi-view', dots, { augment: crop }, new Rng(1))
    expect(one.frameShape).toEqual([7, 6, 3])
    expect(one.sample(3).frames.length).toBe(2 * 3 * 7 * 6 * 3)
    expect(drawn('frames', { augment: crop }).frames.length).toBe(20 * 126)
  })

  test('what was drawn is not changed in the source', () => {
    drawn('frames', { augment: [{ kind: 'mask', patchPixels: 3, ratio: 1, value: 9 }] })
    expect(new Set(dotsOf(dotFrames(40)))).toEqual(new Set(dotsOf(dots.frameAt(0, 0, 'scene'))))
  })
})

describe('options that make no sense', () => {
  test.each([
    [
      'an unknown camera',
      () => sampler('frames', { camera: 'wrist' }),
      'no camera "wrist"; the episodes have scene, outcome',
    ],
    ['no frames', () => sampler('frame-tuples', { length: 0 }), 'length of a tuple'],
    ['half a stride', () => sampler('frame-tuples', { stride: 1.5 }), 'stride of a tuple'],
    [
      'a window without a step',
      () => sampler('episodes', { length: 1 }),
      'length of a window: expected a whole number >= 2',
    ],
    ['no cameras', () => sampler('multi-view', { cameras: [] }), 'at least one'],
  ])('%s', (_, make, text) => {
    expect(make).toThrow(text)
  })

  test('an option that the kind does not have is named, with those that it has', () => {
    const misspelt = { lenght: 3 } as unknown as BatchOptions['frame-tuples']
    expect(() => sampler('frame-tuples', misspelt)).toThrow(
      'options camera, augment, augmentTogether, length, stride, got "lenght"',
    )
    expect(() => sampler('frames', { stride: 2 } as BatchOptions['frames'])).toThrow('got "stride"')
  })

  test('cameras whose frames differ in shape are no views of one batch', () => {
    const spec = { ...FAKE_SPEC, cameras: { scene: imageSpace(4, 5), outcome: imageSpace(5, 5) } }
    const uneven = new EpisodeSet(spec, [fakeEpisode(0, 3, spec)])
    expect(() => makeSampler('multi-view', uneven, {}, new Rng(0))).toThrow(
      'frames of one shape, got 4 x 5 x 3, 5 x 5 x 3',
    )
  })
})
