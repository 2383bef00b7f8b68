import type { Dataset, EpisodeData, EpisodeInfo } from '../core/dataset.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { Rng } from '../core/rng.ts'
import { EpisodeSet } from './episode-source.ts'

export interface DatasetWindowOptions {
  /** Memory for decoded episodes, in bytes. */
  readonly budgetBytes: number
  /** Cameras to decode; default all. */
  readonly cameras?: readonly string[]
  /** Indices of the episodes to draw from, e.g. a training split; default all. */
  readonly episodes?: readonly number[]
  /** Order of the episodes. */
  readonly rng: Rng
}

/**
 * As many decoded episodes of a dataset as fit into a budget, for samplers to draw from. `refresh` replaces the oldest by the next of
 * a shuffled order, so that every episode stays for about as many refreshes as any other and memory stays flat however large
 * the dataset is. Where all episodes fit, all are held and `refresh` does nothing. An episode that cannot be read is left out and
 * named in `problems`.
 *
 * @example
 * const window = await DatasetWindow.open(dataset, { budgetBytes: 256e6, episodes: training, rng: rng.split('window') })
 * const sampler = makeSampler('frames', window, {}, rng.split('batches'))
 * for (let update = 0; update < 10_000; update++) {
 *   await encoder.update(sampler.sample(64))
 *   if (update % 16 === 15) await window.refresh()
 * }
 */
export class DatasetWindow extends EpisodeSet {
  /** One line for each episode that could not be read. */
  readonly problems: string[] = []
  readonly #dataset: Dataset
  readonly #options: DatasetWindowOptions
  readonly #cameras: readonly string[]
  /** Readable episodes to draw from, by index. */
  readonly #infos: Map<number, EpisodeInfo>
  /** Indices still to come of this pass over the episodes, the next one last. */
  #queue: number[] = []
  /** Oldest first. */
  #held: EpisodeData[] = []
  #heldBytes = 0

  private constructor(dataset: Dataset, options: DatasetWindowOptions) {
    super(dataset.spec, [], options.cameras)
    this.#dataset = dataset
    this.#options = options
    this.#cameras = Object.keys(this.cameras)
    this.#infos = chosenInfos(dataset, options.episodes)
    let largest = 0
    for (const info of this.#infos.values()) largest = Math.max(largest, this.#bytesOf(info))
    if (!(options.budgetBytes >= largest)) {
      throw new ArmatureError('bad-argument', 'memory for episodes', {
        expected: `at least ${largest} bytes, which the longest episode of ${dataset.path} takes`,
        got: String(options.budgetBytes),
      })
    }
  }

  /**
   * Reads episodes until the budget is used.
   * @throws ArmatureError `not-found` for a camera or an episode that the dataset lacks; `bad-argument` for a budget below the longest
   *   episode; `corrupt-file` where none can be read.
   */
  static async open(dataset: Dataset, options: DatasetWindowOptions): Promise<DatasetWindow> {
    const window = new DatasetWindow(dataset, options)
    await window.#fill()
    return window
  }

  /** Whether every readable episode is held. */
  get isComplete(): boolean {
    return this.#held.length === this.#infos.size
  }

  /**
   * Replaces the `count` oldest episodes, more where the next one needs their room, or does nothing where all are held. Until it has
   * resolved, samplers draw from the old ones.
   */
  async refresh(count = 1): Promise<void> {
    if (this.isComplete) return
    const next = this.#next()
    for (let i = 0; this.#held.length > 0 && (i < count || !this.#fits(next)); i++) this.#dropOldest()
    await this.#fill()
  }

  async #fill(): Promise<void> {
    for (let taken = this.#takeNext(); taken.length > 0; taken = this.#takeNext()) {
      const read = new Map<number, EpisodeData>()
      // In the order of the folder: a video that episodes share is then decoded once.
      for (const index of taken.toSorted((a, b) => a - b)) {
        const data = await this.#read(index)
        if (data !== undefined) read.set(index, data)
      }
      const found = taken.flatMap((index) => read.get(index) ?? [])
      this.#held.push(...found)
      this.#heldBytes = this.#held.reduce((sum, { info }) => sum + this.#bytesOf(info), 0)
    }
    this.replace([...this.#held])
  }

  /** The next episodes of the queue that fit into the budget together. Their room is taken. */
  #takeNext(): number[] {
    const taken: number[] = []
    for (let next = this.#next(taken); next !== undefined && this.#fits(next); next = this.#next(taken)) {
      taken.push(this.#queue.pop()!)
      this.#heldBytes += this.#bytesOf(next)
    }
    return taken
  }

  /** Of the episode that comes next, which is the last in the queue; undefined where all are held. */
  #next(taken: readonly number[] = []): EpisodeInfo | undefined {
    const held = new Set([...this.#held.map(({ info }) => info.index), ...taken])
    if (held.size === this.#infos.size) return undefined
    if (this.#queue.length === 0) this.#queue = this.#options.rng.shuffle([...this.#infos.keys()])
    // At the border between two passes an episode may be drawn that the last pass left in memory: it comes later.
    const at = this.#queue.findLastIndex((index) => !held.has(index))
    if (at < 0) {
      this.#queue = []
      return this.#next(taken)
    }
    this.#queue.push(...this.#queue.splice(at, 1))
    return this.#infos.get(this.#queue.at(-1)!)
  }

  async #read(index: number): Promise<EpisodeData | undefined> {
    try {
      return await this.#dataset.readEpisode(index, this.#cameras)
    } catch (error) {
      if (!(error instanceof ArmatureError) || error.code !== 'corrupt-file') throw error
      this.#infos.delete(index)
      this.problems.push(`episode ${index}: ${error.message}`)
      if (this.#infos.size === 0) throw error
      return undefined
    }
  }

  #dropOldest(): void {
    const oldest = this.#held.shift()!
    this.#heldBytes -= this.#bytesOf(oldest.info)
  }

  #fits(info: EpisodeInfo | undefined): boolean {
    return info === undefined || this.#heldBytes + this.#bytesOf(info) <= this.#options.budgetBytes
  }

  #bytesOf({ length }: EpisodeInfo): number {
    const { cameras, actionSpace, proprioSpace, stateSpace } = this.#dataset.spec
    const frames = this.#cameras.reduce((sum, name) => sum + sizeOf(cameras[name]!.shape), 0)
    const floats = sizeOf(actionSpace.shape) + sizeOf(proprioSpace.shape) + sizeOf(stateSpace.shape) + 1
    return length * (frames + 4 * floats)
  }
}

/** @throws ArmatureError `not-found` for an index that the dataset lacks, and where there are none. */
function chosenInfos(dataset: Dataset, indices: readonly number[] | undefined): Map<number, EpisodeInfo> {
  const all = new Map(dataset.episodes.map((info) => [info.index, info]))
  const chosen = new Map<number, EpisodeInfo>()
  for (const index of indices ?? all.keys()) {
    const info = all.get(index)
    if (info === undefined) throw new ArmatureError('not-found', `no episode ${index} in ${dataset.path}`)
    chosen.set(index, info)
  }
  if (chosen.size === 0) throw new ArmatureError('not-found', `no episodes to draw from in ${dataset.path}`)
  return chosen
}
