import type { FrameBatch } from '../../src/core/batches.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import type { Encoder, EncoderSpec } from '../../src/core/encoder.ts'
import type { Metrics, NamedArrays, NdArray } from '../../src/core/ndarray.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import { restoreParts, saveParts } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { Constants } from '../shared/constants.ts'
import { centred, checkFrames, decodeLatents, encodeFrames, LEARNS_FROM_FRAMES } from '../shared/frames.ts'
import { principalComponents } from '../shared/spectrum.ts'
import type { PcaConfig } from './config.ts'

type Constant = 'meanFrame' | 'components' | 'scale'
type Arrays<N extends string> = Record<N, tf.Tensor>

/**
 * Principal components of frames (Pearson 1901): the linear code with the least squared error of pixels.
 *
 *   z = V (x - mean frame) / s,   d(z) = mean frame + s V^T z,
 *
 * V the leading unit eigenvectors of the covariance of frames in [0, 1] and s one number, so that the mean variance of the
 * latents is 1: not whitened, distances of latents are Euclidean distances of frames along V, divided by s. Before
 * `fitStatistics` every frame is 0.
 */
export class Pca implements Encoder<'frames'> {
  readonly spec: EncoderSpec<'frames'>
  readonly #constants: Constants<Constant>
  readonly #encode: Program<'frames' | Constant, 'latents'>
  readonly #decode: Program<'latents' | Constant, 'images'>
  readonly #evaluate: Program<'frames' | Constant, 'loss'>

  constructor(frameShape: readonly [number, number, number], { latentSize }: PcaConfig) {
    this.spec = { name: 'pca', frameShape, latentSize, ...LEARNS_FROM_FRAMES }
    const pixels = sizeOf(frameShape)
    this.#constants = new Constants({
      meanFrame: ndarray(new Float32Array(pixels), frameShape),
      components: ndarray(new Float32Array(latentSize * pixels), [latentSize, pixels]),
      scale: ndarray(Float32Array.of(1), [1]),
    })
    this.#encode = compile('pca encode', (inputs) => ({ latents: latentsOf(inputs) }))
    this.#decode = compile('pca decode', (inputs) => ({
      images: tf.mul(tf.clipByValue(framesOf(inputs), 0, 1), 255), // [B, H, W, C]
    }))
    this.#evaluate = compile('pca evaluate', (inputs) => {
      const reconstruction = framesOf({ ...inputs, latents: latentsOf(inputs) })
      const error = tf.sub(centred(inputs.frames, inputs.meanFrame), tf.sub(reconstruction, inputs.meanFrame))
      return { loss: tf.div(tf.sum(tf.square(error)), inputs.frames.shape[0]!) }
    })
  }

  /** The latents as a pure function of uint8 frames [B, H, W, C] -> [B, D], with the components baked in: what is exported. */
  latentFunction(frames: tf.Tensor): tf.Tensor {
    const constant = ({ data, shape }: NdArray): tf.Tensor => tf.tensor(data as Float32Array, [...shape])
    const { meanFrame, components, scale } = this.#constants.arrays
    return latentsOf({
      frames,
      meanFrame: constant(meanFrame),
      components: constant(components),
      scale: constant(scale),
    })
  }

  /** Finds the components; `explained_variance` is the share of the variance of pixels that lies along them. */
  async fitStatistics(batch: FrameBatch): Promise<Metrics> {
    checkFrames(this.spec, batch)
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
    checkFrames(this.spec, batch)
    const frames = ndarray(batch.frames, [batch.count, ...this.spec.frameShape])
    const loss = (await this.#evaluate.run({ frames, ...this.#constants.arrays })).loss.data[0]!
    return { loss, reconstruction: loss }
  }

  async encode(input: EncoderInput): Promise<Float32Array> {
    return encodeFrames(this.spec, input, async (frames) => {
      return (await this.#encode.run({ frames, ...this.#constants.arrays })).latents
    })
  }

  async decode(latents: Float32Array, count: number): Promise<Uint8Array> {
    return decodeLatents(this.spec, latents, count, async (rows) => {
      return (await this.#decode.run({ latents: rows, ...this.#constants.arrays })).images
    })
  }

  save(): NamedArrays {
    return saveParts({ constants: this.#constants })
  }

  restore(arrays: NamedArrays): void {
    restoreParts('pca', { constants: this.#constants }, arrays)
  }

  dispose(): void {
    for (const program of [this.#encode, this.#decode, this.#evaluate]) program.dispose()
  }
}

function latentsOf({ frames, meanFrame, components, scale }: Arrays<'frames' | Constant>): tf.Tensor {
  const x = tf.reshape(centred(frames, meanFrame), [frames.shape[0]!, components.shape[1]!]) // [B, P]
  return tf.div(tf.matMul(x, components, false, true), scale) // [B, D]
}

function framesOf({ latents, meanFrame, components, scale }: Arrays<'latents' | Constant>): tf.Tensor {
  const x = tf.matMul(tf.mul(latents, scale), components) // [B, P]
  return tf.add(tf.reshape(x, [latents.shape[0]!, ...meanFrame.shape]), meanFrame) // [B, H, W, C]
}
