import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { LearningEncoder } from '../../src/core/encoder.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { EpisodeSet } from '../../src/replay/episode-source.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import type { ParameterGroup, Weights } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { batchOf, squareEpisodes, squareFrames } from '../contracts/encoder-cases.ts'
import type { SmallEncoder } from './settings.ts'
import { LEARNED, makeSmall } from './settings.ts'

/**
 * What a loss takes for a constant stays what it was while weights are moved: values that pass through `stopGradient` are written down at
 * the first evaluation and read back at the others.
 */
const constants = vi.hoisted(() => ({ mode: 'off' as 'off' | 'write' | 'read', values: [] as unknown[], at: 0 }))

vi.mock('../../src/tensor/gradients.ts', async (original) => {
  const actual = await original<typeof import('../../src/tensor/gradients.ts')>()
  return {
    ...actual,
    stopGradient: (x: tf.Tensor): tf.Tensor => {
      if (constants.mode === 'read') return tf.tensor(constants.values[constants.at++] as Float32Array, x.shape)
      if (constants.mode === 'write') constants.values.push(x.dataSync().slice())
      return actual.stopGradient(x)
    },
  }
})

beforeAll(async () => {
  await startEngine({ name: 'js' })
})
afterAll(async () => {
  await startEngine({ threads: 1 })
})

/** The parts of a `TrainedEncoder` that are its own. */
interface Inside {
  readonly weights: ParameterGroup
  loss(weights: Weights, inputs: Readonly<Record<string, tf.Tensor>>): { readonly loss: tf.Tensor }
  inputs(batch: unknown, purpose: 'update', rng: Rng): Record<string, NdArray>
}

const SHAPE = [23, 24, 3] as const
/** With noise: where large parts of an image are alike, they pass the kink of a ReLU together. */
const source = noiseEpisodes()
/** Lengths of central differences along each weight's own gradient: kinks of ReLUs want a short one, rounding a long one. */
const STEPS = [2e-3, 1e-4]

function noiseEpisodes(): EpisodeSet {
  const { spec, episodes } = squareEpisodes(SHAPE)
  const rng = new Rng(9)
  const noise = (frames: Uint8Array): Uint8Array => frames.map((x) => x - 20 + rng.int(41))
  const noisy = episodes.map((episode) => ({
    ...episode,
    images: Object.fromEntries(Object.entries(episode.images).map(([name, frames]) => [name, noise(frames)])),
  }))
  return new EpisodeSet(spec, noisy)
}

const norm = (x: tf.Tensor): number => tf.tidy(() => tf.sqrt(tf.sum(tf.square(x))).dataSync()[0]!)

/** Slopes of the loss along the gradient of every weight, as autodiff and as differences of the loss have them. */
async function slopesOf(
  encoder: LearningEncoder,
): Promise<{ name: string; exact: number; measured: readonly number[] }[]> {
  const inside = encoder as unknown as Inside
  await encoder.fitStatistics?.(squareFrames(16, new Rng(2), 6, SHAPE))
  // Plain JavaScript paints images slowly; to tell moments apart takes a few of them.
  const count = encoder.decode === undefined ? 6 : 2
  const arrays = inside.inputs(batchOf(encoder, source, { count }), 'update', new Rng(5))
  return tf.tidy(() => {
    const inputs = Object.fromEntries(
      Object.entries(arrays).map(([name, { data, shape }]) => [
        name,
        tf.tensor(
          data instanceof Uint8Array ? Int32Array.from(data) : data,
          [...shape],
          data instanceof Float32Array ? 'float32' : 'int32',
        ),
      ]),
    )
    const weights = Object.entries(inside.weights.split())
    const lossAt = (values: readonly tf.Tensor[]): tf.Tensor => {
      constants.at = 0
      return inside.loss(Object.fromEntries(weights.map(([name], i) => [name, values[i]!])), inputs).loss as tf.Scalar
    }
    const values = weights.map(([, value]) => value)
    constants.values = []
    constants.mode = 'write'
    const gradients = tf.grads((...xs: tf.Tensor[]) => lossAt(xs))(values)
    constants.mode = 'read'
    const slopes = weights.map(([name, value], i) => {
      const exact = norm(gradients[i]!)
      const direction = exact === 0 ? tf.onesLike(value) : gradients[i]!
      const along = tf.div(direction, norm(direction))
      const moved = (by: number): number => lossAt(values.with(i, tf.add(value, tf.mul(along, by)))).dataSync()[0]!
      return { name, exact, measured: STEPS.map((step) => (moved(step) - moved(-step)) / (2 * step)) }
    })
    constants.mode = 'off'
    return slopes
  })
}

/** Which negative is semi-hard jumps as weights move: `contrastive.test.ts` holds the gradient of triplets against differences at rest. */
const SMOOTH = LEARNED.filter(({ config }) => config['loss'] !== 'triplet')

test.each(SMOOTH.map((small): [string, SmallEncoder] => [`${small.name} ${JSON.stringify(small.config)}`, small]))(
  'the gradient of %s is that of finite differences, weight by weight',
  async (_name, small) => {
    const encoder = makeSmall(small, SHAPE)
    const slopes = await slopesOf(encoder)
    encoder.dispose()
    const largest = Math.max(...slopes.map(({ exact }) => exact))
    expect(largest).toBeGreaterThan(0)
    for (const { name, exact, measured } of slopes) {
      const error = Math.min(...measured.map((slope) => Math.abs(slope - exact)))
      expect(error, `${name}: ${measured.join(' or ')} for ${exact}`).toBeLessThan(0.05 * exact + 1e-3 * largest)
    }
  },
)
