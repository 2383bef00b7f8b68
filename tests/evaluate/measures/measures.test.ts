import { describe, expect, it } from 'vitest'
import { Rng } from '../../../src/core/rng.ts'
import { collapseVerdict } from '../../../src/evaluate/measures/collapse.ts'
import type { Measurement } from '../../../src/evaluate/measures/measurement.ts'
import type { MeasureTable } from '../../../src/evaluate/measures/measures.ts'
import { measureEpisodes, measures } from '../../../src/evaluate/measures/measures.ts'
import { clock, embedWith, perfect, pointEpisodes } from './world.ts'

const episodes = pointEpisodes(10, new Rng(3))
const options = { rng: new Rng(1) }

const table = measureEpisodes(embedWith(episodes, perfect), options)

function byName({ measurements }: MeasureTable): Map<string, Measurement> {
  return new Map(measurements.map((measurement) => [measurement.name, measurement]))
}

function estimates(table: MeasureTable): Record<string, number> {
  return Object.fromEntries(table.measurements.map(({ name, interval }) => [name, interval.estimate]))
}

describe('a perfect embedding', () => {
  it('runs every measure', () => {
    expect(table.leftOut).toEqual([])
    expect(new Set(table.measurements.map(({ measure }) => measure))).toEqual(new Set(measures.map(({ name }) => name)))
  })

  // Bisimulation asks for less than the state; its best is tested on its own.
  const bounded = table.measurements.filter(({ best, name }) => !Number.isNaN(best) && !name.startsWith('bisimulation'))

  it.each(bounded.map((measurement) => [measurement.name, measurement] as const))('is at the optimum of %s', (_, m) => {
    // One dimension of four is a constant: that is what the share says.
    const best = m.name === 'collapse/dead_dimensions' ? 0.25 : m.best
    expect(Math.abs(m.interval.estimate - best)).toBeLessThan(0.01)
    expect(m.interval.low).toBeLessThanOrEqual(m.interval.high)
  })

  it('tells success from failure by a margin, and does not know the light', () => {
    const all = byName(table)
    expect(all.get('adversarial/margin')!.interval.estimate).toBeGreaterThan(1.5)
    expect(all.get('success/margin')!.interval.estimate).toBeGreaterThan(1.5)
    expect(Math.abs(all.get('nuisance/light')!.interval.estimate - 1 / 3)).toBeLessThan(0.15)
    expect(all.get('nuisance/view')!.interval.estimate).toBeCloseTo(0.5, 10)
    expect(collapseVerdict(embedWith(episodes, perfect), new Rng(0))).toBe('varied')
  })
})

describe('a clock', () => {
  const all = estimates(measureEpisodes(embedWith(episodes, clock), options))

  it('passes value-order correlation on experts, forwards and backwards', () => {
    expect(all['value/voc_expert']).toBeCloseTo(1, 10)
    expect(all['value/voc_reversed']).toBeCloseTo(-1, 10)
    expect(all['path/rising_steps']).toBe(1)
  })

  it('rises as much on failures, and cannot tell them from success', () => {
    expect(all['value/voc_failed']).toBeCloseTo(1, 10)
    expect(all['value/voc_adversarial']).toBeCloseTo(1, 10)
    expect(all['adversarial/auc']).toBe(0.5)
    expect(all['adversarial/margin']).toBe(0)
    expect(all['success/auc']).toBe(0.5)
    expect(all['success/margin']).toBe(0)
    expect(all['success/average_precision']).toBeCloseTo(0.25, 10)
    expect(all['reward/epic']).toBeGreaterThan(0.3)
  })

  it('is a line', () => {
    expect(collapseVerdict(embedWith(episodes, clock), new Rng(0))).toBe('line')
  })
})

describe('a constant embedding', () => {
  const data = embedWith(episodes, () => [0.3, -0.1])
  const { measurements } = measureEpisodes(data, options)

  it('is called collapsed', () => {
    expect(collapseVerdict(data, new Rng(0))).toBe('collapsed')
    expect(measurements.find(({ name }) => name === 'collapse/dead_dimensions')!.interval.estimate).toBe(1)
  })

  it('is defined only where it is honestly bad, and says why elsewhere', () => {
    const defined = measurements.filter(({ undefinedBecause }) => undefinedBecause === undefined)
    expect(defined.map(({ name }) => name).toSorted()).toEqual([
      'collapse/dead_dimensions',
      'collapse/mean_cosine',
      'looks/retrieval/light',
      'nuisance/light',
      'nuisance/view',
      'probe/expert_action_r2',
      'probe/inverse_r2',
      'probe/linear_r2',
      'probe/linear_r2/object',
      'probe/linear_r2/x',
      'probe/linear_r2/y',
      'probe/network_r2',
      'probe/network_r2/object',
      'probe/network_r2/x',
      'probe/network_r2/y',
      'probe/reward_r2',
    ])
    for (const { name, interval, chance } of defined) {
      if (name.startsWith('probe')) expect(interval.estimate).toBeLessThanOrEqual(1e-9)
      if (name.startsWith('nuisance')) expect(interval.estimate).toBeCloseTo(chance, 1)
    }
    for (const { interval, undefinedBecause } of measurements.filter((m) => !defined.includes(m))) {
      expect(undefinedBecause).toMatch(/\w+ \w+/)
      expect(interval).toEqual({ estimate: NaN, low: NaN, high: NaN })
    }
  })
})

describe('an embedding of noise', () => {
  it('scores chance', () => {
    const rng = new Rng(11)
    const data = embedWith(pointEpisodes(20, new Rng(4)), () => [rng.normal(), rng.normal(), rng.normal()])
    const views = data.episodes.map((episode) => ({
      ...episode,
      views: { wrist: episode.embeddings.map(() => rng.normal()) },
      looks: { light: episode.embeddings.map(() => rng.normal()) },
    }))
    const { measurements } = measureEpisodes({ ...data, episodes: views }, options)
    const rows = measurements.filter(({ chance }) => !Number.isNaN(chance))
    expect(rows.length).toBeGreaterThan(25)
    // Margins and areas over 20 against 60 episodes have a standard error near 0.07 and 0.26. Experts go at one speed each: that probe
    // has 16 numbers to fit three to, which costs 3 / 16 on unseen ones.
    const tolerance = (name: string): number =>
      name.endsWith('margin') ? 0.5 : ({ 'path/dips_per_100_steps': 3, 'probe/expert_action_r2': 0.25 }[name] ?? 0.15)
    const off = rows.filter(({ name, chance, interval }) => !(Math.abs(interval.estimate - chance) < tolerance(name)))
    expect(off).toEqual([])
  })

  it('as do shuffled outcomes', () => {
    const rng = new Rng(2)
    const shuffled = rng.shuffle(episodes.map(({ success }) => success!))
    const relabelled = episodes.map((episode, i) => ({ ...episode, class: 'random', success: shuffled[i]! }))
    const all = byName(measureEpisodes(embedWith(relabelled, perfect), options))
    const auc = all.get('success/auc')!.interval
    expect(auc.low).toBeLessThan(0.5)
    expect(auc.high).toBeGreaterThan(0.5)
  })
})

describe('the table', () => {
  const data = embedWith(episodes, perfect)

  it('is the same, byte for byte, for the same seed, and does not depend on the order of the episodes', () => {
    const shuffled = { ...data, episodes: new Rng(5).shuffle([...data.episodes]) }
    expect(JSON.stringify(measureEpisodes(shuffled, options).measurements)).toBe(JSON.stringify(table.measurements))
  })

  it('leaves out what the data do not allow, and says what is missing', () => {
    const bare = data.episodes.map(({ index, class: name, length, embeddings }) => ({
      index,
      class: name,
      length,
      embeddings,
    }))
    const { measurements, leftOut } = measureEpisodes({ episodes: bare, embeddingSize: 4 }, options)
    const ran = new Set(measurements.map(({ measure }) => measure))
    expect(ran.size + leftOut.length).toBe(measures.length)
    expect(leftOut).toContainEqual({
      name: 'success/auc',
      because: 'needs goal images or rewards and successful episodes and failed episodes',
    })
    expect(ran).toContain('order/kendall_tau')
  })

  it('runs only the measures asked for, with the same numbers', () => {
    const { measurements } = measureEpisodes(data, { ...options, only: ['distance/spearman_pairs'] })
    expect(measurements).toEqual(table.measurements.filter(({ name }) => name === 'distance/spearman_pairs'))
  })

  it('gives no interval for two episodes', () => {
    const { measurements } = measureEpisodes(
      { ...data, episodes: data.episodes.slice(0, 2) },
      { ...options, only: ['value/voc_expert'] },
    )
    expect(measurements[0]!.interval).toEqual({ estimate: expect.closeTo(1, 10), low: NaN, high: NaN })
  })
})
