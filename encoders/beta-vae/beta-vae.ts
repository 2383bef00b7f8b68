import type { FrameBatch } from '../../src/core/batches.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import type { Metrics, NdArray } from '../../src/core/ndarray.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { joinStates } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { Constants } from '../shared/constants.ts'
import { batchFrames, centred, decodeLatents, singleFrameSpec, toImages, withSilhouette } from '../shared/frames.ts'
import { decoderNetwork, encoderNetwork } from '../shared/networks.ts'
import type { Posterior } from '../shared/posterior.ts'
import { drawFrom, klMetrics, klPerDimension, posteriorOf, warmUp } from '../shared/posterior.ts'
import { Prior } from '../shared/prior.ts'
import { frameStatistics } from '../shared/spectrum.ts'
import type { LossTerms, Tensors } from '../shared/tensor-encoder.ts'
import { TrainedEncoder } from '../shared/tensor-encoder.ts'
import type { BetaVaeConfig } from './config.ts'

/**
 * beta-VAE (Higgins et al. 2017; Kingma & Welling 2014), the representation of RIG (Nair et al. 2018).
 *
 * Minimises  L = |x - d(z)|^2 + beta KL(q(z|x) || N(0, I)),  squared error summed over pixels in [0, 1] and KL over
 * dimensions, both averaged over the batch. `encode` returns the posterior mean. Networks see frames minus the mean frame
 * of the data, so that a static background costs them nothing.
 */
export class BetaVae extends TrainedEncoder<'frames'> {
  readonly #network: Layer
  readonly #decoder: Layer
  readonly #constants: Constants<'meanFrame' | 'beta'>
  readonly #prior: Prior
  readonly #config: BetaVaeConfig
  readonly #decode: Program<'latents', 'images'>

  constructor(frameShape: EncoderSpec['frameShape'], config: BetaVaeConfig, rng: Rng) {
    const { latentSize, architecture, silhouette, learningRate } = config
    const network = encoderNetwork(frameShape, architecture, { name: 'encoder/posterior', size: 2 * latentSize })
    const decoder = decoderNetwork(frameShape, architecture, latentSize, silhouette)
    const spec = singleFrameSpec('beta-vae', frameShape, latentSize)
    super(spec, { features: network, heads: [decoder], learningRate }, rng)
    this.#network = network
    this.#decoder = decoder
    this.#config = config
    this.#constants = this.own(
      new Constants({
        meanFrame: ndarray(new Float32Array(sizeOf(frameShape)), frameShape),
        beta: ndarray(Float32Array.of(config.beta === 'auto' ? 1 : config.beta), [1]),
      }),
    )
    this.#prior = new Prior(latentSize, config.priorBandwidth)
    this.saved('statistics', joinStates('statistics', [this.#constants, this.#prior]))
    this.#decode = this.program('decode', ({ latents }) => ({
      images: toImages(this.#decoder.apply(this.weights.split(), latents), this.#constants.tensor('meanFrame')),
    }))
  }

  protected latents(weights: Weights, { frames }: FrameTensors): tf.Tensor {
    return this.#posterior(weights, this.#centred(frames)).mean
  }

  /** q(z|x) */
  #posterior(weights: Weights, x: tf.Tensor): Posterior {
    return posteriorOf(this.#network.apply(weights, x))
  }

  #centred(frames: tf.Tensor): tf.Tensor {
    return centred(frames, this.#constants.tensor('meanFrame')) // [B, H, W, C]
  }

  /** The loss above; `noise` [B, D] is standard normal. */
  protected loss(weights: Weights, { frames, noise, beta }: Tensors): LossTerms {
    const x = this.#centred(frames!) // [B, H, W, C]
    const posterior = this.#posterior(weights, x)
    const z = drawFrom(posterior, noise!) // [B, D]
    const shown = this.#config.silhouette ? withSilhouette(x) : x
    const squaredError = tf.square(tf.sub(this.#decoder.apply(weights, z), shown)) // [B, H, W, C]
    const reconstruction = tf.div(tf.sum(squaredError), x.shape[0]!) // []
    const kl = klPerDimension(posterior) // [D]
    return { loss: tf.add(reconstruction, tf.mul(tf.reshape(beta!, []), tf.sum(kl))), reconstruction, kl }
  }

  protected inputs(batch: FrameBatch, _purpose: string, rng: Rng): Record<string, NdArray> {
    const noise = rng.fillNormal(new Float32Array(batch.count * this.spec.latentSize))
    return {
      frames: batchFrames(this.spec, batch),
      noise: ndarray(noise, [batch.count, this.spec.latentSize]),
      beta: ndarray(Float32Array.of(this.#constants.values('beta')[0]! * warmUp(this.step, this.#config)), [1]),
    }
  }

  protected override metrics({ kl, ...terms }: Readonly<Record<string, NdArray>>): Metrics {
    return { ...super.metrics(terms), ...klMetrics(kl!) }
  }

  /** Mean frame, and with `beta: auto` the weight of the KL term by the rule of {@link chooseBeta}. */
  async fitStatistics(batch: FrameBatch): Promise<Metrics> {
    batchFrames(this.spec, batch)
    const { keepDirections, beta } = this.#config
    const { meanFrame, variances } = await frameStatistics(batch, keepDirections)
    this.#constants.set({ meanFrame, beta: [beta === 'auto' ? chooseBeta(variances, keepDirections) : beta] })
    const spectrum = [...variances].map((variance, i) => [`pixel_variance_${i}`, variance] as const)
    return { beta: this.#constants.values('beta')[0]!, ...Object.fromEntries(spectrum) }
  }

  decode(latents: Float32Array, count: number): Promise<Uint8Array> {
    return decodeLatents(this.spec, latents, count, async (rows) => (await this.#decode.run(rows)).images)
  }

  /** From N(0, I), or with `prior: fitted` near one of the latents of {@link fitPrior}: they cover less than N(0, I). */
  imagine(rng: Rng): Float32Array {
    return this.#prior.sample(rng)
  }

  async fitPrior(input: EncoderInput): Promise<void> {
    if (this.#config.prior === 'fitted') this.#prior.fit(await this.encode(input), input.count)
  }
}

/**
 * The weight of the KL term that keeps `keepDirections` directions. With the squared error summed over pixels, a direction of variance v
 * is encoded only if v > beta / 2 (linear VAE). Taking for beta the variance of the weakest direction to keep clears that bound by a
 * factor of two.
 * @param variances along principal directions, falling
 */
export function chooseBeta(variances: Float64Array, keepDirections: number): number {
  return variances[Math.min(keepDirections, variances.length) - 1]!
}
