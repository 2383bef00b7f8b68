import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.ts'
import { stackFrames } from '../../src/replay/frame-stack.ts'

const rng = new Rng(0)
const LENGTH = 5

function noise(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, () => rng.int(256))
}

/** Frames of an episode in one array, as replay keeps them, from byte `start` on. */
function episode(frameSize: number, start: number): (time: number) => Uint8Array {
  const all = noise(start + LENGTH * frameSize)
  return (time) => all.subarray(start + time * frameSize, start + (time + 1) * frameSize)
}

describe('stacks of frames', () => {
  it.each([
    { count: 1, channels: 3, pixels: 16 },
    { count: 2, channels: 3, pixels: 16 },
    { count: 3, channels: 3, pixels: 16 },
    { count: 3, channels: 3, pixels: 48 * 48 },
    { count: 4, channels: 3, pixels: 16 },
    { count: 3, channels: 1, pixels: 16 },
    { count: 3, channels: 3, pixels: 15, why: 'no whole words' },
    { count: 3, channels: 3, pixels: 16, start: 2, why: 'frames between two words' },
    { count: 3, channels: 3, pixels: 16, offset: 7, why: 'a target between two words' },
  ])('have the channels of each frame behind each other, %o', ({ count, channels, pixels, start = 0, offset = 8 }) => {
    const frameAt = episode(pixels * channels, start)
    for (let time = 0; time < LENGTH; time++) {
      const target = noise(offset + count * pixels * channels + 5)
      const expected = target.slice()
      for (let k = 0; k < count; k++) {
        const frame = frameAt(Math.max(0, time - (count - 1 - k)))
        frame.forEach((byte, i) => {
          const [pixel, channel] = [Math.floor(i / channels), i % channels]
          expected[offset + (pixel * count + k) * channels + channel] = byte
        })
      }
      stackFrames({ count, channels, frameAt }, time, target, offset)
      expect(Buffer.compare(target, expected)).toBe(0)
    }
  })
})
