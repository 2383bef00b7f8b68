import type { Decoder, Encoder } from '@cornerstonejs/codec-libjpeg-turbo-8bit/wasmjs'
import { ProtocolError } from './errors.ts'
import type { CompressedObservationMessage, ImageContent, ObservationMessage } from './messages.ts'

/** 4:2:0: half the colours in each direction, as cameras send them. */
const SUBSAMPLING = 2

/** [height, width] */
type Size = readonly [height: number, width: number]

/** Baseline JPEG of red, green and blue, by libjpeg-turbo as WebAssembly. One image of 1280x720 takes about 15 ms to make and 10 ms to read. */
export class Jpeg {
  readonly #encoder: Encoder
  readonly #decoder: Decoder

  private constructor(encoder: Encoder, decoder: Decoder) {
    this.#encoder = encoder
    this.#decoder = decoder
  }

  /** Takes its own memory: one for each thread. */
  static async load(): Promise<Jpeg> {
    // Whoever sends raw images does without it.
    const { default: load } = await import('@cornerstonejs/codec-libjpeg-turbo-8bit/wasmjs')
    const { JPEGEncoder, JPEGDecoder } = await load()
    return new Jpeg(new JPEGEncoder(), new JPEGDecoder())
  }

  /** @param pixels uint8 [height, width, 3]; @param quality 1 to 100 */
  encode(pixels: Uint8Array, [height, width]: Size, quality: number): Uint8Array<ArrayBuffer> {
    const encoder = this.#encoder
    encoder.setProgressive(false)
    encoder.setSubSampling(SUBSAMPLING)
    encoder.setQuality(quality)
    encoder.getDecodedBuffer({ width, height, bitsPerSample: 8, componentCount: 3, isSigned: false }).set(pixels)
    encoder.encode()
    return encoder.getEncodedBuffer().slice() as Uint8Array<ArrayBuffer>
  }

  /**
   * uint8 [height, width, 3]. Nothing is decoded of an image of another size.
   * @throws ProtocolError `decode_failed` or `bad_shape`
   */
  decode(data: Uint8Array, [height, width]: Size): Uint8Array {
    const decoder = this.#decoder
    try {
      decoder.getEncodedBuffer(data.length).set(data)
      decoder.readHeader()
    } catch {
      throw new ProtocolError('decode_failed', 'an image that is no JPEG')
    }
    const { width: w, height: h, componentCount } = decoder.getFrameInfo()
    if (w !== width || h !== height || componentCount !== 3) {
      throw new ProtocolError('bad_shape', `an image of ${h}x${w}x${componentCount} instead of ${height}x${width}x3`)
    }
    try {
      decoder.decode()
      return decoder.getDecodedBuffer().slice()
    } catch {
      throw new ProtocolError('decode_failed', 'an image that is no whole JPEG')
    }
  }
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
