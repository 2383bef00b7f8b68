/** Losses that several methods share, as pure functions of tensors. Gradients flow into the first argument and, unless it is a constant, into the second. */
import { euclideanNorm } from './gaussian.ts'
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

/**
 * Energy distance (Szekely & Rizzo 2013; an MMD with kernel -|x - y|) between what happened and a model's samples, less the term that does
 * not depend on the model: 2 E|x - y| - E|y - y'|, mean over the batch, []. Smallest in expectation where the samples have the law of x.
 * @param observed x, [B, D]
 * @param samples y, [S, B, D] with S >= 2
 */
export function energyDistance(observed: tf.Tensor, samples: tf.Tensor): tf.Tensor {
  const [count, batch, size] = samples.shape as [number, number, number]
  const toObserved = euclideanNorm(tf.sub(samples, observed)) // [S, B]
  const between = tf.sub(tf.reshape(samples, [count, 1, batch, size]), tf.reshape(samples, [1, count, batch, size]))
  const pairs = count * (count - 1)
  const spread = tf.div(tf.sum(euclideanNorm(between)), pairs * batch) // pairs of a sample with itself are at zero
  return tf.sub(tf.mul(tf.mean(toObserved), 2), spread)
}

/** sign(x) log(1 + |x|): near zero the identity, logarithmic far from it (Hafner et al. 2023, eq. 9). */
export function symlog(x: tf.Tensor): tf.Tensor {
  return tf.mul(tf.sign(x), tf.log1p(tf.abs(x)))
}

/** The inverse of {@link symlog}: sign(x) (exp(|x|) - 1). */
export function symexp(x: tf.Tensor): tf.Tensor {
  return tf.mul(tf.sign(x), tf.expm1(tf.abs(x)))
}

/** Equal steps from `low` to `high` on the {@link symlog} scale. */
export interface TwoHotBins {
  readonly low: number
  readonly high: number
  /** At least 2. */
  readonly count: number
}

/**
 * Scalars as distributions over bins (Bellemare et al. 2017 as used by Hafner et al. 2023): [B] -> [B, K]. The two bins next to symlog(x)
 * share the weight in proportion to their nearness; what lies beyond the ends falls to the last bin.
 */
export function twoHot(x: tf.Tensor, bins: TwoHotBins): tf.Tensor {
  const { low, high, count } = bins
  const place = tf.mul(tf.sub(tf.clipByValue(symlog(x), low, high), low), (count - 1) / (high - low)) // [B], in bins
  const gaps = tf.sub(tf.reshape(place, [-1, 1]), tf.reshape(tf.range(0, count), [1, count])) // [B, K]
  return tf.relu(tf.sub(1, tf.abs(gaps)))
}

/** The scalar that logits over {@link twoHot} bins stand for: symexp of the mean bin, [B, K] -> [B]. */
export function twoHotMean(logits: tf.Tensor, { low, high, count }: TwoHotBins): tf.Tensor {
  const centres = tf.linspace(low, high, count) // [K]
  return symexp(tf.sum(tf.mul(tf.softmax(logits), centres), -1))
}
