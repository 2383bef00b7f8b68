import type { InputShape } from '../../src/core/encoder-input.ts'
import { isVectorShape } from '../../src/core/encoder-input.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { FeatureNetwork, FrameTensors } from '../../src/tensor/features.ts'
import { Parameters } from '../../src/tensor/parameters.ts'
import type { tf } from '../../src/tensor/tf.ts'
import { inputTrunk } from '../shared/input-trunk.ts'
import { TensorEncoder } from '../shared/tensor-encoder.ts'
import type { TrunkConfig } from './config.ts'

/**
 * The trunk of agents that learn from pixels, or of vectors in the place of its convolutions, without a loss of its own: an agent that it is given to trains it by its
 * critics' loss (SAC from pixels, DrQ). Left alone it keeps the weights that it was drawn with.
 */
export class Trunk extends TensorEncoder {
  readonly features: FeatureNetwork

  constructor(shape: InputShape, config: TrunkConfig, rng: Rng) {
    const { input, network } = inputTrunk(shape, config)
    const batch = { kind: 'frames', options: {} } as const
    super({ name: 'trunk', ...input, latentSize: config.latentSize, batch })
    const parameters = this.own(this.saved('weights', new Parameters(network.parameters, rng.split('weights'))))
    this.features = {
      inputShape: shape,
      ...(isVectorShape(shape) && { isVector: true }),
      size: config.latentSize,
      parameters,
      apply: (weights, frames) => network.apply(weights, frames),
    }
  }

  latentFunction({ frames }: FrameTensors): tf.Tensor {
    return this.features.apply(this.features.parameters.split(), frames)
  }
}
