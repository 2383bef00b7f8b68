import type { BatchKind } from '../core/batches.ts'
import type { Dataset } from '../core/dataset.ts'
import { tooFewEpisodes } from '../core/dataset.ts'
import type { RngState } from '../core/rng.ts'
import { Rng } from '../core/rng.ts'
import { splitByEpisode } from '../io/lerobot/splits.ts'
import { camerasOf } from '../replay/batch-sampler.ts'
import { DatasetWindow } from '../replay/dataset-window.ts'
import type { EncoderDataOptions, Sides } from './encoder-data.ts'
import { EncoderData } from './encoder-data.ts'

/** Updates between two episodes that come into memory, where not all fit. */
const REFRESH_EVERY = 16

/** Indices of episodes. */
export type EpisodeSplit = Sides<readonly number[]>

/**
 * Holds out a share of the episodes of each class of policy, at least one episode in all, and leaves at least one to learn from.
 * @throws ArmatureError `bad-argument` for fewer than two episodes.
 */
export function holdOut(dataset: Dataset, validationFraction: number, rng: Rng): EpisodeSplit {
  const { episodes } = dataset
  if (episodes.length < 2) throw tooFewEpisodes(dataset, 'at least 2, so that one can be held out')
  const shares = { training: 1 - validationFraction, validation: validationFraction }
  const split = splitByEpisode(episodes, shares, rng)
  const [from, to] =
    split.validation.length === 0 ? [split.training, split.validation] : [split.validation, split.training]
  if (to.length === 0) to.push(...from.splice(rng.int(from.length), 1))
  return split
}

export interface DatasetBatchesOptions<K extends BatchKind> extends EncoderDataOptions<K> {
  /** For decoded training episodes; an eighth as much for those held out. */
  readonly memoryBytes: number
  readonly split: EpisodeSplit
}

/** Random streams of the batches: what going on from a checkpoint needs. */
export type BatchStreams = Sides<RngState>

/** Batches of one kind from the two sides of a split dataset, streamed where it does not fit into memory. */
export class DatasetBatches<K extends BatchKind> extends EncoderData<K> {
  readonly #windows: Sides<DatasetWindow>
  readonly #rngs: Sides<Rng>
  #updates = 0

  private constructor(windows: Sides<DatasetWindow>, options: DatasetBatchesOptions<K>, rngs: Sides<Rng>) {
    super(windows, options, rngs)
    this.#windows = windows
    this.#rngs = rngs
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
    const { kind, camera, sampler, memoryBytes, split } = options
    const cameras = camerasOf(kind, camera, sampler, Object.keys(dataset.spec.cameras))
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

  /** To be called after each update: brings other episodes into memory from time to time. */
  async advance(): Promise<void> {
    this.#updates++
    if (this.#updates % REFRESH_EVERY === 0) await this.#windows.training.refresh()
  }
}
