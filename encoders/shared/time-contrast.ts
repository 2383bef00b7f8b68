import { z } from 'zod'
import type { MultiViewBatch } from '../../src/core/batches.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { nPairs, semiHardTriplet, squaredDistances, unitNorm } from './contrastive.ts'
import { frameArray } from './frames.ts'
import type { LossTerms, Networks, Tensors } from './tensor-encoder.ts'
import { TrainedEncoder } from './tensor-encoder.ts'

/** Settings of the contrast in time, which TCN and mfTCN share. */
export const timeContrastSettings = {
  views: z
    .enum(['multi', 'single'])
    .default('multi')
    .describe('what belongs together: one moment seen by two cameras, or neighbouring moments seen by one'),
  loss: z
    .enum(['n-pairs', 'triplet'])
    .default('n-pairs')
    .describe('n-pairs on embeddings as they are (two cameras only), or semi-hard triplets on unit vectors'),
  margin: z.number().gt(0).default(0.2).describe('of the triplet loss, in squared distance of unit vectors'),
  positiveRadius: z
    .int()
    .min(1)
    .default(2)
    .describe('single camera: observations within this belong together, those beyond twice it do not'),
  rowsPerEpisode: z
    .int()
    .min(2)
    .default(32)
    .describe('moments of one episode in a batch: negatives come from the same episode'),
  cameras: z.array(z.string()).min(1).optional().describe('cameras to learn from; default: all of the data'),
}

/** {@link timeContrastSettings}, read. */
export interface TimeContrastConfig {
  readonly views: 'multi' | 'single'
  readonly loss: 'n-pairs' | 'triplet'
  readonly margin: number
  readonly positiveRadius: number
}

/** What {@link timeContrast} reads of a batch: who is whose positive, and whose negative. */
export function contrastInputs(
  { count, views, episodes, times }: MultiViewBatch,
  { views: kind, positiveRadius }: TimeContrastConfig,
): Record<'positive' | 'negative' | 'sameEpisode', NdArray> {
  const rows = views * count
  const positive = new Float32Array(rows * rows)
  const negative = new Float32Array(rows * rows)
  const sameEpisode = new Float32Array(count * count)
  for (let a = 0; a < rows; a++) {
    for (let b = 0; b < rows; b++) {
      const [i, j] = [a % count, b % count]
      if (episodes[i] !== episodes[j]) continue
      const gap = Math.abs(times[i]! - times[j]!)
      const isSameView = Math.floor(a / count) === Math.floor(b / count)
      if (kind === 'multi') {
        if (gap === 0 && !isSameView) positive[a * rows + b] = 1
        if (gap > 0) negative[a * rows + b] = 1
      } else if (isSameView) {
        if (gap > 0 && gap <= positiveRadius) positive[a * rows + b] = 1
        if (gap > 2 * positiveRadius) negative[a * rows + b] = 1
      }
      if (a < count && b < count) sameEpisode[i * count + j] = i === j || gap > 0 ? 1 : 0
    }
  }
  return {
    positive: ndarray(positive, [rows, rows]),
    negative: ndarray(negative, [rows, rows]),
    sameEpisode: ndarray(sameEpisode, [count, count]),
  }
}

/**
 * Time-contrastive loss (Sermanet et al. 2018), []: embeddings [V, B, D] of B moments by V cameras, with {@link contrastInputs}.
 *
 * `n-pairs`: the embedding of a moment by one camera belongs to that by another; other moments of the same episode are its negatives.
 * `triplet`: semi-hard negatives on unit vectors; with one camera, positives are neighbours in time.
 */
export function timeContrast(
  embeddings: tf.Tensor,
  { positive, negative, sameEpisode }: Tensors,
  { loss, margin }: TimeContrastConfig,
): tf.Tensor {
  const [views, count, size] = embeddings.shape as [number, number, number]
  if (loss === 'triplet') {
    const units = unitNorm(tf.reshape(embeddings, [views * count, size]))
    return semiHardTriplet(squaredDistances(units, units), { positive: positive!, negative: negative! }, margin)
  }
  const byView = tf.unstack(embeddings) // V of [B, D]
  const mask = { rows: tf.ones([count]), columns: sameEpisode! }
  const pairs = byView.flatMap((anchors, i) =>
    byView.flatMap((positives, j) => (i === j ? [] : [nPairs(anchors, positives, mask)])),
  )
  return tf.div(tf.addN(pairs), pairs.length)
}

/** An encoder that learns by {@link timeContrast}; a method says what it embeds. With the triplet loss embeddings are unit vectors. */
export abstract class TimeContrastEncoder extends TrainedEncoder<'multi-view'> {
  readonly #contrast: TimeContrastConfig

  constructor(spec: EncoderSpec<'multi-view'>, networks: Networks, config: TimeContrastConfig, rng: Rng) {
    super(spec, networks, rng)
    this.#contrast = config
  }

  /** Embeddings [B, D] of frames, or of windows of them. */
  protected abstract embed(weights: Weights, frames: tf.Tensor): tf.Tensor

  protected latents(weights: Weights, { frames }: FrameTensors): tf.Tensor {
    const embeddings = this.embed(weights, frames)
    return this.#contrast.loss === 'triplet' ? unitNorm(embeddings) : embeddings
  }

  protected loss(weights: Weights, inputs: Tensors): LossTerms {
    const [views, count, ...shape] = inputs['frames']!.shape
    const rows = tf.reshape(inputs['frames']!, [views! * count!, ...shape])
    const embeddings = tf.reshape(this.latents(weights, { frames: rows }), [views!, count!, -1]) // [V, B, D]
    return { loss: timeContrast(embeddings, inputs, this.#contrast) }
  }

  /** @throws ArmatureError `bad-argument` for one camera where two are needed. */
  protected inputs(batch: MultiViewBatch): Record<string, NdArray> {
    const { views, count, frames } = batch
    const { name, window, frameShape } = this.spec
    if (this.#contrast.views === 'multi' && views < 2) {
      throw new ArmatureError('bad-argument', `batch of ${name}`, {
        expected: 'two cameras or more',
        got: '1',
        fix: 'record with --cameras front,side, or set views=single and loss=triplet',
      })
    }
    const { data } = frameArray(this.spec, frames, views * count * window.frames)
    const windows = window.frames === 1 ? [] : [window.frames]
    return {
      frames: ndarray(data, [views, count, ...windows, ...frameShape]),
      ...contrastInputs(batch, this.#contrast),
    }
  }
}
