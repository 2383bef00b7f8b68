import { describe, expect, test } from 'vitest'
import type { EpisodeInfo } from '../../../src/core/dataset.ts'
import { Rng } from '../../../src/core/rng.ts'
import { measureEpisodes } from '../../../src/evaluate/measures/measures.ts'
import { embedEpisodes, stateEmbedder } from '../../../src/evaluate/report/embed.ts'
import { nuisancesOf } from '../../../src/evaluate/report/nuisances.ts'
import { syntheticDataset, TASK } from './fixture.ts'

function episode(index: number, about: Pick<EpisodeInfo, 'distractor' | 'looks'>): EpisodeInfo {
  return { index, length: 2, terminated: false, policy: 'random', objects: [], ...about }
}

const labels = (values: readonly (number | undefined)[], look = 'hue_cube_rad'): (string | undefined)[] =>
  nuisancesOf(values.map((value, i) => episode(i, value === undefined ? {} : { looks: { [look]: value } }))).map(
    (all) => all?.[look.replace(/_(rad|m|deg)$/, '')],
  )

describe('nuisancesOf', () => {
  test('makes thirds of numbers by their rank, whatever their order and their spread', () => {
    expect(labels([9, -3, 0, 1e6, 2, 7, 1, 3, 8])).toEqual(['2', '0', '0', '2', '1', '1', '0', '1', '2'])
    expect(labels([0.1, 0.2, 0.3, 0.4])).toEqual(['0', '1', '1', '2'])
  })

  test('puts equal numbers into one class, and episodes that do not know theirs into none', () => {
    const [first, ...others] = labels([5, 5, 5, undefined, 6, 7, 8])
    expect(others.slice(0, 3)).toEqual([first, first, undefined])
    expect(new Set(others.slice(3)).has(first)).toBe(false)
  })

  test('takes numbers of which there are few for classes, such as kinds of texture', () => {
    const kinds = Array.from({ length: 12 }, (_, i) => i % 4)
    expect(labels(kinds, 'texture_table_kind')).toEqual(kinds.map(String))
  })

  test('has no labels of what is the same in all episodes', () => {
    expect(labels([2, 2, 2, 2])).toEqual([undefined, undefined, undefined, undefined])
    expect(nuisancesOf([episode(0, {}), episode(1, { looks: { light_x: 1 } })])).toEqual([undefined, undefined])
  })

  test('names kinds without units, beside the distractor', () => {
    const infos = [0, 1].map((i) =>
      episode(i, {
        distractor: `clip-${i}`,
        looks: { hue_cube_rad: i, camera_front_dx_m: i, camera_front_fov_deg: i, light_x: i },
      }),
    )
    expect(Object.keys(nuisancesOf(infos)[0]!).toSorted()).toEqual(
      ['camera_front_dx', 'camera_front_fov', 'distractor', 'hue_cube', 'light_x'].toSorted(),
    )
  })
})

test('an embedding that holds the hue is found out, one that does not is at chance', async () => {
  const dataset = syntheticDataset(6)
  const rng = new Rng(1)
  const hues = new Map(dataset.episodes.map(({ index }) => [index, rng.uniform(-1, 1)]))
  const labelled = {
    ...dataset,
    readEpisode: async (index: number) => {
      const data = await dataset.readEpisode(index)
      return { ...data, info: { ...data.info, looks: { hue_cube_rad: hues.get(index)!, light_x: 1 } } }
    },
  }
  const blind = stateEmbedder('blind', 4, TASK)
  const knowing = {
    ...blind,
    name: 'knowing',
    embed: async ({ info }: { readonly info: EpisodeInfo }) =>
      new Float32Array(info.length * 4).fill(info.looks!['hue_cube_rad']!),
  }
  const indices = dataset.episodes.map(({ index }) => index)
  const embedded = await embedEpisodes(labelled, indices, [blind, knowing], TASK, () => {})
  const accuracy = (name: string): Record<string, number> =>
    Object.fromEntries(
      measureEpisodes(embedded.get(name)!, { rng: new Rng(0), only: ['nuisance'] })
        .measurements.filter(({ name: of }) => of.startsWith('nuisance/'))
        .map(({ name: of, interval }) => [of, interval.estimate]),
    )
  // A line between three classes in a row cannot have the middle one.
  expect(accuracy('knowing')).toEqual({ 'nuisance/hue_cube': expect.closeTo(2 / 3, 1) as number })
  expect(accuracy('blind')['nuisance/hue_cube']).toBeLessThan(0.5)
})
