import type { MultiViewBatch } from '../../src/core/batches.ts'
import { SINGLE_FRAME } from '../../src/core/encoder-input.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { sequential } from '../../src/tensor/layers.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { unitNorm } from '../shared/contrastive.ts'
import { frameArray, scaledFrames } from '../shared/frames.ts'
import { convolutions, positionsHead } from '../shared/networks.ts'
import type { LossTerms, Tensors } from '../shared/tensor-encoder.ts'
import { TrainedEncoder } from '../shared/tensor-encoder.ts'
import { contrastInputs, requireViews, timeContrast } from '../shared/time-contrast.ts'
import type { TcnConfig } from './config.ts'

/**
 * Time-contrastive network (Sermanet et al. 2018, "Time-Contrastive Networks: Self-Supervised Learning from Video"): what two cameras see at
 * one moment is embedded alike, what one episode shows at other moments is not. {@link timeContrast} is the loss. With the triplet loss
 * embeddings are unit vectors.
 */
export class Tcn extends TrainedEncoder<'multi-view'> {
  readonly #network: Layer
  readonly #config: TcnConfig

  constructor(frameShape: EncoderSpec['frameShape'], config: TcnConfig, rng: Rng) {
    const { latentSize, width, hidden, learningRate, rowsPerEpisode, cameras } = config
    const maps = convolutions('encoder', frameShape, [
      [width, 2],
      [width, 1],
      [2 * width, 2],
      [2 * width, 1],
    ])
    const network = sequential([maps.layer, positionsHead('encoder', maps.map, { hidden, size: latentSize })])
    const batch = { kind: 'multi-view', options: { rowsPerEpisode, ...(cameras && { cameras }) } } as const
    const spec = { name: 'tcn', frameShape, latentSize, batch, window: SINGLE_FRAME, takesContext: false }
    super(spec, { features: network, learningRate }, rng)
    this.#network = network
    this.#config = config
  }

  protected latents(weights: Weights, { frames }: FrameTensors): tf.Tensor {
    const embeddings = this.#network.apply(weights, scaledFrames(frames)) // [B, D]
    return this.#config.loss === 'triplet' ? unitNorm(embeddings) : embeddings
  }

  protected loss(weights: Weights, inputs: Tensors): LossTerms {
    const [views, count, ...shape] = inputs['frames']!.shape
    const rows = tf.reshape(inputs['frames']!, [views! * count!, ...shape])
    const embeddings = tf.reshape(this.latents(weights, { frames: rows }), [views!, count!, -1]) // [V, B, D]
    return { loss: timeContrast(embeddings, inputs, this.#config) }
  }

  protected inputs(batch: MultiViewBatch): Record<string, NdArray> {
    const { views, count, frames } = batch
    requireViews(this.spec.name, batch, this.#config.views)
    const { data } = frameArray(this.spec, frames, views * count)
    return {
      frames: ndarray(data, [views, count, ...this.spec.frameShape]),
      ...contrastInputs(batch, this.#config),
    }
  }
}
