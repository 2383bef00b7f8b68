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
  for (let k = 0; k < frames.length; k++) interleave(frames[k]!, channels, target, offset + k * channels, width)
}

/** Writes pixels of `channels` bytes to every `width`-th byte of `target` from `to` on. */
function interleave(frame: Uint8Array, channels: number, target: Uint8Array, to: number, width: number): void {
  if (channels === 3) {
    // RGB without an inner loop, which took three times as long.
    for (let from = 0; from < frame.length; from += 3, to += width) {
      target[to] = frame[from]!
      target[to + 1] = frame[from + 1]!
      target[to + 2] = frame[from + 2]!
    }
    return
  }
  for (let from = 0; from < frame.length; from += channels, to += width) {
    for (let c = 0; c < channels; c++) target[to + c] = frame[from + c]!
  }
}

/** Times of a stack of `count` frames that ends at `time`: before its start an episode stands still. */
export function stackTimes(time: number, count: number): number[] {
  return Array.from({ length: count }, (_, k) => Math.max(0, time - (count - 1 - k)))
}
