import type { NamedArrays } from '../core/ndarray.ts'
import { constant } from './init.ts'
import type { Stateful } from './parameters.ts'
import { Parameters } from './parameters.ts'
import { Rng } from '../core/rng.ts'
import { tf } from './tf.ts'

/** Keeps a constant input from being divided by nothing. */
const EPSILON = 1e-5
/** No input is further from the mean than this many standard deviations: what was never seen before does not blow the networks up. */
const CLIP = 10

/**
 * Mean and variance of each element of a vector, over all batches seen: inputs of other units and offsets then look alike to a network
 * (running statistics normalisation of SimBa, Lee et al. 2025, on batches of replay instead of single steps).
 */
export class RunningMoments implements Stateful {
  readonly #moments: Parameters

  constructor(size: number) {
    this.#moments = new Parameters(
      [
        { name: 'mean', shape: [size], init: constant(0) },
        { name: 'variance', shape: [size], init: constant(1) },
      ],
      new Rng(0),
    )
  }

  /** (x - mean) / standard deviation, clipped; [B, size]. For use inside a compiled function; no gradient goes to the moments. */
  normalize(x: tf.Tensor): tf.Tensor {
    const { mean, variance } = this.#moments.split()
    const scaled = tf.div(tf.sub(x, mean!), tf.sqrt(tf.add(variance!, EPSILON)))
    return tf.clipByValue(scaled, -CLIP, CLIP)
  }

  /** Takes in a batch [B, size] with `weight` [1]: 1 / n for the n-th makes a mean over all. For use inside a compiled function. */
  follow(x: tf.Tensor, weight: tf.Tensor): void {
    const { mean, variance } = this.#moments.split()
    const change = tf.mul(tf.sub(tf.mean(x, 0), mean!), weight) // [size]
    const centre = tf.add(mean!, change)
    // About the old mean and the new one (Welford): the drift of the mean counts as spread.
    const spread = tf.mean(tf.mul(tf.sub(x, mean!), tf.sub(x, centre)), 0) // [size]
    const wider = tf.add(variance!, tf.mul(tf.sub(spread, variance!), weight))
    this.#moments.variable.assign(tf.concat([centre, tf.maximum(wider, 0)]))
  }

  toArrays(): NamedArrays {
    return this.#moments.toArrays()
  }

  restorer(arrays: NamedArrays): () => void {
    return this.#moments.restorer(arrays)
  }

  dispose(): void {
    this.#moments.dispose()
  }
}
