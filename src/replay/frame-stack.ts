/**
 * Writes frames [pixels, channels], the oldest first, as one frame with their channels behind each other, [pixels, frames * channels], to
 * `target` from `offset` on: how networks without memory see motion.
 */
export function stackFrames(frames: readonly Uint8Array[], channels: number, target: Uint8Array, offset = 0): void {
  if (frames.length === 1) {
    target.set(frames[0]!, offset)
    return
  }
  const width = frames.length * channels
  frames.forEach((frame, k) => {
    let to = offset + k * channels
    for (let from = 0; from < frame.length; from += channels, to += width) {
      for (let c = 0; c < channels; c++) target[to + c] = frame[from + c]!
    }
  })
}

/** Times of a stack of `count` frames that ends at `time`: before its start an episode stands still. */
export function stackTimes(time: number, count: number): number[] {
  return Array.from({ length: count }, (_, k) => Math.max(0, time - (count - 1 - k)))
}
