import type { FrameBatch } from '../../src/core/batches.ts'
import { inputShape, isStackShape } from '../../src/core/encoder-input.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Metrics, NdArray } from '../../src/core/ndarray.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { Constants } from '../shared/constants.ts'
import { batchFrames, centred, decodeLatents, toImages } from '../shared/frames.ts'
import { frameInput } from '../shared/input-trunk.ts'
import { decoderNetwork, encoderNetwork } from '../shared/networks.ts'
import type { FrameInput } from '../shared/pixel-trunk.ts'
import { pixelTrunk, trunkDecoder } from '../shared/pixel-trunk.ts'
import { meanOf } from '../shared/spectrum.ts'
import type { LossTerms, Tensors } from '../shared/tensor-encoder.ts'
import { TrainedEncoder } from '../shared/tensor-encoder.ts'
import type { AutoencoderConfig } from './config.ts'

/**
 * Autoencoder: with the networks of the beta-VAE, so that what the KL term and the noise of its posterior add is the difference; or, with
 * `architecture: trunk`, SAC-AE's (Yarats et al. 2019, "Improving Sample Efficiency in Model-Free Reinforcement Learning from Images").
 *
 * Minimises  L = |x' - d(e(x + noise))|^2 + N (l_z |z|^2 / 2 + l_d |theta_d|^2 / 2),  squared error summed over the N numbers of a frame in [0, 1],
 * averaged over the batch. With `noiseStd` above 0 it is a denoising autoencoder (Vincent et al. 2008); with the penalties l_z on latents and l_d on
 * the decoder's weights the regularised one of Ghosh et al. 2020 that SAC-AE takes. x' are the frames, or what `targetBits` leave of them. There is
 * no prior to imagine goals from.
 */
export class Autoencoder extends TrainedEncoder<'frames'> {
  readonly #network: Layer
  readonly #decoder: Layer
  readonly #constants: Constants<'meanFrame'>
  readonly #config: AutoencoderConfig
  readonly #decode: Program<'latents', 'images'>

  /** @throws ArmatureError `bad-config` for frames that are seen at once, but of `trunk` */
  constructor(shape: FrameInput, config: AutoencoderConfig, rng: Rng) {
    const { latentSize, learningRate } = config
    const { network, decoder } = networksOf(shape, config)
    const batch = { kind: 'frames', options: {} } as const
    const spec = { name: 'autoencoder', ...frameInput(shape), latentSize, batch }
    super(spec, { features: network, heads: [decoder], learningRate }, rng)
    this.#network = network
    this.#decoder = decoder
    this.#config = config
    const meanFrame = ndarray(new Float32Array(sizeOf(shape)), shape)
    this.#constants = this.own(this.saved('constants', new Constants({ meanFrame })))
    this.#decode = this.program('decode', ({ latents }) => ({
      images: this.#newest(this.#decoder.apply(this.weights.split(), latents)),
    }))
  }

  /** The newest frame [B, H, W, C] in [0, 255] of what the decoder paints. */
  #newest(painted: tf.Tensor): tf.Tensor {
    const meanFrame = this.#constants.tensor('meanFrame')
    const { frames } = this.spec.window
    if (frames === 1) return toImages(painted, meanFrame)
    return toImages(tf.split(painted, frames, 3).at(-1)!, tf.unstack(meanFrame).at(-1)!)
  }

  /** As the decoder paints them: frames that are seen at once with their channels behind each other, [B, H, W, frames C]. */
  #asPainted(frames: tf.Tensor): tf.Tensor {
    return this.spec.window.frames === 1 ? frames : tf.concat(tf.unstack(frames, 1), 3)
  }

  #centred(frames: tf.Tensor): tf.Tensor {
    return centred(frames, this.#constants.tensor('meanFrame')) // [B, H, W, C]
  }

  protected latents(weights: Weights, { frames }: FrameTensors): tf.Tensor {
    return this.#network.apply(weights, this.#centred(frames))
  }

  /** The loss above; `noise`, and `dither` in steps of what `targetBits` leave, are [B, H, W, C] or broadcast to it. */
  protected loss(weights: Weights, inputs: Tensors): LossTerms {
    const { latentPenalty, decoderDecay, targetBits } = this.#config
    const x = this.#centred(inputs['frames']!) // [B, H, W, C]
    const target = targetBits === ALL_BITS ? x : this.#quantised(inputs) // [B, H, W, C]
    const z = this.#network.apply(weights, tf.add(x, inputs['noise']!)) // [B, D]
    const squaredError = tf.square(tf.sub(this.#decoder.apply(weights, z), this.#asPainted(target)))
    const reconstruction = tf.div(tf.sum(squaredError), x.shape[0]!)
    const size = sizeOf(inputShape(this.spec))
    const terms: tf.Tensor[] = [reconstruction]
    if (latentPenalty > 0) {
      terms.push(tf.mul(tf.mean(tf.sum(tf.square(z), 1)), (latentPenalty * size) / 2))
    }
    if (decoderDecay > 0) {
      const squares = this.#decoder.parameters.map(({ name }) => tf.sum(tf.square(weights[name]!)))
      terms.push(tf.mul(tf.addN(squares), (decoderDecay * size) / 2))
    }
    return { loss: tf.addN(terms), reconstruction }
  }

  /** x' [B, H, W, C]: the frames in 2^bits steps, somewhere within each; minus the mean frame. */
  #quantised({ frames, dither }: Tensors): tf.Tensor {
    const { targetBits } = this.#config
    const steps = tf.floor(tf.mul(tf.cast(frames!, 'float32'), 2 ** (targetBits - ALL_BITS)))
    return tf.sub(tf.mul(tf.add(steps, dither!), 2 ** -targetBits), this.#constants.tensor('meanFrame'))
  }

  /** Evaluation is without noise, its target in the middle of each step. */
  protected inputs(batch: FrameBatch, purpose: 'update' | 'evaluate', rng: Rng): Record<string, NdArray> {
    const frames = batchFrames(this.spec, batch)
    const { noiseStd, targetBits } = this.#config
    const isDrawn = purpose === 'update'
    const perPixel = (fill: (to: Float32Array) => Float32Array): NdArray =>
      ndarray(fill(new Float32Array(frames.data.length)), frames.shape)
    const noise = isDrawn && noiseStd > 0 ? perPixel((to) => rng.fillNormal(to).map((x) => x * noiseStd)) : same(0)
    if (targetBits === ALL_BITS) return { frames, noise }
    return { frames, noise, dither: isDrawn ? perPixel((to) => rng.split('dither').fillUniform(to)) : same(0.5) }
  }

  async fitStatistics(batch: FrameBatch): Promise<Metrics> {
    batchFrames(this.spec, batch)
    this.#constants.set({ meanFrame: meanOf(batch) })
    return {}
  }

  decode(latents: Float32Array, count: number): Promise<Uint8Array> {
    return decodeLatents(this.spec, latents, count, async (rows) => (await this.#decode.run(rows)).images)
  }
}

/** Of a pixel value as it is recorded. */
const ALL_BITS = 8

/** The same number for every pixel. */
const same = (value: number): NdArray => ndarray(Float32Array.of(value), [1, 1, 1, 1])

function networksOf(
  shape: FrameInput,
  { architecture, latentSize: size, filters, layers, readout }: AutoencoderConfig,
): { readonly network: Layer; readonly decoder: Layer } {
  if (architecture === 'trunk') {
    const options = { filters, layers, readout, size }
    return { network: pixelTrunk(shape, options), decoder: trunkDecoder(shape, options) }
  }
  if (isStackShape(shape)) {
    throw new ArmatureError('bad-config', 'architecture of an autoencoder of several frames', {
      expected: 'trunk',
      got: architecture,
    })
  }
  return {
    network: encoderNetwork(shape, architecture, { name: 'encoder/latent', size }),
    decoder: decoderNetwork(shape, architecture, size),
  }
}
