import { expect, test } from 'vitest'
import type { Batches, FrameBatch, FrameTupleBatch } from '../../src/core/batches.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import type { LearningEncoder } from '../../src/core/encoder.ts'
import { Rng } from '../../src/core/rng.ts'
import { EpisodeStore } from '../../src/replay/episode-store.ts'
import { encoderLearner, refreshLearner } from '../../src/run/learners.ts'
import { markEncoder, marked, PIXEL } from '../contracts/fake-encoders.ts'

const WINDOW = { window: { frames: 2, stride: 2 }, takesContext: true }

/** Episodes of marks 10, 11, ... and 20, 21, ..., the second one still open, each for the goal 99. */
function filledStore(featureSize: number): EpisodeStore {
  const store = new EpisodeStore({ capacity: 100, featureSize, actionSize: 1, frameSize: 3 })
  for (const episode of [10, 20]) {
    const features = new Float32Array(featureSize)
    store.begin(features, marked(episode), { features, frame: marked(99) })
    for (let time = 1; time <= 4; time++) {
      const truncated = episode === 10 && time === 4
      const step = { action: new Float32Array(1), reward: 0, terminated: false, truncated }
      store.append(step, features, marked(episode + time))
    }
  }
  return store
}

test('an encoder of any kind of batch learns on from the replay, which is then encoded as it asks for', async () => {
  const batches: FrameTupleBatch[] = []
  const priors: EncoderInput[] = []
  const fake = markEncoder(WINDOW)
  const encoder = {
    ...fake,
    spec: { ...fake.spec, batch: { kind: 'frame-tuples', options: { length: 3 } } },
    update: async (batch: Batches[keyof Batches]) => (batches.push(batch as FrameTupleBatch), { loss: 7 }),
    evaluate: async () => ({ loss: 0 }),
    fitPrior: async (input: EncoderInput) => void priors.push(input),
  } as unknown as LearningEncoder
  const store = filledStore(fake.spec.latentSize)
  const turns = { startsAt: 0, every: 10, updates: 1, batchSize: 5, camera: 'top' }
  const learner = refreshLearner(encoder, [store], turns, new Rng(1))

  expect(await learner.step()).toEqual({ 'embed/loss': 7 })
  const { count, length, frames } = batches[0]!
  expect([count, length, frames.length]).toEqual([5, 3, 5 * 3 * 3])
  for (let row = 0; row < count; row++) {
    const marks = [0, 1, 2].map((k) => frames[(row * 3 + k) * PIXEL[2]]!)
    expect(marks).toEqual([marks[0], marks[0]! + 1, marks[0]! + 2])
  }

  await learner.after!()
  // [frame two steps before, frame, first frame of the episode]
  const features = Array.from({ length: 10 }, (_, position) => [...store.featuresAt(position)])
  expect(features.slice(0, 5)).toEqual([10, 11, 12, 13, 14].map((mark) => [Math.max(10, mark - 2), mark, 10]))
  expect(features.slice(5)).toEqual([20, 21, 22, 23, 24].map((mark) => [Math.max(20, mark - 2), mark, 20]))
  expect([[...store.goalAt(2)], [...store.goalAt(9)]]).toEqual([
    [99, 99, 10],
    [99, 99, 20],
  ])
  expect(priors.map((input) => [input.count, input.context?.length])).toEqual([[10, 30]])
})

test('what a batch cannot be drawn by is refused before training', () => {
  const encoder = { ...markEncoder({}), update: async () => ({ loss: 0 }), evaluate: async () => ({ loss: 0 }) }
  const turns = { startsAt: 0, every: 10, updates: 1, batchSize: 0, camera: 'top' }
  const make = (): unknown => refreshLearner(encoder as unknown as LearningEncoder, [filledStore(1)], turns, new Rng(1))
  expect(make).toThrow('rows of a batch: expected a whole number >= 1, got 0')
})

test('an encoder that learns along is shown stacks of the frames of the replay', async () => {
  const batches: FrameBatch[] = []
  const fake = markEncoder({})
  const encoder = {
    ...fake,
    spec: { ...fake.spec, frameShape: PIXEL, window: { frames: 3, stride: 1 } },
    update: async (batch: Batches[keyof Batches]) => (batches.push(structuredClone(batch) as FrameBatch), { loss: 7 }),
    evaluate: async () => ({ loss: 0 }),
  } as unknown as LearningEncoder
  const turns = {
    startsAt: 0,
    every: 10,
    updates: 1,
    batchSize: 20,
    seen: { camera: 'top', frameShape: PIXEL, stack: 3 },
  }
  const learner = encoderLearner(encoder, [filledStore(1)], turns, new Rng(1))
  expect(await learner.step()).toEqual({ 'embed/loss': 7 })
  const { frames, count } = batches[0]!
  for (let row = 0; row < count; row++) {
    const [oldest, before, newest] = [0, 3, 6].map((i) => frames[row * 9 + i]!) as [number, number, number]
    const start = newest < 20 ? 10 : 20
    expect([oldest, before]).toEqual([Math.max(start, newest - 2), Math.max(start, newest - 1)])
  }
  expect(new Set(Array.from({ length: count }, (_, row) => frames[row * 9 + 6]!)).size).toBeGreaterThan(5)
})
