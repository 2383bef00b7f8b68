import type { Batches, BatchKind } from '../core/batches.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Rng } from '../core/rng.ts'
import type { FrameOptions } from './batch-samplers/frame-rows.ts'
import type { AugmentedPairOptions } from './batch-samplers/frames.ts'
import { augmentedPairSampler, contextSampler, frameSampler } from './batch-samplers/frames.ts'
import type { MultiViewOptions } from './batch-samplers/multi-view.ts'
import { multiViewSampler } from './batch-samplers/multi-view.ts'
import type { Draw } from './batch-samplers/sampler.ts'
import type {
  EpisodeWindowOptions,
  FrameTupleOptions,
  GraspTripletOptions,
  TransitionOptions,
} from './batch-samplers/sequences.ts'
import {
  OUTCOME_CAMERA,
  episodeSampler,
  frameTupleSampler,
  graspTripletSampler,
  transitionSampler,
} from './batch-samplers/sequences.ts'
import type { FrameShape } from '../core/frame-fit.ts'
import type { EpisodeSource } from './episode-source.ts'

/** What can be chosen for the batches of each kind. */
export interface BatchOptions {
  readonly frames: FrameOptions
  readonly 'augmented-pairs': AugmentedPairOptions
  readonly 'frame-tuples': FrameTupleOptions
  readonly 'multi-view': MultiViewOptions
  readonly transitions: TransitionOptions
  readonly episodes: EpisodeWindowOptions
  readonly context: FrameOptions
  readonly 'grasp-triplets': GraspTripletOptions
}

/** Draws batches of one kind. */
export interface BatchSampler<K extends BatchKind> {
  readonly kind: K
  /** [height, width, channels] of the frames in a batch, after augmentation. */
  readonly frameShape: FrameShape
  /**
   * `count` rows, drawn with replacement, uniformly over all places where they fit into one episode. Its arrays are overwritten by the
   * next call. An episode's number in a batch is the `index` of its info.
   * @throws ArmatureError `bad-argument` while no episode is long enough.
   */
  sample(count: number): Batches[K]
}

const SAMPLERS: {
  readonly [K in BatchKind]: (source: EpisodeSource, options: BatchOptions[K], rng: Rng, seeds: Rng) => Draw<Batches[K]>
} = {
  frames: frameSampler,
  'augmented-pairs': augmentedPairSampler,
  'frame-tuples': frameTupleSampler,
  'multi-view': multiViewSampler,
  transitions: transitionSampler,
  episodes: episodeSampler,
  context: contextSampler,
  'grasp-triplets': graspTripletSampler,
}

const FRAME = ['camera', 'augment'] as const
const SEQUENCE = [...FRAME, 'augmentTogether'] as const
const OPTION_NAMES: { readonly [K in BatchKind]: readonly (keyof BatchOptions[K])[] } = {
  frames: FRAME,
  'augmented-pairs': FRAME,
  'frame-tuples': [...SEQUENCE, 'length', 'stride'],
  'multi-view': ['cameras', 'augment', 'augmentTogether', 'window', 'rowsPerEpisode'],
  transitions: [...SEQUENCE, 'vectors'],
  episodes: [...SEQUENCE, 'vectors', 'length'],
  context: FRAME,
  'grasp-triplets': [...SEQUENCE, 'outcomeCamera'],
}

/**
 * Options come from encoders and from the command line, untyped.
 * @throws ArmatureError `bad-argument` for one that batches of `kind` do not have.
 */
export function requireBatchOptions(kind: BatchKind, options: object): void {
  const known: readonly string[] = OPTION_NAMES[kind]
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown === undefined) return
  throw new ArmatureError('bad-argument', `batches of ${kind}`, {
    expected: `options ${known.join(', ')}`,
    got: `"${unknown}"`,
  })
}

/**
 * Makes a sampler of batches of `kind` from `source`, which may change between batches: a replay that grows, a window over a dataset
 * that moves on. All randomness comes from `rng`, so its state is the sampler's. With `seeds`
 * augmentations draw from that stream instead, so that the same rows are drawn whatever is done to them.
 *
 * @example
 * const sampler = makeSampler('frame-tuples', source, { camera: 'front', length: 3, stride: 2 }, rng.split('batches'))
 * const { frames } = sampler.sample(32)
 *
 * @throws ArmatureError `not-found` for a camera that the source lacks; `bad-shape` for cameras whose frames differ in shape;
 *   `bad-argument` for options that the kind does not have, and lengths, strides and augmentations that make no sense.
 */
export function makeSampler<K extends BatchKind>(
  kind: K,
  source: EpisodeSource,
  options: BatchOptions[K],
  rng: Rng,
  seeds: Rng = rng,
): BatchSampler<K> {
  requireBatchOptions(kind, options)
  const { frameShape, draw } = SAMPLERS[kind](source, options, rng, seeds)
  const sample = (count: number): Batches[K] => {
    if (!Number.isInteger(count) || count < 1) {
      throw new ArmatureError('bad-argument', 'rows of a batch', {
        expected: 'a whole number >= 1',
        got: String(count),
      })
    }
    return draw(count)
  }
  return { kind, frameShape, sample }
}

/**
 * The cameras that batches of `kind` show.
 * @param camera the one whose frames are encoded; `options` those of the sampler, `all` what there is
 */
export function camerasOf(
  kind: BatchKind,
  camera: string,
  options: Readonly<Record<string, unknown>> = {},
  all: readonly string[],
): readonly string[] {
  if (kind === 'multi-view') return [...new Set([camera, ...((options['cameras'] as string[] | undefined) ?? all)])]
  if (kind === 'grasp-triplets') return [camera, (options['outcomeCamera'] as string | undefined) ?? OUTCOME_CAMERA]
  return [camera]
}
