/** Losses that several methods share, as pure functions of tensors. Gradients flow into the first argument and, unless it is a constant, into the second. */
import { tf } from './tf.ts'

/** Mean squared error over all elements, []. */
export function meanSquaredError(prediction: tf.Tensor, target: tf.Tensor): tf.Tensor {
  return tf.mean(tf.square(tf.sub(prediction, target)))
}

/**
 * Mean Huber loss over all elements, []: d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2). With delta 1 it is
 * PyTorch's smooth L1.
 */
export function huber(prediction: tf.Tensor, target: tf.Tensor, delta = 1): tf.Tensor {
  const distance = tf.abs(tf.sub(prediction, target))
  const clipped = tf.minimum(distance, delta)
  return tf.mean(tf.mul(clipped, tf.sub(distance, tf.mul(clipped, 0.5))))
}

/**
 * Mean over rows of -sum(target * log softmax(logits)), []. `logits` and `target` are [..., K]; each row of `target` is a
 * distribution over the K classes.
 */
export function softmaxCrossEntropy(logits: tf.Tensor, target: tf.Tensor): tf.Tensor {
  return tf.neg(tf.mean(tf.sum(tf.mul(target, tf.logSoftmax(logits)), -1)))
}

/**
 * Negative log-likelihood of `target` in [0, 1] under independent Bernoullis, summed over all axes but the first:
 * [B, ...] -> [B], in nats. softplus(x) - x t is finite and has the gradient sigmoid(x) - t for every logit.
 */
export function bernoulliNegativeLogLikelihood(logits: tf.Tensor, target: tf.Tensor): tf.Tensor {
  const perElement = tf.sub(tf.softplus(logits), tf.mul(logits, target)) // [B, ...]
  return tf.sum(tf.reshape(perElement, [logits.shape[0]!, -1]), 1)
}
