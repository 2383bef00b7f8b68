import type { BatchKind, Batches, FrameBatch } from './batches.ts'
import type { Metrics, NamedArrays } from './ndarray.ts'
import type { Rng } from './rng.ts'

/** What is known of an encoder before it runs. */
export interface EncoderSpec<K extends BatchKind = BatchKind> {
  /** Registered name, e.g. `beta-vae`. */
  readonly name: string
  /** [height, width, channels] of the frames that it takes. */
  readonly frameShape: readonly [number, number, number]
  readonly latentSize: number
  /** What `update` and `evaluate` take. */
  readonly batchKind: K
}

/** An encoder that learns by gradient steps. */
export type LearningEncoder<K extends BatchKind = BatchKind> = Encoder<K> &
  Required<Pick<Encoder<K>, 'update' | 'evaluate'>>

/** Whether `encoder` learns; else its features are fixed, or all that it takes from data is found by `fitStatistics`. */
export function isLearning<K extends BatchKind>(encoder: Encoder<K>): encoder is LearningEncoder<K> {
  return encoder.update !== undefined && encoder.evaluate !== undefined
}

/**
 * A state representation: frames in, latents out. It never sees an env. It learns from batches of one kind; whoever feeds it asks
 * `spec.batchKind` which.
 *
 * Errors: `bad-shape` when frames do not match `spec.frameShape`; `bad-value` for a batch with NaN, before any weight changes.
 */
export interface Encoder<K extends BatchKind = BatchKind> {
  readonly spec: EncoderSpec<K>
  /** Takes from the data what must be known before learning, e.g. the mean frame; called once, before the first `update`. */
  fitStatistics?(batch: FrameBatch): Promise<Metrics>
  /** One gradient step; returns scalars (always `loss`). Absent where there is nothing to learn, see {@link isLearning}. */
  update?(batch: Batches[K]): Promise<Metrics>
  /** Loss terms on held-out frames, without learning; absent where nothing is minimised. */
  evaluate?(batch: Batches[K]): Promise<Metrics>
  /** Latents float32 [count, latentSize]; deterministic (the mean where the encoder is a distribution). */
  encode(batch: FrameBatch): Promise<Float32Array>
  /** Images uint8 [count, height, width, channels] for latents [count, latentSize], where the encoder can. */
  decode?(latents: Float32Array, count: number): Promise<Uint8Array>
  /** A latent [latentSize] of a scene that could be, where the encoder has a prior: what goals are imagined from. */
  imagine?(rng: Rng): Float32Array
  /** Adapts the prior behind `imagine` to the data; called after each stretch of learning. */
  fitPrior?(batch: FrameBatch): Promise<void>
  /** Weights and optimiser state by name; `restore` takes what `save` gave. */
  save(): NamedArrays
  restore(arrays: NamedArrays): void
  dispose(): void
}
