/**
 * Diagonal Gaussians and their tanh-squashed form, as pure functions of tensors. All log-densities and divergences are in
 * nats and summed over the last axis, [..., D] -> [...].
 */
import { tf } from './tf.ts'

const LOG_2PI = Math.log(2 * Math.PI)

/** log N(x; mean, exp(logStd)^2), [..., D] -> [...]. */
export function gaussianLogProb(x: tf.Tensor, mean: tf.Tensor, logStd: tf.Tensor): tf.Tensor {
  const noise = tf.mul(tf.sub(x, mean), tf.exp(tf.neg(logStd))) // [..., D]
  return noiseLogProb(noise, logStd)
}

/** Entropy sum(logStd) + D/2 (1 + log 2 pi), [..., D] -> [...]. */
export function gaussianEntropy(logStd: tf.Tensor): tf.Tensor {
  return tf.sum(tf.add(logStd, (1 + LOG_2PI) / 2), -1)
}

/** KL(N(mean, exp(logStd)^2) || N(0, 1)), [..., D] -> [...] (Kingma & Welling 2014, appendix B). */
export function klToStandardNormal(mean: tf.Tensor, logStd: tf.Tensor): tf.Tensor {
  const twice = tf.sub(tf.add(tf.square(mean), tf.exp(tf.mul(logStd, 2))), tf.add(tf.mul(logStd, 2), 1)) // [..., D]
  return tf.mul(tf.sum(twice, -1), 0.5)
}

/** KL(p || q) between two diagonal Gaussians, [..., D] -> [...]. */
export function klBetweenGaussians(
  meanP: tf.Tensor,
  logStdP: tf.Tensor,
  meanQ: tf.Tensor,
  logStdQ: tf.Tensor,
): tf.Tensor {
  const inverseStdQ = tf.exp(tf.neg(logStdQ))
  return klToStandardNormal(tf.mul(tf.sub(meanP, meanQ), inverseStdQ), tf.sub(logStdP, logStdQ))
}

/**
 * Maps the reals onto (low, high) by a tanh. Unlike clamping, it keeps a gradient at both ends.
 */
export function tanhRange(x: tf.Tensor, low: number, high: number): tf.Tensor {
  return tf.add(tf.mul(tf.tanh(x), (high - low) / 2), (high + low) / 2)
}

/** A tanh-squashed Gaussian sample with its log-density. */
export interface SquashedSample {
  /** tanh(preTanh), [..., D] in [-1, 1]. */
  readonly action: tf.Tensor
  readonly preTanh: tf.Tensor
  /** Log-density of `action`, [...]. */
  readonly logProb: tf.Tensor
}

/**
 * Draws tanh(mean + std * noise) with standard normal `noise` (Haarnoja et al. 2018, appendix C). Gradients flow into mean
 * and logStd through sample and density.
 */
export function squashedSample(mean: tf.Tensor, logStd: tf.Tensor, noise: tf.Tensor): SquashedSample {
  const preTanh = tf.add(mean, tf.mul(tf.exp(logStd), noise)) // [..., D]
  const logProb = tf.sub(noiseLogProb(noise, logStd), tanhLogSlope(preTanh))
  return { action: tf.tanh(preTanh), preTanh, logProb }
}

/** Log-density of tanh(preTanh) under a tanh-squashed Gaussian, [..., D] -> [...]. */
export function squashedLogProb(preTanh: tf.Tensor, mean: tf.Tensor, logStd: tf.Tensor): tf.Tensor {
  return tf.sub(gaussianLogProb(preTanh, mean, logStd), tanhLogSlope(preTanh))
}

/**
 * sum log(d tanh(u) / du) = sum log(1 - tanh(u)^2), [..., D] -> [...], as 2 (log 2 - u - softplus(-2u)).
 * In float32 the literal formula with its usual 1e-6 is off by 3 nats at |u| = 9 and has no gradient beyond 10.
 */
export function tanhLogSlope(u: tf.Tensor): tf.Tensor {
  const halves = tf.sub(Math.LN2, tf.add(u, tf.softplus(tf.mul(u, -2)))) // [..., D]
  return tf.mul(tf.sum(halves, -1), 2)
}

/** log N of a point that lies `noise` standard deviations from the mean. */
function noiseLogProb(noise: tf.Tensor, logStd: tf.Tensor): tf.Tensor {
  const terms = tf.add(tf.add(tf.mul(tf.square(noise), 0.5), logStd), LOG_2PI / 2) // [..., D]
  return tf.neg(tf.sum(terms, -1))
}

/** A diagonal Gaussian by its standard deviation. */
export interface DiagonalGaussian {
  /** [..., D] */
  readonly mean: tf.Tensor
  /** [..., D], above 0 */
  readonly std: tf.Tensor
}

/** Added under a root, whose gradient at zero would be infinite. */
const ROOT_EPSILON = 1e-12

/** Euclidean norm over the last axis, [..., D] -> [...], with gradient zero at zero. */
export function euclideanNorm(x: tf.Tensor): tf.Tensor {
  return tf.sqrt(tf.add(tf.sum(tf.square(x), -1), ROOT_EPSILON))
}

/**
 * 2-Wasserstein distance between diagonal Gaussians, [..., D] -> [...]: sqrt(|meanP - meanQ|^2 + |stdP - stdQ|^2), which is the closed form
 * where covariances commute.
 */
export function wasserstein2(p: DiagonalGaussian, q: DiagonalGaussian): tf.Tensor {
  return euclideanNorm(tf.concat([tf.sub(p.mean, q.mean), tf.sub(p.std, q.std)], -1))
}
