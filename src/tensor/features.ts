import type { Parameters, Weights } from './parameters.ts'
import type { tf } from './tf.ts'

/** What an encoder looks at, as a compiled function or an exported graph sees it: see `EncoderInput`. */
export interface FrameTensors {
  /** uint8 [B, height, width, channels], or [B, frames, height, width, channels]; of vectors float32 [B, ...], whose last axes hold them */
  readonly frames: tf.Tensor
  /** uint8 [B, height, width, channels], where the encoder takes context */
  readonly context?: tf.Tensor
}

/**
 * The part of an encoder that maps frames, or vectors, to latents, apart from decoders, heads and models, which stay private to the method. It is what
 * an encoder and an agent share without importing each other: both read the same variable, and each program that moves it moves it
 * for both.
 *
 * @example How an agent uses one that it was given:
 * const learned = new ParameterGroup([critics, features.parameters]) // or `critics` alone: the critics' loss then leaves the features as they are
 * const { flatGradient } = valueAndFlatGradient(learned, (weights) => criticLoss(weights, features.apply(weights, frames)))
 * const seen = features.apply(features.parameters.split(), frames) // outside of the actor's loss: no gradient reaches the features
 * const target = features.apply(targetFeatures.split(), nextFrames) // `targetFeatures.follow(features.parameters, tau)` after each step
 */
export interface FeatureNetwork {
  /** [height, width, channels], or [frames, height, width, channels] where one input is a window of frames; [size] of vectors. */
  readonly inputShape: readonly number[]
  /** Whether it looks at float32 vectors instead of uint8 frames; default false. */
  readonly isVector?: boolean
  /** Length of a latent. */
  readonly size: number
  readonly parameters: Parameters
  /**
   * Latents [B, size] of uint8 frames [B, ...inputShape], scaled inside, or of vectors. `weights` are those of `parameters` or of a copy of them, others
   * may stand beside them; gradients flow into them.
   */
  apply(weights: Weights, frames: tf.Tensor): tf.Tensor
}
