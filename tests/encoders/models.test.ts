import { beforeAll, describe, expect, it } from 'vitest'
import { bisimulationMetric, drawMdp, STATES } from '../../bench/claims/small-mdp.ts'
import { dbcConfigSchema } from '../../encoders/dbc/config.ts'
import { Dbc } from '../../encoders/dbc/dbc.ts'
import { deepMdpConfigSchema } from '../../encoders/deepmdp/config.ts'
import { DeepMdp } from '../../encoders/deepmdp/deepmdp.ts'
import { latentStd, spreadOf } from '../../src/tensor/spread.ts'
import type { EpisodeBatch, PixelTransitionBatch } from '../../src/core/batches.ts'
import { Rng } from '../../src/core/rng.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { tf } from '../../src/tensor/tf.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

const SHAPE = [16, 16, 3] as const
const FRAME = 16 * 16 * 3
const SMALL = { latentSize: 4, filters: 4, layers: 2, hidden: 16 }

function transitions(count: number, fill: (rng: Rng) => number): PixelTransitionBatch {
  const rng = new Rng(5)
  const numbers = (length: number): Float32Array => Float32Array.from({ length }, () => fill(rng))
  return {
    count,
    frames: Uint8Array.from(numbers(count * FRAME), (x) => 255 * x),
    nextFrames: Uint8Array.from(numbers(count * FRAME), (x) => 255 * x),
    actions: numbers(2 * count),
    rewards: numbers(count),
    notDone: new Float32Array(count).fill(1),
    episodes: new Int32Array(count),
    times: new Int32Array(count),
  }
}

function episodes(count: number, length: number, fill: (rng: Rng) => number): EpisodeBatch {
  const { frames, actions, rewards } = transitions(count * length, fill)
  const steps = count * (length - 1)
  const own = { frames, actions: actions.slice(0, 2 * steps), rewards: rewards.slice(0, steps) }
  return { count, length, ...own, episodes: new Int32Array(count), starts: new Int32Array(count) }
}

const anything = (rng: Rng): number => rng.uniform(0, 1)

describe('spread of latents', () => {
  it('is the root mean square distance from the mean', () => {
    const rows = tf.tensor2d([3, 0, -3, 0, 0, 4, 0, -4], [4, 2])
    expect(spreadOf(rows).dataSync()[0]).toBeCloseTo(Math.sqrt(12.5), 4)
    expect(latentStd(rows).dataSync()[0]).toBeCloseTo((Math.sqrt(4.5) + Math.sqrt(8)) / 2, 5)
  })

  it('has a finite gradient where all latents are one', () => {
    const gradient = tf.grad((x: tf.Tensor) => tf.div(1, spreadOf(x)))(tf.ones([4, 2]))
    expect([...gradient.dataSync()].every(Number.isFinite)).toBe(true)
  })
})

describe('DeepMDP', () => {
  const make = (config: object): DeepMdp =>
    new DeepMdp(SHAPE, 2, deepMdpConfigSchema.parse({ ...SMALL, ...config }), new Rng(1))

  it('draws what may come next: one point from a deterministic model, others from one that is not', async () => {
    const [latents, actions] = [Float32Array.from({ length: 12 }, (_, i) => i / 6), new Float32Array(6)]
    for (const [transition, isPoint] of [
      ['deterministic', true],
      ['gaussian', false],
      ['energy', false],
    ] as const) {
      const encoder = make({ transition })
      const drawn = await encoder.predict(latents, actions, 5, new Rng(2))
      expect(drawn.length).toBe(5 * 12)
      const same = drawn.subarray(12, 24).every((value, i) => value === drawn[i])
      expect(same, transition).toBe(isPoint)
      encoder.dispose()
    }
  })

  it('measures errors in spreads of the latents: relative times spread is absolute, densities per spread', async () => {
    const batch = episodes(6, 2, anything)
    const [relative, absolute] = [make({ smoothness: 0 }), make({ smoothness: 0, relative: false })]
    const [a, b] = [await relative.evaluate(batch), await absolute.evaluate(batch)]
    const next = Uint8Array.from({ length: 6 * FRAME }, (_, i) => {
      const row = Math.floor(i / FRAME)
      return batch.frames[(2 * row + 1) * FRAME + (i % FRAME)]!
    })
    const latents = await absolute.encode({ frames: next, count: 6 })
    const spread = spreadOf(tf.tensor2d(latents, [6, 4])).dataSync()[0]!
    expect(a['transition']! * spread).toBeCloseTo(b['transition']!, 4)
    const gaussian = { transition: 'gaussian', smoothness: 0 }
    const [scaled, plain] = [make(gaussian), make({ ...gaussian, relative: false })]
    const [c, d] = [await scaled.evaluate(batch), await plain.evaluate(batch)]
    // The density of z' / spread is that of z' times the spread, per dimension.
    expect(c['transition']).toBeCloseTo(d['transition']! - Math.log(spread), 4)
    scaled.dispose()
    plain.dispose()
    relative.dispose()
    absolute.dispose()
  })
})

describe('DBC', () => {
  const make = (config: object): Dbc => new Dbc(SHAPE, 2, dbcConfigSchema.parse({ ...SMALL, ...config }), new Rng(1))
  const step = async (config: object): Promise<Record<string, number>> => {
    const encoder = make(config)
    const metrics = await encoder.update(transitions(8, anything))
    encoder.dispose()
    return metrics
  }

  it("takes the distance of the data's rewards or of the model's", async () => {
    const [sampled, model] = [await step({}), await step({ rewardDistance: 'model' })]
    expect(sampled['reward']).toBe(model['reward'])
    expect(sampled['metric']).not.toBe(model['metric'])
  })

  it('measures latents by L2, as the distance of what comes next is, or by L1 as the paper', async () => {
    const [l2, l1] = [await step({}), await step({ norm: 'l1' })]
    expect(l1['metric']).toBeGreaterThan(l2['metric']!)
  })

  it('reads actions of latents that have all but collapsed', async () => {
    const encoder = make({ inverseWeight: 1, bisimulationWeight: 0 })
    const shrunk = Object.entries(encoder.save()).map(([name, array]) =>
      name.endsWith('encoder/norm/scale') ? [name, { ...array, data: array.data.map((x) => 1e-2 * x) }] : [name, array],
    )
    const batch = transitions(8, anything)
    const before = (await encoder.evaluate(batch))['inverse']
    encoder.restore(Object.fromEntries(shrunk))
    expect((await encoder.evaluate(batch))['latent_std']).toBeLessThan(0.02)
    expect((await encoder.evaluate(batch))['inverse']).toBeCloseTo(before!, 1)
    encoder.dispose()
  })
})

describe('the exact bisimulation metric', () => {
  it('of two states that alternate is |r - r| / (1 - gamma)', () => {
    const next = Int32Array.from({ length: STATES }, (_, s) => (s < 2 ? 1 - s : s))
    const rewards = Float64Array.from({ length: STATES }, (_, s) => (s === 0 ? 1 : 0))
    const metric = bisimulationMetric({ next, rewards }, 0.5, 0.9)
    expect(metric[1]).toBeCloseTo(0.5 / (1 - 0.9), 6)
    expect(metric[2 * STATES + 3]).toBe(0)
  })

  it('is its own fixed point, and a metric', () => {
    const mdp = drawMdp(new Rng(3))
    const d = bisimulationMetric(mdp, 1, 0.8)
    for (let s = 0; s < STATES; s++) {
      for (let t = 0; t < STATES; t++) {
        const [s2, t2] = [mdp.next[s]!, mdp.next[t]!]
        const wanted = Math.abs(mdp.rewards[s2]! - mdp.rewards[t2]!) + 0.8 * d[s2 * STATES + t2]!
        expect(d[s * STATES + t]).toBeCloseTo(wanted, 6)
        expect(d[s * STATES + t]).toBe(d[t * STATES + s])
        expect(d[s * STATES + t]).toBeLessThanOrEqual(d[s * STATES]! + d[t]! + 1e-9)
      }
    }
  })
})
