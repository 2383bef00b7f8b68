import type { EncoderSpec } from '../../src/core/encoder.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { FeatureNetwork, FrameTensors } from '../../src/tensor/features.ts'
import { Parameters } from '../../src/tensor/parameters.ts'
import type { tf } from '../../src/tensor/tf.ts'
import { scaledFrames, singleFrameSpec } from '../shared/frames.ts'
import { pixelTrunk } from '../shared/networks.ts'
import { TensorEncoder } from '../shared/tensor-encoder.ts'
import type { TrunkConfig } from './config.ts'

/**
 * The convolutional trunk of agents that learn from pixels, without a loss of its own: an agent that it is given to trains it by its
 * critics' loss (SAC from pixels, DrQ). Left alone it keeps the weights that it was drawn with.
 */
export class Trunk extends TensorEncoder {
  readonly features: FeatureNetwork

  constructor(frameShape: EncoderSpec['frameShape'], { latentSize, filters, layers }: TrunkConfig, rng: Rng) {
    super(singleFrameSpec('trunk', frameShape, latentSize))
    const network = pixelTrunk(frameShape, { filters, layers, size: latentSize })
    const parameters = this.own(this.saved('weights', new Parameters(network.parameters, rng.split('weights'))))
    this.features = {
      inputShape: frameShape,
      size: latentSize,
      parameters,
      apply: (weights, frames) => network.apply(weights, scaledFrames(frames)),
    }
  }

  latentFunction({ frames }: FrameTensors): tf.Tensor {
    return this.features.apply(this.features.parameters.split(), frames)
  }
}
