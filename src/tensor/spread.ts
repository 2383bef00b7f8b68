import { stopGradient } from './gradients.ts'
import { tf } from './tf.ts'

/** Of a variance, under a root: where all latents are one, what is divided by their spread stays finite. */
const LEAST_VARIANCE = 1e-6

/** Root mean square distance of latents [B, D] from their mean, [], with gradient: the unit of errors that must not gain by shrinking. */
export function spreadOf(latents: tf.Tensor): tf.Tensor {
  return tf.sqrt(tf.add(tf.sum(variances(latents)), LEAST_VARIANCE))
}

/** Standard deviation of latents [B, D], mean over dimensions, [], without gradient: it falls to 0 where they collapse. */
export function latentStd(latents: tf.Tensor): tf.Tensor {
  return stopGradient(tf.mean(tf.sqrt(variances(latents))))
}

/** [B, D] -> [D] */
function variances(latents: tf.Tensor): tf.Tensor {
  return tf.mean(tf.square(tf.sub(latents, tf.mean(latents, 0, true))), 0)
}
