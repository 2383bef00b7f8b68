import { createHash } from 'node:crypto'
import type { EpisodeData } from '../../core/dataset.ts'

/**
 * SHA-256 of what an episode holds, hexadecimal: its numbers, and the pixels of each camera by name; the bytes of its files in the place
 * of pixels where those are stored with losses. Numbers count as they are in memory, with low bytes first.
 *
 * @param videos bytes by camera, where frames are stored as videos
 */
export function episodeDigest(
  { info, images, depth = {}, proprio, state, actions, rewards }: EpisodeData,
  videos?: Readonly<Record<string, Uint8Array>>,
): string {
  const digest = createHash('sha256').update(`${info.length}`)
  const parts = { ...depth, ...(videos ?? images) }
  const named = Object.keys(parts)
    .toSorted()
    .map((name) => [name, parts[name]!] as const)
  for (const [name, data] of [...Object.entries({ proprio, state, actions, rewards }), ...named]) {
    // -0 is stored as 0 by some columns' encodings.
    const numbers = data instanceof Float32Array ? data.map((x) => x + 0) : data
    digest.update(`\0${name}\0${data.byteLength}\0`)
    digest.update(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength))
  }
  return digest.digest('hex')
}
