/** Of the frames of an episode by their time, as many as are seen at once. */
export interface FrameStack {
  readonly count: number
  readonly frameAt: (time: number) => Uint8Array
}

/**
 * Writes the frames up to `time` behind each other, the oldest first, [count, ...frame], to `target` from `offset` on: how networks without
 * memory see motion. Before its start an episode stands still.
 */
export function stackFrames({ count, frameAt }: FrameStack, time: number, target: Uint8Array, offset = 0): void {
  for (let back = count - 1, at = offset; back >= 0; back--) {
    const frame = frameAt(Math.max(0, time - back))
    target.set(frame, at)
    at += frame.length
  }
}
