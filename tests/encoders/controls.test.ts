import { beforeAll, describe, expect, test } from 'vitest'
import { Autoencoder } from '../../encoders/autoencoder/autoencoder.ts'
import { autoencoderConfigSchema } from '../../encoders/autoencoder/config.ts'
import { Pca } from '../../encoders/pca/pca.ts'
import { Pixels } from '../../encoders/pixels/pixels.ts'
import { RandomNetwork } from '../../encoders/random/random.ts'
import type { FrameBatch } from '../../src/core/batches.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import { isLearning } from '../../src/core/encoder.ts'
import { Rng } from '../../src/core/rng.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { tf } from '../../src/tensor/tf.ts'
import { squareFrames } from '../contracts/encoder-cases.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

const sign = (i: number): number => (i % 2 === 0 ? 1 : -1)

/** Frames [64, 2, 2, 1] that vary by 9, 4 and 1 pixel values along the first three pixels, each on its own. */
function axisFrames(): FrameBatch {
  const frames = Array.from({ length: 64 }, (_, i) => [
    100 + 9 * sign(i),
    50 + 4 * sign(i >> 1),
    200 + sign(i >> 2),
    7,
  ]).flat()
  return { frames: Uint8Array.from(frames), count: 64 }
}

const distance = (latents: Float32Array, size: number, i: number, j: number): number =>
  Math.hypot(...Array.from({ length: size }, (_, k) => latents[i * size + k]! - latents[j * size + k]!))

describe('pca', () => {
  test('finds the axes that frames vary along, with their variances', async () => {
    const pca = new Pca([2, 2, 1], { latentSize: 2 })
    const metrics = await pca.fitStatistics(axisFrames())
    expect(metrics.pixel_variance_0! * 255 ** 2).toBeCloseTo(81, 2)
    expect(metrics.pixel_variance_1! * 255 ** 2).toBeCloseTo(16, 2)
    expect(metrics.explained_variance).toBeCloseTo(97 / 98, 5)
    const { 'constants/components': components } = pca.save()
    expect([...components!.data].map(Math.abs)).toEqual([1, 0, 0, 0, 0, 1, 0, 0].map((x) => expect.closeTo(x, 4)))
  })

  test('with all directions kept, distances are those of the frames over one number, and decoding gives them back', async () => {
    const pca = new Pca([2, 2, 1], { latentSize: 3 })
    const batch = axisFrames()
    const { latent_scale: scale } = await pca.fitStatistics(batch)
    const latents = await pca.encode(batch)
    for (const [i, j] of [
      [0, 1],
      [0, 2],
      [5, 12],
    ] as const) {
      const pixels = [0, 1, 2].map((k) => (batch.frames[4 * i + k]! - batch.frames[4 * j + k]!) / 255)
      expect(distance(latents, 3, i, j) * scale!).toBeCloseTo(Math.hypot(...pixels), 5)
    }
    expect(latents.reduce((sum, z) => sum + z * z, 0) / latents.length).toBeCloseTo(1, 4)
    expect([...(await pca.decode(latents, 64))]).toEqual([...batch.frames])
    expect((await pca.evaluate(batch)).loss).toBeCloseTo(0, 6)
  })

  test('what it leaves out is the loss: the variance of the directions that are not kept', async () => {
    const pca = new Pca([2, 2, 1], { latentSize: 1 })
    await pca.fitStatistics(axisFrames())
    expect((await pca.evaluate(axisFrames())).loss! * 255 ** 2).toBeCloseTo(16 + 1, 2)
  })

  test('frames that do not differ give latents of 0, not of rounding', async () => {
    const pca = new Pca([2, 2, 1], { latentSize: 2 })
    const still = { frames: new Uint8Array(32).fill(90), count: 8 }
    expect((await pca.fitStatistics(still)).explained_variance).toBe(0)
    expect([...(await pca.encode(axisFrames()))].every((z) => z === 0)).toBe(true)
  })
})

describe('pixels', () => {
  test('distances are root-mean-square differences of the downsampled images', async () => {
    const pixels = new Pixels([4, 4, 1], { block: 2 })
    const black = new Uint8Array(16)
    const half = Uint8Array.from({ length: 16 }, (_, i) => (i % 4 < 2 ? 0 : 255))
    const latents = await pixels.encode({ frames: Uint8Array.from([...black, ...half]), count: 2 })
    expect(pixels.spec.latentSize).toBe(4)
    expect([...latents]).toEqual([0, 0, 0, 0, 0, 0.5, 0, 0.5])
    expect(distance(latents, 4, 0, 1)).toBeCloseTo(Math.sqrt(0.5), 6)
    expect([...(await pixels.decode(latents.slice(4), 1))]).toEqual([...half])
  })

  test('refuses blocks that do not divide the frame', () => {
    expect(() => new Pixels([48, 48, 3], { block: 5 })).toThrow('a divisor of 48 and 48')
  })
})

describe('random', () => {
  const create = (seed: number): RandomNetwork =>
    new RandomNetwork([48, 48, 3], { latentSize: 6, architecture: 'spatial' }, new Rng(seed))

  test('latents have mean 0 and mean variance 1 on the data, and depend on the seed', async () => {
    const batch = squareFrames(40, new Rng(3))
    const [a, b] = [create(1), create(2)]
    await a.fitStatistics(batch)
    await b.fitStatistics(batch)
    const latents = await a.encode(batch)
    for (let k = 0; k < 6; k++) {
      const column = latents.filter((_, i) => i % 6 === k)
      expect(column.reduce((sum, z) => sum + z, 0) / 40).toBeCloseTo(0, 4)
    }
    expect(latents.reduce((sum, z) => sum + z * z, 0) / latents.length).toBeCloseTo(1, 4)
    expect(await b.encode(batch)).not.toEqual(latents)
  })
})

describe('autoencoder', () => {
  const create = (config: object): Autoencoder =>
    new Autoencoder([48, 48, 3], autoencoderConfigSchema.parse({ latentSize: 2, ...config }), new Rng(1))

  test('the loss is the squared error of the decoded image, summed over pixels', async () => {
    const encoder = create({})
    const batch = squareFrames(3, new Rng(2))
    await encoder.fitStatistics(batch)
    const decoded = await encoder.decode(await encoder.encode(batch), 3)
    const error = batch.frames.reduce((sum, x, i) => sum + ((x - decoded[i]!) / 255) ** 2, 0) / 3
    // Decoded images are rounded to whole pixel values.
    expect((await encoder.evaluate(batch)).loss! / error).toBeCloseTo(1, 1)
    encoder.dispose()
  })

  test('learns, and noise on its input makes another loss but leaves evaluation as it is', async () => {
    const batch = squareFrames(16, new Rng(2))
    const [clean, noisy] = [create({}), create({ noiseStd: 0.3 })]
    for (const encoder of [clean, noisy]) await encoder.fitStatistics(batch)
    const before = await clean.evaluate(batch)
    expect(await noisy.evaluate(batch)).toEqual(before)
    expect((await clean.update(batch)).loss).toBeCloseTo(before.loss!, 3)
    expect((await noisy.update(batch)).loss).not.toBeCloseTo(before.loss!, 3)
    for (let i = 0; i < 30; i++) await clean.update(batch)
    expect((await clean.evaluate(batch)).loss!).toBeLessThan(0.95 * before.loss!)
    for (const encoder of [clean, noisy]) encoder.dispose()
  })
})

describe('the SAC-AE form of the autoencoder', () => {
  const trunk = { architecture: 'trunk', filters: 4, layers: 2, latentSize: 3 }
  const create = (config: object): Autoencoder =>
    new Autoencoder([21, 24, 3], autoencoderConfigSchema.parse({ ...trunk, ...config }), new Rng(1))
  const batch = squareFrames(4, new Rng(2), 6, [21, 24, 3])
  const evaluate = async (config: object): Promise<Readonly<Record<string, number>>> => {
    const encoder = create(config)
    const metrics = await encoder.evaluate(batch)
    encoder.dispose()
    return metrics
  }

  test('the decoder mirrors the trunk, whatever the parity of a side', async () => {
    const encoder = create({})
    const shapes = Object.entries(encoder.save()).filter(([name]) => /^weights\/.*(kernel|latent)/.test(name))
    expect(Object.fromEntries(shapes.map(([name, { shape }]) => [name.slice('weights/'.length), shape]))).toEqual({
      'encoder/conv0/kernel': [3, 3, 3, 4],
      'encoder/conv1/kernel': [3, 3, 4, 4],
      'encoder/latent/kernel': [8 * 9 * 4, 3],
      'encoder/latent/bias': [3],
      'decoder/latent/kernel': [3, 8 * 9 * 4],
      'decoder/latent/bias': [8 * 9 * 4],
      'decoder/deconv0/kernel': [3, 3, 4, 4],
      'decoder/image/kernel': [3, 3, 3, 4],
    })
    expect(await encoder.decode(await encoder.encode(batch), 4)).toHaveLength(batch.frames.length)
    encoder.dispose()
  })

  test('penalties are half the squares of latents and of the decoder, times the numbers of a frame', async () => {
    const encoder = create({})
    const latents = await encoder.encode(batch)
    const saved = encoder.save()
    encoder.dispose()
    const squares = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, x) => sum + x * x, 0)
    const decoder = Object.entries(saved).filter(([name]) => name.startsWith('weights/decoder/'))
    const norms = decoder.reduce((sum, [, { data }]) => sum + squares(data), 0)
    const numbers = 21 * 24 * 3
    const { loss: bare } = await evaluate({})
    const { loss: bound, reconstruction } = await evaluate({ latentPenalty: 0.1 })
    expect(reconstruction).toBeCloseTo(bare!, 3)
    expect((bound! - bare!) / ((0.1 * numbers * squares(latents)) / 4 / 2)).toBeCloseTo(1, 4)
    const { loss: decayed } = await evaluate({ decoderDecay: 0.1 })
    expect((decayed! - bare!) / ((0.1 * numbers * norms) / 2)).toBeCloseTo(1, 4)
  })

  test('of five bits the target is somewhere within its step, in evaluation in the middle of it', async () => {
    // Without weights the decoder says 0, so that the error is the target's own square.
    const target = async (update: boolean): Promise<number> => {
      const encoder = create({ targetBits: 5 })
      const saved = encoder.save()
      encoder.restore(
        Object.fromEntries(
          Object.entries(saved).map(([name, array]) =>
            name.startsWith('weights/decoder')
              ? [name, { ...array, data: new Float32Array(array.data.length) }]
              : [name, array],
          ),
        ),
      )
      const { reconstruction } = await (update ? encoder.update(batch) : encoder.evaluate(batch))
      encoder.dispose()
      return reconstruction!
    }
    const middle = batch.frames.reduce((sum, x) => sum + ((Math.floor(x / 8) + 0.5) / 32) ** 2, 0) / 4
    expect((await target(false)) / middle).toBeCloseTo(1, 5)
    const drawn = batch.frames.reduce((sum, x) => sum + ((Math.floor(x / 8) + 0.5) / 32) ** 2 + 1 / 32 ** 2 / 12, 0) / 4
    expect((await target(true)) / drawn).toBeCloseTo(1, 2)
    expect(await target(true)).not.toBeCloseTo(middle, 3)
  })
})

test('exported latents are those of encode; controls do not learn', async () => {
  const batch = squareFrames(3, new Rng(5))
  const shape = [48, 48, 3] as const
  const controls: (Encoder & Pick<Pca, 'latentFunction'>)[] = [
    new Pca(shape, { latentSize: 2 }),
    new Pixels(shape, { block: 4 }),
    new RandomNetwork(shape, { latentSize: 4, architecture: 'rig' }, new Rng(1)),
  ]
  for (const encoder of controls) {
    expect(isLearning(encoder)).toBe(false)
    await encoder.fitStatistics?.(batch)
    const frames = tf.tensor(Int32Array.from(batch.frames), [3, ...shape], 'int32')
    const exported = await tf.tidy(() => encoder.latentFunction({ frames })).data()
    const latents = await encoder.encode(batch)
    latents.forEach((z, i) => expect(exported[i]!).toBeCloseTo(z, 3))
    encoder.dispose()
  }
})
