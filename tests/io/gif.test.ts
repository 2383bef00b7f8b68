import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.ts'
import { encodeGif } from '../../src/io/gif.ts'
import type { RgbImage } from '../../src/io/image.ts'
import { rgbImage } from '../../src/io/image.ts'
import { decodeGif } from './gif-reader.ts'
import { failure } from './helpers.ts'

const width = 40
const height = 24

/** A square that moves over a still background. */
function movingSquare(count: number, background: (i: number) => number): RgbImage[] {
  return Array.from({ length: count }, (_, frame) => {
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => background(i))
    for (let y = 5; y < 10; y++) data.fill(250, (y * width + frame) * 3, (y * width + frame + 5) * 3)
    return rgbImage(data, width, height)
  })
}

describe('encodeGif', () => {
  it('is decoded to the same pixels while there are at most 255 colours', () => {
    const frames = movingSquare(6, (i) => (i % 200) + (i % 3))
    const decoded = decodeGif(encodeGif(frames, 10))
    expect([decoded.width, decoded.height, decoded.loops]).toEqual([width, height, true])
    expect(decoded.frames.map(({ rgb }) => [...rgb])).toEqual(frames.map(({ data }) => [...data]))
  })

  it('comes close with more colours, and still parts do not flicker', () => {
    // A gradient in red and blue: 960 colours.
    const gradient = (i: number): number => {
      const pixel = Math.floor(i / 3)
      return [(pixel % width) * 6, 60, Math.floor(pixel / width) * 10][i % 3]!
    }
    const frames = movingSquare(8, gradient)
    const { frames: decoded } = decodeGif(encodeGif(frames, 10))
    let total = 0
    for (const [i, { rgb }] of decoded.entries()) {
      for (const [at, value] of frames[i]!.data.entries()) total += Math.abs(value - rgb[at]!)
    }
    expect(total / (8 * width * height * 3)).toBeLessThan(6)
    const stillRows = decoded.map(({ rgb }) => [...rgb.subarray(12 * width * 3)])
    for (const rows of stillRows) expect(rows).toEqual(stillRows[0])
  })

  it('stores unchanged pixels nearly for free', () => {
    const rng = new Rng(1)
    const noise = Array.from({ length: width * height * 3 }, () => rng.int(6) * 40)
    const one = encodeGif(
      movingSquare(1, (i) => noise[i]!),
      10,
    ).length
    const ten = encodeGif(
      movingSquare(10, (i) => noise[i]!),
      10,
    ).length
    expect(ten).toBeLessThan(2 * one + 10 * 60)
  })

  it.each([50, 30, 15, 7, 0.5])('keeps %d frames per second on average', (fps) => {
    const frames = movingSquare(20, () => 0)
    const delays = decodeGif(encodeGif(frames, fps)).frames.map(({ delay }) => delay)
    const total = delays.reduce((sum, delay) => sum + delay, 0)
    expect(total).toBe(Math.round((20 * 100) / fps))
    expect(Math.max(...delays) - Math.min(...delays)).toBeLessThanOrEqual(1)
  })

  it('refuses what a GIF cannot be', async () => {
    const frames = movingSquare(2, () => 0)
    await failure('bad-argument', () => encodeGif([], 10))
    await failure('bad-argument', () => encodeGif(frames, 0))
    await failure('bad-argument', () => encodeGif(frames, 60))
    await failure('bad-argument', () => encodeGif(frames, NaN))
    const other = rgbImage(new Uint8Array(3), 1, 1)
    expect((await failure('bad-shape', () => encodeGif([...frames, other], 10))).message).toContain('frame 2')
  })
})
