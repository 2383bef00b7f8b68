import { describe, expect, it } from 'vitest'
import type { Crop, FrameFit, FrameShape } from '../../src/core/frame-fit.ts'
import { autoFrameShape, averagingOf, checkFit, fitFrames, fitOfCamera } from '../../src/core/frame-fit.ts'
import { Rng } from '../../src/core/rng.ts'
import { fc } from '../fast-check.ts'

const fitted = (frames: Uint8Array, from: FrameShape, to: FrameShape, crop?: Crop): number[] => [
  ...fitFrames(frames, { from, crop, to }),
]

describe('fitFrames', () => {
  it('gives each pixel the mean of the area that it covers', () => {
    expect(fitted(Uint8Array.of(0, 10, 20, 30, 100, 110, 120, 130), [2, 4, 1], [1, 2, 1])).toEqual([55, 75])
    // Three onto two: the middle one counts half on both sides.
    expect(fitted(Uint8Array.of(0, 90, 180), [1, 3, 1], [1, 2, 1])).toEqual([30, 150])
    expect(fitted(Uint8Array.of(7, 9), [1, 2, 1], [2, 4, 1])).toEqual([7, 7, 9, 9, 7, 7, 9, 9])
  })

  it('takes what a crop leaves, of every frame, and averages that', () => {
    const frames = Uint8Array.from({ length: 24 }, (_, i) => i)
    expect(fitted(frames, [3, 4, 1], [2, 2, 1], [1, 1, 2, 2])).toEqual([5, 6, 9, 10, 17, 18, 21, 22])
    expect(fitted(frames, [3, 4, 1], [1, 1, 1], [0, 2, 1, 2])).toEqual([3, 15])
    expect(fitted(frames, [3, 4, 1], [3, 4, 1], [0, 0, 3, 4])).toEqual([...frames])
  })

  it('sums whole numbers: of every size, to every size, weights are whole, add up, and stand where the area is', () => {
    const side = fc.integer({ min: 1, max: 700 })
    fc.assert(
      fc.property(side, side, (size, toSize) => {
        const { pixels, total } = averagingOf(size, toSize)
        expect([pixels.length, total <= 256]).toEqual([toSize, true])
        for (const [i, { first, weights }] of pixels.entries()) {
          expect(weights.every((weight) => Number.isInteger(weight) && weight >= 0)).toBe(true)
          expect(weights.reduce((sum, weight) => sum + weight, 0)).toBe(total)
          expect(first >= 0 && first + weights.length <= size).toBe(true)
          const centre = weights.reduce((sum, weight, k) => sum + weight * (first + k + 0.5), 0) / total
          // Of the area itself the centre is at (i + 1/2) size / toSize; of whole pixels, half a pixel away at most.
          expect(Math.abs(centre - ((i + 0.5) * size) / toSize)).toBeLessThanOrEqual(0.5)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('rounds half a level up, whatever the size', () => {
    expect(fitted(Uint8Array.of(0, 1), [1, 2, 1], [1, 1, 1])).toEqual([1])
    // Ten rows onto three: weights of 3, 3, 3 and 1 tenths; 255 of 510 hundredths are half a level.
    const tenths = Uint8Array.from({ length: 100 }, (_, i) => (i % 10 < 5 ? 1 : 0))
    expect(fitted(tenths, [10, 10, 1], [1, 1, 1])).toEqual([1])
    expect(fitted(Uint8Array.of(0, 0, 1), [1, 3, 1], [1, 1, 1])).toEqual([0])
  })

  it('refuses frames of another size', () => {
    expect(() => fitFrames(new Uint8Array(10), { from: [2, 2, 3], to: [1, 1, 3] })).toThrow(
      'expected uint8 [2, 2, 3] each',
    )
  })

  it.each([
    [
      [480, 640, 3],
      [72, 96, 3],
    ],
    [
      [97, 131, 3],
      [71, 96, 3],
    ],
    [
      [49, 51, 3],
      [48, 48, 3],
    ],
    [
      [331, 601, 3],
      [64, 97, 3],
    ],
  ] as const)('keeps a flat colour, and the mean of noise, from %j to %j', (from, to) => {
    const [h, w, c] = from
    const flat = Uint8Array.from({ length: 2 * h * w * c }, (_, i) => [10, 200, 77][i % 3]!)
    const small = fitFrames(flat, { from, to })
    expect(small).toHaveLength(2 * to[0] * to[1] * 3)
    expect(small.every((x, i) => x === [10, 200, 77][i % 3]!)).toBe(true)
    const rng = new Rng(1)
    const noise = Uint8Array.from({ length: h * w * c }, () => rng.int(256))
    const mean = (values: Uint8Array): number => values.reduce((sum, x) => sum + x, 0) / values.length
    expect(Math.abs(mean(fitFrames(noise, { from, to })) - mean(noise))).toBeLessThan(0.5)
  })
})

it.each([
  [
    [48, 48, 3],
    [48, 48, 3],
  ],
  [
    [96, 128, 3],
    [96, 128, 3],
  ],
  [
    [480, 640, 3],
    [72, 96, 3],
  ],
  [
    [640, 480, 3],
    [96, 72, 3],
  ],
  [
    [224, 224, 3],
    [96, 96, 3],
  ],
] as const)('frames of %j are learned from at %j', (from, to) => {
  expect(autoFrameShape(from)).toEqual(to)
})

describe('fitOfCamera', () => {
  const averaged: FrameFit = { from: [240, 320, 3], to: [72, 96, 3] }
  const cropped: FrameFit = { from: [240, 320, 3], crop: [0, 40, 240, 240], to: [96, 96, 3] }
  const of = (fit: FrameFit, shape: FrameShape): FrameFit =>
    fitOfCamera(fit, { what: 'encoder e', camera: 'front', shape, fix: 'use another' })

  it('takes the size it was made for, that of the encoder, and larger ones of the same proportions', () => {
    expect(of(averaged, [240, 320, 3])).toEqual(averaged)
    expect(of(averaged, [72, 96, 3])).toEqual({ from: [72, 96, 3], to: [72, 96, 3] })
    expect(of(averaged, [480, 640, 3])).toEqual({ from: [480, 640, 3], to: [72, 96, 3] })
    expect(of(cropped, [240, 320, 3])).toEqual(cropped)
  })

  it.each<[FrameFit, FrameShape, string]>([
    [
      averaged,
      [240, 240, 3],
      'frames of 72x96x3, or larger ones of the proportions of 240x320x3, which it averages to that, got 240x240x3',
    ],
    [averaged, [60, 80, 3], 'got 60x80x3 from camera front'],
    [averaged, [240, 320, 1], 'got 240x320x1'],
    [cropped, [480, 640, 3], 'frames of 240x320x3, of which it sees the part [0, 40, 240, 240], got 480x640x3'],
    [cropped, [96, 96, 3], 'got 96x96x3'],
    [{ from: [48, 48, 3], to: [48, 48, 3] }, [96, 96, 3], 'frames of 48x48x3, got 96x96x3'],
  ])('%j refuses %j', (fit, shape, text) => {
    expect(() => of(fit, shape)).toThrow(text)
  })

  it.each<[FrameFit, string]>([
    [{ from: [48, 48, 3], crop: [0, 20, 48, 40], to: [8, 8, 3] }, 'within frames of 48x48, got [0, 20, 48, 40]'],
    [{ from: [48, 48, 3], to: [8, 8, 1] }, 'frames of 3 channels, got 1'],
  ])('%j makes no sense', (fit, text) => {
    expect(() => checkFit(fit)).toThrow(text)
  })
})
