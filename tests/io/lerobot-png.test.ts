import { deflateSync } from 'node:zlib'
import { encode } from 'fast-png'
import { fc } from '../fast-check.ts'
import { describe, expect, it } from 'vitest'
import { decodeImage } from '../../src/io/decode-image.ts'
import { encodePng } from '../../src/io/png.ts'

describe('decodeImage', () => {
  it('gives back what was encoded, of grey, RGB and RGBA', () => {
    const image = fc.record({
      width: fc.integer({ min: 1, max: 9 }),
      height: fc.integer({ min: 1, max: 9 }),
      channels: fc.constantFrom(1, 3, 4),
      seed: fc.integer({ min: 1, max: 1000 }),
    })
    fc.assert(
      fc.property(image, ({ width, height, channels, seed }) => {
        // Smooth enough that every filter is chosen somewhere.
        const data = Uint8Array.from({ length: width * height * channels }, (_, i) => (i * seed + ((i * i) % 7)) & 0xff)
        const file = encodePng({ data, width, height })
        const rgb = Array.from({ length: width * height * 3 }, (_, i) => {
          const pixel = Math.floor(i / 3) * channels
          return data[channels === 1 ? pixel : pixel + (i % 3)]
        })
        expect(decodeImage(file)).toEqual({ width, height, data: Uint8Array.from(rgb as number[]) })
      }),
    )
  })

  it('takes the files of another encoder', () => {
    const data = Uint8Array.from({ length: 5 * 4 * 3 }, (_, i) => i * 4)
    expect(decodeImage(encode({ width: 5, height: 4, data, channels: 3 })).data).toEqual(data)
  })

  it.each([
    ['nothing', (): Uint8Array => new Uint8Array(0), /no PNG/],
    ['a JPEG', (): Uint8Array => Uint8Array.of(0xff, 0xd8, 0xff, 0xe0), /no PNG/],
    ['one that is cut off', (): Uint8Array => RGB.subarray(0, RGB.length - 20), /cut off or damaged/],
    ['16 bits', (): Uint8Array => encodePng({ data: new Uint16Array(4), width: 2, height: 2 }), /16 bits/],
    ['fewer pixels than it says', (): Uint8Array => withPixels(deflateSync(new Uint8Array(100))), /cut off or damaged/],
    ['pixels that are not deflated', (): Uint8Array => withPixels(Buffer.alloc(400, 7)), /cut off or damaged/],
  ])('refuses %s', (_what, file, message) => {
    expect(() => decodeImage(file())).toThrow(message)
  })
})

const RGB = encodePng({ data: new Uint8Array(300).map((_, i) => i * 31), width: 10, height: 10 })

/** The header of `RGB`, with other pixels. */
function withPixels(deflated: Buffer): Uint8Array {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(deflated.length, 0)
  head.write('IDAT', 4, 'latin1')
  return Buffer.concat([RGB.subarray(0, 33), head, deflated, Buffer.alloc(4)])
}
