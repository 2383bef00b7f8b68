import { fc } from '../fast-check.ts'
import { describe, expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.ts'
import {
  applyColor,
  blurFrame,
  cropFrame,
  fillRectangle,
  flipFrame,
  LUMA,
  resetColor,
  rotateHue,
  scaleBrightness,
  scaleContrast,
  scaleSaturation,
  shiftFrame,
  zoomFrame,
} from '../../src/replay/augment-kernels.ts'
import type { Augmentation } from '../../src/replay/augment.ts'
import { Augmenter } from '../../src/replay/augment.ts'
import type { FrameShape } from '../../src/core/frame-fit.ts'

const SIZE = { height: 7, width: 9, channels: 3 }
const BYTES = 7 * 9 * 3

function noise(length: number, seed = 0): Uint8Array {
  const rng = new Rng(seed)
  return Uint8Array.from({ length }, () => rng.int(256))
}

/** Byte of the pixel at (x, y) of the second of three frames, coordinates clamped to the frame. */
function pixel(frames: Uint8Array, x: number, y: number, channel: number): number {
  const [column, row] = [Math.min(8, Math.max(0, x)), Math.min(6, Math.max(0, y))]
  return frames[BYTES + (row * 9 + column) * 3 + channel]!
}

/** Whether every pixel of the second of three frames is what `source` says, and the other two are as they were. */
function expectFrame(got: Uint8Array, before: Uint8Array, source: (x: number, y: number, c: number) => number): void {
  const wanted = Uint8Array.from(before)
  for (let y = 0; y < 7; y++) {
    for (let x = 0; x < 9; x++) {
      for (let c = 0; c < 3; c++) wanted[BYTES + (y * 9 + x) * 3 + c] = source(x, y, c)
    }
  }
  expect(got).toEqual(wanted)
}

describe('geometry', () => {
  test('a shift moves the picture and repeats its border, by any offset, and leaves the neighbours alone', () => {
    const offset = fc.integer({ min: -10, max: 10 })
    fc.assert(
      fc.property(offset, offset, (right, down) => {
        const before = noise(3 * BYTES)
        const frames = Uint8Array.from(before)
        shiftFrame(frames, BYTES, SIZE, { right, down })
        expectFrame(frames, before, (x, y, c) => pixel(before, x - right, y - down, c))
      }),
    )
  })

  test('a flip mirrors; twice is the identity', () => {
    const before = noise(3 * BYTES)
    const frames = Uint8Array.from(before)
    for (const axis of ['horizontal', 'vertical'] as const) {
      flipFrame(frames, BYTES, SIZE, axis)
      expectFrame(frames, before, (x, y, c) =>
        axis === 'horizontal' ? pixel(before, 8 - x, y, c) : pixel(before, x, 6 - y, c),
      )
      flipFrame(frames, BYTES, SIZE, axis)
      expect(frames).toEqual(before)
    }
  })

  test('a crop is the window, packed', () => {
    const frames = noise(3 * BYTES)
    const before = Uint8Array.from(frames)
    cropFrame(frames, BYTES, 24, SIZE, { left: 2, top: 1, width: 2, height: 4 })
    const at = (x: number, y: number): number[] => [0, 1, 2].map((c) => pixel(before, x + 2, y + 1, c))
    const wanted = [0, 1, 2, 3].flatMap((y) => [...at(0, y), ...at(1, y)])
    expect([...frames.subarray(24, 48)]).toEqual(wanted)
  })

  test('a zoom into the whole frame changes nothing; into half of a ramp it halves the slope', () => {
    const before = noise(BYTES)
    const frames = Uint8Array.from(before)
    zoomFrame(frames, 0, SIZE, { left: 0, top: 0, width: 9, height: 7 }, new Float32Array(BYTES))
    expect(frames).toEqual(before)
    const ramp = Uint8Array.from({ length: 16 }, (_, x) => 10 * x)
    const window = { left: 4, top: 0, width: 8, height: 1 }
    zoomFrame(ramp, 0, { height: 1, width: 16, channels: 1 }, window, new Float32Array(16))
    // Centres of the new pixels lie at 4 + (x + 0.5) / 2 - 0.5 of the old ones.
    expect([...ramp]).toEqual(Array.from({ length: 16 }, (_, x) => Math.floor(10 * (3.75 + x / 2) + 0.5)))
  })

  test('a rectangle is clipped to its frame', () => {
    const before = noise(3 * BYTES)
    const frames = Uint8Array.from(before)
    fillRectangle(frames, BYTES, SIZE, { left: -2, top: 5, width: 4, height: 9 }, 77)
    expectFrame(frames, before, (x, y, c) => (x < 2 && y >= 5 ? 77 : pixel(before, x, y, c)))
    fillRectangle(frames, BYTES, SIZE, { left: 9, top: -5, width: 4, height: 5 }, 1)
    expectFrame(frames, before, (x, y, c) => (x < 2 && y >= 5 ? 77 : pixel(before, x, y, c)))
  })

  test('a blur keeps flat frames and spreads a point as the Gaussian does', () => {
    const size = { height: 15, width: 15, channels: 1 }
    const blurred = (frames: Uint8Array, sigma: number): Uint8Array => {
      blurFrame(frames, 0, size, sigma, new Float32Array(225), new Float32Array(8))
      return frames
    }
    expect(new Set(blurred(new Uint8Array(225).fill(123), 1.7))).toEqual(new Set([123]))
    const point = new Uint8Array(225)
    point[7 * 15 + 7] = 255
    blurred(point, 1.5)
    const weight = (d: number): number => Math.exp(-(d * d) / 4.5)
    const total = [...Array(11).keys()].reduce((sum, k) => sum + weight(k - 5), 0) ** 2
    for (let y = 0; y < 15; y++) {
      for (let x = 0; x < 15; x++) {
        const isInside = Math.abs(x - 7) <= 5 && Math.abs(y - 7) <= 5
        const exact = isInside ? (255 * weight(x - 7) * weight(y - 7)) / total : 0
        expect(Math.abs(point[y * 15 + x]! - exact)).toBeLessThan(0.51)
      }
    }
    const noisy = noise(225)
    expect(blurred(Uint8Array.from(noisy), 0)).toEqual(noisy)
  })
})

describe('colour', () => {
  const PRIMARIES = [255, 0, 0, 0, 255, 0, 0, 0, 255, 90, 90, 90]

  function mapped(colors: readonly number[], change: (map: Float64Array) => void): number[] {
    const map = resetColor(new Float64Array(12))
    change(map)
    const frames = Uint8Array.from(colors)
    applyColor(frames, 0, frames.length, map)
    return [...frames]
  }

  test('120 degrees of hue take red to green to blue to red, and keep grey', () => {
    const turned = mapped(PRIMARIES, (map) => rotateHue(map, (2 * Math.PI) / 3))
    expect(turned).toEqual([0, 255, 0, 0, 0, 255, 255, 0, 0, 90, 90, 90])
    const back = mapped(turned, (map) => rotateHue(map, (-2 * Math.PI) / 3))
    expect(back).toEqual(PRIMARIES)
    const inTwo = mapped(PRIMARIES, (map) => {
      rotateHue(map, 1)
      rotateHue(map, (2 * Math.PI) / 3 - 1)
    })
    expect(inTwo).toEqual(turned)
  })

  test('grey is the luma of a colour; full saturation changes nothing', () => {
    const luma = LUMA.map((weight) => Math.round(255 * weight))
    const grey = mapped(PRIMARIES, (map) => scaleSaturation(map, 0))
    expect(grey).toEqual([...luma.flatMap((value) => [value, value, value]), 90, 90, 90])
    expect(mapped(PRIMARIES, (map) => scaleSaturation(map, 1))).toEqual(PRIMARIES)
  })

  test('brightness multiplies and clamps', () => {
    expect(mapped([10, 100, 200], (map) => scaleBrightness(map, 1.5))).toEqual([15, 150, 255])
    expect(mapped([10, 100, 200], (map) => scaleBrightness(map, 0))).toEqual([0, 0, 0])
  })

  test('contrast scales the distance from the mean grey, also after other changes', () => {
    const colors = [100, 100, 100, 200, 200, 200]
    const mean = Float64Array.of(150, 150, 150)
    expect(mapped(colors, (map) => scaleContrast(map, 0.5, mean))).toEqual([125, 125, 125, 175, 175, 175])
    expect(mapped(colors, (map) => scaleContrast(map, 0, mean))).toEqual(Array(6).fill(150))
    const halved = mapped(colors, (map) => {
      scaleBrightness(map, 0.5)
      scaleContrast(map, 2, mean)
    })
    expect(halved).toEqual([25, 25, 25, 125, 125, 125])
  })

  test('one pass over composed changes is the exact arithmetic, rounded once', () => {
    const frames = noise(300, 5)
    const map = resetColor(new Float64Array(12))
    rotateHue(map, 0.4)
    scaleSaturation(map, 1.7)
    scaleContrast(map, 1.3, Float64Array.of(120, 130, 125))
    scaleBrightness(map, 1.2)
    const got = Uint8Array.from(frames)
    applyColor(got, 0, got.length, map)
    for (let i = 0; i < frames.length; i++) {
      const [row, at] = [4 * (i % 3), i - (i % 3)]
      const exact =
        map[row]! * frames[at]! + map[row + 1]! * frames[at + 1]! + map[row + 2]! * frames[at + 2]! + map[row + 3]!
      expect(Math.abs(got[i]! - Math.min(255, Math.max(0, exact)))).toBeLessThan(0.51)
    }
  })
})

/** Changes that change nothing. */
const IDENTITIES: readonly Augmentation[] = [
  { kind: 'shift', maxPixels: 0 },
  { kind: 'crop', height: 7, width: 9 },
  { kind: 'zoom', minArea: 1 },
  { kind: 'flip', axis: 'horizontal', probability: 0 },
  { kind: 'blur', minSigmaPixels: 0, maxSigmaPixels: 0 },
  { kind: 'cutout', sizePixels: 0 },
  { kind: 'mask', patchPixels: 2, ratio: 0 },
  { kind: 'hue', maxDeg: 0 },
  { kind: 'brightness', range: 0 },
  { kind: 'contrast', range: 0 },
  { kind: 'saturation', range: 0 },
  { kind: 'grey', probability: 0 },
  { kind: 'contrast', range: 1, probability: 0 },
]

/** Changes of every kind. */
const CHANGES: readonly Augmentation[] = [
  { kind: 'shift', maxPixels: 3 },
  { kind: 'crop', height: 5, width: 6 },
  { kind: 'zoom', minArea: 0.3 },
  { kind: 'flip', axis: 'vertical' },
  { kind: 'blur', minSigmaPixels: 0.5, maxSigmaPixels: 2 },
  { kind: 'cutout', sizePixels: 3, value: 200 },
  { kind: 'mask', patchPixels: 2, ratio: 0.5 },
  { kind: 'hue', maxDeg: 180 },
  { kind: 'brightness', range: 0.5 },
  { kind: 'contrast', range: 0.9 },
  { kind: 'saturation', range: 1 },
  { kind: 'grey', probability: 0.5 },
]

describe('augmenter', () => {
  const shape: FrameShape = [7, 9, 3]
  const augmented = (augmentations: readonly Augmentation[], frames: Uint8Array, seed: number, group = 1): Uint8Array =>
    new Augmenter(augmentations, shape).apply(Uint8Array.from(frames), frames.length / BYTES, new Rng(seed), group)

  test.each(IDENTITIES)('$kind with nothing to change gives the same bytes', (identity) => {
    const frames = noise(4 * BYTES)
    expect(augmented([identity], frames, 1)).toEqual(frames)
  })

  test.each(CHANGES)('$kind: seeded; each frame differs, a group does not', (change) => {
    const one = noise(BYTES)
    const frames = Uint8Array.from([...one, ...one, ...one, ...one, ...one, ...one, ...one, ...one])
    const out = augmented([change], frames, 1)
    expect(augmented([change], frames, 1)).toEqual(out)
    expect(augmented([change], frames, 2)).not.toEqual(out)
    const distinct = (bytes: Uint8Array): number => {
      const size = bytes.length / 8
      return new Set(Array.from({ length: 8 }, (_, i) => bytes.subarray(i * size, (i + 1) * size).join())).size
    }
    expect(distinct(out)).toBeGreaterThan(1)
    expect(distinct(augmented([change], frames, 3, 8))).toBe(1)
    expect(distinct(augmented([change], frames, 1, 4))).toBeLessThanOrEqual(2)
  })

  test('changes follow one another, shapes and all', () => {
    const augmenter = new Augmenter(CHANGES, shape)
    expect(augmenter.outputShape).toEqual([5, 6, 3])
    const out = augmenter.apply(noise(4 * BYTES), 4, new Rng(0))
    expect(out.length).toBe(4 * 90)
    const rng = new Rng(0)
    let [frames, now]: [Uint8Array, FrameShape] = [noise(4 * BYTES), shape]
    for (const run of [CHANGES.slice(0, 4), CHANGES.slice(4, 7), CHANGES.slice(7)]) {
      const part = new Augmenter(run, now)
      frames = part.apply(frames, 4, rng)
      now = part.outputShape
    }
    expect(out).toEqual(frames)
  })

  test('a shift stays within its bound and reaches it in every direction', () => {
    const dot = new Uint8Array(49)
    dot[24] = 1
    const seen = new Set<number>()
    const augmenter = new Augmenter([{ kind: 'shift', maxPixels: 2 }], [7, 7, 1])
    const rng = new Rng(1)
    for (let i = 0; i < 400; i++) seen.add(augmenter.apply(Uint8Array.from(dot), 1, rng).indexOf(1))
    const wanted = [2, 3, 4, 5, 6].flatMap((y) => [2, 3, 4, 5, 6].map((x) => 7 * (y - 1) + x - 1))
    expect([...seen].toSorted((a, b) => a - b)).toEqual(wanted)
  })

  test.each<[Augmentation, FrameShape, string]>([
    [{ kind: 'shift', maxPixels: -1 }, shape, 'shift: maxPixels: expected a whole number from 0 to 7'],
    [{ kind: 'shift', maxPixels: 1.5 }, shape, 'a whole number'],
    [{ kind: 'crop', height: 8, width: 9 }, shape, 'crop: height'],
    [{ kind: 'zoom', minArea: 0 }, shape, 'zoom: minArea'],
    [{ kind: 'flip', axis: 'vertical', probability: 2 }, shape, 'flip: probability'],
    [{ kind: 'blur', minSigmaPixels: 2, maxSigmaPixels: 1 }, shape, 'blur: minSigmaPixels'],
    [{ kind: 'mask', patchPixels: 0, ratio: 1 }, shape, 'mask: patchPixels'],
    [{ kind: 'brightness', range: NaN }, shape, 'brightness: range'],
    [{ kind: 'hue', maxDeg: 20 }, [4, 4, 1], 'expected RGB frames, got 1 channels'],
  ])('refuses %j', (augmentation, inputShape, text) => {
    expect(() => new Augmenter([augmentation], inputShape)).toThrow(text)
  })

  test('refuses frames that are not what was said', () => {
    const augmenter = new Augmenter([{ kind: 'grey' }], shape)
    expect(() => augmenter.apply(noise(BYTES), 2, new Rng(0))).toThrow('2 of [7, 9, 3]')
    expect(() => augmenter.apply(noise(3 * BYTES), 3, new Rng(0), 2)).toThrow('in groups of 2')
  })
})
