import type { MultiViewBatch } from '../../src/core/batches.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { conv2d } from '../../src/tensor/layers.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { unitNorm } from '../shared/contrastive.ts'
import { frameArray, scaledFrames } from '../shared/frames.ts'
import { convolutions, positionsHead } from '../shared/networks.ts'
import type { LossTerms, Tensors } from '../shared/tensor-encoder.ts'
import { TrainedEncoder } from '../shared/tensor-encoder.ts'
import { contrastInputs, requireViews, timeContrast } from '../shared/time-contrast.ts'
import type { MfTcnConfig } from './config.ts'

/**
 * Multi-frame TCN (Dwibedi et al. 2018, "Learning Actionable Representations from Visual Observations"): a {@link timeContrast} of windows. One
 * network looks at each of n frames; a temporal convolution over all of them, n x 1 x 1, mixes their maps; so an embedding knows how things move,
 * not only where they are.
 */
export class MfTcn extends TrainedEncoder<'multi-view'> {
  readonly #perFrame: Layer
  readonly #temporal: Layer
  readonly #head: Layer
  readonly #config: MfTcnConfig
  readonly #map: readonly [height: number, width: number, channels: number]

  constructor(frameShape: EncoderSpec['frameShape'], config: MfTcnConfig, rng: Rng) {
    const { frames, stride, latentSize, width, hidden, learningRate, rowsPerEpisode, cameras } = config
    const maps = convolutions('encoder', frameShape, [
      [width, 2],
      [2 * width, 2],
      [2 * width, 1],
    ])
    const [height, columns, channels] = maps.map
    // Over maps beside each other, a convolution n x 1 x 1 in time is one of 1 x 1 in space.
    const mixed = { inputChannels: frames * channels, outputChannels: channels, kernelSize: 1 }
    const temporal = conv2d('encoder/temporal', mixed)
    const head = positionsHead('encoder', [height, columns, channels], { hidden, size: latentSize })
    const window = { frames, stride }
    const options = { rowsPerEpisode, ...(frames > 1 && { window }), ...(cameras && { cameras }) }
    const spec = {
      name: 'mftcn',
      frameShape,
      latentSize,
      batch: { kind: 'multi-view', options } as const,
      window,
      takesContext: false,
    }
    const parameters = [...maps.layer.parameters, ...temporal.parameters, ...head.parameters]
    super(spec, { features: { parameters }, learningRate }, rng)
    this.#perFrame = maps.layer
    this.#temporal = temporal
    this.#head = head
    this.#config = config
    this.#map = maps.map
  }

  /** Frames are [B, n, H, W, C], or [B, H, W, C] where n is 1. */
  protected latents(weights: Weights, { frames }: FrameTensors): tf.Tensor {
    const { frames: n, loss } = this.#config
    const [height, width, channels] = this.#map
    const batch = frames.shape[0]!
    const each = tf.reshape(frames, [batch * n, ...this.spec.frameShape])
    const maps = this.#perFrame.apply(weights, scaledFrames(each)) // [B n, h, w, c]
    const inTime = tf.transpose(tf.reshape(maps, [batch, n, height * width, channels]), [0, 2, 1, 3]) // [B, hw, n, c]
    const beside = tf.reshape(inTime, [batch, height, width, n * channels])
    const embeddings = this.#head.apply(weights, tf.relu(this.#temporal.apply(weights, beside))) // [B, D]
    return loss === 'triplet' ? unitNorm(embeddings) : embeddings
  }

  protected loss(weights: Weights, inputs: Tensors): LossTerms {
    const [views, count, ...shape] = inputs['frames']!.shape
    const rows = tf.reshape(inputs['frames']!, [views! * count!, ...shape])
    const embeddings = tf.reshape(this.latents(weights, { frames: rows }), [views!, count!, -1]) // [V, B, D]
    return { loss: timeContrast(embeddings, inputs, this.#config) }
  }

  protected inputs(batch: MultiViewBatch): Record<string, NdArray> {
    const { views, count, frames } = batch
    const { frames: n } = this.#config
    requireViews(this.spec.name, batch, this.#config.views)
    const { data } = frameArray(this.spec, frames, views * count * n)
    return {
      frames: ndarray(data, [views, count, n, ...this.spec.frameShape]),
      ...contrastInputs(batch, this.#config),
    }
  }
}
