import type { EpisodeInfo } from '../core/dataset.ts'
import type { FrameShape } from '../core/frame-fit.ts'
import type { EpisodeSource } from './episode-source.ts'

/**
 * The episodes of several sources of one kind as those of one: first those of the first source. The `index` of an episode is its own times
 * the number of sources, plus that of its source, so that no two are alike.
 */
export class JoinedSource implements EpisodeSource {
  readonly cameras: Readonly<Record<string, FrameShape>>
  readonly window: number
  readonly actionSize: number
  readonly stateNames: readonly string[]
  readonly stateSize: number
  readonly #sources: readonly EpisodeSource[]

  constructor(sources: readonly EpisodeSource[]) {
    const { cameras, window = 1, actionSize, stateNames, stateSize } = sources[0]!
    this.cameras = cameras
    this.window = window
    this.actionSize = actionSize
    this.stateNames = stateNames
    this.stateSize = stateSize
    this.#sources = sources
  }

  get episodeCount(): number {
    return this.#sources.reduce((sum, source) => sum + source.episodeCount, 0)
  }

  get version(): number {
    return this.#sources.reduce((sum, source) => sum + source.version, 0)
  }

  infoOf(episode: number): EpisodeInfo {
    const [own, source, rest] = this.#find(episode)
    const info = own.infoOf(rest)
    return { ...info, index: info.index * this.#sources.length + source }
  }

  lengthOf(episode: number): number {
    const [own, , rest] = this.#find(episode)
    return own.lengthOf(rest)
  }

  frameAt(episode: number, time: number, camera: string): Uint8Array {
    const [own, , rest] = this.#find(episode)
    return own.frameAt(rest, time, camera)
  }

  actionAt(episode: number, time: number): Float32Array {
    const [own, , rest] = this.#find(episode)
    return own.actionAt(rest, time)
  }

  rewardAt(episode: number, time: number): number {
    const [own, , rest] = this.#find(episode)
    return own.rewardAt(rest, time)
  }

  terminatedAt(episode: number, time: number): boolean {
    const [own, , rest] = this.#find(episode)
    return own.terminatedAt(rest, time)
  }

  proprioAt(episode: number, time: number): Float32Array {
    const [own, , rest] = this.#find(episode)
    return own.proprioAt(rest, time)
  }

  stateAt(episode: number, time: number): Float32Array {
    const [own, , rest] = this.#find(episode)
    return own.stateAt(rest, time)
  }

  /** The source of an episode, its number, and that of the episode in it. */
  #find(episode: number): readonly [EpisodeSource, source: number, episode: number] {
    let rest = episode
    for (const [i, source] of this.#sources.entries()) {
      if (rest < source.episodeCount) return [source, i, rest]
      rest -= source.episodeCount
    }
    throw new RangeError(`episode ${episode} of ${this.episodeCount}`)
  }
}
