import type { Encoder } from '../core/encoder.ts'
import { stackFrames } from '../replay/frame-stack.ts'

/**
 * An encoder of `count` frames stacked into one, as one of windows of single frames: so those that learned along with an agent are
 * judged by what they see of recorded episodes. It encodes; it neither learns nor decodes.
 */
export function unstackedEncoder(encoder: Encoder, count: number): Encoder {
  const { spec } = encoder
  const [height, width, stacked] = spec.frameShape
  const channels = stacked / count
  const frameSize = height * width * channels
  return {
    spec: { ...spec, frameShape: [height, width, channels], window: { frames: count, stride: 1 } },
    encode: (input) => {
      const frames = new Uint8Array(input.frames.length)
      for (let row = 0; row < input.count; row++) {
        const start = row * count * frameSize
        const frameAt = (time: number): Uint8Array =>
          input.frames.subarray(start + time * frameSize, start + (time + 1) * frameSize)
        stackFrames({ count, channels, frameAt }, count - 1, frames, start)
      }
      return encoder.encode({ count: input.count, frames })
    },
    save: () => encoder.save(),
    restore: (arrays) => encoder.restore(arrays),
    dispose: () => encoder.dispose(),
  }
}
