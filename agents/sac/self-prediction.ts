import type { Rng } from '../../src/core/rng.ts'
import { euclideanNorm } from '../../src/tensor/gaussian.ts'
import { stopGradient } from '../../src/tensor/gradients.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { mlp } from '../../src/tensor/layers.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { Parameters } from '../../src/tensor/parameters.ts'
import { spreadOf } from '../../src/tensor/spread.ts'
import { tf } from '../../src/tensor/tf.ts'

const HIDDEN = 128

/** Transitions of a batch as the models see them. */
export interface ModelTransition {
  /** s, [B, stateSize] */
  readonly state: tf.Tensor
  /** a, [B, actionSize] */
  readonly action: tf.Tensor
  /** r, [B]; of n steps where the batch has those */
  readonly reward: tf.Tensor
  /** s' as the slow copy of the features shows it, [B, stateSize], without gradient */
  readonly nextState: tf.Tensor
}

/**
 * Models of what an action leads to, learned beside the critics so that the features are those which tell it: the losses of DeepMDP (Gelada
 * et al. 2019, eqs. 1, 2) with the next features of a slow copy as target, as in SPR (Schwarzer et al. 2021) and "Bridging State and
 * History Representations" (Ni et al. 2024). With n-step returns they tell what n steps bring whose first action is a.
 */
export class SelfPrediction {
  readonly parameters: Parameters
  readonly #next: Layer
  readonly #reward: Layer

  constructor(stateSize: number, actionSize: number, rng: Rng) {
    const model = { inputSize: stateSize + actionSize, hiddenSizes: [HIDDEN], norm: 'layer' } as const
    this.#next = mlp('next', { ...model, outputSize: stateSize })
    this.#reward = mlp('reward', { ...model, outputSize: 1 })
    this.parameters = new Parameters([...this.#next.parameters, ...this.#reward.parameters], rng)
  }

  /**
   * mean |r - R(s, a)| + mean |s' - P(s, a)|_2 / spread of s', []: in spreads, since shrinking the features would gain otherwise. Gradients
   * flow into `weights`, in which those of {@link parameters} stand, and into s.
   */
  loss(weights: Weights, { state, action, reward, nextState }: ModelTransition): tf.Tensor {
    const given = tf.concat([state, action], 1)
    const paid = tf.squeeze(this.#reward.apply(weights, given), [1])
    const missed = euclideanNorm(tf.sub(nextState, this.#next.apply(weights, given))) // [B]
    return tf.add(tf.mean(tf.abs(tf.sub(reward, paid))), tf.div(tf.mean(missed), spreadOf(nextState)))
  }
}

/** Smallest size that {@link besideLoss} divides by. */
const LEAST_LOSS = 1e-6

/**
 * `loss` + `weight` `beside`, where `beside` is first brought to the size of `loss`, [] each: rewards may have any unit, and their square is the
 * critics'. The factor has no gradient, so what is followed is that of log loss + weight log beside, times the loss.
 */
export function besideLoss(loss: tf.Tensor, beside: tf.Tensor, weight: number): tf.Tensor {
  const size = tf.div(loss, tf.maximum(beside, LEAST_LOSS))
  return tf.add(loss, tf.mul(beside, stopGradient(tf.mul(size, weight))))
}
