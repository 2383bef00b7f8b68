import type { EpisodeInfo } from '../../core/dataset.ts'

/** Where the parts of an episode are. Paths are whole. */
export interface EpisodeEntry {
  readonly info: EpisodeInfo
  readonly dataFile: string
  /** By camera, those that the episode has; it is shown from `fromS` to before `toS` seconds of its file. */
  readonly videos: Readonly<Record<string, VideoPlace>>
  /** See `episodeDigest`; of recordings made here. */
  readonly sha256?: string
  /** Row of its first frame in the whole dataset, where the folder says. */
  readonly firstRow?: number
  /** Row of meta/episodes, where it has goal images. */
  readonly extras?: { readonly file: string; readonly row: number; readonly goalCameras: readonly string[] }
}

/** Where an episode is shown. */
export interface VideoPlace {
  readonly file: string
  readonly fromS: number
  readonly toS?: number
}
