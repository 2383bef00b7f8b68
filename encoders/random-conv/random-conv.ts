import type { FrameBatch } from '../../src/core/batches.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import type { Encoder, EncoderSpec } from '../../src/core/encoder.ts'
import type { Metrics, NamedArrays } from '../../src/core/ndarray.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import type { Stateful } from '../../src/tensor/parameters.ts'
import { Parameters, restoreParts, saveParts } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { Constants } from '../shared/constants.ts'
import { centred, checkFrames, encodeFrames, LEARNS_FROM_FRAMES } from '../shared/frames.ts'
import { encoderNetwork } from '../shared/networks.ts'
import { meanOf, spread } from '../shared/spectrum.ts'
import type { RandomConvConfig } from './config.ts'

/** Frames that centre and scale of the latents are measured on, spread evenly over the data. */
const SAMPLE_SIZE = 512

/**
 * The network of the learned encoders with the weights that it was drawn with: what the architecture alone gives. A learned
 * encoder that is no better has learned nothing of use.
 *
 *   z = (f(x - mean frame) - c) / s,
 *
 * c the mean of f over the data and s one number for all dimensions, so that their mean variance is 1. Before `fitStatistics`,
 * mean frame and c are 0 and s is 1.
 */
export class RandomConv implements Encoder<'frames'> {
  readonly spec: EncoderSpec<'frames'>
  readonly #network: Layer
  readonly #weights: Parameters
  readonly #constants: Constants<'meanFrame' | 'centre' | 'scale'>
  readonly #encode: Program<'frames' | 'meanFrame', 'features'>

  constructor(frameShape: readonly [number, number, number], config: RandomConvConfig, rng: Rng) {
    const { latentSize, architecture } = config
    this.spec = { name: 'random', frameShape, latentSize, ...LEARNS_FROM_FRAMES }
    this.#network = encoderNetwork(frameShape, architecture, { name: 'encoder/latent', size: latentSize })
    this.#weights = new Parameters(this.#network.parameters, rng.split('weights'))
    this.#constants = new Constants({
      meanFrame: ndarray(new Float32Array(sizeOf(frameShape)), frameShape),
      centre: ndarray(new Float32Array(latentSize), [latentSize]),
      scale: ndarray(Float32Array.of(1), [1]),
    })
    this.#encode = compile('random encode', ({ frames, meanFrame }) => ({
      features: this.#network.apply(this.#weights.split(), centred(frames, meanFrame)), // [B, D]
    }))
  }

  /** The latents as a pure function of uint8 frames [B, H, W, C] -> [B, D]: what is exported. */
  latentFunction(frames: tf.Tensor): tf.Tensor {
    const { meanFrame, centre, scale } = this.#constants.arrays
    const mean = tf.tensor(meanFrame.data, [...meanFrame.shape])
    const features = this.#network.apply(this.#weights.split(), centred(frames, mean))
    return tf.div(tf.sub(features, tf.tensor1d(centre.data)), scale.data[0]!)
  }

  async fitStatistics(batch: FrameBatch): Promise<Metrics> {
    checkFrames(this.spec, batch)
    const { latentSize } = this.spec
    const zero = new Float32Array(latentSize)
    const meanFrame = meanOf(batch)
    this.#constants.set({ meanFrame, centre: zero, scale: [1] })
    const sample = spread(batch, SAMPLE_SIZE)
    const features = await this.encode(sample)
    const centre = new Float64Array(latentSize)
    features.forEach((x, i) => (centre[i % latentSize]! += x / sample.count))
    const variance = features.reduce((sum, x, i) => sum + (x - centre[i % latentSize]!) ** 2, 0) / features.length
    const scale = variance > 0 ? Math.sqrt(variance) : 1
    this.#constants.set({ meanFrame, centre, scale: [scale] })
    return { latent_scale: scale }
  }

  async encode(input: EncoderInput): Promise<Float32Array> {
    const { latentSize } = this.spec
    const { meanFrame, centre, scale } = this.#constants.arrays
    const latents = await encodeFrames(this.spec, input, async (frames) => {
      return (await this.#encode.run({ frames, meanFrame })).features
    })
    return latents.map((x, i) => (x - centre.data[i % latentSize]!) / scale.data[0]!)
  }

  save(): NamedArrays {
    return saveParts(this.#parts())
  }

  restore(arrays: NamedArrays): void {
    restoreParts('random', this.#parts(), arrays)
  }

  dispose(): void {
    this.#encode.dispose()
    this.#weights.dispose()
  }

  #parts(): Record<string, Stateful> {
    return { weights: this.#weights, constants: this.#constants }
  }
}
