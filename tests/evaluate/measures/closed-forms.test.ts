import { describe, expect, it } from 'vitest'
import { ArmatureError } from '../../../src/core/errors.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from '../../../src/evaluate/measures/embedded-episodes.ts'
import type { Measurement } from '../../../src/evaluate/measures/measurement.ts'
import { measureEpisodes, measures } from '../../../src/evaluate/measures/measures.ts'
import { probabilityOfImprovement } from '../../../src/evaluate/statistics.ts'

const options = { rng: new Rng(1) }
const floats = (...values: number[]): Float32Array => Float32Array.from(values)

/** Episodes of one embedding dimension, with the defaults of a successful expert. */
function line(...episodes: (Partial<EmbeddedEpisode> & { readonly embeddings: Float32Array })[]): EmbeddedEpisodes {
  return {
    embeddingSize: 1,
    episodes: episodes.map((episode, index) => ({
      index,
      class: 'scripted',
      success: true,
      length: episode.embeddings.length,
      ...episode,
    })),
  }
}

function measured(data: EmbeddedEpisodes, name: string): Measurement {
  const only = measures.map((measure) => measure.name).filter((measure) => name.startsWith(measure))
  const found = measureEpisodes(data, { ...options, only }).measurements.find((row) => row.name === name)
  if (found === undefined) throw new Error(`${name} was not measured`)
  return found
}

const estimate = (data: EmbeddedEpisodes, name: string): number => measured(data, name).interval.estimate

describe('bad data', () => {
  it.each([
    [
      'a NaN frame',
      line({ embeddings: floats(0, 1) }, { embeddings: floats(0, NaN, 2) }),
      /episode 1, embeddings, row 1/,
    ],
    ['a NaN reward', line({ embeddings: floats(0, 1), rewards: floats(NaN, 0) }), /episode 0, rewards, row 0/],
    [
      'a missing reward',
      line({ embeddings: floats(0, 1), rewards: floats(0) }),
      /episode 0, rewards: expected \[2, 1\]/,
    ],
    ['half a goal', { ...line({ embeddings: floats(0, 1), length: 1, goals: floats(0) }), embeddingSize: 2 }, /goals/],
    ['no episodes', line(), /expected episodes/],
    ['one index twice', line({ embeddings: floats(0), index: 3 }, { embeddings: floats(0), index: 3 }), /two of 3/],
  ])('is refused by name: %s', (_, data, message) => {
    expect(() => measureEpisodes(data, options)).toThrow(ArmatureError)
    expect(() => measureEpisodes(data, options)).toThrow(message)
  })

  it('of a single frame leaves order undefined', () => {
    const data = line({ embeddings: floats(0), goals: floats(1) })
    expect(measured(data, 'value/voc_expert')).toMatchObject({
      interval: { estimate: NaN },
      undefinedBecause: expect.stringMatching(/two frames/) as string,
    })
    expect(measured(data, 'order/kendall_tau').undefinedBecause).toMatch(/two expert episodes/)
  })
})

describe('value order and path', () => {
  it('takes ties at their mean rank', () => {
    // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4.
    const data = line({ embeddings: floats(0, 0, 0, 0), rewards: floats(0, 1, 1, 2) })
    expect(estimate(data, 'value/voc_expert')).toBeCloseTo(0.948683298050514, 12)
    expect(estimate(data, 'path/rising_steps')).toBeCloseTo(2 / 3, 12)
  })

  it('measures dips: two of them, the deeper a quarter of the range', () => {
    const data = line({ embeddings: floats(0, 0, 0, 0, 0, 0), rewards: floats(0, 3, 2, 3.5, 2.5, 4) })
    expect(estimate(data, 'path/dip_depth')).toBeCloseTo(0.25, 12)
    expect(estimate(data, 'path/dips_per_100_steps')).toBeCloseTo(40, 12)
  })

  it('asks for a rise only where the robot comes closer', () => {
    const goalDistances = floats(2, 1, 1, 0)
    const data = line({ embeddings: floats(0, 0, 0, 0), rewards: floats(0, 1, 0.5, 2), goalDistances })
    expect(estimate(data, 'path/rising_steps')).toBe(1)
  })

  it('counts an episode without any reward as 0 beside others, not as missing', () => {
    const data = line(
      { embeddings: floats(0, 0), rewards: floats(0, 1) },
      { embeddings: floats(0, 0), rewards: floats(1, 1) },
    )
    expect(estimate(data, 'value/voc_expert')).toBeCloseTo(0.5, 12)
    expect(estimate(data, 'path/dip_depth')).toBeCloseTo(0.5, 12)
  })

  it('plays what was recorded backwards, where an encoder sees the direction', () => {
    const rewards = floats(0, 1, 2)
    const data = line({ embeddings: floats(0, 0, 0), rewards, reversedRewards: rewards })
    expect(estimate(data, 'value/voc_reversed')).toBeCloseTo(1, 12)
  })

  it('in a random order finds nothing where the frame is paid, and the same order again where time is', () => {
    const rising = Float32Array.from({ length: 200 }, (_, t) => t)
    const embeddings = new Float32Array(200)
    const paid = line(...Array.from({ length: 8 }, () => ({ embeddings, rewards: rising })))
    expect(estimate(paid, 'value/voc_expert')).toBeCloseTo(1, 12)
    // The mean of eight correlations of 200 numbers has a standard error of 0.025.
    expect(Math.abs(estimate(paid, 'value/voc_shuffled'))).toBeLessThan(0.1)
    const clock = line({ embeddings, rewards: rising, shuffledRewards: rising })
    expect(estimate(clock, 'value/voc_shuffled')).toBeCloseTo(1, 12)
  })
})

describe('success', () => {
  const outcomes = (good: readonly number[], bad: readonly number[]): EmbeddedEpisodes =>
    line(
      ...[...good, ...bad].map((final, i) => ({
        embeddings: floats(0, 0),
        rewards: floats(-9, final),
        success: i < good.length,
        class: i < good.length ? 'scripted' : 'adversarial',
      })),
    )

  it('is the Mann-Whitney statistic, ties counting half', () => {
    const good = [3, 1, 2, 2, 5]
    const bad = [2, 0, 4, 1]
    expect(estimate(outcomes(good, bad), 'success/auc')).toBeCloseTo(probabilityOfImprovement(good, bad), 12)
    expect(estimate(outcomes(good, bad), 'adversarial/auc')).toBeCloseTo(probabilityOfImprovement(good, bad), 12)
  })

  it('has the average precision of scikit-learn', () => {
    // average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) = 0.8333...
    const { interval, chance } = measured(outcomes([0.35, 0.8], [0.1, 0.4]), 'success/average_precision')
    expect(interval.estimate).toBeCloseTo(5 / 6, 6)
    expect(chance).toBe(0.5)
  })

  it('has a margin in standard deviations', () => {
    expect(estimate(outcomes([1, 1], [-1, -1]), 'success/margin')).toBeCloseTo(2, 12)
    expect(estimate(outcomes([-1], [1]), 'adversarial/margin')).toBeCloseTo(-2, 12)
  })

  it('is left out when all episodes end alike', () => {
    const { leftOut } = measureEpisodes(outcomes([1, 2], []), options)
    expect(leftOut).toContainEqual({ name: 'success/auc', because: 'needs failed episodes' })
    expect(leftOut).toContainEqual({
      name: 'adversarial/margin',
      because: 'needs unsuccessful episodes of an adversarial class',
    })
  })
})

describe('neighbours', () => {
  it('counts a set of objects that is never found as 0', () => {
    // Object 2 lies on top of object 1: its frames find only 1, whose own frames find each other.
    const data = line(
      { embeddings: floats(0), objects: [1] },
      { embeddings: floats(0.1), objects: [1] },
      { embeddings: floats(0.04), objects: [2] },
      { embeddings: floats(90), objects: [2] },
    )
    // Frame 0 finds 0.04 first, frame 0.1 finds 0.04 first: none right; 90 finds 0.1.
    expect(estimate(data, 'retrieval/objects@1')).toBe(0)
    const apart = line(
      { embeddings: floats(0), objects: [1] },
      { embeddings: floats(0.01), objects: [1] },
      { embeddings: floats(0.04), objects: [2] },
      { embeddings: floats(-90), objects: [2] },
    )
    const { interval, chance } = measured(apart, 'retrieval/objects@1')
    expect(interval.estimate).toBe(0.5)
    expect(chance).toBeCloseTo(1 / 3, 12)
  })

  it('looks only in other episodes', () => {
    const states = (...values: number[]): { embeddings: Float32Array; states: Float32Array } => ({
      embeddings: floats(...values),
      states: floats(...values),
    })
    const data = {
      ...line(states(0, 0.1, 5), states(0.4, 5.2)),
      stateDistance: (a: Float32Array, b: Float32Array) => Math.abs(a[0]! - b[0]!),
    }
    expect(estimate(data, 'neighbours/recall@1')).toBe(1)
    expect(measured(data, 'neighbours/recall@1').chance).toBeCloseTo((3 / 2 + 2 / 3) / 5, 12)
  })

  it('knows that a draw at random is right more often where several frames are as near in truth', () => {
    // Each of four frames has three to choose from in the other episode, of which two are in the nearest state.
    const states = (...values: number[]): { embeddings: Float32Array; states: Float32Array } => ({
      embeddings: floats(...values.map((x, i) => x + 0.01 * i)),
      states: floats(...values),
    })
    const data = {
      ...line(states(0, 0, 9), states(0, 0, 9)),
      stateDistance: (a: Float32Array, b: Float32Array) => Math.abs(a[0]! - b[0]!),
    }
    expect(measured(data, 'neighbours/recall@1').chance).toBeCloseTo((4 * (2 / 3) + 2 * (1 / 3)) / 6, 12)
    expect(measured(data, 'neighbours/recall@5').chance).toBeCloseTo(1, 12)
    expect(estimate(data, 'neighbours/recall@1')).toBe(1)
  })
})

describe('alignment', () => {
  const views = (embeddings: Float32Array, other: Float32Array): EmbeddedEpisodes =>
    line({ embeddings, views: { wrist: other } })

  it('is the mean time lag as a part of the length', () => {
    // Two frames that swap: each is one of two frames off. In time, 0. Backwards over three: 2, 0 and 2 thirds.
    expect(estimate(views(floats(0, 1), floats(1, 0)), 'views/alignment_error')).toBe(0.5)
    expect(estimate(views(floats(0, 1), floats(0.2, 0.9)), 'views/alignment_error')).toBe(0)
    expect(estimate(views(floats(0, 1, 2), floats(2, 1, 0)), 'views/alignment_error')).toBeCloseTo(4 / 9, 12)
  })

  it('is undefined where the other view never changes both ways', () => {
    expect(measured(views(floats(1, 1), floats(2, 2)), 'views/alignment_error').undefinedBecause).toMatch(/as near/)
  })

  it('is that of a draw where frames tie: an embedding that is nearly constant reads no better than chance', () => {
    const length = 40
    const flat = (odd: number): Float32Array => Float32Array.from({ length }, (_, t) => (t === odd ? 5 : 1))
    const error = estimate(views(flat(3), flat(20)), 'views/alignment_error')
    expect(error).toBeGreaterThan(0.32)
    expect(error).toBeLessThan(0.36)
    const experts = line({ embeddings: flat(3) }, { embeddings: flat(20) })
    expect(estimate(experts, 'order/cycle_consistency')).toBeLessThan(0.15)
  })

  it('has tau -1 for two episodes that pass the same places in opposite order', () => {
    const data = line({ embeddings: floats(0, 1, 2, 3) }, { embeddings: floats(3, 2, 1, 0) })
    expect(estimate(data, 'order/kendall_tau')).toBe(-1)
    expect(estimate(data, 'order/cycle_consistency')).toBe(1)
  })
})

describe('goals', () => {
  it('compares the spread over goal images with that over time', () => {
    // Distances to the images: 1 and 3, then 3 and 5: spread 1 at each frame; means 2 and 4: variance 1.
    const data = line({ embeddings: floats(0, -2), goals: floats(1, 3) })
    expect(estimate(data, 'goals/image_variance')).toBeCloseTo(1, 12)
  })

  it('finds that the best-paid frames are the wrong ones', () => {
    // The embedding sees only the hand (first number); the task is about the puck (second).
    const puckDistance = (a: Float32Array, b: Float32Array): number => Math.abs(a[1]! - b[1]!)
    const hand = line(
      { embeddings: floats(0, 1), states: floats(0, 1, 1, 0), goal: floats(0, 0), goals: floats(0) },
      { embeddings: floats(0, 1), states: floats(0, 1, 1, 0), goal: floats(0, 0), goals: floats(0) },
    )
    const data = { ...hand, goalDistance: puckDistance }
    expect(estimate(data, 'goals/false_maxima')).toBeCloseTo(2, 12)
  })
})

describe('bisimulation', () => {
  it('is best for an embedding that is the value, and worse for the state', () => {
    // Each episode pays its own constant for ever: the bisimulation distance of two of them is proportional to its difference.
    const rng = new Rng(3)
    const data = (embed: (pay: number) => number): EmbeddedEpisodes =>
      line(
        ...Array.from({ length: 30 }, () => {
          const pay = rng.uniform()
          const trueRewards = new Float32Array(19).fill(pay)
          return { embeddings: new Float32Array(20).fill(embed(pay)), trueRewards }
        }),
      )
    expect(
      estimate(
        data((pay) => -2 * pay),
        'bisimulation/spearman',
      ),
    ).toBeGreaterThan(0.9999)
    expect(
      Math.abs(
        estimate(
          data(() => rng.normal()),
          'bisimulation/spearman',
        ),
      ),
    ).toBeLessThan(0.3)
  })
})

describe('probes', () => {
  it('reads with a small network what a line cannot', () => {
    const rng = new Rng(8)
    const data = line(
      ...Array.from({ length: 20 }, () => {
        const embeddings = Float32Array.from({ length: 50 }, () => rng.uniform(-2, 2))
        return { embeddings, states: embeddings.map((z) => z * z) }
      }),
    )
    expect(estimate(data, 'probe/linear_r2')).toBeLessThan(0.05)
    expect(estimate(data, 'probe/network_r2')).toBeGreaterThan(0.98)
  })

  it('does not call an episode-long offset knowledge: unseen episodes score it', () => {
    // Every episode has its own embedding and its own state: within an episode all is known, across episodes nothing.
    const rng = new Rng(9)
    const data = line(
      ...Array.from({ length: 40 }, () => ({
        embeddings: new Float32Array(20).fill(rng.normal()),
        states: new Float32Array(20).fill(rng.normal()),
      })),
    )
    expect(estimate(data, 'probe/network_r2')).toBeLessThan(0.1)
  })

  it('finds the background that an embedding gives away', () => {
    const rng = new Rng(10)
    const data = line(
      ...Array.from({ length: 30 }, (_, i) => ({
        embeddings: Float32Array.from({ length: 10 }, () => (i % 2) + 0.1 * rng.normal()),
        nuisances: { background: i % 2 === 0 ? 'wood' : 'steel', light: 'only' },
      })),
    )
    const background = measured(data, 'nuisance/background')
    expect(background.interval.estimate).toBe(1)
    expect(background.chance).toBe(0.5)
    expect(measured(data, 'nuisance/light').undefinedBecause).toMatch(/fewer than two kinds of light/)
  })
})

describe('collapse', () => {
  it('has the effective rank of the axes that vary', () => {
    const rng = new Rng(12)
    const episodes = Array.from({ length: 20 }, (_, index) => ({
      index,
      class: 'random',
      length: 100,
      embeddings: Float32Array.from({ length: 400 }, (__, i) => (i % 4 < 2 ? rng.normal() : 0)),
    }))
    const data = { episodes, embeddingSize: 4 }
    expect(estimate(data, 'collapse/effective_rank')).toBeCloseTo(2, 2)
    expect(estimate(data, 'collapse/dead_dimensions')).toBe(0.5)
    const { low, high } = measured(data, 'collapse/effective_rank').interval
    expect(low).toBeGreaterThan(1.98)
    expect(high).toBeLessThan(2.01)
  })

  it('survives embeddings wider than their sketch', () => {
    const rng = new Rng(13)
    const states = Array.from({ length: 12 }, () => rng.fillNormal(new Float32Array(20)))
    const weights = rng.fillNormal(new Float32Array(600))
    const episodes = states.map((values, index) => ({
      index,
      class: 'random',
      length: 20,
      states: values,
      embeddings: Float32Array.from({ length: 20 * 600 }, (_, i) => values[Math.floor(i / 600)]! * weights[i % 600]!),
    }))
    const data = { episodes, embeddingSize: 600 }
    expect(estimate(data, 'probe/linear_r2')).toBeGreaterThan(0.999)
  })
})
