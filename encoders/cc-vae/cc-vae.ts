import type { ContextBatch, FrameBatch } from '../../src/core/batches.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import { SINGLE_FRAME } from '../../src/core/encoder-input.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Metrics, NdArray } from '../../src/core/ndarray.ts'
import { concatenated, ndarray, sizeOf } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { dense, scoped } from '../../src/tensor/layers.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { joinStates } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { Constants } from '../shared/constants.ts'
import { batchFrames, centred, decodeLatents, frameArray, toImages, withSilhouette } from '../shared/frames.ts'
import { decoderNetwork, encoderNetwork } from '../shared/networks.ts'
import type { Posterior } from '../shared/posterior.ts'
import { drawFrom, klMetrics, klPerDimension, posteriorOf, warmUp } from '../shared/posterior.ts'
import { Prior } from '../shared/prior.ts'
import { meanOf } from '../shared/spectrum.ts'
import type { LossTerms, Tensors } from '../shared/tensor-encoder.ts'
import { TrainedEncoder } from '../shared/tensor-encoder.ts'
import type { CcVaeConfig } from './config.ts'

/**
 * Context-conditioned VAE (Nair et al. 2019, "Contextual Imagined Goals for Self-Supervised Robotic Learning", section 4.1).
 *
 * Minimises  L = |x - d(z, c)|^2 + w |x_0 - d_0(c)|^2 + beta KL(q(z|x, c) || N(0, I))  with c = e_0(x_0) of the first frame x_0 of the
 * episode: squared errors summed over pixels in [0, 1], KL over dimensions, all averaged over the batch. What is the same throughout an
 * episode reaches the decoder through c for nothing; the KL term prices what is left, so z learns what moves.
 *
 * A latent is [mean of z | c]. Goals are imagined as [z | c of the running episode], and c cancels in distances within it.
 */
export class CcVae extends TrainedEncoder<'context'> {
  readonly #frameNet: Layer
  readonly #contextNet: Layer
  readonly #posteriorHead: Layer
  readonly #decoder: Layer
  readonly #contextDecoder: Layer
  readonly #constants: Constants<'meanFrame'>
  readonly #prior: Prior
  readonly #config: CcVaeConfig
  readonly #decode: Program<'latents', 'images'>

  constructor(frameShape: EncoderSpec['frameShape'], config: CcVaeConfig, rng: Rng) {
    const { latentSize: z, contextSize: c, architecture, sharedEncoders, silhouette } = config
    const frameNet = encoderNetwork(frameShape, architecture, { name: 'encoder/frame', size: z + c })
    // Colours and shapes are no positions.
    const contextArchitecture = architecture === 'spatial' ? 'palette' : architecture
    const contextNet = sharedEncoders
      ? dense('context/shared', { inputSize: z + c, outputSize: c })
      : scoped('context', encoderNetwork(frameShape, contextArchitecture, { name: 'encoder/context', size: c }))
    const posteriorHead = dense('posterior', { inputSize: z + 2 * c, outputSize: 2 * z })
    const decoder = decoderNetwork(frameShape, architecture, z + c, silhouette)
    const contextDecoder = scoped('context', decoderNetwork(frameShape, contextArchitecture, c, silhouette))
    const batch = { kind: 'context', options: {} } as const
    const spec = { name: 'cc-vae', frameShape, latentSize: z + c, batch, window: SINGLE_FRAME, takesContext: true }
    const features = {
      parameters: [...frameNet.parameters, ...contextNet.parameters, ...posteriorHead.parameters],
    }
    super(spec, { features, heads: [decoder, contextDecoder], learningRate: config.learningRate }, rng)
    this.#frameNet = frameNet
    this.#contextNet = contextNet
    this.#posteriorHead = posteriorHead
    this.#decoder = decoder
    this.#contextDecoder = contextDecoder
    this.#config = config
    const meanFrame = ndarray(new Float32Array(sizeOf(frameShape)), frameShape)
    this.#constants = this.own(new Constants({ meanFrame }))
    this.#prior = new Prior(z, config.priorBandwidth)
    this.saved('constants', joinStates('constants', [this.#constants, this.#prior]))
    this.#decode = this.program('decode', ({ latents }) => ({
      images: toImages(this.#decoder.apply(this.weights.split(), latents), this.#constants.tensor('meanFrame')),
    }))
  }

  protected latents(weights: Weights, { frames, context }: FrameTensors): tf.Tensor {
    const c = this.#context(weights, this.#centred(context!)) // [B, dc]
    return tf.concat([this.#posterior(weights, this.#centred(frames), c).mean, c], 1) // [B, dz + dc]
  }

  #centred(frames: tf.Tensor): tf.Tensor {
    return centred(frames, this.#constants.tensor('meanFrame')) // [B, H, W, C]
  }

  /** c = e_0(x_0), [B, dc]. */
  #context(weights: Weights, firstFrame: tf.Tensor): tf.Tensor {
    const { sharedEncoders } = this.#config
    return this.#contextNet.apply(weights, sharedEncoders ? this.#frameNet.apply(weights, firstFrame) : firstFrame)
  }

  /** q(z|x, c), from the frame's features beside c. */
  #posterior(weights: Weights, x: tf.Tensor, c: tf.Tensor): Posterior {
    const seen = tf.concat([this.#frameNet.apply(weights, x), c], 1) // [B, dz + 2 dc]
    return posteriorOf(this.#posteriorHead.apply(weights, seen))
  }

  /** The loss above; `noise` [B, dz] is standard normal. */
  protected loss(weights: Weights, { frames, context, noise, beta }: Tensors): LossTerms {
    const [x, x0] = [this.#centred(frames!), this.#centred(context!)] // [B, H, W, C]
    const c = this.#context(weights, x0) // [B, dc]
    const posterior = this.#posterior(weights, x, c)
    const z = drawFrom(posterior, noise!) // [B, dz]
    const [shown, shown0] = this.#config.silhouette ? [withSilhouette(x), withSilhouette(x0)] : [x, x0]
    const reconstruction = sumSquares(this.#decoder.apply(weights, tf.concat([z, c], 1)), shown)
    const firstFrame = sumSquares(this.#contextDecoder.apply(weights, c), shown0)
    const kl = klPerDimension(posterior) // [dz]
    const fit = tf.add(reconstruction, tf.mul(firstFrame, this.#config.contextWeight))
    const loss = tf.add(fit, tf.mul(tf.reshape(beta!, []), tf.sum(kl)))
    return { loss, reconstruction, first_frame: firstFrame, kl }
  }

  protected override metrics({ kl, ...terms }: Readonly<Record<string, NdArray>>): Metrics {
    return { ...super.metrics(terms), ...klMetrics(kl!) }
  }

  protected inputs(batch: ContextBatch, _purpose: string, rng: Rng): Record<string, NdArray> {
    const { count, frames, context } = batch
    const { latentSize, beta } = this.#config
    return {
      frames: frameArray(this.spec, frames, count),
      context: frameArray(this.spec, context, count),
      noise: ndarray(rng.fillNormal(new Float32Array(count * latentSize)), [count, latentSize]),
      beta: ndarray(Float32Array.of(beta * warmUp(this.step, this.#config)), [1]),
    }
  }

  /** The mean frame. */
  async fitStatistics(batch: FrameBatch): Promise<Metrics> {
    batchFrames(this.spec, batch)
    this.#constants.set({ meanFrame: meanOf(batch) })
    return {}
  }

  decode(latents: Float32Array, count: number): Promise<Uint8Array> {
    return decodeLatents(this.spec, latents, count, async (rows) => (await this.#decode.run(rows)).images)
  }

  /**
   * z from N(0, I) as in the paper's section 4.2, or with `prior: fitted` near one of the z of {@link fitPrior}, beside the c of the episode
   * that `start` is the first latent of.
   */
  imagine(rng: Rng, start?: Float32Array): Float32Array {
    if (start?.length !== this.spec.latentSize) {
      throw new ArmatureError('bad-argument', 'a goal imagined by cc-vae', {
        expected: `the latent [${this.spec.latentSize}] of the episode's first observation`,
        got: start === undefined ? 'none' : `[${start.length}]`,
      })
    }
    const goal = start.slice()
    goal.set(this.#prior.sample(rng))
    return goal
  }

  async fitPrior(input: EncoderInput): Promise<void> {
    if (this.#config.prior !== 'fitted') return
    const { latentSize: size } = this.#config
    const latents = await this.encode(input)
    const rows = Array.from({ length: input.count }, (_, row) => row * this.spec.latentSize)
    this.#prior.fit(concatenated(rows.map((at) => latents.subarray(at, at + size))), input.count)
  }
}

/** Squared error of an image, summed over pixels, mean over the batch, []. */
function sumSquares(painted: tf.Tensor, x: tf.Tensor): tf.Tensor {
  return tf.div(tf.sum(tf.square(tf.sub(painted, x))), x.shape[0]!)
}
