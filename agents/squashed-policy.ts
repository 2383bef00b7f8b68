import { squashedSample, tanhRange } from '../src/tensor/gaussian.ts'
import type { SquashedSample } from '../src/tensor/gaussian.ts'
import { orthogonal } from '../src/tensor/init.ts'
import { mlp } from '../src/tensor/layers.ts'
import type { ParameterSpec, Weights } from '../src/tensor/parameters.ts'
import { tf } from '../src/tensor/tf.ts'

/** Range of log std; a tanh takes the network's output there, so that the gradient survives at both ends. */
const [MIN_LOG_STD, MAX_LOG_STD] = [-5, 2]
/** Small, so that the first policy is centred and as wide as its log std alone says. */
const OUTPUT_GAIN = 0.01

export interface SquashedPolicyOptions {
  readonly inputSize: number
  readonly hiddenSizes: readonly number[]
  readonly actionSize: number
}

/** A network that gives each action as the tanh of a diagonal Gaussian: [B, inputSize] -> [B, actionSize] in [-1, 1]. */
export class SquashedPolicy {
  readonly parameters: readonly ParameterSpec[]
  readonly #apply: (weights: Weights, x: tf.Tensor) => tf.Tensor

  constructor({ inputSize, hiddenSizes, actionSize }: SquashedPolicyOptions) {
    const outputInit = orthogonal(OUTPUT_GAIN)
    const net = mlp('policy', { inputSize, hiddenSizes, outputSize: 2 * actionSize, outputInit })
    this.parameters = net.parameters
    this.#apply = (weights, x) => net.apply(weights, x)
  }

  /** Mean and log std [B, A] of the Gaussian before the tanh. */
  gaussian(weights: Weights, x: tf.Tensor): { readonly mean: tf.Tensor; readonly logStd: tf.Tensor } {
    const [mean, raw] = tf.split(this.#apply(weights, x), 2, 1) as [tf.Tensor, tf.Tensor]
    return { mean, logStd: tanhRange(raw, MIN_LOG_STD, MAX_LOG_STD) }
  }

  /** a = f(noise; s) with its log-probability (Haarnoja et al. 2018, eq. 8 and appendix C). `noise`: standard normal [B, A]. */
  sample(weights: Weights, x: tf.Tensor, noise: tf.Tensor): SquashedSample {
    const { mean, logStd } = this.gaussian(weights, x)
    return squashedSample(mean, logStd, noise)
  }

  /** The deterministic policy: the action of the mean, [B, A]. */
  mean(weights: Weights, x: tf.Tensor): tf.Tensor {
    return tf.tanh(this.gaussian(weights, x).mean)
  }
}
