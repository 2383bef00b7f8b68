import type { FrameBatch } from '../../src/core/batches.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import type { Encoder, EncoderSpec } from '../../src/core/encoder.ts'
import type { Metrics, NamedArrays, NdArray } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import { Adam } from '../../src/tensor/adam.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import type { Stateful, Weights } from '../../src/tensor/parameters.ts'
import { Parameters, restoreParts, saveParts, valueAndFlatGradient } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { centred, checkFrames, decodeLatents, encodeFrames, LEARNS_FROM_FRAMES } from '../shared/frames.ts'
import { decoderNetwork, encoderNetwork } from '../shared/networks.ts'
import { frameStatistics } from '../shared/spectrum.ts'
import { chooseBeta } from './choose-beta.ts'
import { Statistics } from './statistics.ts'
import type { BetaVaeConfig } from './config.ts'

/** The posterior's variance never falls below this (RIG's released code), so no latent can shout. */
const MIN_LOG_VARIANCE = Math.log(1e-3)
/** A latent dimension counts as active above this mean KL, in nats. */
const ACTIVE_NATS = 0.1

type LossInput = 'frames' | 'noise' | 'meanFrame' | 'beta'

interface Posterior {
  /** [B, D] */
  readonly mean: tf.Tensor
  /** [B, D] */
  readonly logVariance: tf.Tensor
}

type LossTerms = {
  readonly loss: tf.Tensor
  /** Squared error of an image, summed over pixels in [0, 1], mean over the batch, []. */
  readonly reconstruction: tf.Tensor
  /** KL per latent dimension in nats, mean over the batch, [D]. */
  readonly klPerDimension: tf.Tensor
}

/**
 * beta-VAE (Higgins et al. 2017; Kingma & Welling 2014), the representation of RIG (Nair et al. 2018).
 *
 * Minimises  L = |x - d(z)|^2 + beta KL(q(z|x) || N(0, I)),  squared error summed over pixels in [0, 1] and KL over
 * dimensions, both averaged over the batch. `encode` returns the posterior mean. Networks see frames minus the mean frame
 * of the data, so that a static background costs them nothing.
 */
export class BetaVae implements Encoder<'frames'> {
  readonly spec: EncoderSpec<'frames'>
  readonly #encoder: Layer
  readonly #decoder: Layer
  readonly #weights: Parameters
  readonly #adam: Adam
  readonly #statistics: Statistics
  readonly #config: BetaVaeConfig
  readonly #rng: Rng
  readonly #update: Program<LossInput | 'adam', keyof LossTerms>
  readonly #evaluate: Program<LossInput, keyof LossTerms>
  readonly #encode: Program<'frames' | 'meanFrame', 'latents'>
  readonly #decode: Program<'latents' | 'meanFrame', 'images'>

  constructor(frameShape: readonly [number, number, number], config: BetaVaeConfig, rng: Rng) {
    this.spec = { name: 'beta-vae', frameShape, latentSize: config.latentSize, ...LEARNS_FROM_FRAMES }
    this.#config = config
    this.#rng = rng
    const { latentSize, architecture } = config
    this.#encoder = encoderNetwork(frameShape, architecture, { name: 'encoder/posterior', size: 2 * latentSize })
    this.#decoder = decoderNetwork(frameShape[2], architecture, latentSize)
    this.#weights = new Parameters([...this.#encoder.parameters, ...this.#decoder.parameters], rng.split('weights'))
    this.#adam = new Adam(this.#weights, { learningRate: config.learningRate })
    this.#statistics = new Statistics(frameShape, config.latentSize, {
      beta: config.beta === 'auto' ? 1 : config.beta,
      bandwidth: config.priorBandwidth,
    })

    this.#update = compile('beta-vae update', ({ adam, ...inputs }) => {
      const { values, flatGradient } = valueAndFlatGradient(this.#weights, (weights) => this.#loss(weights, inputs))
      this.#adam.apply(flatGradient, adam)
      return values
    })
    this.#evaluate = compile('beta-vae evaluate', (inputs) => this.#loss(this.#weights.split(), inputs))
    this.#encode = compile('beta-vae encode', ({ frames, meanFrame }) => ({
      latents: this.#posterior(this.#weights.split(), centred(frames, meanFrame)).mean,
    }))
    this.#decode = compile('beta-vae decode', ({ latents, meanFrame }) => {
      const images = tf.add(this.#decoder.apply(this.#weights.split(), latents), meanFrame) // [B, H, W, C]
      return { images: tf.mul(tf.clipByValue(images, 0, 1), 255) }
    })
  }

  /**
   * The latents as a pure function of uint8 frames [B, H, W, C] -> [B, D], with the mean frame baked in: what is exported.
   * For use inside a compiled function.
   */
  latentFunction(frames: tf.Tensor): tf.Tensor {
    const { data, shape } = this.#statistics.meanFrame
    return this.#posterior(this.#weights.split(), centred(frames, tf.tensor(data, [...shape]))).mean
  }

  /** q(z|x) = N(mean, exp(logVariance)) with logVariance = log(1e-3) + |h|, as in RIG's released code. */
  #posterior(weights: Weights, x: tf.Tensor): Posterior {
    const [mean, h] = tf.split(this.#encoder.apply(weights, x), 2, 1) as [tf.Tensor, tf.Tensor] // [B, D] each
    return { mean, logVariance: tf.add(tf.abs(h), MIN_LOG_VARIANCE) }
  }

  /** The loss above; `noise` [B, D] is standard normal (reparameterisation, Kingma & Welling 2014, section 2.4). */
  #loss(weights: Weights, { frames, noise, meanFrame, beta }: Record<LossInput, tf.Tensor>): LossTerms {
    const x = centred(frames, meanFrame) // [B, H, W, C]
    const { mean, logVariance } = this.#posterior(weights, x)
    const z = tf.add(mean, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), noise)) // [B, D]
    const squaredError = tf.square(tf.sub(this.#decoder.apply(weights, z), x)) // [B, H, W, C]
    const reconstruction = tf.div(tf.sum(squaredError), x.shape[0]!) // []
    const kl = tf.sub(tf.add(tf.square(mean), tf.exp(logVariance)), tf.add(logVariance, 1)) // [B, D], twice the KL
    const klPerDimension = tf.mul(tf.mean(kl, 0), 0.5) // [D]
    const loss = tf.add(reconstruction, tf.mul(tf.reshape(beta, []), tf.sum(klPerDimension)))
    return { loss, reconstruction, klPerDimension }
  }

  /** Mean frame, and with `beta: auto` the weight of the KL term by the rule of {@link chooseBeta}. */
  async fitStatistics(batch: FrameBatch): Promise<Metrics> {
    checkFrames(this.spec, batch)
    const { keepDirections, beta } = this.#config
    const { meanFrame, variances } = await frameStatistics(batch, keepDirections)
    this.#statistics.setFrames(meanFrame, beta === 'auto' ? chooseBeta(variances, keepDirections) : beta)
    const spectrum = [...variances].map((variance, i) => [`pixel_variance_${i}`, variance] as const)
    return { beta: this.#statistics.beta.data[0]!, ...Object.fromEntries(spectrum) }
  }

  async update(batch: FrameBatch): Promise<Metrics> {
    const terms = await this.#update.run({ ...this.#lossInputs(batch, 'update'), adam: this.#adam.stepScalars() })
    this.#adam.advance()
    return metricsOf(terms)
  }

  async evaluate(batch: FrameBatch): Promise<Metrics> {
    return metricsOf(await this.#evaluate.run(this.#lossInputs(batch, 'evaluate')))
  }

  async encode(input: EncoderInput): Promise<Float32Array> {
    return encodeFrames(this.spec, input, async (frames) => {
      return (await this.#encode.run({ frames, meanFrame: this.#statistics.meanFrame })).latents
    })
  }

  async decode(latents: Float32Array, count: number): Promise<Uint8Array> {
    return decodeLatents(this.spec, latents, count, async (rows) => {
      return (await this.#decode.run({ latents: rows, meanFrame: this.#statistics.meanFrame })).images
    })
  }

  /** From N(0, I), or with `prior: fitted` near one of the latents of {@link fitPrior}: they cover less than N(0, I). */
  imagine(rng: Rng): Float32Array {
    return this.#statistics.samplePrior(rng)
  }

  async fitPrior(input: EncoderInput): Promise<void> {
    if (this.#config.prior === 'fitted') this.#statistics.fitPrior(await this.encode(input), input.count)
  }

  save(): NamedArrays {
    return saveParts(this.#parts())
  }

  restore(arrays: NamedArrays): void {
    restoreParts('beta-vae', this.#parts(), arrays)
  }

  dispose(): void {
    for (const program of [this.#update, this.#evaluate, this.#encode, this.#decode]) program.dispose()
    this.#weights.dispose()
    this.#adam.dispose()
  }

  #parts(): Record<string, Stateful> {
    return { weights: this.#weights, adam: this.#adam, statistics: this.#statistics }
  }

  #lossInputs(batch: FrameBatch, purpose: string): Record<LossInput, NdArray> {
    checkFrames(this.spec, batch)
    const { latentSize, frameShape } = this.spec
    // A stream per step: nothing of the noise has to be saved to go on from a checkpoint.
    const rng = this.#rng.split(`${purpose}/${this.#adam.step}`)
    return {
      frames: ndarray(batch.frames, [batch.count, ...frameShape]),
      noise: ndarray(rng.fillNormal(new Float32Array(batch.count * latentSize)), [batch.count, latentSize]),
      meanFrame: this.#statistics.meanFrame,
      beta: ndarray(Float32Array.of(this.#statistics.beta.data[0]! * this.#betaFactor()), [1]),
    }
  }

  /** Share of beta that counts at this step: it rises geometrically from `betaStart` to 1 over `betaAnneal` updates. */
  #betaFactor(): number {
    const { betaStart, betaAnneal } = this.#config
    return this.#adam.step >= betaAnneal ? 1 : betaStart ** (1 - this.#adam.step / betaAnneal)
  }
}

function metricsOf({ loss, reconstruction, klPerDimension }: Record<keyof LossTerms, NdArray>): Metrics {
  const kl = [...klPerDimension.data]
  return {
    loss: loss.data[0]!,
    reconstruction: reconstruction.data[0]!,
    kl: kl.reduce((sum, x) => sum + x, 0),
    active_dimensions: kl.filter((x) => x > ACTIVE_NATS).length,
    ...Object.fromEntries(kl.map((x, i) => [`kl_${i}`, x])),
  }
}
