import type { NdArray } from '../src/core/ndarray.ts'
import type { Rng } from '../src/core/rng.ts'
import type { LearningRateDrop } from '../src/tensor/adam.ts'
import { Adam } from '../src/tensor/adam.ts'
import { constant } from '../src/tensor/init.ts'
import type { Stateful } from '../src/tensor/parameters.ts'
import { Parameters, valueAndFlatGradient } from '../src/tensor/parameters.ts'
import { tf } from '../src/tensor/tf.ts'

/**
 * J(alpha) = -log alpha mean (log pi(a|s) + target entropy)  (Haarnoja et al., arXiv 1812.05905, eq. 18 with log alpha in the place of alpha:
 * the same zero, and the step does not shrink with alpha). No gradient into log pi.
 */
export function alphaLoss(logAlpha: tf.Tensor, logProb: tf.Tensor, targetEntropy: number): tf.Tensor {
  return tf.neg(tf.mul(tf.sum(logAlpha), tf.add(tf.mean(logProb), targetEntropy)))
}

export interface EntropyWeightOptions {
  readonly initialAlpha: number
  readonly learnAlpha: boolean
  /** Nats; null: minus the number of action dimensions. */
  readonly targetEntropy: number | null
  readonly learningRate: number
  readonly learningRateDrop?: LearningRateDrop | null
}

/** What an actor step computed: its loss [], and actions [B, A] with their log-probabilities [B], all without gradient. */
export interface ActorOutcome {
  readonly loss: tf.Tensor
  readonly logProb: tf.Tensor
  readonly action: tf.Tensor
}

/** alpha, the weight of the entropy, which steers the entropy of a policy to its target; `learnAlpha` off: a constant. */
export class EntropyWeight {
  readonly #isLearned: boolean
  readonly #targetEntropy: number
  readonly #logAlpha: Parameters
  readonly #adam: Adam

  constructor(options: EntropyWeightOptions, actionSize: number, rng: Rng) {
    const { initialAlpha, learnAlpha, targetEntropy, learningRate, learningRateDrop = null } = options
    this.#isLearned = learnAlpha
    this.#targetEntropy = targetEntropy ?? -actionSize
    this.#logAlpha = new Parameters([{ name: 'logAlpha', shape: [1], init: constant(Math.log(initialAlpha)) }], rng)
    this.#adam = new Adam(this.#logAlpha, { learningRate, learningRateDrop })
  }

  /** What goes into checkpoints. */
  get parts(): { readonly alpha: Stateful; readonly alphaAdam: Stateful } {
    return { alpha: this.#logAlpha, alphaAdam: this.#adam }
  }

  /** alpha, [1]. */
  alpha(): tf.Tensor {
    return tf.exp(this.#logAlpha.variable)
  }

  /**
   * One gradient step on J(alpha), where it is learned, with the log-probabilities of an actor step.
   * @param alpha as that step used it
   * @param stepScalars those of {@link stepScalars}, as an input of the program
   * @returns metrics of both steps
   */
  follow({ loss, logProb, action }: ActorOutcome, alpha: tf.Tensor, stepScalars: tf.Tensor): Record<string, tf.Tensor> {
    const scalars = {
      'train/actor_loss': loss,
      'train/ent_coef': tf.sum(alpha),
      'train/entropy': tf.neg(tf.mean(logProb)),
      'train/action_saturation': tf.mean(tf.cast(tf.greater(tf.abs(action), 0.99), 'float32')),
    }
    if (!this.#isLearned) return scalars
    const { values, flatGradient } = valueAndFlatGradient(this.#logAlpha, ({ logAlpha }) => ({
      loss: alphaLoss(logAlpha!, logProb, this.#targetEntropy),
    }))
    this.#adam.apply(flatGradient, stepScalars)
    return { ...scalars, 'train/ent_coef_loss': values.loss }
  }

  stepScalars(): NdArray {
    return this.#adam.stepScalars()
  }

  /** After each run of a program with {@link follow}. */
  advance(): void {
    if (this.#isLearned) this.#adam.advance()
  }

  dispose(): void {
    this.#logAlpha.dispose()
    this.#adam.dispose()
  }
}
