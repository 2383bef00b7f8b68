import { describe, expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.ts'
import { makeSampler } from '../../src/replay/batch-sampler.ts'
import { DatasetWindow } from '../../src/replay/dataset-window.ts'
import { EpisodeSet } from '../../src/replay/episode-source.ts'
import { EpisodeStore } from '../../src/replay/episode-store.ts'
import { JoinedSource } from '../../src/replay/joined-source.ts'
import { StoreSource } from '../../src/replay/store-source.ts'
import { FAKE_SPEC, FakeDataset, fakeEpisode, markOf } from './fake-dataset.ts'
import { addEpisode, filledStore, gradientStore } from './helpers.ts'

/** Of one observation of the fake dataset: two cameras, and 2 + 1 + 3 + 1 floats. */
const OBSERVATION_BYTES = 2 * 60 + 4 * 7

function numberOf(source: StoreSource, index: number): number {
  return indices(source).indexOf(index)
}

function indices(source: { episodeCount: number; infoOf(episode: number): { index: number } }): number[] {
  return Array.from({ length: source.episodeCount }, (_, i) => source.infoOf(i).index)
}

describe('episodes in memory', () => {
  test('show what each episode holds', () => {
    const set = new EpisodeSet(FAKE_SPEC, [fakeEpisode(3, 4), fakeEpisode(8, 6)])
    expect([set.episodeCount, set.lengthOf(0), set.lengthOf(1), set.actionSize]).toEqual([2, 4, 6, 2])
    expect(markOf(set.frameAt(1, 5, 'outcome'), 0)).toEqual({ episode: 8, time: 5, camera: 'outcome' })
    expect([...set.actionAt(1, 2)]).toEqual([8, 2])
    expect([...set.stateAt(0, 3)]).toEqual([3, -1, 9])
    expect([...set.proprioAt(0, 3)]).toEqual([0.75])
    expect([set.rewardAt(1, 3), set.rewardAt(1, 2)]).toEqual([3, 0])
    expect([0, 1, 2].map((time) => set.terminatedAt(0, time))).toEqual([false, false, true])
    expect(set.terminatedAt(1, 4)).toBe(false)
  })

  test('of chosen cameras; an unknown one is named', () => {
    expect(Object.keys(new EpisodeSet(FAKE_SPEC, [], ['outcome']).cameras)).toEqual(['outcome'])
    expect(() => new EpisodeSet(FAKE_SPEC, [], ['wrist'])).toThrow('no camera "wrist" in tests/Fake-v0; it has scene')
  })
})

describe('window over a dataset', () => {
  const lengths = Array.from({ length: 12 }, (_, i) => 4 + (i % 5))
  const open = (
    budget: number,
    dataset = new FakeDataset(lengths),
    options: { episodes?: readonly number[]; cameras?: readonly string[] } = {},
  ): Promise<DatasetWindow> =>
    DatasetWindow.open(dataset, { budgetBytes: budget * OBSERVATION_BYTES, rng: new Rng(4), ...options })

  test('holds all that fit and reads nothing again', async () => {
    const dataset = new FakeDataset(lengths)
    const window = await open(1000, dataset)
    expect(indices(window).toSorted((a, b) => a - b)).toEqual([...lengths.keys()])
    await window.refresh(5)
    expect(dataset.reads.length).toBe(12)
    expect(window.isComplete).toBe(true)
  })

  test('stays within its budget, and passes over every episode equally often', async () => {
    const dataset = new FakeDataset(lengths)
    const window = await open(20, dataset)
    for (let i = 0; i < 200; i++) {
      const held = indices(window)
      const observations = held.reduce((sum, index) => sum + lengths[index]!, 0)
      expect(observations).toBeLessThanOrEqual(20)
      expect(new Set(held).size).toBe(held.length)
      await window.refresh()
      expect(indices(window)).not.toEqual(held)
    }
    const reads = lengths.map((_, index) => dataset.reads.filter((read) => read === index).length)
    expect(Math.max(...reads) - Math.min(...reads)).toBeLessThanOrEqual(1)
  })

  test('a budget for one episode moves on whatever comes next', async () => {
    const window = await open(8)
    const seen = new Set<number>()
    for (let i = 0; i < 12; i++) {
      for (const index of indices(window)) seen.add(index)
      await window.refresh()
    }
    expect(seen.size).toBe(12)
    await expect(open(7)).rejects.toThrow('at least 1184 bytes')
  })

  test('the seed decides the order', async () => {
    const orders = [4, 4, 5].map(async (seed) => {
      const dataset = new FakeDataset(lengths)
      const window = await DatasetWindow.open(dataset, { budgetBytes: 3000, rng: new Rng(seed) })
      for (let i = 0; i < 20; i++) await window.refresh()
      return dataset.reads
    })
    const [a, b, c] = await Promise.all(orders)
    expect(a).toEqual(b)
    expect(a).not.toEqual(c)
  })

  test('of chosen episodes and cameras', async () => {
    const window = await open(1000, new FakeDataset(lengths), { episodes: [2, 7], cameras: ['outcome'] })
    expect(indices(window).toSorted((a, b) => a - b)).toEqual([2, 7])
    expect(Object.keys(window.cameras)).toEqual(['outcome'])
    expect(markOf(window.frameAt(0, 1, 'outcome'), 0).camera).toBe('outcome')
    await expect(open(1000, new FakeDataset(lengths), { episodes: [12] })).rejects.toThrow('no episode 12')
    await expect(open(1000, new FakeDataset(lengths), { episodes: [] })).rejects.toThrow('no episodes to draw from')
  })

  test('an episode that cannot be read is named and left out; none at all is an error', async () => {
    const dataset = new FakeDataset(lengths, { corrupt: [1, 6] })
    const window = await open(20, dataset)
    for (let i = 0; i < 60; i++) await window.refresh()
    expect(window.problems.toSorted()).toEqual(['episode 1: fake/1.parquet', 'episode 6: fake/6.parquet'])
    expect(dataset.reads.filter((index) => index === 6).length).toBe(1)
    const all = new FakeDataset(lengths, { corrupt: [...lengths.keys()] })
    await expect(open(20, all)).rejects.toThrow('.parquet')
  })
})

describe('replay as a source', () => {
  const episodes = [
    { length: 3, terminated: true },
    { length: 2, terminated: false },
    { length: 4, terminated: true },
  ]

  test('has the episodes of the store, the open one included', () => {
    const store = filledStore(episodes, 100, 3)
    const source = new StoreSource(store, 'front', [1, 1, 3])
    expect(indices(source)).toEqual([0, 4, 7])
    expect([0, 1, 2].map((episode) => source.lengthOf(episode))).toEqual([4, 3, 5])
    expect([...source.frameAt(2, 3)]).toEqual([23, 23, 23])
    expect([source.actionAt(2, 3)[0], source.rewardAt(2, 3)]).toEqual([3, 203])
    expect([source.terminatedAt(2, 3), source.terminatedAt(2, 2), source.terminatedAt(1, 1)]).toEqual([
      true,
      false,
      false,
    ])
    expect([0, 1, 2].map((episode) => source.infoOf(episode).terminated)).toEqual([true, false, true])
    store.begin(Float32Array.of(9, 0), Uint8Array.of(90, 90, 90))
    expect([source.episodeCount, source.lengthOf(3)]).toEqual([4, 1])
  })

  test('leaves out an episode once its first observation is gone', () => {
    const store = filledStore(episodes, 11, 3)
    const source = new StoreSource(store, 'front', [1, 1, 3])
    expect(indices(source)).toEqual([4, 7])
    addEpisode(store, 3, { length: 1, terminated: false })
    expect(indices(source)).toEqual([4, 7, 12])
    addEpisode(store, 4, { length: 2, terminated: false })
    expect(indices(source)).toEqual([7, 12, 14])
  })

  test('frames that are seen at once are augmented alike, and those of two observations apart where that is asked for', () => {
    const side = 5
    const store = gradientStore(side)
    const one = new StoreSource(store, 'front', [side, side, 1], 3)
    const options = { augment: [{ kind: 'shift', maxPixels: 1 }], augmentTogether: false } as const
    for (const source of [one, new JoinedSource([one, one])]) {
      const { frames, nextFrames } = makeSampler('transitions', source, options, new Rng(1)).sample(50)
      expect(frames).toHaveLength(50 * 3 * side * side)
      const middles = (all: ArrayLike<number>, row: number): (number | undefined)[] =>
        [0, 1, 2].map((k) => all[(3 * row + k) * side * side + 12])
      const rows = Array.from({ length: 50 }, (_, row) => [middles(frames, row), middles(nextFrames, row)])
      for (const stack of rows.flat()) expect(new Set(stack).size).toBe(1)
      expect(rows.some(([now, next]) => now![0] !== next![0])).toBe(true)
    }
  })

  test('transitions from it never cross a border', () => {
    const store = filledStore(episodes, 11, 3)
    const sampler = makeSampler('transitions', new StoreSource(store, 'front', [1, 1, 3]), {}, new Rng(0))
    const batch = sampler.sample(200)
    for (let row = 0; row < 200; row++) {
      expect(batch.nextFrames[3 * row]).toBe(batch.frames[3 * row]! + 1)
      expect(batch.actions[row]).toBe(batch.frames[3 * row]! % 10)
    }
    expect(new Set(batch.episodes)).toEqual(new Set([4, 7]))
    expect(new Set(batch.notDone)).toEqual(new Set([0, 1]))
  })

  test('its vectors are drawn as states where no camera is named: steps, and windows, within episodes', () => {
    const store = filledStore(episodes, 11, 3)
    const source = new StoreSource(store)
    expect([source.cameras, source.stateSize]).toEqual([{}, 2])
    const steps = makeSampler('transitions', source, { vectors: true }, new Rng(0))
    expect(steps.frameShape).toEqual([1, 1, 2])
    const batch = steps.sample(200)
    expect([batch.frames, batch.nextFrames].every((rows) => rows instanceof Float32Array && rows.length === 400)).toBe(
      true,
    )
    for (let row = 0; row < 200; row++) {
      const [before, after] = [batch.frames, batch.nextFrames].map((rows) => [...rows.subarray(2 * row, 2 * row + 2)])
      const time = batch.times[row]!
      expect(before).toEqual([...source.stateAt(numberOf(source, batch.episodes[row]!), time)])
      expect(after).toEqual([...source.stateAt(numberOf(source, batch.episodes[row]!), time + 1)])
      expect(before).not.toEqual(after)
    }
    expect(new Set(batch.episodes)).toEqual(new Set([4, 7]))
    const windows = makeSampler('episodes', source, { vectors: true, length: 3 }, new Rng(0)).sample(50)
    for (let window = 0; window < 50; window++) {
      for (let k = 0; k < 3; k++) {
        const at = 2 * (3 * window + k)
        const expected = source.stateAt(numberOf(source, windows.episodes[window]!), windows.starts[window]! + k)
        expect([...windows.frames.subarray(at, at + 2)]).toEqual([...expected])
      }
    }
  })

  test('vectors are refused where there are none, and are not augmented', () => {
    const store = filledStore(episodes, 100, 3)
    const framed = new StoreSource(store, 'front', [1, 1, 3])
    expect(() => makeSampler('transitions', framed, { vectors: true }, new Rng(0))).toThrow(/episodes with a state/)
    const augment = [{ kind: 'shift', maxPixels: 1 }] as const
    const options = { vectors: true, augment }
    expect(() => makeSampler('transitions', new StoreSource(store), options, new Rng(0))).toThrow(/none for vectors/)
  })

  test('frames of another size are refused', () => {
    const store = new EpisodeStore({ capacity: 4, featureSize: 1, actionSize: 1, frameSize: 0 })
    expect(() => new StoreSource(store, 'front', [1, 1, 3])).toThrow('expected 3 bytes for [1, 1, 3], got 0')
  })
})
