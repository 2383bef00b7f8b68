import type { EncoderSpec } from '../../src/core/encoder.ts'
import type { Rng } from '../../src/core/rng.ts'
import { orthogonal } from '../../src/tensor/init.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { activation, dense, sequential, spatialSoftArgmax } from '../../src/tensor/layers.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { scaledFrames } from '../shared/frames.ts'
import { convolutions } from '../shared/networks.ts'
import { TimeContrastEncoder } from '../shared/time-contrast.ts'
import type { MfTcnConfig } from './config.ts'

/**
 * Multi-frame TCN (Dwibedi et al. 2018, "Learning Actionable Representations from Visual Observations"): a `timeContrast` of windows. One
 * network says of each of n frames where things are; a convolution over all of them in time, n x 1 x 1, reads how these places move.
 */
export class MfTcn extends TimeContrastEncoder {
  readonly #perFrame: Layer
  readonly #inTime: Layer
  readonly #reversed: boolean

  constructor(frameShape: EncoderSpec['frameShape'], config: MfTcnConfig, rng: Rng) {
    const { frames, stride, latentSize, width, hidden, learningRate, rowsPerEpisode, cameras } = config
    const maps = convolutions('encoder', frameShape, [
      [width, 2],
      [2 * width, 2],
      [2 * width, 1],
    ])
    const [height, columns, channels] = maps.map
    const perFrame = sequential([maps.layer, spatialSoftArgmax('encoder/positions', height, columns)])
    const inTime = sequential([
      // As long as the window is, the convolution has one place to stand in: it is a dense layer.
      dense('encoder/temporal', { inputSize: frames * 2 * channels, outputSize: hidden }),
      activation(tf.relu),
      dense('encoder/embedding', { inputSize: hidden, outputSize: latentSize, kernelInit: orthogonal() }),
    ])
    const window = { frames, stride }
    const options = { rowsPerEpisode, ...(frames > 1 && { window }), ...(cameras && { cameras }) }
    const batch = { kind: 'multi-view', options } as const
    const spec = { name: 'mftcn', frameShape, latentSize, batch, window, takesContext: false }
    const parameters = [...perFrame.parameters, ...inTime.parameters]
    super(spec, { features: { parameters }, learningRate }, config, rng)
    this.#perFrame = perFrame
    this.#inTime = inTime
    this.#reversed = config.reversed && config.loss === 'n-pairs' && frames > 1
  }

  /** Frames are [B, n, H, W, C], or [B, H, W, C] where n is 1. */
  protected embed(weights: Weights, frames: tf.Tensor): tf.Tensor {
    return this.#embedded(weights, this.#positions(weights, frames))
  }

  /** Beside the windows, the same backwards: the frames of one, at opposite speeds. */
  protected override embedBeside(weights: Weights, frames: tf.Tensor): ReturnType<TimeContrastEncoder['embedBeside']> {
    const positions = this.#positions(weights, frames)
    const embeddings = this.#embedded(weights, positions)
    if (!this.#reversed) return { embeddings }
    return { embeddings, others: this.#embedded(weights, tf.stack(tf.unstack(positions, 1).toReversed(), 1)) }
  }

  /** Where things are in each frame, [B, n, 2 C]. */
  #positions(weights: Weights, frames: tf.Tensor): tf.Tensor {
    const n = this.spec.window.frames
    const each = tf.reshape(frames, [frames.shape[0]! * n, ...this.spec.frameShape])
    return tf.reshape(this.#perFrame.apply(weights, scaledFrames(each)), [frames.shape[0]!, n, -1])
  }

  #embedded(weights: Weights, positions: tf.Tensor): tf.Tensor {
    return this.#inTime.apply(weights, tf.reshape(positions, [positions.shape[0]!, -1])) // [B, D]
  }
}
