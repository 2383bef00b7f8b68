import type { BatchKind, Batches, FrameBatch, PixelTransitionBatch } from './batches.ts'
import type { EncoderInput, InputSpec } from './encoder-input.ts'
import type { Metrics, NamedArrays, NdArray } from './ndarray.ts'
import type { Rng } from './rng.ts'

/** What is known of an encoder before it runs. */
export interface EncoderSpec<K extends BatchKind = BatchKind> extends InputSpec {
  readonly latentSize: number
  /** What `update` and `evaluate` take. */
  readonly batch: BatchRequest<K>
}

/** Steps as an encoder looks at them. */
export type SeenSteps = Pick<PixelTransitionBatch, 'count' | 'frames' | 'nextFrames' | 'actions'>

/** The batches that an encoder learns from: a kind, and what its sampler is told beside the camera. */
export interface BatchRequest<K extends BatchKind = BatchKind> {
  readonly kind: K
  /** Options of `makeSampler` for that kind, e.g. `{ augment: [{ kind: 'shift', maxPixels: 4 }] }`. */
  readonly options: Readonly<Record<string, unknown>>
}

/** An encoder that learns by gradient steps. */
export type LearningEncoder<K extends BatchKind = BatchKind> = Encoder<K> &
  Required<Pick<Encoder<K>, 'update' | 'evaluate'>>

/**
 * Where the places of a map are in the frame, all in pixels but the numbers of places: the middle of what place [row, column] looks at is
 * `first + stride row` from the upper border, and `first + stride column` from the left one.
 */
export interface MapPlaces {
  readonly rows: number
  readonly columns: number
  readonly first: number
  readonly stride: number
  /** Of the frame. */
  readonly height: number
  readonly width: number
}

/** Whether `encoder` learns; else its features are fixed, or all that it takes from data is found by `fitStatistics`. */
export function isLearning<K extends BatchKind>(encoder: Encoder<K>): encoder is LearningEncoder<K> {
  return encoder.update !== undefined && encoder.evaluate !== undefined
}

/**
 * A state representation: frames in, latents out. It never sees an env. It states what it learns from (`spec.batch`) and what it looks
 * at (`spec.window`, `spec.takesContext`); whoever calls it puts that together, see `encoderInput`.
 *
 * Errors: `bad-shape` when frames do not match `spec`; `bad-argument` where context is missing; `bad-value` for a batch with NaN, before
 * any weight changes.
 *
 * @example
 * const input = encoderInput(encoder.spec, [0, 1, 2], (_row, time) => episode.frame(time))
 * const latents = await encoder.encode(input) // [3, latentSize]
 */
export interface Encoder<K extends BatchKind = BatchKind> {
  readonly spec: EncoderSpec<K>
  /**
   * What steps pay besides the env's reward, [count], by what the encoder now knows: there where its settings ask for it. It is paid when a
   * step is made, and stored with it.
   */
  bonus?(steps: SeenSteps): Promise<Float32Array>
  /** Takes from the data what must be known before learning, e.g. the mean frame; called once, before the first `update`. */
  fitStatistics?(batch: FrameBatch): Promise<Metrics>
  /** One gradient step; returns scalars (always `loss`). Absent where there is nothing to learn, see {@link isLearning}. */
  update?(batch: Batches[K]): Promise<Metrics>
  /** Loss terms on held-out data, without learning; absent where nothing is minimised. */
  evaluate?(batch: Batches[K]): Promise<Metrics>
  /** Latents float32 [count, latentSize]; deterministic (the mean where the encoder is a distribution). */
  encode(input: EncoderInput): Promise<Float32Array>
  /** The same for pictures of goals, where those go through a network of their own; absent: a goal is encoded as what is seen. */
  encodeGoal?(input: EncoderInput): Promise<Float32Array>
  /** Numbers of what that gives; default: `latentSize`. */
  readonly goalSize?: number
  /**
   * Features by place, float32 [count, rows, columns, latentSize], in the space of the latents: the inner product of a place with a goal
   * says whether the goal is there.
   */
  spatialMap?(input: EncoderInput): Promise<NdArray<Float32Array>>
  /** Where the places of `spatialMap` are: there where that is. */
  readonly mapPlaces?: MapPlaces
  /** Images uint8 [count, height, width, channels], of a window the newest, for latents [count, latentSize], where the encoder can. */
  decode?(latents: Float32Array, count: number): Promise<Uint8Array>
  /**
   * A latent [latentSize] of a scene that could be, where the encoder has a prior: what goals are imagined from.
   * @param start latent of the first observation of an episode: the scene could then come about in that episode. An encoder that takes
   * context needs it; others may leave it unread.
   */
  imagine?(rng: Rng, start?: Float32Array): Float32Array
  /** Adapts the prior behind `imagine` to the data; called after each stretch of learning. */
  fitPrior?(input: EncoderInput): Promise<void>
  /** Weights and optimiser state by name; `restore` takes what `save` gave. */
  save(): NamedArrays
  restore(arrays: NamedArrays): void
  dispose(): void
}

/** Latents of pictures of goals: by the tower that an encoder has for goals, else as what is seen. */
export function encodeGoal(encoder: Encoder, input: EncoderInput): Promise<Float32Array> {
  return encoder.encodeGoal === undefined ? encoder.encode(input) : encoder.encodeGoal(input)
}
