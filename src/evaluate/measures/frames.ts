import type { Rng } from '../../core/rng.ts'
import type { Rows } from '../rows.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from './embedded-episodes.ts'

/** Wider embeddings are sketched to this size where a measure needs their covariance. */
const SKETCH_SIZE = 256
const SKETCH_TERMS = 4

/** Frames by the position of their episode and their time in it. */
export interface FrameList {
  readonly count: number
  readonly episode: Int32Array
  readonly time: Int32Array
}

/** About `limit` frames: the same number from each episode at `positions`, at least one, evenly spaced. */
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
 * Returns rows of up to 256 columns as they are. Wider rows become 256 random sums of their columns, with random signs and each column in
 * four sums. Distances and linear relations survive to within a few percent (sparse Johnson-Lindenstrauss, Kane and Nelson 2014). The
 * same seed gives the same sums.
 */
export function sketchRows(rows: Rows, rng: Rng): Rows {
  const { data, count, size } = rows
  if (size <= SKETCH_SIZE) return rows
  const columns = Int32Array.from({ length: size * SKETCH_TERMS }, () => rng.int(SKETCH_SIZE))
  const signs = Float64Array.from(columns, () => (rng.int(2) === 0 ? -1 : 1) / Math.sqrt(SKETCH_TERMS))
  const sketched = new Float64Array(count * SKETCH_SIZE)
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < size; i++) {
      const x = data[row * size + i]!
      for (let at = i * SKETCH_TERMS; at < (i + 1) * SKETCH_TERMS; at++) {
        sketched[row * SKETCH_SIZE + columns[at]!]! += x * signs[at]!
      }
    }
  }
  return { data: sketched, count, size: SKETCH_SIZE }
}

/** Positions of the `count` smallest finite values, smallest first. */
export function smallest(values: Float64Array, count: number): number[] {
  const kept: number[] = []
  for (let i = 0; i < values.length; i++) {
    if (values[i] === Infinity || (kept.length === count && values[i]! >= values[kept.at(-1)!]!)) continue
    if (kept.length === count) kept.pop()
    let at = kept.length
    while (at > 0 && values[kept[at - 1]!]! > values[i]!) at--
    kept.splice(at, 0, i)
  }
  return kept
}
