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
  const frames = Array.from({ length: count }, (_, k) => frameAt(Math.max(0, time - (count - 1 - k))))
  if (count === 3 && channels === 3 && interleaveThree(frames, target, offset)) return
  frames.forEach((frame, k) => interleave(frame, channels, target, offset + k * channels, count * channels))
}

/** Of a number in memory, the lowest byte comes first. */
const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/**
 * Three RGB frames as one, four pixels at a time: three words of each frame are nine of the target. A third of the time that bytes take,
 * which for a batch of 64 is 2 ms of an update of 25.
 * @returns false, with nothing written, where the bytes do not make whole words
 */
function interleaveThree(frames: readonly Uint8Array[], target: Uint8Array, offset: number): boolean {
  const bytes = frames[0]!.length
  const starts = [target.byteOffset + offset, ...frames.map(({ byteOffset }) => byteOffset)]
  if (!IS_LITTLE_ENDIAN || bytes % 12 !== 0 || starts.some((start) => start % 4 !== 0)) return false
  const [a, b, c] = frames.map(({ buffer, byteOffset }) => new Int32Array(buffer, byteOffset, bytes / 4)) as [
    Int32Array,
    Int32Array,
    Int32Array,
  ]
  const out = new Int32Array(target.buffer, target.byteOffset + offset, (3 * bytes) / 4)
  for (let i = 0, o = 0; i < a.length; i += 3, o += 9) {
    const [a0, a1, a2] = [a[i]!, a[i + 1]!, a[i + 2]!]
    const [b0, b1, b2] = [b[i]!, b[i + 1]!, b[i + 2]!]
    const [c0, c1, c2] = [c[i]!, c[i + 1]!, c[i + 2]!]
    out[o] = (a0 & 0xffffff) | (b0 << 24)
    out[o + 1] = ((b0 >>> 8) & 0xffff) | (c0 << 16)
    out[o + 2] = ((c0 >>> 16) & 0xff) | ((a0 >>> 24) << 8) | (a1 << 16)
    out[o + 3] = (b0 >>> 24) | ((b1 & 0xffff) << 8) | ((c0 >>> 24) << 24)
    out[o + 4] = (c1 & 0xffff) | ((a1 >>> 16) << 16)
    out[o + 5] = (a2 & 0xff) | ((b1 >>> 16) << 8) | (b2 << 24)
    out[o + 6] = (c1 >>> 16) | ((c2 & 0xff) << 16) | ((a2 >>> 8) << 24)
    out[o + 7] = (a2 >>> 16) | ((b2 >>> 8) << 16)
    out[o + 8] = (b2 >>> 24) | ((c2 >>> 8) << 8)
  }
  return true
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
