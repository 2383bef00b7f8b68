import { describe, expect, it } from 'vitest'
import type { ObservationMessage } from '../../../bridges/protocol/messages.ts'
import { datasetSpecOf, EpisodeCutter } from '../../../bridges/recording/episode-cutter.ts'
import type { EpisodeData } from '../../../src/core/dataset.ts'
import { appliedOf, observationOf } from '../observations.ts'
import { sampleSchema } from '../protocol/samples.ts'

const blind = { ...sampleSchema, images: {} }

function cut(
  observations: readonly ObservationMessage[],
  schema = blind,
): { episodes: EpisodeData[]; cutter: EpisodeCutter } {
  const cutter = new EpisodeCutter(schema, 'teleop')
  const episodes = observations.map((observation) => cutter.add(observation))
  episodes.push(cutter.finish())
  return { episodes: episodes.filter((episode) => episode !== undefined), cutter }
}

/** The observations of an episode, by number, and the actions between them. */
const summary = ({ proprio, actions }: EpisodeData): { seen: number[]; did: number[] } => ({
  seen: [...proprio].filter((_, i) => i % 2 === 0),
  did: [...actions].filter((_, i) => i % 2 === 0),
})

describe('an episode cutter', () => {
  it('begins with the observation before the first action of a policy and ends after its last', () => {
    const { episodes } = cut([
      observationOf(1, 0),
      observationOf(2, 0),
      observationOf(3, 1, appliedOf(0)),
      observationOf(4, 2, appliedOf(5)),
      // Held between two actions: that happened too.
      observationOf(5, 3, appliedOf(0)),
      observationOf(6, 4, { ...appliedOf(6), info: { success: 1 }, terminated: true }),
      observationOf(7, 5, appliedOf(0)),
      observationOf(8, 6, appliedOf(0)),
    ])
    expect(episodes.map(summary)).toEqual([{ seen: [3, 4, 5, 6], did: [5, 0, 6] }])
    expect(episodes[0]!.info).toEqual({
      index: 0,
      length: 4,
      terminated: true,
      success: true,
      policy: 'teleop',
      objects: [],
    })
    expect([...episodes[0]!.rewards]).toEqual([-4, -5, -6])
  })

  it('cuts where the robot rested, an observation is missing or nothing new, at a reset and at a restart', () => {
    const act = (seq: number, step: number, change = {}): ObservationMessage =>
      observationOf(seq, step, { ...appliedOf(seq), ...change })
    const { episodes, cutter } = cut([
      observationOf(1, 0),
      act(2, 1),
      act(2, 1),
      observationOf(3, 1, appliedOf(2)),
      act(4, 2),
      act(6, 4),
      act(7, 5),
      act(8, 6, { stale: true }),
      act(9, 7),
      act(10, 8),
      observationOf(11, 0, { episode: { id: 2, step: 0 } }),
      act(12, 1, { episode: { id: 2, step: 1 } }),
      act(1, 1, { session: 'bb' }),
      act(2, 2, { session: 'bb' }),
    ])
    expect(episodes.map(summary)).toEqual([
      { seen: [1, 2], did: [2] },
      { seen: [3, 4], did: [4] },
      { seen: [6, 7], did: [7] },
      { seen: [9, 10], did: [10] },
      { seen: [11, 12], did: [12] },
      { seen: [1, 2], did: [2] },
    ])
    expect(episodes.map(({ info }) => info.index)).toEqual([0, 1, 2, 3, 4, 5])
    expect(cutter).toMatchObject({ missed: 1, stale: 1 })
  })

  it('keeps goals with their episodes and the newest image of each camera', () => {
    const image = (value: number) =>
      ({ top: { encoding: 'raw', pixels: { data: Uint8Array.of(value, 0, 0), shape: [1, 1, 3] } } }) as const
    const goal = { state: Float32Array.of(0.75), images: image(99) }
    const { episodes, cutter } = cut(
      [
        observationOf(1, 0),
        observationOf(2, 0, { images: image(1), goal }),
        observationOf(3, 1, { images: image(2), ...appliedOf(1) }),
        observationOf(4, 2, appliedOf(2)),
        observationOf(5, 0, {
          images: image(5),
          goal: { ...goal, state: Float32Array.of(0.25) },
          episode: { id: 2, step: 0 },
        }),
        observationOf(6, 1, { images: image(6), episode: { id: 2, step: 1 }, ...appliedOf(3) }),
      ],
      sampleSchema,
    )
    expect(episodes.map(({ images }) => [...images['top']!].filter((_, i) => i % 3 === 0))).toEqual([
      [1, 2, 2],
      [5, 6],
    ])
    expect(episodes[0]).toMatchObject({ info: { goal: goal.state }, goalImages: { top: Uint8Array.of(99, 0, 0) } })
    expect(episodes[1]!.info.goal).toEqual(Float32Array.of(0.25))
    expect(cutter.stale).toBe(1)
  })

  it('gives no episode where nothing acted', () => {
    expect(cut([observationOf(1, 0), observationOf(2, 1, appliedOf(0)), observationOf(3, 1)]).episodes).toEqual([])
  })

  it('describes the dataset as the robot describes itself', () => {
    expect(datasetSpecOf(sampleSchema)).toMatchObject({
      source: sampleSchema.name,
      fps: 12.5,
      cameras: { top: { shape: [1, 1, 3], dtype: 'uint8' } },
      actionSpace: { names: ['hand_x_m', 'hand_y_m'], low: [-1, -0.1] },
      goalSpace: { shape: [1] },
    })
  })
})
