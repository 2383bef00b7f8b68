import { SINGLE_FRAME } from '../../src/core/encoder-input.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { sequential } from '../../src/tensor/layers.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import type { tf } from '../../src/tensor/tf.ts'
import { scaledFrames } from '../shared/frames.ts'
import { convolutions, positionsHead } from '../shared/networks.ts'
import { TimeContrastEncoder } from '../shared/time-contrast.ts'
import type { TcnConfig } from './config.ts'

/**
 * Time-contrastive network (Sermanet et al. 2018, "Time-Contrastive Networks: Self-Supervised Learning from Video"): what two cameras see at
 * one moment is embedded alike, what one episode shows at other moments is not. `timeContrast` is the loss.
 */
export class Tcn extends TimeContrastEncoder {
  readonly #network: Layer

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
    super(spec, { features: network, learningRate }, config, rng)
    this.#network = network
  }

  protected embed(weights: Weights, frames: tf.Tensor): tf.Tensor {
    return this.#network.apply(weights, scaledFrames(frames)) // [B, D]
  }
}
