import type { FrameBatch } from '../../src/core/batches.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import type { Metrics, NdArray } from '../../src/core/ndarray.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { Constants } from '../shared/constants.ts'
import { batchFrames, centred, decodeLatents, singleFrameSpec, toImages } from '../shared/frames.ts'
import { decoderNetwork, encoderNetwork } from '../shared/networks.ts'
import { meanOf } from '../shared/spectrum.ts'
import type { LossTerms, Tensors } from '../shared/tensor-encoder.ts'
import { TrainedEncoder } from '../shared/tensor-encoder.ts'
import type { AutoencoderConfig } from './config.ts'

/**
 * Autoencoder with the networks of the beta-VAE: what the KL term and the noise of its posterior add is the difference.
 *
 * Minimises  L = |x - d(e(x + noise))|^2,  squared error summed over pixels in [0, 1], averaged over the batch; with
 * `noiseStd` above 0 it is a denoising autoencoder (Vincent et al. 2008). Nothing bounds the latents: their scale is what came
 * out, and there is no prior to imagine goals from.
 */
export class Autoencoder extends TrainedEncoder<'frames'> {
  readonly #network: Layer
  readonly #decoder: Layer
  readonly #constants: Constants<'meanFrame'>
  readonly #noiseStd: number
  readonly #decode: Program<'latents', 'images'>

  constructor(frameShape: EncoderSpec['frameShape'], config: AutoencoderConfig, rng: Rng) {
    const { latentSize, architecture, learningRate, noiseStd } = config
    const network = encoderNetwork(frameShape, architecture, { name: 'encoder/latent', size: latentSize })
    const decoder = decoderNetwork(frameShape, architecture, latentSize)
    const spec = singleFrameSpec('autoencoder', frameShape, latentSize)
    super(spec, { features: network, heads: [decoder], learningRate }, rng)
    this.#network = network
    this.#decoder = decoder
    this.#noiseStd = noiseStd
    const meanFrame = ndarray(new Float32Array(sizeOf(frameShape)), frameShape)
    this.#constants = this.own(this.saved('constants', new Constants({ meanFrame })))
    this.#decode = this.program('decode', ({ latents }) => ({
      images: toImages(this.#decoder.apply(this.weights.split(), latents), this.#constants.tensor('meanFrame')),
    }))
  }

  #centred(frames: tf.Tensor): tf.Tensor {
    return centred(frames, this.#constants.tensor('meanFrame')) // [B, H, W, C]
  }

  protected latents(weights: Weights, { frames }: FrameTensors): tf.Tensor {
    return this.#network.apply(weights, this.#centred(frames))
  }

  protected loss(weights: Weights, { frames, noise }: Tensors): LossTerms {
    const x = this.#centred(frames!) // [B, H, W, C]
    const latents = this.#network.apply(weights, tf.add(x, noise!)) // [B, D]
    const squaredError = tf.square(tf.sub(this.#decoder.apply(weights, latents), x))
    return { loss: tf.div(tf.sum(squaredError), x.shape[0]!) }
  }

  /** Evaluation is without noise. */
  protected inputs(batch: FrameBatch, purpose: 'update' | 'evaluate', rng: Rng): Record<string, NdArray> {
    const frames = batchFrames(this.spec, batch)
    if (this.#noiseStd === 0 || purpose === 'evaluate') return { frames, noise: NO_NOISE }
    const noise = rng.fillNormal(new Float32Array(frames.data.length)).map((x) => x * this.#noiseStd)
    return { frames, noise: ndarray(noise, frames.shape) }
  }

  protected override metrics({ loss }: Readonly<Record<string, NdArray>>): Metrics {
    return { loss: loss!.data[0]!, reconstruction: loss!.data[0]! }
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

/** Broadcasts to every frame. */
const NO_NOISE: NdArray = ndarray(Float32Array.of(0), [1, 1, 1, 1])
