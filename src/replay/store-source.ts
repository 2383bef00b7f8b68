import { writeWindow } from '../core/encoder-input.ts'
import type { EpisodeInfo } from '../core/dataset.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { FrameShape } from '../core/frame-fit.ts'
import type { EpisodeSource } from './episode-source.ts'
import type { EpisodeStore } from './episode-store.ts'

const NOTHING = new Float32Array(0)

/** What an episode of a replay is filed under: it has no number of its own but where it begins. */
interface StoredEpisode {
  readonly start: number
  readonly info: EpisodeInfo
}

/**
 * The frames, actions and rewards of a replay as episodes with one camera; or its vectors, as their state, without any. Follows the replay as it grows; an episode is left out from
 * the moment its first observation is overwritten. The `index` of an episode is the position of its first observation.
 *
 * @example
 * const source = new StoreSource(store, 'front', [48, 48, 3])
 * const sampler = makeSampler('transitions', source, {}, rng.split('batches'))
 */
export class StoreSource implements EpisodeSource {
  readonly cameras: Readonly<Record<string, FrameShape>>
  readonly stateNames: readonly string[] = []
  readonly stateSize: number
  readonly #store: EpisodeStore
  readonly window: number
  readonly #stacked: Uint8Array
  #episodes: readonly StoredEpisode[] = []
  /** End of the store when its episodes were listed. */
  #listedTo = -1

  /**
   * @param camera whose frames the replay keeps; absent: what an agent sees of it are its vectors
   * @param window frames that an observation shows; before its start an episode stands still. With more than 1, those of an observation are
   *   overwritten by the next that is asked for.
   * @throws ArmatureError `bad-shape` where the store keeps no frames of that shape.
   */
  constructor(store: EpisodeStore, camera?: string, frameShape: FrameShape = [0, 0, 0], window = 1) {
    if (camera !== undefined && store.options.frameSize !== sizeOf(frameShape)) {
      throw new ArmatureError('bad-shape', `frames of camera ${camera} in the replay`, {
        expected: `${sizeOf(frameShape)} bytes for [${frameShape.join(', ')}]`,
        got: String(store.options.frameSize),
      })
    }
    this.#store = store
    this.window = window
    this.#stacked = new Uint8Array(window === 1 ? 0 : window * sizeOf(frameShape))
    this.cameras = camera === undefined ? {} : { [camera]: frameShape }
    this.stateSize = camera === undefined ? store.options.featureSize : 0
  }

  get actionSize(): number {
    return this.#store.options.actionSize
  }

  get episodeCount(): number {
    this.#list()
    return this.#episodes.length
  }

  get version(): number {
    return this.#store.end
  }

  infoOf(episode: number): EpisodeInfo {
    this.#list()
    return this.#episodes[episode]!.info
  }

  lengthOf(episode: number): number {
    return this.infoOf(episode).length
  }

  frameAt(episode: number, time: number): Uint8Array {
    const position = this.#positionOf(episode, time)
    if (this.window === 1) return this.#store.frameAt(position)
    const frameAt = (at: number): Uint8Array => this.#store.frameAt(position - time + at)
    writeWindow({ frames: this.window, stride: 1 }, time, frameAt, this.#stacked)
    return this.#stacked
  }

  actionAt(episode: number, time: number): Float32Array {
    return this.#store.actionAt(this.#positionOf(episode, time))
  }

  rewardAt(episode: number, time: number): number {
    return this.#store.rewardAt(this.#positionOf(episode, time))
  }

  terminatedAt(episode: number, time: number): boolean {
    return this.#store.terminatedAt(this.#positionOf(episode, time + 1))
  }

  proprioAt(): Float32Array {
    return NOTHING
  }

  stateAt(episode: number, time: number): Float32Array {
    return this.stateSize === 0 ? NOTHING : this.#store.featuresAt(this.#positionOf(episode, time))
  }

  #positionOf(episode: number, time: number): number {
    this.#list()
    return this.#episodes[episode]!.start + time
  }

  #list(): void {
    const { oldest, end } = this.#store
    if (end === this.#listedTo) return
    const episodes: StoredEpisode[] = []
    for (let start = oldest; start < end;) {
      const last = this.#store.lastOfEpisode(start)
      if (start > oldest || this.#store.firstOfEpisode(start) === start) episodes.push(this.#stored(start, last))
      start = last + 1
    }
    this.#episodes = episodes
    this.#listedTo = end
  }

  #stored(start: number, last: number): StoredEpisode {
    const terminated = this.#store.terminatedAt(last)
    return { start, info: { index: start, length: last - start + 1, terminated, policy: 'replay', objects: [] } }
  }
}
