import type { BatchKind, FrameBatch } from '../core/batches.ts'
import type { EncoderInput, InputSpec } from '../core/encoder-input.ts'
import { encoderInput, SINGLE_FRAME } from '../core/encoder-input.ts'
import type { Dataset } from '../core/dataset.ts'
import { ArmatureError } from '../core/errors.ts'
import type { RngState } from '../core/rng.ts'
import { Rng } from '../core/rng.ts'
import { splitByEpisode } from '../io/lerobot/splits.ts'
import type { BatchOptions, BatchSampler } from '../replay/batch-sampler.ts'
import { makeSampler } from '../replay/batch-sampler.ts'
import { DatasetWindow } from '../replay/dataset-window.ts'
import type { EpisodeSource } from '../replay/episode-source.ts'
import type { PretrainData } from './pretrain.ts'

/** Updates between two episodes that come into memory, where not all fit. */
const REFRESH_EVERY = 16

/** Observations that are single frames. */
const ALONE = { window: SINGLE_FRAME, takesContext: false } as const

/** Indices of episodes: no episode is on both sides. */
export interface EpisodeSplit {
  readonly training: readonly number[]
  readonly validation: readonly number[]
}

/**
 * Holds out a share of the episodes of each class of policy, at least one episode in all, and leaves at least one to learn from.
 * @throws ArmatureError `bad-argument` for fewer than two episodes.
 */
export function holdOut({ path, episodes }: Dataset, validationFraction: number, rng: Rng): EpisodeSplit {
  if (episodes.length < 2) {
    throw new ArmatureError('bad-argument', `episodes of ${path}`, {
      expected: 'at least 2, so that one can be held out',
      got: String(episodes.length),
    })
  }
  const shares = { training: 1 - validationFraction, validation: validationFraction }
  const split = splitByEpisode(episodes, shares, rng)
  const [from, to] =
    split.validation.length === 0 ? [split.training, split.validation] : [split.validation, split.training]
  if (to.length === 0) to.push(...from.splice(rng.int(from.length), 1))
  return split
}

export interface DatasetBatchesOptions<K extends BatchKind> {
  readonly kind: K
  readonly camera: string
  /** Further options of the sampler. */
  readonly sampler?: Readonly<Record<string, unknown>>
  readonly batchSize: number
  /** For decoded training episodes; an eighth as much for those held out. */
  readonly memoryBytes: number
  readonly split: EpisodeSplit
}

/** Random streams of the batches: what going on from a checkpoint needs. */
export interface BatchStreams {
  readonly training: RngState
  readonly validation: RngState
}

/** Batches of one kind from the two sides of a split dataset, streamed where it does not fit into memory. */
export class DatasetBatches<K extends BatchKind> implements PretrainData<K> {
  readonly #batchSize: number
  readonly #windows: Readonly<Record<keyof EpisodeSplit, DatasetWindow>>
  readonly #samplers: Readonly<Record<keyof EpisodeSplit, BatchSampler<K>>>
  readonly #rngs: Readonly<Record<keyof EpisodeSplit, Rng>>
  readonly #camera: string
  #updates = 0

  private constructor(
    windows: Readonly<Record<keyof EpisodeSplit, DatasetWindow>>,
    { kind, camera, sampler, batchSize }: DatasetBatchesOptions<K>,
    rngs: Readonly<Record<keyof EpisodeSplit, Rng>>,
  ) {
    const options = { ...(kind === 'multi-view' ? {} : { camera }), ...sampler } as BatchOptions[K]
    this.#batchSize = batchSize
    this.#windows = windows
    this.#camera = camera
    this.#rngs = rngs
    this.#samplers = {
      training: makeSampler(kind, windows.training, options, rngs.training),
      validation: makeSampler(kind, windows.validation, options, rngs.validation),
    }
  }

  /**
   * @param streams where the random streams stood, to go on from there. Batches are then the same as without the break where all
   * training episodes fit into memory.
   * @throws ArmatureError as `DatasetWindow.open` and `makeSampler` do.
   */
  static async open<K extends BatchKind>(
    dataset: Dataset,
    options: DatasetBatchesOptions<K>,
    rng: Rng,
    streams?: BatchStreams,
  ): Promise<DatasetBatches<K>> {
    const { kind, camera, memoryBytes, split } = options
    const cameras = kind === 'multi-view' ? Object.keys(dataset.spec.cameras) : [camera]
    const open = (side: keyof EpisodeSplit, budgetBytes: number): Promise<DatasetWindow> =>
      DatasetWindow.open(dataset, { budgetBytes, cameras, episodes: split[side], rng: rng.split(`window/${side}`) })
    const windows = {
      training: await open('training', memoryBytes),
      validation: await open('validation', memoryBytes / 8),
    }
    const stream = (side: keyof EpisodeSplit): Rng => (streams ? Rng.fromState(streams[side]) : rng.split(side))
    return new DatasetBatches(windows, options, { training: stream('training'), validation: stream('validation') })
  }

  get streams(): BatchStreams {
    return { training: this.#rngs.training.state, validation: this.#rngs.validation.state }
  }

  /** One line for each episode that could not be read. */
  get problems(): readonly string[] {
    return [...this.#windows.training.problems, ...this.#windows.validation.problems]
  }

  training(): ReturnType<BatchSampler<K>['sample']> {
    return this.#samplers.training.sample(this.#batchSize)
  }

  validation(): ReturnType<BatchSampler<K>['sample']> {
    return this.#samplers.validation.sample(this.#batchSize)
  }

  /** To be called after each update: brings other episodes into memory from time to time. */
  async advance(): Promise<void> {
    this.#updates++
    if (this.#updates % REFRESH_EVERY === 0) await this.#windows.training.refresh()
  }

  /** Up to `limit` frames of one side, evenly spread over the episodes in memory; `firstOnly`: the first of each episode. */
  frames(side: keyof EpisodeSplit, limit: number, firstOnly = false): FrameBatch {
    const frameShape = this.#windows[side].cameras[this.#camera]!
    return this.inputs({ name: 'frames', frameShape, ...ALONE }, side, limit, firstOnly)
  }

  /** The same observations as inputs of an encoder. */
  inputs(spec: InputSpec, side: keyof EpisodeSplit, limit: number, firstOnly = false): EncoderInput {
    const source = this.#windows[side]
    const places = evenPlaces(source, limit, firstOnly)
    const times = places.map(([, time]) => time)
    return encoderInput(spec, times, (row, time) => source.frameAt(places[row]![0], time, this.#camera))
  }
}

type Place = readonly [episode: number, time: number]

function evenPlaces(source: EpisodeSource, limit: number, firstOnly: boolean): readonly Place[] {
  const places: Place[] = []
  for (let episode = 0; episode < source.episodeCount; episode++) {
    const length = firstOnly ? 1 : source.lengthOf(episode)
    for (let time = 0; time < length; time++) places.push([episode, time])
  }
  const count = Math.min(limit, places.length)
  return Array.from({ length: count }, (_, row) => places[Math.floor((row * places.length) / count)]!)
}
