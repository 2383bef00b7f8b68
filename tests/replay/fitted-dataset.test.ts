import { expect, it } from 'vitest'
import type { EpisodeData } from '../../src/core/dataset.ts'
import { fitFrames } from '../../src/core/frame-fit.ts'
import { imageSpace } from '../../src/core/spaces.ts'
import { fittedDataset } from '../../src/replay/fitted-dataset.ts'
import { randomEpisode, SPEC } from '../io/lerobot-helpers.ts'

it('a dataset with one camera at another size leaves all else as it is', async () => {
  const episode = randomEpisode(3, 4)
  const dataset = {
    path: 'x',
    spec: SPEC,
    episodes: [episode.info],
    problems: ['one'],
    readEpisode: (): Promise<EpisodeData> => Promise.resolve(episode),
  }
  const small = fittedDataset(dataset, ['front'], { from: [6, 8, 3], to: [3, 4, 3] })
  expect(small.spec.cameras).toEqual({ ...SPEC.cameras, front: { ...imageSpace(6, 8), shape: [3, 4, 3] } })
  const { images, goalImages, ...rest } = await small.readEpisode(0)
  expect(images['front']).toEqual(fitFrames(episode.images['front']!, { from: [6, 8, 3], to: [3, 4, 3] }))
  expect(goalImages!['front']).toHaveLength(36)
  expect(images['side']).toBe(episode.images['side'])
  const { images: _images, goalImages: _goals, ...others } = episode
  expect(rest).toEqual(others)
  expect(small.problems).toEqual(['one'])
  expect(fittedDataset(dataset, ['front'], { from: [6, 8, 3], to: [6, 8, 3] })).toBe(dataset)
})
