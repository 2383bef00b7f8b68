import type { FrameFit } from '../core/frame-fit.ts'
import { averagingOf, changesFrames, croppedShape } from '../core/frame-fit.ts'
import { tf } from './tf.ts'

/**
 * `fitFrames` as a pure function of tensors, for compiled functions and exported graphs: int32 [..., from] -> int32 [..., to], the same
 * bytes. Averaging is separable: one matrix product for the rows, one for the columns, of whole numbers that float32 holds exactly.
 */
export function fitTensor(frames: tf.Tensor, fit: FrameFit): tf.Tensor {
  if (!changesFrames(fit)) return frames
  const { from, crop, to } = fit
  const leading = frames.shape.slice(0, -3)
  const [height, width, channels] = croppedShape(fit)
  const all = tf.reshape(tf.cast(frames, 'float32'), [-1, ...from]) as tf.Tensor4D // [N, H, W, C]
  const part = crop === undefined ? all : tf.slice(all, [0, crop[0], crop[1], 0], [-1, height, width, channels])
  const count = part.shape[0]
  const rows = averagingMatrix(height, to[0])
  const columns = averagingMatrix(width, to[1])
  const area = rows.total * columns.total
  const low = tf.matMul(
    tf.tile(tf.expandDims(rows.matrix, 0), [count, 1, 1]),
    tf.reshape(part, [count, height, width * channels]),
  ) // [N, h, W C]
  const turned = tf.transpose(tf.reshape(low, [count, to[0], width, channels]), [0, 1, 3, 2]) // [N, h, C, W]
  const sums = tf.matMul(tf.reshape(turned, [-1, width]), columns.matrix, false, true) // [N h C, w]
  const means = tf.floor(tf.div(tf.add(sums, Math.floor(area / 2)), area))
  const small = tf.transpose(tf.reshape(means, [count, to[0], channels, to[1]]), [0, 1, 3, 2])
  return tf.cast(tf.reshape(small, [...leading, ...to]), 'int32')
}

/** Weights [toSize, size] of {@link averagingOf}. */
function averagingMatrix(size: number, toSize: number): { readonly matrix: tf.Tensor2D; readonly total: number } {
  const { pixels, total } = averagingOf(size, toSize)
  const weights = new Float32Array(toSize * size)
  for (const [i, { first, weights: own }] of pixels.entries()) weights.set(own, i * size + first)
  return { matrix: tf.tensor2d(weights, [toSize, size]), total }
}
