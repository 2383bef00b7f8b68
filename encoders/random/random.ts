import type { FrameBatch } from '../../src/core/batches.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import type { Metrics } from '../../src/core/ndarray.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { Parameters } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { Constants } from '../shared/constants.ts'
import { batchFrames, centred, encodeInput, singleFrameSpec } from '../shared/frames.ts'
import { encoderNetwork } from '../shared/networks.ts'
import { evenlySpaced, meanOf } from '../shared/spectrum.ts'
import { TensorEncoder } from '../shared/tensor-encoder.ts'
import type { RandomNetworkConfig } from './config.ts'

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
export class RandomNetwork extends TensorEncoder {
  readonly #network: Layer
  readonly #weights: Parameters
  readonly #constants: Constants<'meanFrame' | 'centre' | 'scale'>
  readonly #features: Program<string, 'features'>

  constructor(frameShape: EncoderSpec['frameShape'], { latentSize, architecture }: RandomNetworkConfig, rng: Rng) {
    super(singleFrameSpec('random', frameShape, latentSize))
    this.#network = encoderNetwork(frameShape, architecture, { name: 'encoder/latent', size: latentSize })
    this.#weights = this.own(this.saved('weights', new Parameters(this.#network.parameters, rng.split('weights'))))
    const constants = new Constants({
      meanFrame: ndarray(new Float32Array(sizeOf(frameShape)), frameShape),
      centre: ndarray(new Float32Array(latentSize), [latentSize]),
      scale: ndarray(Float32Array.of(1), [1]),
    })
    this.#constants = this.own(this.saved('constants', constants))
    this.#features = this.program('features', ({ frames }) => ({ features: this.#f(frames!) }))
  }

  latentFunction({ frames }: FrameTensors): tf.Tensor {
    return tf.div(tf.sub(this.#f(frames), this.#constants.tensor('centre')), this.#constants.tensor('scale'))
  }

  /** f above, [B, D]. */
  #f(frames: tf.Tensor): tf.Tensor {
    return this.#network.apply(this.#weights.split(), centred(frames, this.#constants.tensor('meanFrame')))
  }

  async fitStatistics(batch: FrameBatch): Promise<Metrics> {
    batchFrames(this.spec, batch)
    const { latentSize } = this.spec
    this.#constants.set({ meanFrame: meanOf(batch), centre: new Float32Array(latentSize), scale: [1] })
    const sample = evenlySpaced(batch, SAMPLE_SIZE)
    const features = await this.encode(sample)
    const centre = new Float64Array(latentSize)
    features.forEach((x, i) => (centre[i % latentSize]! += x / sample.count))
    const variance = features.reduce((sum, x, i) => sum + (x - centre[i % latentSize]!) ** 2, 0) / features.length
    const scale = variance > 0 ? Math.sqrt(variance) : 1
    this.#constants.set({ centre, scale: [scale] })
    return { latent_scale: scale }
  }

  /** Centred and scaled in float64, unlike what is exported. */
  override async encode(input: EncoderInput): Promise<Float32Array> {
    const { latentSize } = this.spec
    const [centre, scale] = [this.#constants.values('centre').slice(), this.#constants.values('scale')[0]!]
    const features = await encodeInput(this.spec, input, async (rows) => (await this.#features.run(rows)).features)
    return features.map((x, i) => (x - centre[i % latentSize]!) / scale)
  }
}
