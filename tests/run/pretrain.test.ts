import { describe, expect, test } from 'vitest'
import { singleFrameSpec } from '../../encoders/shared/frames.ts'
import type { FrameBatch } from '../../src/core/batches.ts'
import type { LearningEncoder } from '../../src/core/encoder.ts'
import { Rng } from '../../src/core/rng.ts'
import type { EpisodeData } from '../../src/core/dataset.ts'
import { boxSpace } from '../../src/core/spaces.ts'
import { EpisodeSet } from '../../src/replay/episode-source.ts'
import { EncoderData } from '../../src/run/encoder-data.ts'
import { DatasetBatches, holdOut } from '../../src/run/dataset-batches.ts'
import { pretrainEncoder } from '../../src/run/pretrain.ts'
import { FakeDataset, markOf } from '../replay/fake-dataset.ts'

/** Remembers the first byte of every frame that it was given. */
class CountingEncoder implements LearningEncoder<'frames'> {
  readonly spec = singleFrameSpec('counting', [1, 1, 1], 1)
  readonly learned: number[] = []
  readonly evaluated: number[] = []

  async update({ frames }: FrameBatch): Promise<{ loss: number }> {
    this.learned.push(...frames)
    return { loss: this.learned.length }
  }

  async evaluate({ frames }: FrameBatch): Promise<{ loss: number }> {
    this.evaluated.push(...frames)
    return { loss: -1 }
  }

  async encode(): Promise<Float32Array> {
    return new Float32Array(1)
  }

  save(): {} {
    return {}
  }

  restore(): void {}
  dispose(): void {}
}

/** Frames 0 to 5 to learn from, in two episodes; 6 to 9 are held out. */
function tenFrames(batchSize: number): EncoderData<'frames'> {
  const empty = boxSpace([0], 0, 1)
  const cameras = { dot: { dtype: 'uint8', shape: [1, 1, 1], low: 0, high: 255 } } as const
  const rest = { source: 'test/Ten-v0', fps: 1, actionSpace: empty, proprioSpace: empty, stateSpace: empty }
  const episode = (...frames: number[]): EpisodeData => ({
    info: { index: frames[0]!, length: frames.length, terminated: false, policy: 'random', objects: [] },
    images: { dot: Uint8Array.from(frames) },
    proprio: new Float32Array(0),
    state: new Float32Array(0),
    actions: new Float32Array(0),
    rewards: new Float32Array(frames.length - 1),
  })
  const sources = {
    training: new EpisodeSet({ ...rest, cameras }, [episode(0, 1), episode(2, 3, 4, 5)]),
    validation: new EpisodeSet({ ...rest, cameras }, [episode(6, 7, 8, 9)]),
  }
  const rng = new Rng(1)
  return new EncoderData(sources, { kind: 'frames', camera: 'dot', batchSize }, { training: rng, validation: rng })
}

describe('pretraining', () => {
  test('learns from the one side, evaluates on the other, and reports when it should', async () => {
    const encoder = new CountingEncoder()
    const data = tenFrames(3)
    const rows: [number, object][] = []
    const updates: number[] = []
    const done = await pretrainEncoder(encoder, data, {
      updates: 7,
      logEvery: 3,
      onMetrics: (update, metrics) => void rows.push([update, metrics]),
      onUpdate: (update) => void updates.push(update),
    })
    expect(done).toBe(7)
    expect(encoder.learned).toHaveLength(21)
    expect(new Set(encoder.learned)).toEqual(new Set([0, 1, 2, 3, 4, 5]))
    expect(encoder.evaluated.every((frame) => frame >= 6)).toBe(true)
    expect(rows).toEqual([3, 6, 7].map((at) => [at, { 'embed/loss': 3 * at, 'embed/validation_loss': -1 }]))
    expect(updates).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  test('stops between two updates, and goes on to the number in all', async () => {
    const encoder = new CountingEncoder()
    const data = tenFrames(1)
    const abort = new AbortController()
    const options = { updates: 9, logEvery: 100, signal: abort.signal }
    const onUpdate = (update: number): void => void (update === 4 && abort.abort())
    expect(await pretrainEncoder(encoder, data, { ...options, onUpdate })).toBe(4)
    expect(await pretrainEncoder(encoder, data, { updates: 9, logEvery: 100, done: 4 })).toBe(9)
    expect(encoder.learned).toHaveLength(9)
  })
})

describe('batches from a dataset', () => {
  const dataset = new FakeDataset(Array.from({ length: 10 }, () => 6))
  const split = holdOut(dataset, 0.2, new Rng(2))
  const options = { kind: 'frames', camera: 'scene', batchSize: 40, memoryBytes: 1e6, split } as const
  const episodesOf = ({ frames, count }: FrameBatch): number[] =>
    Array.from({ length: count }, (_, row) => markOf(frames, row).episode)

  test('no episode is on both sides, and each side draws from its own', async () => {
    expect(split.validation).toHaveLength(2)
    expect([...split.training, ...split.validation].toSorted((a, b) => a - b)).toEqual([...Array(10).keys()])
    const batches = await DatasetBatches.open(dataset, options, new Rng(3))
    expect(new Set(episodesOf(batches.training()))).toEqual(new Set(split.training))
    expect(new Set(episodesOf(batches.validation()))).toEqual(new Set(split.validation))
  })

  test('frames for statistics are spread over all episodes of a side, or the first of each', async () => {
    const batches = await DatasetBatches.open(dataset, options, new Rng(3))
    const even = batches.frames('training', 16)
    expect(new Set(episodesOf(even))).toEqual(new Set(split.training))
    expect(batches.frames('training', 1000).count).toBe(8 * 6)
    const firsts = batches.frames('validation', 1000, true)
    expect(Array.from({ length: firsts.count }, (_, row) => markOf(firsts.frames, row).time)).toEqual([0, 0])
  })

  test('going on from its streams draws what would have come', async () => {
    const straight = await DatasetBatches.open(dataset, options, new Rng(3))
    straight.training()
    straight.validation()
    const streams = JSON.parse(JSON.stringify(straight.streams)) as typeof straight.streams
    const resumed = await DatasetBatches.open(dataset, options, new Rng(3), streams)
    expect(resumed.training().frames.slice()).toEqual(straight.training().frames.slice())
    expect(resumed.validation().frames.slice()).toEqual(straight.validation().frames.slice())
  })

  test('where not all fit, other episodes come into memory', async () => {
    const small = { ...options, memoryBytes: 8 * 6 * (60 + 4 * 7) }
    const batches = await DatasetBatches.open(dataset, small, new Rng(3))
    const seen = new Set<number>()
    for (let update = 0; update < 200; update++) {
      episodesOf(batches.training()).forEach((episode) => seen.add(episode))
      await batches.advance()
    }
    expect(seen).toEqual(new Set(split.training))
  })

  test('at least one episode is held out, at least one is not, and one alone is refused', () => {
    const two = new FakeDataset([3, 3])
    for (const fraction of [0.01, 0.99]) {
      const { training, validation } = holdOut(two, fraction, new Rng(1))
      expect([training.length, validation.length]).toEqual([1, 1])
    }
    expect(() => holdOut(new FakeDataset([3]), 0.1, new Rng(1))).toThrow('at least 2')
  })
})

test.each([
  ['updates', { updates: NaN }],
  ['updates', { updates: -1 }],
  ['logEvery', { logEvery: 0 }],
  ['updates done', { done: 1.5 }],
])('%s that make no sense are refused in one line', async (name, options) => {
  const training = pretrainEncoder(new CountingEncoder(), tenFrames(1), { updates: 5, logEvery: 5, ...options })
  await expect(training).rejects.toThrow(new RegExp(`^${name}: expected a whole number`))
})

test.each([0, NaN, 2.5])('a batch of %d rows is refused', (rows) => {
  expect(() => tenFrames(rows)).toThrow(`rows of a batch: expected a whole number >= 1, got ${rows}`)
})
