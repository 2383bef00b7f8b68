import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, test } from 'vitest'
import { Autoencoder } from '../../encoders/autoencoder/autoencoder.ts'
import { autoencoderConfigSchema } from '../../encoders/autoencoder/config.ts'
import type { Architecture } from '../../encoders/shared/networks.ts'
import { decoderNetwork, encoderNetwork } from '../../encoders/shared/networks.ts'
import { Rng } from '../../src/core/rng.ts'
import { makeEncoder } from '../../src/index.ts'
import { exportOnnx } from '../../src/tensor/compile/program.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import type { tf } from '../../src/tensor/tf.ts'
import { squareFrames } from '../contracts/encoder-cases.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

const CASES = [
  ['spatial', [64, 64, 3]],
  ['rig', [64, 64, 3]],
  ['spatial', [84, 84, 9]],
  ['rig', [48, 64, 3]],
  ['spatial', [60, 80, 3]],
  ['rig', [60, 80, 3]],
  ['rig', [24, 23, 1]],
  ['palette', [60, 80, 3]],
  ['palette', [24, 23, 1]],
  ['spatial', [9, 8, 1]],
  ['spatial', [48, 48, 12]],
] as const

describe('the networks take frames of any size', () => {
  test.each(CASES)('%s of %j: there and back, and they learn', async (architecture, shape) => {
    const config = autoencoderConfigSchema.parse({ latentSize: 3, architecture, learningRate: 3e-3 })
    const encoder = new Autoencoder(shape, config, new Rng(1))
    const batch = squareFrames(2, new Rng(2), 6, shape)
    await encoder.fitStatistics(batch)
    const before = await encoder.evaluate(batch)
    for (let i = 0; i < 8; i++) await encoder.update(batch)
    expect((await encoder.evaluate(batch)).loss!).toBeLessThan(before.loss!)
    const latents = await encoder.encode(batch)
    const images = await encoder.decode(latents, 2)
    expect([latents.length, images.length]).toEqual([6, batch.frames.length])
    encoder.dispose()
  })

  test('of a frame that is not square, things are decoded where they were seen', async () => {
    const shape = [40, 56, 1] as const
    const config = autoencoderConfigSchema.parse({ latentSize: 4, learningRate: 3e-3, architecture: 'rig' })
    const encoder = new Autoencoder(shape, config, new Rng(1))
    const batch = squareFrames(2, new Rng(5), 10, shape)
    await encoder.fitStatistics(batch)
    for (let i = 0; i < 60; i++) await encoder.update(batch)
    const images = await encoder.decode(await encoder.encode(batch), 2)
    const wrong = images.filter((x, i) => Math.abs(x - batch.frames[i]!) > 60).length
    expect(wrong / images.length).toBeLessThan(0.01)
    encoder.dispose()
  })

  test.each([
    ['spatial', [7, 48, 3], '8 to 512 pixels a side'],
    ['rig', [48, 22, 3], '23 to 512 pixels a side'],
    ['spatial', [48, 1000, 3], 'got 48x1000x3'],
    ['spatial', [48, 48, 0], '1 to 64 channels'],
    ['palette', [48, 22, 3], '23 to 512 pixels a side'],
    ['rig', [48.5, 48, 3], 'got 48.5x48x3'],
  ] as const)('%s refuses %j in one line', (architecture, shape, text) => {
    expect(() => makeEncoder('beta-vae', shape, new Rng(1), { architecture })).toThrow(text)
  })

  test('weights for 48x48 keep their shapes: older checkpoints fit', () => {
    const shapesOf = (architecture: Architecture): Record<string, readonly number[]> => {
      const head = { name: 'encoder/latent', size: 8 }
      const layers = [encoderNetwork([48, 48, 3], architecture, head), decoderNetwork([48, 48, 3], architecture, 8)]
      return Object.fromEntries(layers.flatMap(({ parameters }) => parameters).map(({ name, shape }) => [name, shape]))
    }
    expect(shapesOf('rig')).toMatchObject({
      'encoder/conv0/kernel': [5, 5, 3, 16],
      'encoder/latent/kernel': [576, 8],
      'decoder/latent/kernel': [8, 576],
      'decoder/image/kernel': [6, 6, 3, 16],
    })
    expect(shapesOf('spatial')).toMatchObject({
      'encoder/positions/sharpness': [1],
      'encoder/latent/kernel': [64, 8],
      'decoder/broadcast/vector/kernel': [8, 64],
    })
  })
})

describe('an exported encoder', () => {
  test.each([
    ['beta-vae', [60, 80, 3]],
    ['autoencoder', [84, 84, 9]],
    ['pca', [48, 64, 3]],
    ['random', [64, 64, 3]],
    ['pixels', [60, 80, 3]],
  ] as const)('%s of %j says what it says here', async (name, shape) => {
    const encoder = makeEncoder(name, shape, new Rng(1))
    await encoder.fitStatistics?.(squareFrames(8, new Rng(2), 8, shape))
    const { frames } = squareFrames(1, new Rng(3), 8, shape)
    const latents = await encoder.encode({ frames, count: 1 })
    const latentOf = (frame: tf.Tensor): tf.Tensor => (encoder as Autoencoder).latentFunction({ frames: frame })
    const port = { dtype: 'uint8', shape: [1, ...shape] } as const
    const model = exportOnnx(name, ({ frame }) => ({ z: latentOf(frame!) }), {
      frame: port,
    })
    const session = await InferenceSession.create(model)
    const { z } = await session.run({ frame: new Tensor('uint8', frames, [1, ...shape]) })
    expect(Math.max(...latents.map(Math.abs))).toBeGreaterThan(0)
    latents.forEach((x, i) => expect((z!.data as Float32Array)[i]!).toBeCloseTo(x, 4))
    await session.release()
    encoder.dispose()
  })
})
