import { describe, expect, it } from 'vitest'
import { Rng } from '../../../src/core/rng.ts'
import type { EmbeddedEpisode } from '../../../src/evaluate/measures/embedded-episodes.ts'
import type { Measurement } from '../../../src/evaluate/measures/measurement.ts'
import { measureEpisodes } from '../../../src/evaluate/measures/measures.ts'

const LENGTH = 16
const REWARD = 'probe/reward_r2'
const ACTION = 'probe/expert_action_r2'

/**
 * A point on a line, moved by what acts. Experts move a tenth of the way to their goal at each step, others at random; paid is minus
 * the distance that is left.
 */
function lineEpisodes(count: number, expert: (index: number) => boolean): EmbeddedEpisode[] {
  return Array.from({ length: count }, (_, index) => {
    const rng = new Rng(9).split(String(index))
    const goal = rng.uniform(-1, 1)
    const x = [rng.uniform(-1, 1)]
    const actions = Array.from({ length: LENGTH - 1 }, () => {
      const action = expert(index) ? 0.1 * (goal - x.at(-1)!) : rng.uniform(-0.2, 0.2)
      x.push(x.at(-1)! + action)
      return action
    })
    return {
      index,
      class: expert(index) ? 'scripted' : 'random',
      length: LENGTH,
      embeddings: Float32Array.from(x),
      goals: Float32Array.of(goal),
      actions: Float32Array.from(actions),
      trueRewards: Float32Array.from(x.slice(1), (place) => -Math.abs(place - goal)),
    }
  })
}

function measure(episodes: readonly EmbeddedEpisode[], name: string, embeddingSize = 1): Measurement {
  const { measurements } = measureEpisodes({ episodes, embeddingSize }, { rng: new Rng(1), only: [name] })
  return measurements[0]!
}

const halfExperts = lineEpisodes(20, (index) => index % 2 === 0)
const goalless = halfExperts.map(({ goals, ...episode }) => {
  expect(goals).toHaveLength(1)
  return episode
})

describe('the probe of the reward', () => {
  it('reads minus the distance to the goal, which only the goal tells', () => {
    const known = measure(halfExperts, REWARD)
    expect(known.interval.estimate).toBeCloseTo(1, 6)
    const { interval } = measure(goalless, REWARD)
    expect(interval.estimate).toBeLessThan(0.6)
    expect(interval.low).toBeLessThan(interval.estimate)
    expect(interval.high).toBeGreaterThan(interval.estimate)
  })

  it('reads from the frame that the step led to', () => {
    const place = goalless.map((episode) => ({ ...episode, trueRewards: episode.embeddings.slice(1) }))
    expect(measure(place, REWARD).interval.estimate).toBeCloseTo(1, 6)
    const before = place.map((episode) => ({ ...episode, trueRewards: episode.embeddings.slice(0, -1) }))
    expect(measure(before, REWARD).interval.estimate).toBeLessThan(0.9999)
  })

  it('learns nothing from which episode it is', () => {
    const rng = new Rng(4)
    const named = goalless.map((episode, i) => {
      const own = rng.normal()
      const one = Float32Array.from({ length: LENGTH * halfExperts.length }, (__, at) =>
        at % halfExperts.length === i ? 1 : 0,
      )
      return { ...episode, embeddings: one, trueRewards: episode.trueRewards!.map(() => own) }
    })
    expect(measure(named, REWARD, halfExperts.length).interval.estimate).toBeLessThanOrEqual(0)
  })

  it('says so where the reward never varies, or too few episodes have one', () => {
    const same = halfExperts.map((episode) => ({ ...episode, trueRewards: episode.trueRewards!.map(() => -1) }))
    expect(measure(same, REWARD).undefinedBecause).toBe('nothing that the probe should read varies')
    expect(measure(halfExperts.slice(0, 2), REWARD).undefinedBecause).toBe('fewer than three such episodes')
  })
})

describe("the probe of the expert's action", () => {
  it('reads it from place and goal, on expert episodes alone', () => {
    const { interval, episodes } = measure(halfExperts, ACTION)
    expect(interval.estimate).toBeCloseTo(1, 5)
    expect(episodes).toBe(10)
    const others = halfExperts.map((episode) =>
      episode.class === 'random' ? { ...episode, actions: episode.actions!.map(() => 7) } : episode,
    )
    expect(measure(others, ACTION).interval).toEqual(interval)
  })

  it('leaves out experts that failed', () => {
    const failed = halfExperts.map((episode, i) => ({ ...episode, success: i > 5 }))
    expect(measure(failed, ACTION).episodes).toBe(7)
  })

  it('finds nothing in noise', () => {
    const rng = new Rng(6)
    const noise = lineEpisodes(20, () => true).map((episode) => ({
      ...episode,
      embeddings: episode.embeddings.map(() => rng.normal()),
      goals: Float32Array.of(rng.normal()),
    }))
    expect(measure(noise, ACTION).interval.estimate).toBeLessThan(0.1)
  })
})
