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

/** A buffer of frames [rows, height, width, channels] that is filled anew for every batch and allocated only when it grows. */
export class FrameRows {
  /** Of the frames in a batch: what augmentation leaves of the camera's. */
  readonly frameShape: FrameShape
  readonly #source: EpisodeSource
  readonly #camera: string
  readonly #frameSize: number
  readonly #augmenter: Augmenter | undefined
  #buffer = new Uint8Array(0)

  /** @throws ArmatureError `not-found` for a camera that the source lacks, `bad-argument` for augmentations that make no sense. */
  constructor(source: EpisodeSource, { camera, augment = [] }: FrameOptions) {
    requireList(augment)
    this.#source = source
    this.#camera = cameraOf(source, camera)
    const shape = source.cameras[this.#camera]!
    this.#frameSize = sizeOf(shape)
    this.#augmenter = augment.length === 0 ? undefined : new Augmenter(augment, shape)
    this.frameShape = this.#augmenter?.outputShape ?? shape
  }

  /** Makes room for `rows` frames, all of which must be copied before {@link take}. */
  resize(rows: number): void {
    if (this.#buffer.length < rows * this.#frameSize) this.#buffer = new Uint8Array(rows * this.#frameSize)
  }

  copy(row: number, episode: number, time: number): void {
    this.#buffer.set(this.#source.frameAt(episode, time, this.#camera), row * this.#frameSize)
  }

  /**
   * The first `rows` frames, augmented by random numbers from `seed`, each `group` of consecutive frames alike: rows of several buffers
   * with the same seed are augmented alike, too.
   */
  take(rows: number, seed: number, group = 1): Uint8Array {
    const frames = this.#buffer.subarray(0, rows * this.#frameSize)
    return this.#augmenter === undefined ? frames : this.#augmenter.apply(frames, rows, new Rng(seed), group)
  }
}
