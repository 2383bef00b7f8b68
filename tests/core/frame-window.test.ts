import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.ts'
import { writeWindow } from '../../src/core/encoder-input.ts'

const rng = new Rng(0)
const LENGTH = 5

function noise(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, () => rng.int(256))
}

/** Frames of an episode in one array, as replay keeps them. */
function episode(frameSize: number): (time: number) => Uint8Array {
  const all = noise(LENGTH * frameSize)
  return (time) => all.subarray(time * frameSize, (time + 1) * frameSize)
}

describe('windows of frames', () => {
  it.each([
    { count: 1, size: 48, offset: 0 },
    { count: 3, size: 48, offset: 7 },
    { count: 4, size: 16, offset: 8 },
  ])('go from the oldest to the newest, and stand still before the start, %o', ({ count, size, offset }) => {
    const frameAt = episode(size)
    for (let time = 0; time < LENGTH; time++) {
      const target = noise(offset + count * size + 5)
      const expected = target.slice()
      for (let k = 0; k < count; k++) {
        expected.set(frameAt(Math.max(0, time - (count - 1 - k))), offset + k * size)
      }
      writeWindow({ frames: count, stride: 1 }, time, frameAt, target, offset)
      expect(Buffer.compare(target, expected)).toBe(0)
    }
  })
})
