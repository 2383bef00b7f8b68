import { createRequire } from 'node:module'
import { ArmatureError } from '../../src/core/errors.ts'
import { ProtocolError } from './errors.ts'
import type { CompressedObservationMessage, ImageContent, ObservationMessage } from './messages.ts'

/** What is used of `@julusian/jpeg-turbo`, which is libjpeg-turbo with its vector instructions. */
interface Turbo {
  readonly FORMAT_RGB: number
  /** 4:2:0: half the colours in each direction, as cameras send them. */
  readonly SAMP_420: number
  bufferSize(image: { readonly width: number; readonly height: number; readonly subsampling: number }): number
  /** A view of `out`. */
  compressSync(
    pixels: Buffer,
    out: Buffer,
    image: {
      readonly format: number
      readonly width: number
      readonly height: number
      readonly subsampling: number
      readonly quality: number
    },
  ): Buffer
  /** Throws also for what is only damaged, or cut short. */
  decompressSync(data: Buffer, out: Buffer, options: { readonly format: number }): unknown
}

/** [height, width] */
type Size = readonly [height: number, width: number]

const CHANNELS = 3
/** JPEG markers. */
const START = 0xd8
const FRAME: ReadonlySet<number | undefined> = new Set([0xc0, 0xc1, 0xc2])
/** Segments that may come before the frame: tables, restart interval, what applications add, comments. */
const isBeforeFrame = (marker: number | undefined): boolean =>
  marker !== undefined && ([0xc4, 0xcc, 0xdb, 0xdd, 0xfe].includes(marker) || (marker >= 0xe0 && marker <= 0xef))

/** JPEG of red, green and blue, by libjpeg-turbo. One image of 1280x720 takes about 2 ms to make and 2 ms to read. */
export class Jpeg {
  readonly #turbo: Turbo
  #out: Buffer = Buffer.alloc(0)

  private constructor(turbo: Turbo) {
    this.#turbo = turbo
  }

  /**
   * Loaded when first needed: whoever sends raw images does without it.
   * @throws ArmatureError `unsupported-op` on a system for which the library has no binary
   */
  static load(): Jpeg {
    try {
      return new Jpeg(createRequire(import.meta.url)('@julusian/jpeg-turbo') as Turbo)
    } catch (cause) {
      throw new ArmatureError('unsupported-op', 'camera images as JPEG', {
        expected: 'a binary of @julusian/jpeg-turbo for this system',
        got: `none for ${process.platform} ${process.arch}`,
        fix: 'take images as pixels',
        cause,
      })
    }
  }

  /** Whether {@link load} would work. */
  static isThere(): boolean {
    try {
      Jpeg.load()
      return true
    } catch {
      return false
    }
  }

  /**
   * @param pixels uint8 [height, width, 3]; @param quality 1 to 100
   * @throws Error for pixels of another size
   */
  encode(pixels: Uint8Array, [height, width]: Size, quality: number): Uint8Array<ArrayBuffer> {
    if (!Number.isInteger(width) || pixels.length !== height * width * CHANNELS) {
      throw new Error(`an image of ${height}x${width} with ${pixels.length} bytes`)
    }
    const { FORMAT_RGB: format, SAMP_420: subsampling } = this.#turbo
    const most = this.#turbo.bufferSize({ width, height, subsampling })
    if (this.#out.length < most) this.#out = Buffer.allocUnsafeSlow(most)
    const image = { format, width, height, subsampling, quality }
    return new Uint8Array(this.#turbo.compressSync(bufferOf(pixels), this.#out, image))
  }

  /**
   * uint8 [height, width, 3]. Nothing is decoded of an image of another size.
   * @throws ProtocolError `decode_failed` or `bad_shape`
   */
  decode(data: Uint8Array, [height, width]: Size): Uint8Array {
    const bytes = bufferOf(data)
    const { size, channels } = frameOf(bytes)
    if (size[0] !== height || size[1] !== width || channels !== CHANNELS) {
      const expected = `${height}x${width}x${CHANNELS}`
      throw new ProtocolError('bad_shape', `an image of ${size.join('x')}x${channels} instead of ${expected}`)
    }
    const pixels = Buffer.allocUnsafeSlow(height * width * CHANNELS)
    try {
      this.#turbo.decompressSync(bytes, pixels, { format: this.#turbo.FORMAT_RGB })
    } catch {
      throw new ProtocolError('decode_failed', 'an image that is no whole JPEG')
    }
    return new Uint8Array(pixels.buffer)
  }
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)
}

/**
 * What the start of the frame says. Segments have to follow each other without a gap: the library, which multiplies what it finds there as 32-bit
 * numbers, must not find another start than this.
 * @throws ProtocolError `decode_failed` where there is none
 */
function frameOf(bytes: Buffer): { readonly size: Size; readonly channels: number } {
  let at = bytes[0] === 0xff && bytes[1] === START ? 2 : bytes.length
  while (bytes[at] === 0xff && isBeforeFrame(bytes[at + 1]) && at + 4 <= bytes.length) {
    at += 2 + Math.max(2, bytes.readUInt16BE(at + 2))
  }
  if (bytes[at] !== 0xff || !FRAME.has(bytes[at + 1]) || at + 10 > bytes.length) {
    throw new ProtocolError('decode_failed', 'an image that is no JPEG')
  }
  return { size: [bytes.readUInt16BE(at + 5), bytes.readUInt16BE(at + 7)], channels: bytes[at + 9]! }
}

/**
 * The observation with its images as pixels.
 * @param shapes [height, width, 3] by camera, as in the robot's schema
 * @throws ProtocolError for an image that is none, or of another camera or size
 */
export function decompressed(
  message: CompressedObservationMessage,
  shapes: Readonly<Record<string, { readonly shape: readonly number[] }>>,
  jpeg: Jpeg,
): ObservationMessage {
  const images = Object.entries(message.images).map(([camera, { data, captureUs }]): [string, ImageContent] => {
    const shape = Object.hasOwn(shapes, camera) ? shapes[camera]!.shape : undefined
    if (shape === undefined) throw new ProtocolError('bad_shape', 'an image of a camera that the robot does not have')
    const pixels = { data: jpeg.decode(data, [shape[0]!, shape[1]!]), shape }
    return [camera, { encoding: 'raw', pixels, ...(captureUs === undefined ? {} : { captureUs }) }]
  })
  return { ...message, kind: 'observation', images: Object.fromEntries(images) }
}
