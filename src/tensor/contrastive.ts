/**
 * Contrastive losses that several methods share, as pure functions of tensors. Unless a mask or a constant stands there, gradients flow
 * into all arguments.
 */
import { tf } from './tf.ts'

/** Weight of the norm penalty of {@link nPairs}: 0.25 lambda with lambda 0.002, as in the losses that TCN and Grasp2Vec were trained with. */
const NORM_PENALTY = 0.25 * 0.002

/** Stands for infinity in masked minima and maxima: far above any squared distance, and still exact beside one in float32. */
const FAR = 1e6

/** Which rows of a batch count, and which others each is told apart from. */
export interface BatchMask {
  /** [B], 1 where a row counts, else 0 */
  readonly rows: tf.Tensor
  /** [B, C], 1 where the column stands in the row's denominator; the diagonal is 1 */
  readonly columns: tf.Tensor
}

/**
 * Cross-entropy of a softmax over each row of `logits` [B, C], C >= B, whose right class is the row's own number, mean over rows that count,
 * []. The positive is part of the denominator. ln C where nothing is told apart.
 */
export function diagonalCrossEntropy(logits: tf.Tensor, mask?: BatchMask): tf.Tensor {
  const [size, classes] = logits.shape as [number, number]
  const own = tf.eye(size, classes) // [B, C]
  if (mask === undefined) return tf.neg(tf.div(tf.sum(tf.mul(tf.logSoftmax(logits), own)), size))
  const masked = tf.sub(logits, tf.mul(tf.sub(1, mask.columns), FAR))
  const perRow = tf.neg(tf.sum(tf.mul(tf.logSoftmax(masked), own), 1)) // [B]
  return meanWhere(perRow, mask.rows)
}

/** Mean of the values [B] whose `rows` [B] are 1, []; 0 where there are none. */
export function meanWhere(values: tf.Tensor, rows: tf.Tensor): tf.Tensor {
  return tf.div(tf.sum(tf.mul(values, rows)), tf.maximum(tf.sum(rows), 1))
}

/**
 * n-pairs loss (Sohn 2016) on embeddings that are not normalised: anchor i belongs to positive i, all other positives of the batch are its
 * negatives. [B, D], [B, D] -> []: diagonal cross-entropy of anchor . positive, plus 0.0005 times the mean squared norms of both, which
 * keeps them from growing.
 * @param others [N, D], further negatives of all anchors; a mask has columns for them, too
 */
export function nPairs(anchors: tf.Tensor, positives: tf.Tensor, mask?: BatchMask, others?: tf.Tensor): tf.Tensor {
  const candidates = others === undefined ? positives : tf.concat([positives, others])
  const logits = tf.matMul(anchors as tf.Tensor2D, candidates as tf.Tensor2D, false, true) // [B, B + N]
  const squared = tf.add(tf.sum(tf.square(anchors), 1), tf.sum(tf.square(positives), 1)) // [B]
  const norms = mask === undefined ? tf.mean(squared) : meanWhere(squared, mask.rows)
  return tf.add(diagonalCrossEntropy(logits, mask), tf.mul(norms, NORM_PENALTY))
}

/** x / |x| along the last axis, [..., D] -> [..., D]; a vector of zeros stays one. */
export function unitNorm(x: tf.Tensor): tf.Tensor {
  const squared = tf.sum(tf.square(x), -1, true)
  return tf.mul(x, tf.rsqrt(tf.maximum(squared, 1e-12)))
}

/** Squared Euclidean distances between all rows, [A, D], [B, D] -> [A, B]. Never negative, whatever the rounding. */
export function squaredDistances(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const products = tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D, false, true) // [A, B]
  const norms = tf.add(tf.sum(tf.square(a), 1, true), tf.reshape(tf.sum(tf.square(b), 1), [1, -1])) // [A, B]
  return tf.relu(tf.sub(norms, tf.mul(products, 2)))
}

/** Which entries of a distance matrix are pairs of the same thing, and which of different things. */
export interface PairMasks {
  /** [A, B], 1 where row and column belong together, else 0 */
  readonly positive: tf.Tensor
  /** [A, B], 1 where they do not; 0 in both masks leaves a pair out */
  readonly negative: tf.Tensor
}

/**
 * Triplet loss with semi-hard negatives (Schroff et al. 2015, section 3.2), []: mean over positive pairs (a, p) of
 * max(0, D(a, p) - D(a, n) + margin). The negative n of a pair is the nearest one that is farther from a than p is; where there is
 * none, the farthest. Exactly `margin` where all embeddings are equal. A batch without positive pairs gives 0.
 * @param distances squared distances [A, B] of unit vectors
 */
export function semiHardTriplet(distances: tf.Tensor, { positive, negative }: PairMasks, margin: number): tf.Tensor {
  const [anchors, candidates] = distances.shape as [number, number]
  const ofPositive = tf.reshape(distances, [anchors, candidates, 1]) // [A, P, 1]
  const ofNegative = tf.reshape(distances, [anchors, 1, candidates]) // [A, 1, N]
  const isNegative = tf.reshape(negative, [anchors, 1, candidates]) // [A, 1, N]
  const isSemiHard = tf.mul(tf.cast(tf.greater(ofNegative, ofPositive), 'float32'), isNegative) // [A, P, N]
  const nearest = tf.min(tf.add(ofNegative, tf.mul(tf.sub(1, isSemiHard), FAR)), 2) // [A, P]
  const farthest = tf.max(tf.sub(ofNegative, tf.mul(tf.sub(1, isNegative), FAR)), 2) // [A, 1]
  const hasSemiHard = tf.max(isSemiHard, 2) // [A, P]
  const chosen = tf.add(tf.mul(nearest, hasSemiHard), tf.mul(farthest, tf.sub(1, hasSemiHard))) // [A, P]
  const hasNegative = tf.max(negative, 1, true) // [A, 1]
  const pairs = tf.mul(positive, hasNegative) // [A, P]
  const violations = tf.mul(tf.relu(tf.add(tf.sub(distances, chosen), margin)), pairs)
  return tf.div(tf.sum(violations), tf.maximum(tf.sum(pairs), 1))
}

/**
 * InfoNCE with a bilinear similarity (van den Oord et al. 2018; CURL, Srinivas et al. 2020, eq. 4): queries [B, D] against keys [B, D],
 * logits q W k^T. The largest logit of each row is taken away first, as in CURL's released code, which changes nothing but the range.
 */
export function bilinearInfoNce(queries: tf.Tensor, keys: tf.Tensor, bilinear: tf.Tensor): tf.Tensor {
  const projected = tf.matMul(queries as tf.Tensor2D, bilinear as tf.Tensor2D) // [B, D]
  return diagonalCrossEntropy(tf.matMul(projected, keys as tf.Tensor2D, false, true))
}
