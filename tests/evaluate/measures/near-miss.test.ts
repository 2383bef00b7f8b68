import { describe, expect, it } from 'vitest'
import { Rng } from '../../../src/core/rng.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from '../../../src/evaluate/measures/embedded-episodes.ts'
import type { Measurement } from '../../../src/evaluate/measures/measurement.ts'
import { measureEpisodes } from '../../../src/evaluate/measures/measures.ts'
import { euclidean } from './world.ts'

const LENGTH = 121
const RADIUS = 0.1

/**
 * Hand and object on a line each. Experts bring both to their goals, the object last; others only wave the hand about far from them.
 * `embed` sees the two places.
 */
function handAndObject(embed: (hand: number, object: number) => readonly number[]): EmbeddedEpisodes {
  const episodes = Array.from({ length: 20 }, (_, index): EmbeddedEpisode => {
    const rng = new Rng(3).split(String(index))
    const isExpert = index < 10
    const goal = Float32Array.of(rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1))
    const places = Array.from({ length: LENGTH }, (_t, t) => {
      if (!isExpert) return [rng.uniform(2, 3), 3] as const
      const part = t / (LENGTH - 1)
      return [goal[0]! + Math.max(0, 1 - 2 * part), goal[1]! + 0.98 * (1 - part) + 0.02] as const
    })
    const states = Float32Array.from(places.flat())
    const distanceAt = (t: number): number => euclidean(states.subarray(2 * t, 2 * t + 2), goal)
    return {
      index,
      class: isExpert ? 'scripted' : 'random',
      length: LENGTH,
      embeddings: Float32Array.from(places.flatMap(([hand, object]) => embed(hand, object))),
      goals: Float32Array.from(embed(goal[0]!, goal[1]!)),
      goal,
      states,
      goalDistances: Float32Array.from(places, (_p, t) => distanceAt(t)),
      success: isExpert,
    }
  })
  return { episodes, embeddingSize: embed(0, 0).length, goalDistance: euclidean, stateDistance: euclidean }
}

function measure(data: EmbeddedEpisodes, name: string): Measurement {
  return measureEpisodes(data, { rng: new Rng(1), only: [name] }).measurements[0]!
}

describe('success told from near misses', () => {
  const seeing = handAndObject((hand, object) => [hand, object])
  const blind = handAndObject((hand) => [hand])

  it('is 1 where distance is the true one, and tells apart what success against failure does not', () => {
    expect(measure(seeing, 'success/near_auc').interval.estimate).toBe(1)
    for (const data of [seeing, blind]) expect(measure(data, 'success/auc').interval.estimate).toBe(1)
    // The hand has arrived when the object is just outside: what sees the hand alone cannot tell.
    const { estimate, low, high } = measure(blind, 'success/near_auc').interval
    expect(estimate).toBeLessThan(0.95)
    expect([low < estimate, high > estimate]).toEqual([true, true])
  })

  it('counts the frames of other episodes, which may be just outside on any side', () => {
    // Paid by the object alone: in its own episode the hand is where it should be whenever the object is near.
    const objectOnly = handAndObject((_hand, object) => [object])
    const byOthers = measure(objectOnly, 'success/near_auc').interval.estimate
    expect(byOthers).toBeLessThan(0.99)
    // Rewards that are no distance say nothing of the frames of others.
    const episodes = objectOnly.episodes.map((episode) => ({
      ...episode,
      rewards: Float32Array.from(
        { length: LENGTH },
        (_, t) => -((episode.states![2 * t + 1]! - episode.goal![1]!) ** 2),
      ),
    }))
    expect(measure({ ...objectOnly, episodes }, 'success/near_auc').interval.estimate).toBe(1)
  })

  it('is undefined, with the reason, where nothing is near or nothing is paid', () => {
    const constant = handAndObject(() => [1])
    expect(measure(constant, 'success/near_auc').undefinedBecause).toMatch(/the same at every frame/)
    const exact = seeing.episodes.map((episode) => ({
      ...episode,
      goalDistances: episode.goalDistances!.map((d) => (d <= RADIUS ? 0 : 9)),
    }))
    const { undefinedBecause } = measure({ ...seeing, episodes: exact, goalDistance: () => 9 }, 'success/near_auc')
    expect(undefinedBecause).toBe('no goal with frames within the radius of success and near misses')
  })
})
