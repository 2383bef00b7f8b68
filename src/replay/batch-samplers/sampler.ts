import type { FrameShape } from '../../core/frame-fit.ts'
import type { EpisodeSource } from '../episode-source.ts'
import type { Positions } from './positions.ts'

/** How batches of one kind are drawn. */
export interface Draw<T> {
  readonly frameShape: FrameShape
  readonly draw: (count: number) => T
}

/** `array` where it has `length` elements, else a new one. */
export function sized<T extends Float32Array | Int32Array | Uint8Array>(array: T, length: number): T {
  return array.length === length ? array : new (array.constructor as new (length: number) => T)(length)
}

/** The episodes' own indices of the positions drawn, into `target` where it has that length. */
export function episodeIds<T extends Int32Array>(source: EpisodeSource, { episodes }: Positions, target: T): T {
  const ids = sized(target, episodes.length)
  for (let i = 0; i < ids.length; i++) ids[i] = source.infoOf(episodes[i]!).index
  return ids
}
