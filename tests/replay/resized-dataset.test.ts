import { describe, expect, it } from 'vitest'
import type { EpisodeData } from '../../src/core/dataset.ts'
import { Rng } from '../../src/core/rng.ts'
import { imageSpace } from '../../src/core/spaces.ts'
import { autoFrameShape, resizedDataset, resizeFrames } from '../../src/replay/resized-dataset.ts'
import { randomEpisode, SPEC } from '../io/lerobot-helpers.ts'

describe('resizeFrames', () => {
  it('gives each pixel the mean of the area that it covers', () => {
    expect([...resizeFrames(Uint8Array.of(0, 10, 20, 30, 100, 110, 120, 130), [2, 4, 1], [1, 2, 1])]).toEqual([55, 75])
    // Three onto two: the middle one counts half on both sides.
    expect([...resizeFrames(Uint8Array.of(0, 90, 180), [1, 3, 1], [1, 2, 1])]).toEqual([30, 150])
    expect([...resizeFrames(Uint8Array.of(7, 9), [1, 2, 1], [2, 4, 1])]).toEqual([7, 7, 9, 9, 7, 7, 9, 9])
  })

  it('takes what a crop leaves, of every frame, and averages that', () => {
    const frames = Uint8Array.from({ length: 24 }, (_, i) => i)
    expect([...resizeFrames(frames, [3, 4, 1], [2, 2, 1], [1, 1, 2, 2])]).toEqual([5, 6, 9, 10, 17, 18, 21, 22])
    expect([...resizeFrames(frames, [3, 4, 1], [1, 1, 1], [0, 2, 1, 2])]).toEqual([3, 15])
    expect([...resizeFrames(frames, [3, 4, 1], [3, 4, 1], [0, 0, 3, 4])]).toEqual([...frames])
  })

  it.each([
    [
      [480, 640, 3],
      [72, 96, 3],
    ],
    [
      [97, 131, 3],
      [71, 96, 3],
    ],
    [
      [49, 51, 3],
      [48, 48, 3],
    ],
  ] as const)('keeps a flat colour, and the mean of noise, from %j to %j', (from, to) => {
    const [h, w, c] = from
    const flat = Uint8Array.from({ length: 2 * h * w * c }, (_, i) => [10, 200, 77][i % 3]!)
    const small = resizeFrames(flat, from, to)
    expect(small).toHaveLength(2 * to[0] * to[1] * 3)
    expect(small.every((x, i) => x === [10, 200, 77][i % 3]!)).toBe(true)
    const rng = new Rng(1)
    const noise = Uint8Array.from({ length: h * w * c }, () => rng.int(256))
    const mean = (values: Uint8Array): number => values.reduce((sum, x) => sum + x, 0) / values.length
    expect(Math.abs(mean(resizeFrames(noise, from, to)) - mean(noise))).toBeLessThan(0.5)
  })
})

it.each([
  [
    [48, 48, 3],
    [48, 48, 3],
  ],
  [
    [96, 128, 3],
    [96, 128, 3],
  ],
  [
    [480, 640, 3],
    [72, 96, 3],
  ],
  [
    [640, 480, 3],
    [96, 72, 3],
  ],
  [
    [224, 224, 3],
    [96, 96, 3],
  ],
] as const)('frames of %j are learned from at %j', (from, to) => {
  expect(autoFrameShape(from)).toEqual(to)
})

it('a dataset with one camera at another size leaves all else as it is', async () => {
  const episode = randomEpisode(3, 4)
  const dataset = {
    path: 'x',
    spec: SPEC,
    episodes: [episode.info],
    problems: ['one'],
    readEpisode: (): Promise<EpisodeData> => Promise.resolve(episode),
  }
  const small = resizedDataset(dataset, 'front', [3, 4, 3])
  expect(small.spec.cameras).toEqual({ ...SPEC.cameras, front: { ...imageSpace(6, 8), shape: [3, 4, 3] } })
  const { images, goalImages, ...rest } = await small.readEpisode(0)
  expect(images['front']).toEqual(resizeFrames(episode.images['front']!, [6, 8, 3], [3, 4, 3]))
  expect(goalImages!['front']).toHaveLength(36)
  expect(images['side']).toBe(episode.images['side'])
  const { images: _images, goalImages: _goals, ...others } = episode
  expect(rest).toEqual(others)
  expect(small.problems).toEqual(['one'])
  expect(resizedDataset(dataset, 'front', [6, 8, 3])).toBe(dataset)
})
