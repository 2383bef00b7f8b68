import type { Rng } from '../../core/rng.ts'
import type { Rows } from '../probes.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from './embedded-episodes.ts'

/** Wider embeddings are projected onto this many random directions where a measure needs their covariance. */
const SKETCH_SIZE = 256

/** Frames by the position of their episode and their time in it. */
export interface FrameList {
  readonly count: number
  readonly episode: Int32Array
  readonly time: Int32Array
}

/** About `limit` frames, evenly spaced in each of the episodes at `positions`, as many from each; at least one. */
export function spacedFrames(data: EmbeddedEpisodes, positions: readonly number[], limit: number): FrameList {
  const share = Math.max(1, Math.floor(limit / Math.max(1, positions.length)))
  const episode: number[] = []
  const time: number[] = []
  for (const position of positions) {
    const { length } = data.episodes[position]!
    const count = Math.min(length, share)
    for (let i = 0; i < count; i++) {
      episode.push(position)
      time.push(Math.floor(((i + 0.5) * length) / count))
    }
  }
  return { count: episode.length, episode: Int32Array.from(episode), time: Int32Array.from(time) }
}

/** Row `time` of each frame in the array [T, size] that `pick` finds in its episode. */
export function gatherRows(
  data: EmbeddedEpisodes,
  frames: FrameList,
  pick: (episode: EmbeddedEpisode) => Float32Array,
): Rows & { readonly data: Float32Array } {
  const first = data.episodes[frames.episode[0]!]!
  const size = pick(first).length / first.length
  const rows = new Float32Array(frames.count * size)
  for (let i = 0; i < frames.count; i++) {
    const time = frames.time[i]!
    rows.set(pick(data.episodes[frames.episode[i]!]!).subarray(time * size, (time + 1) * size), i * size)
  }
  return { data: rows, count: frames.count, size }
}

/**
 * The rows as they are, or, where they are wider than 256, their products with 256 random normal vectors, which keep distances
 * and linear relations to within a few percent (Johnson and Lindenstrauss 1984).
 */
export function sketchRows(rows: Rows, rng: Rng): Rows {
  const { data, count, size } = rows
  if (size <= SKETCH_SIZE) return rows
  const sketched = new Float64Array(count * SKETCH_SIZE)
  const directions = new Float32Array(size * SKETCH_SIZE)
  rng.fillNormal(directions)
  const scale = 1 / Math.sqrt(SKETCH_SIZE)
  for (let row = 0; row < count; row++) {
    const out = sketched.subarray(row * SKETCH_SIZE, (row + 1) * SKETCH_SIZE)
    for (let i = 0; i < size; i++) {
      const x = data[row * size + i]! * scale
      if (x !== 0) for (let j = 0, at = i * SKETCH_SIZE; j < SKETCH_SIZE; j++) out[j]! += x * directions[at + j]!
    }
  }
  return { data: sketched, count, size: SKETCH_SIZE }
}
