import type { FrameBatch } from '../../src/core/batches.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import type { Metrics } from '../../src/core/ndarray.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import { tf } from '../../src/tensor/tf.ts'
import { Constants } from '../shared/constants.ts'
import { batchFrames, centred, decodeLatents, singleFrameSpec, toImages } from '../shared/frames.ts'
import { principalComponents } from '../shared/spectrum.ts'
import { TensorEncoder } from '../shared/tensor-encoder.ts'
import type { PcaConfig } from './config.ts'

/**
 * Principal components of frames (Pearson 1901): the linear code with the least squared error of pixels.
 *
 *   z = V (x - mean frame) / s,   d(z) = mean frame + s V^T z,
 *
 * V the leading unit eigenvectors of the covariance of frames in [0, 1] and s one number, so that the mean variance of the
 * latents is 1: not whitened, distances of latents are Euclidean distances of frames along V, divided by s. Before
 * `fitStatistics` every frame is 0.
 */
export class Pca extends TensorEncoder {
  readonly #constants: Constants<'meanFrame' | 'components' | 'scale'>
  readonly #decode: Program<'latents', 'images'>
  readonly #evaluate: Program<'frames', 'loss'>

  constructor(frameShape: EncoderSpec['frameShape'], { latentSize }: PcaConfig) {
    super(singleFrameSpec('pca', frameShape, latentSize))
    const pixels = sizeOf(frameShape)
    const constants = new Constants({
      meanFrame: ndarray(new Float32Array(pixels), frameShape),
      components: ndarray(new Float32Array(latentSize * pixels), [latentSize, pixels]),
      scale: ndarray(Float32Array.of(1), [1]),
    })
    this.#constants = this.own(this.saved('constants', constants))
    this.#decode = this.program('decode', ({ latents }) => ({
      images: toImages(this.#offsets(latents), constants.tensor('meanFrame')),
    }))
    this.#evaluate = this.program('evaluate', ({ frames }) => {
      const error = tf.sub(this.#centred(frames), this.#offsets(this.latentFunction({ frames })))
      return { loss: tf.div(tf.sum(tf.square(error)), frames.shape[0]!) }
    })
  }

  latentFunction({ frames }: FrameTensors): tf.Tensor {
    const x = tf.reshape(this.#centred(frames), [frames.shape[0]!, sizeOf(this.spec.frameShape)]) // [B, P]
    const projected = tf.matMul(x, this.#constants.tensor('components'), false, true)
    return tf.div(projected, this.#constants.tensor('scale')) // [B, D]
  }

  /** s V^T z: what a latent adds to the mean frame, [B, H, W, C]. */
  #offsets(latents: tf.Tensor): tf.Tensor {
    const scaled = tf.mul(latents, this.#constants.tensor('scale'))
    return tf.reshape(tf.matMul(scaled, this.#constants.tensor('components')), [-1, ...this.spec.frameShape])
  }

  #centred(frames: tf.Tensor): tf.Tensor {
    return centred(frames, this.#constants.tensor('meanFrame')) // [B, H, W, C]
  }

  /** Finds the components; `explained_variance` is the share of the variance of pixels that lies along them. */
  async fitStatistics(batch: FrameBatch): Promise<Metrics> {
    batchFrames(this.spec, batch)
    const { latentSize } = this.spec
    const { meanFrame, components, variances, totalVariance } = await principalComponents(batch, latentSize)
    const explained = variances.reduce((sum, variance) => sum + variance, 0)
    const scale = explained > 0 ? Math.sqrt(explained / latentSize) : 1
    this.#constants.set({ meanFrame, components, scale: [scale] })
    const spectrum = [...variances].map((variance, i) => [`pixel_variance_${i}`, variance] as const)
    const share = totalVariance > 0 ? explained / totalVariance : 0
    return { latent_scale: scale, explained_variance: share, ...Object.fromEntries(spectrum) }
  }

  /** Squared error of an image, summed over pixels in [0, 1], as the autoencoders report it. */
  async evaluate(batch: FrameBatch): Promise<Metrics> {
    const loss = (await this.#evaluate.run({ frames: batchFrames(this.spec, batch) })).loss.data[0]!
    return { loss, reconstruction: loss }
  }

  decode(latents: Float32Array, count: number): Promise<Uint8Array> {
    return decodeLatents(this.spec, latents, count, async (rows) => (await this.#decode.run(rows)).images)
  }
}
