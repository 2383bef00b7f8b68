import type { DatasetSpec, EpisodeData, EpisodeInfo } from '../core/dataset.ts'
import { ArmatureError } from '../core/errors.ts'
import type { FrameShape } from '../core/frame-fit.ts'
import { sizeOf } from '../core/ndarray.ts'

/**
 * Episodes from which batches are drawn, whether they are a replay, a dataset or a few in memory. They are numbered from 0 to
 * `episodeCount - 1`; an episode of `lengthOf` observations has one step fewer, and step `time` leads from observation `time` to
 * `time + 1`. Arrays that it returns are views: copy what you keep.
 */
export interface EpisodeSource {
  /** Shape of the uint8 frames of each camera. */
  readonly cameras: Readonly<Record<string, FrameShape>>
  /** Frames that an observation shows, up to its own; default 1. */
  readonly window?: number
  readonly actionSize: number
  /** What each element of the privileged state is; empty where there is no state or it has no names. */
  readonly stateNames: readonly string[]
  /** Numbers of the privileged state; 0 where it was not recorded. */
  readonly stateSize: number
  readonly episodeCount: number
  /** Another number whenever the episodes, or the length of one, are no longer what they were. */
  readonly version: number
  /** Its `index` stays that episode's own when `episodeCount` and the numbers change. */
  infoOf(episode: number): EpisodeInfo
  lengthOf(episode: number): number
  /** [height, width, channels], behind those that come before it in the window. */
  frameAt(episode: number, time: number, camera: string): Uint8Array
  /** Of the step from observation `time`, as executed. */
  actionAt(episode: number, time: number): Float32Array
  rewardAt(episode: number, time: number): number
  /** Whether the step from observation `time` ended the task. */
  terminatedAt(episode: number, time: number): boolean
  /** Empty where it was not recorded. */
  proprioAt(episode: number, time: number): Float32Array
  /** Privileged; empty where it was not recorded. */
  stateAt(episode: number, time: number): Float32Array
}

/**
 * Episodes in memory.
 *
 * @example
 * const source = new EpisodeSet(dataset.spec, [await dataset.readEpisode(0)])
 * const sampler = makeSampler('frames', source, { camera: 'front' }, rng)
 */
export class EpisodeSet implements EpisodeSource {
  readonly cameras: Readonly<Record<string, FrameShape>>
  readonly actionSize: number
  readonly stateNames: readonly string[]
  readonly stateSize: number
  readonly #proprioSize: number
  #episodes: readonly EpisodeData[] = []
  #version = 0

  /** @param cameras those that the episodes have; default all of `spec`. @throws ArmatureError `not-found` for another camera. */
  constructor(
    spec: DatasetSpec,
    episodes: readonly EpisodeData[] = [],
    cameras: readonly string[] = Object.keys(spec.cameras),
  ) {
    this.cameras = Object.fromEntries(cameras.map((name) => [name, frameShapeOf(spec, name)]))
    this.actionSize = sizeOf(spec.actionSpace.shape)
    this.stateNames = spec.stateSpace.names ?? []
    this.#proprioSize = sizeOf(spec.proprioSpace.shape)
    this.stateSize = sizeOf(spec.stateSpace.shape)
    this.replace(episodes)
  }

  get episodeCount(): number {
    return this.#episodes.length
  }

  get version(): number {
    return this.#version
  }

  /** Holds `episodes` from now on, instead of what it held. */
  replace(episodes: readonly EpisodeData[]): void {
    this.#episodes = episodes
    this.#version++
  }

  infoOf(episode: number): EpisodeInfo {
    return this.#episodes[episode]!.info
  }

  lengthOf(episode: number): number {
    return this.#episodes[episode]!.info.length
  }

  frameAt(episode: number, time: number, camera: string): Uint8Array {
    return row(this.#episodes[episode]!.images[camera]!, time, sizeOf(this.cameras[camera]!))
  }

  actionAt(episode: number, time: number): Float32Array {
    return row(this.#episodes[episode]!.actions, time, this.actionSize)
  }

  rewardAt(episode: number, time: number): number {
    return this.#episodes[episode]!.rewards[time]!
  }

  terminatedAt(episode: number, time: number): boolean {
    const { terminated, length } = this.infoOf(episode)
    return terminated && time === length - 2
  }

  proprioAt(episode: number, time: number): Float32Array {
    return row(this.#episodes[episode]!.proprio, time, this.#proprioSize)
  }

  stateAt(episode: number, time: number): Float32Array {
    return row(this.#episodes[episode]!.state, time, this.stateSize)
  }
}

/** @throws ArmatureError `not-found` that names the cameras there are. */
function frameShapeOf(spec: DatasetSpec, camera: string): FrameShape {
  const space = spec.cameras[camera]
  if (space === undefined) {
    throw new ArmatureError('not-found', `no camera "${camera}" in ${spec.source}`, {
      fix: `it has ${Object.keys(spec.cameras).join(', ')}`,
    })
  }
  const [height, width, channels] = space.shape
  return [height!, width!, channels!]
}

function row<T extends Float32Array | Uint8Array>(data: T, index: number, width: number): T {
  return data.subarray(index * width, (index + 1) * width) as T
}
