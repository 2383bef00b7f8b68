import type { InputData } from '../../core/encoder-input.ts'
import { ArmatureError } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'
import { Rng } from '../../core/rng.ts'
import type { Augmentation } from '../augment.ts'
import { Augmenter } from '../augment.ts'
import type { FrameShape } from '../../core/frame-fit.ts'
import type { EpisodeSource } from '../episode-source.ts'

/** What samplers of all kinds take. */
export interface FrameOptions {
  /** Default: the first of the source. */
  readonly camera?: string
  /** Applied to every frame drawn, in this order; default none. */
  readonly augment?: readonly Augmentation[]
}

/** @throws ArmatureError `not-found` for a camera that the source lacks. */
export function cameraOf(source: EpisodeSource, camera: string | undefined): string {
  const names = Object.keys(source.cameras)
  const chosen = camera ?? names[0]
  if (chosen === undefined || !names.includes(chosen)) {
    throw new ArmatureError('not-found', chosen === undefined ? 'no cameras' : `no camera "${chosen}"`, {
      fix: `the episodes have ${names.join(', ') || 'no frames at all'}`,
    })
  }
  return chosen
}

/** Options come from the command line, untyped. */
function requireList(augment: unknown): void {
  if (Array.isArray(augment) && augment.every((entry) => typeof entry === 'object' && entry !== null)) return
  throw new ArmatureError('bad-argument', 'augment', {
    expected: 'a list such as [{"kind":"shift","maxPixels":3}]',
    got: JSON.stringify(augment),
  })
}

/** Rows of a batch: all are copied, then taken. */
export interface Rows<T extends InputData = InputData> {
  /** Of each. */
  readonly frameShape: FrameShape
  /** Makes room for `rows`, all of which must be copied before {@link take}. */
  resize(rows: number): void
  copy(row: number, episode: number, time: number): void
  /** The first `rows`, until the next batch; `seed` and `group` as for {@link FrameRows.take}. */
  take(rows: number, seed: number, group?: number): T
}

/** A buffer of states [rows, size] that is filled anew for every batch. */
export class VectorRows implements Rows<Float32Array> {
  readonly frameShape: FrameShape
  readonly #source: EpisodeSource
  #buffer = new Float32Array(0)

  /** @throws ArmatureError `bad-argument` for episodes without a state, and for augmentations, which are for frames. */
  constructor(source: EpisodeSource, { augment = [] }: FrameOptions) {
    if (source.stateSize === 0) {
      throw new ArmatureError('bad-argument', 'vectors', { expected: 'episodes with a state', got: 'none' })
    }
    requireList(augment)
    if (augment.length > 0) {
      throw new ArmatureError('bad-argument', 'augment', { expected: 'none for vectors', got: JSON.stringify(augment) })
    }
    this.#source = source
    this.frameShape = [1, 1, source.stateSize]
  }

  resize(rows: number): void {
    const size = rows * this.#source.stateSize
    if (this.#buffer.length < size) this.#buffer = new Float32Array(size)
  }

  copy(row: number, episode: number, time: number): void {
    this.#buffer.set(this.#source.stateAt(episode, time), row * this.#source.stateSize)
  }

  take(rows: number): Float32Array {
    return this.#buffer.subarray(0, rows * this.#source.stateSize)
  }
}

/** A buffer of frames [rows, height, width, channels], or windows of them [rows, frames, ...], that is filled anew for every batch and allocated only when it grows. */
export class FrameRows implements Rows<Uint8Array> {
  /** Of the frames in a batch: what augmentation leaves of the camera's. */
  readonly frameShape: FrameShape
  readonly #source: EpisodeSource
  readonly #camera: string
  readonly #window: number
  /** Bytes. */
  readonly #rowSize: number
  readonly #augmenter: Augmenter | undefined
  #buffer = new Uint8Array(0)

  /** @throws ArmatureError `not-found` for a camera that the source lacks, `bad-argument` for augmentations that make no sense. */
  constructor(source: EpisodeSource, { camera, augment = [] }: FrameOptions) {
    requireList(augment)
    this.#source = source
    this.#camera = cameraOf(source, camera)
    const shape = source.cameras[this.#camera]!
    this.#window = source.window ?? 1
    this.#rowSize = this.#window * sizeOf(shape)
    this.#augmenter = augment.length === 0 ? undefined : new Augmenter(augment, shape)
    this.frameShape = this.#augmenter?.outputShape ?? shape
  }

  resize(rows: number): void {
    if (this.#buffer.length < rows * this.#rowSize) this.#buffer = new Uint8Array(rows * this.#rowSize)
  }

  copy(row: number, episode: number, time: number): void {
    this.#buffer.set(this.#source.frameAt(episode, time, this.#camera), row * this.#rowSize)
  }

  /**
   * The first `rows`, augmented by random numbers from `seed`, the frames of each `group` of consecutive rows alike: rows of several buffers
   * with the same seed are augmented alike, too.
   */
  take(rows: number, seed: number, group = 1): Uint8Array {
    const frames = this.#buffer.subarray(0, rows * this.#rowSize)
    if (this.#augmenter === undefined) return frames
    return this.#augmenter.apply(frames, rows * this.#window, new Rng(seed), group * this.#window)
  }
}
