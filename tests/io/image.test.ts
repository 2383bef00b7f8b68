import { describe, expect, it } from 'vitest'
import type { RgbImage } from '../../src/io/image.ts'
import {
  collage,
  labelledRow,
  rgbImage,
  sideBySide,
  textImage,
  tile,
  upscale,
  withCaption,
} from '../../src/io/image.ts'
import { failure } from './helpers.ts'

/** An image of grey pixels, given as rows. */
function grey(...rows: number[][]): RgbImage {
  return rgbImage(Uint8Array.from(rows.flat().flatMap((v) => [v, v, v])), rows[0]!.length, rows.length)
}

/** Red channel as rows. */
function rows({ data, width, height }: RgbImage): number[][] {
  return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => data[(y * width + x) * 3]!))
}

/** Dark pixels as `#`. */
function art(image: RgbImage): string[] {
  return rows(image).map((row) => row.map((v) => (v < 128 ? '#' : '.')).join(''))
}

describe('images', () => {
  it('enlarges by whole factors', () => {
    expect(rows(upscale(grey([1, 2], [3, 4]), 2))).toEqual([
      [1, 1, 2, 2],
      [1, 1, 2, 2],
      [3, 3, 4, 4],
      [3, 3, 4, 4],
    ])
    const color = rgbImage(Uint8Array.of(1, 2, 3), 1, 1)
    expect([...upscale(color, 2).data]).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3])
  })

  it('tiles in a grid with a white gap, smaller images at the top left', () => {
    const images = [grey([1, 2], [3, 4]), grey([5]), grey([6, 7])]
    expect(rows(tile(images, { columns: 2, gap: 1 }))).toEqual([
      [1, 2, 255, 5, 255],
      [3, 4, 255, 255, 255],
      [255, 255, 255, 255, 255],
      [6, 7, 255, 255, 255],
      [255, 255, 255, 255, 255],
    ])
    expect(tile(images, { gap: 3 }).width).toBe(3 * 2 + 2 * 3)
    expect(tile(images, { columns: 9, gap: 0 }).width).toBe(6)
  })

  it('writes captions in a 5 x 7 font, centred over the image', () => {
    const image = grey(Array.from({ length: 15 }, () => 200))
    expect(art(withCaption(image, 'Ag'))).toEqual([
      '...............',
      '...............',
      '...###.........',
      '..#...#........',
      '..#...#..####..',
      '..#####.#...#..',
      '..#...#..####..',
      '..#...#.....#..',
      '..#...#..###...',
      '...............',
      '...............',
      '...............',
    ])
  })

  it('cuts a caption at the edge and shows "?" for what the font lacks', () => {
    const image = grey([200, 200, 200, 200, 200, 200, 200, 200])
    const cut = art(withCaption(image, 'III'))
    expect(cut[2]).toBe('.###...#')
    expect(art(withCaption(image, 'é'))).toEqual(art(withCaption(image, '?')))
    expect(art(withCaption(image, '€'))).not.toEqual(art(withCaption(image, ' ')))
  })

  it('has a different glyph for every printable character', () => {
    const image = grey([200, 200, 200, 200, 200])
    const shapes = Array.from({ length: 95 }, (_, i) => art(withCaption(image, String.fromCharCode(32 + i))).join('\n'))
    expect(new Set(shapes).size).toBe(95)
  })

  it('writes a line of text, enlarged', () => {
    const [small, large] = [textImage('I1'), textImage('I1', 2)]
    expect(art(small)[0]).toBe('.###....#..')
    expect([small.width, small.height]).toEqual([11, 7])
    expect(large).toEqual(upscale(small, 2))
  })

  it('puts images of different sizes side by side, each as wide as it is', () => {
    expect(rows(sideBySide([grey([1], [2]), grey([3, 4])], 1))).toEqual([
      [1, 255, 3, 4],
      [2, 255, 255, 255],
    ])
  })

  it('places images on a page', () => {
    const placed = [
      { image: grey([1, 2], [3, 4]), left: 0, top: 0 },
      { image: grey([5]), left: 1, top: 1 },
    ]
    expect(rows(collage(3, 2, placed))).toEqual([
      [1, 2, 255],
      [3, 5, 255],
    ])
  })

  it('makes a labelled row', () => {
    const image = grey([0, 0], [0, 0])
    const row = labelledRow(
      [
        { label: 'a', image },
        { label: 'b', image },
      ],
      4,
    )
    expect([row.width, row.height]).toEqual([8 + 2 + 8, 8 + 11])
  })

  it('refuses what has no meaning', async () => {
    await failure('bad-shape', () => rgbImage(new Uint8Array(4), 1, 1))
    await failure('bad-argument', () => upscale(grey([1]), 1.5))
    await failure('bad-argument', () => tile([]))
    await failure('bad-argument', () => tile([grey([1])], { columns: 0 }))
  })
})
