import type { EncoderSpec } from '../../src/core/encoder.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { conv2d } from '../../src/tensor/layers.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { scaledFrames } from '../shared/frames.ts'
import { convolutions, positionsHead } from '../shared/networks.ts'
import { TimeContrastEncoder } from '../shared/time-contrast.ts'
import type { MfTcnConfig } from './config.ts'

/**
 * Multi-frame TCN (Dwibedi et al. 2018, "Learning Actionable Representations from Visual Observations"): a `timeContrast` of windows. One
 * network looks at each of n frames; a temporal convolution over all of them, n x 1 x 1, mixes their maps; so an embedding knows how things move,
 * not only where they are.
 */
export class MfTcn extends TimeContrastEncoder {
  readonly #perFrame: Layer
  readonly #temporal: Layer
  readonly #head: Layer
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
    super(spec, { features: { parameters }, learningRate }, config, rng)
    this.#perFrame = maps.layer
    this.#temporal = temporal
    this.#head = head
    this.#map = maps.map
  }

  /** Frames are [B, n, H, W, C], or [B, H, W, C] where n is 1. */
  protected embed(weights: Weights, frames: tf.Tensor): tf.Tensor {
    const n = this.spec.window.frames
    const [height, width, channels] = this.#map
    const batch = frames.shape[0]!
    const each = tf.reshape(frames, [batch * n, ...this.spec.frameShape])
    const maps = this.#perFrame.apply(weights, scaledFrames(each)) // [B n, h, w, c]
    const inTime = tf.transpose(tf.reshape(maps, [batch, n, height * width, channels]), [0, 2, 1, 3]) // [B, hw, n, c]
    const beside = tf.reshape(inTime, [batch, height, width, n * channels])
    return this.#head.apply(weights, tf.relu(this.#temporal.apply(weights, beside))) // [B, D]
  }
}
