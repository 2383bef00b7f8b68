import { describe, expect, it } from 'vitest'
import { toRgb } from '../../src/core/rgb.ts'

const grey = (values: readonly number[]): number[] => values.flatMap((value) => [value, value, value])

describe('a picture as RGB', () => {
  it.each([
    ['RGB', { width: 2, height: 1, depth: 8, data: Uint8Array.of(1, 2, 3, 4, 5, 6) }, [1, 2, 3, 4, 5, 6]],
    ['RGBA', { width: 1, height: 2, depth: 8, data: Uint8Array.of(1, 2, 3, 0, 4, 5, 6, 9) }, [1, 2, 3, 4, 5, 6]],
    ['grey', { width: 2, height: 1, depth: 8, data: Uint8Array.of(7, 9) }, grey([7, 9])],
    ['grey with alpha', { width: 1, height: 2, depth: 8, data: Uint8Array.of(7, 0, 9, 255) }, grey([7, 9])],
    ['16 bits', { width: 2, height: 1, depth: 16, data: Uint16Array.of(0xffff, 7 * 257) }, grey([255, 7])],
    // Rows begin with a byte: ten samples of one bit take two.
    [
      '1 bit',
      { width: 10, height: 2, depth: 1, data: Uint8Array.of(0b10100000, 0b01000000, 0, 0b10000000) },
      grey([255, 0, 255, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0]),
    ],
    ['2 bits', { width: 3, height: 1, depth: 2, data: Uint8Array.of(0b00011100) }, grey([0, 85, 255])],
    [
      'colours by number',
      {
        width: 3,
        height: 1,
        depth: 4,
        data: Uint8Array.of(0x10, 0x10),
        palette: [
          [1, 2, 3, 0],
          [4, 5, 6],
        ],
      },
      [4, 5, 6, 1, 2, 3, 4, 5, 6],
    ],
  ])('of %s', (_kind, picture, expected) => {
    expect([...toRgb(picture)]).toEqual(expected)
  })

  it('refuses other numbers of samples, and colours that are not there', () => {
    expect(() => toRgb({ width: 2, height: 2, depth: 8, data: new Uint8Array(10) })).toThrow(/2 x 2.*10 samples/)
    expect(() => toRgb({ width: 9, height: 1, depth: 1, data: new Uint8Array(1) })).toThrow(/9 x 1.*1 samples/)
    const picture = { width: 1, height: 1, depth: 8, data: Uint8Array.of(2), palette: [[0, 0, 0]] }
    expect(() => toRgb(picture)).toThrow(/1 colours, got colour 2/)
  })
})
