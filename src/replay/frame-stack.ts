/** Of frames [pixels, channels] by their time in an episode, so many are one. */
export interface FrameStack {
  readonly count: number
  readonly channels: number
  readonly frameAt: (time: number) => Uint8Array
}

/**
 * Writes the frames up to `time`, the oldest first, as one frame with their channels behind each other, [pixels, count * channels], to
 * `target` from `offset` on: how networks without memory see motion. Before its start an episode stands still.
 */
export function stackFrames(
  { count, channels, frameAt }: FrameStack,
  time: number,
  target: Uint8Array,
  offset = 0,
): void {
  if (count === 1) {
    target.set(frameAt(time), offset)
    return
  }
  for (let k = 0; k < count; k++) {
    const frame = frameAt(Math.max(0, time - (count - 1 - k)))
    interleave(frame, channels, target, offset + k * channels, count * channels)
  }
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
