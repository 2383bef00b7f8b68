import { describe, expect, it } from 'vitest'
import { Rng } from '../../../src/core/rng.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from '../../../src/evaluate/measures/embedded-episodes.ts'
import type { Measurement } from '../../../src/evaluate/measures/measurement.ts'
import { measureEpisodes } from '../../../src/evaluate/measures/measures.ts'

const LENGTH = 20

/** Places on a plane; in another look each is seen at what `shift` makes of it. */
function places(shift: (x: number, y: number) => readonly [number, number]): EmbeddedEpisodes {
  const episodes = Array.from({ length: 8 }, (_, index): EmbeddedEpisode => {
    const rng = new Rng(5).split(String(index))
    const states = Float32Array.from({ length: 2 * LENGTH }, () => rng.normal())
    const look = Array.from({ length: LENGTH }, (_t, t) => shift(states[2 * t]!, states[2 * t + 1]!)).flat()
    return {
      index,
      class: 'random',
      length: LENGTH,
      embeddings: states,
      states,
      looks: { light: Float32Array.from(look) },
    }
  })
  return { episodes, embeddingSize: 2 }
}

function measure(data: EmbeddedEpisodes): Record<string, Measurement> {
  const { measurements } = measureEpisodes(data, { rng: new Rng(1), only: ['looks/drift', 'looks/retrieval'] })
  return Object.fromEntries(measurements.map((measurement) => [measurement.name, measurement]))
}

describe('another look', () => {
  it('that changes nothing is no drift, and every state is found again', () => {
    const all = measure(places((x, y) => [x, y]))
    expect(all['looks/drift/light']!.interval.estimate).toBe(0)
    expect(all['looks/retrieval/light']!.interval.estimate).toBe(1)
  })

  it('that moves all alike is drift in distances of random frames', () => {
    // Two points of a plane of unit normals are sqrt(pi) apart on average.
    const { interval } = measure(places((x, y) => [x + Math.sqrt(Math.PI), y]))['looks/drift/light']!
    expect(interval.estimate).toBeCloseTo(1, 0.8)
    expect(interval.low).toBeLessThan(interval.estimate)
  })

  it('that is unlike the recorded one scores chance', () => {
    const rng = new Rng(8)
    const all = measure(places(() => [rng.normal(), rng.normal()]))
    expect(all['looks/drift/light']!.interval.estimate).toBeCloseTo(1, 0.8)
    const { interval, chance } = all['looks/retrieval/light']!
    expect(chance).toBeCloseTo(1 / 160, 3)
    expect(interval.estimate).toBeLessThan(0.05)
  })

  it('finds a state again in any frame of it, where nothing moves', () => {
    const data = places((x, y) => [x, y])
    const still = data.episodes.map((episode) => {
      const stopped = episode.states!.map((_, i) => episode.states![i % 2]!)
      return { ...episode, states: stopped, embeddings: stopped, looks: { light: stopped } }
    })
    const all = measure({ ...data, episodes: still })
    expect(all['looks/retrieval/light']!.interval.estimate).toBe(1)
    expect(all['looks/retrieval/light']!.chance).toBeCloseTo(1 / 8, 6)
  })

  it('of a collapsed embedding tells nothing', () => {
    const data = places(() => [0, 0])
    const episodes = data.episodes.map((episode) => ({ ...episode, embeddings: new Float32Array(2 * LENGTH) }))
    const all = measure({ ...data, episodes })
    expect(all['looks/drift/light']!.undefinedBecause).toMatch(/^collapsed/)
    const { interval, chance } = all['looks/retrieval/light']!
    expect(interval.estimate).toBeCloseTo(chance, 6)
  })
})
