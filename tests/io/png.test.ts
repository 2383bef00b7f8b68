import { fc } from '../fast-check.ts'
import { decode } from 'fast-png'
import { describe, expect, it } from 'vitest'
import { encodePng } from '../../src/io/png.ts'
import { failure } from './helpers.ts'

const arbitraryImage = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.constantFrom(1, 3, 4))
  .chain(([width, height, channels]) => {
    const length = width * height * channels
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((data) => ({ data: new Uint8Array(data), width, height, channels }))
  })

describe('encodePng', () => {
  it('is decoded to the same grey, RGB and RGBA pixels by another library', () => {
    fc.assert(
      fc.property(arbitraryImage, ({ data, width, height, channels }) => {
        const decoded = decode(encodePng({ data, width, height }), { checkCrc: true })
        expect([decoded.width, decoded.height, decoded.channels, decoded.depth]).toEqual([width, height, channels, 8])
        expect([...decoded.data]).toEqual([...data])
      }),
      { numRuns: 300, seed: 1 },
    )
  })

  it('keeps 16-bit depth exactly', () => {
    const data = Uint16Array.of(0, 1, 255, 256, 65535, 4660)
    const decoded = decode(encodePng({ data, width: 3, height: 2 }), { checkCrc: true })
    expect([decoded.channels, decoded.depth]).toEqual([1, 16])
    expect([...decoded.data]).toEqual([...data])
  })

  it('filters: a smooth picture takes a small part of its raw size', () => {
    const size = 64
    const data = Uint8Array.from({ length: size * size * 3 }, (_, i) => {
      const pixel = Math.floor(i / 3)
      return (pixel % size) * 2 + Math.floor(pixel / size) + (i % 3) * 10
    })
    // A zlib stream of the unfiltered bytes takes 741.
    expect(encodePng({ data, width: size, height: size }).length).toBeLessThan(300)
  })

  it('refuses sizes that do not fit', async () => {
    await failure('bad-shape', () => encodePng({ data: new Uint8Array(8), width: 2, height: 2 }))
    await failure('bad-shape', () => encodePng({ data: new Uint8Array(0), width: 0, height: 2 }))
    await failure('bad-shape', () => encodePng({ data: new Uint16Array(12), width: 2, height: 2 }))
  })
})
