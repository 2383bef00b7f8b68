import { z } from 'zod'
import type { MultiViewBatch } from '../../src/core/batches.ts'
import { inputShape } from '../../src/core/encoder-input.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { nPairs, semiHardTriplet, squaredDistances, unitNorm } from '../../src/tensor/contrastive.ts'
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
    .default(8)
    .describe('moments of one episode in a batch: so many that they look different, and few enough to lie apart'),
  negatives: z
    .enum(['episode', 'batch'])
    .default('episode')
    .describe(
      'what an anchor is told apart from: other moments of its episode, or those of all episodes in the batch (where all look alike)',
    ),
  cameras: z.array(z.string()).min(1).optional().describe('cameras to learn from; default: all of the data'),
}

/** {@link timeContrastSettings}, read. */
export interface TimeContrastConfig {
  readonly views: 'multi' | 'single'
  readonly loss: 'n-pairs' | 'triplet'
  readonly margin: number
  readonly positiveRadius: number
  readonly negatives: 'episode' | 'batch'
}

/**
 * What {@link timeContrast} reads of a batch of V cameras and B moments: `positive` and `negative` [V B, V B] say which embeddings belong
 * together and which do not, `columns` [B, B] which moments stand in the denominator of each.
 */
export function contrastInputs(
  { count, views, episodes, times }: MultiViewBatch,
  { views: kind, positiveRadius, negatives }: TimeContrastConfig,
): Record<'positive' | 'negative' | 'columns', NdArray> {
  const rows = views * count
  const positive = new Float32Array(rows * rows)
  const negative = new Float32Array(rows * rows)
  const columns = new Float32Array(count * count)
  for (let a = 0; a < rows; a++) {
    for (let b = 0; b < rows; b++) {
      const [i, j] = [a % count, b % count]
      const isSameView = Math.floor(a / count) === Math.floor(b / count)
      if (kind === 'single' && !isSameView) continue
      const gap = episodes[i] === episodes[j] ? Math.abs(times[i]! - times[j]!) : Infinity
      const isPositive = kind === 'multi' ? gap === 0 && !isSameView : gap > 0 && gap <= positiveRadius
      const isApart = gap > (kind === 'multi' ? 0 : 2 * positiveRadius)
      const isNegative = isApart && (gap < Infinity || negatives === 'batch')
      if (isPositive) positive[a * rows + b] = 1
      if (isNegative) negative[a * rows + b] = 1
      if (a < count && b < count && (i === j || isNegative)) columns[i * count + j] = 1
    }
  }
  return {
    positive: ndarray(positive, [rows, rows]),
    negative: ndarray(negative, [rows, rows]),
    columns: ndarray(columns, [count, count]),
  }
}

/**
 * Time-contrastive loss (Sermanet et al. 2018), []: embeddings [V, B, D] of B moments by V cameras, with {@link contrastInputs}.
 *
 * `n-pairs`: the embedding of a moment by one camera belongs to that by another; other moments, of the same episode or of the whole batch, are its negatives.
 * `triplet`: semi-hard negatives on unit vectors; with one camera, positives are neighbours in time.
 * @param others [V, B, D], what every moment is told apart from, its own included; for n-pairs
 */
export function timeContrast(
  embeddings: tf.Tensor,
  { positive, negative, columns }: Tensors,
  { loss, margin }: TimeContrastConfig,
  others?: tf.Tensor,
): tf.Tensor {
  const [views, count, size] = embeddings.shape as [number, number, number]
  if (loss === 'triplet') {
    const units = unitNorm(tf.reshape(embeddings, [views * count, size]))
    return semiHardTriplet(squaredDistances(units, units), { positive: positive!, negative: negative! }, margin)
  }
  const byView = tf.unstack(embeddings) // V of [B, D]
  const othersByView = others === undefined ? [] : tf.unstack(others)
  const mask = { rows: tf.ones([count]), columns: others === undefined ? columns! : tf.concat([columns!, columns!], 1) }
  const pairs = byView.flatMap((anchors, i) =>
    byView.flatMap((positives, j) => (i === j ? [] : [nPairs(anchors, positives, mask, othersByView[j])])),
  )
  return tf.div(tf.addN(pairs), pairs.length)
}

/**
 * The frames of a batch with the cameras of each moment in random order. Were all anchors of one camera and all positives of another, a
 * term that all embeddings of a camera have in common would change no comparison, and they could stay apart by camera.
 */
export function shuffledViews({ count, views, frames }: MultiViewBatch, rng: Rng): Uint8Array {
  const size = frames.length / (views * count)
  const shuffled = new Uint8Array(frames.length)
  for (let moment = 0; moment < count; moment++) {
    const order = rng.shuffle(Array.from({ length: views }, (_, view) => view))
    for (const [view, from] of order.entries()) {
      const at = (from * count + moment) * size
      shuffled.set(frames.subarray(at, at + size), (view * count + moment) * size)
    }
  }
  return shuffled
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

  /** The same, and embeddings [B, D] of what looks much alike, but should be told apart; default: none. */
  protected embedBeside(
    weights: Weights,
    frames: tf.Tensor,
  ): { readonly embeddings: tf.Tensor; readonly others?: tf.Tensor } {
    return { embeddings: this.embed(weights, frames) }
  }

  protected latents(weights: Weights, { frames }: FrameTensors): tf.Tensor {
    const embeddings = this.embed(weights, frames)
    return this.#contrast.loss === 'triplet' ? unitNorm(embeddings) : embeddings
  }

  protected loss(weights: Weights, inputs: Tensors): LossTerms {
    const [views, count, ...shape] = inputs['frames']!.shape
    const rows = tf.reshape(inputs['frames']!, [views! * count!, ...shape])
    const { embeddings, others } = this.embedBeside(weights, rows)
    const byView = (all: tf.Tensor): tf.Tensor => tf.reshape(all, [views!, count!, -1]) // [V, B, D]
    return { loss: timeContrast(byView(embeddings), inputs, this.#contrast, others && byView(others)) }
  }

  /** @throws ArmatureError `bad-argument` for one camera where two are needed. */
  protected inputs(batch: MultiViewBatch, _purpose: 'update' | 'evaluate', rng: Rng): Record<string, NdArray> {
    const { views, count } = batch
    const { name } = this.spec
    if (this.#contrast.views === 'multi' && views < 2) {
      throw new ArmatureError('bad-argument', `batch of ${name}`, {
        expected: 'two cameras or more',
        got: `${batch.cameras.join()} alone`,
        fix: 'record with --cameras all, which are those that the scene has, or set views=single and loss=triplet',
      })
    }
    const frames = this.#contrast.views === 'multi' ? shuffledViews(batch, rng) : batch.frames
    const { data } = frameArray(this.spec, frames, views * count)
    return {
      frames: ndarray(data, [views, count, ...inputShape(this.spec)]),
      ...contrastInputs(batch, this.#contrast),
    }
  }
}
