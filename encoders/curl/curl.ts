import type { AugmentedPairBatch } from '../../src/core/batches.ts'
import type { InputShape } from '../../src/core/encoder-input.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import { uniform } from '../../src/tensor/init.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { Parameters } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { bilinearInfoNce } from '../../src/tensor/contrastive.ts'
import { frameArray } from '../shared/frames.ts'
import { inputTrunk } from '../shared/input-trunk.ts'
import type { LossTerms, Tensors } from '../shared/tensor-encoder.ts'
import { TrainedEncoder } from '../shared/tensor-encoder.ts'
import type { CurlConfig } from './config.ts'

const BILINEAR = 'curl/bilinear'

/**
 * CURL (Srinivas, Laskin & Abbeel 2020, "Contrastive Unsupervised Representations for Reinforcement Learning").
 *
 * Minimises  L = -log softmax_j(q_i W k_j)_i  (eq. 4): two random shifts of a frame belong together, other frames of the batch are negatives.
 * q comes from the features, k from a momentum copy of them without gradient (section 4.4).
 */
export class Curl extends TrainedEncoder<'augmented-pairs'> {
  readonly #network: Layer
  readonly #keys: Parameters
  readonly #momentum: number

  constructor(shape: InputShape, config: CurlConfig, rng: Rng) {
    const { latentSize, learningRate, maxShiftPixels, momentum } = config
    const { input, network } = inputTrunk(shape, config)
    const augment = [{ kind: 'shift', maxPixels: maxShiftPixels }]
    const batch = { kind: 'augmented-pairs', options: { augment } } as const
    const spec = { name: 'curl', ...input, latentSize, batch }
    const bilinear = { parameters: [{ name: BILINEAR, shape: [latentSize, latentSize], init: uniform(1) }] }
    super(spec, { features: network, heads: [bilinear], learningRate }, rng)
    this.#network = network
    this.#momentum = momentum
    this.#keys = this.own(this.saved('keys', new Parameters(network.parameters, rng.split('weights'))))
  }

  protected latents(weights: Weights, { frames }: FrameTensors): tf.Tensor {
    return this.#network.apply(weights, frames) // [B, D]
  }

  protected loss(weights: Weights, { first, second }: Tensors): LossTerms {
    const queries = this.latents(weights, { frames: first! }) // [B, D]
    const keys = this.#network.apply(this.#keys.split(), second!) // [B, D], no gradient
    return { loss: bilinearInfoNce(queries, keys, weights[BILINEAR]!) }
  }

  protected inputs({ first, second, count }: AugmentedPairBatch): Record<string, NdArray> {
    return { first: frameArray(this.spec, first, count), second: frameArray(this.spec, second, count) }
  }

  /** theta_k <- (1 - tau) theta_k + tau theta_q. */
  protected override afterStep(): void {
    this.#keys.follow(this.features.parameters, this.#momentum)
  }
}
