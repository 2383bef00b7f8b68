import { createRequire } from 'node:module'
import { decode } from 'fast-png'
import { ArmatureError } from '../core/errors.ts'
import { toRgb } from '../core/rgb.ts'
import type { RgbImage } from './image.ts'

/** Height and width of an image. */
export type ImageSize = readonly [height: number, width: number]

/** Distances, row-major; what one unit is depends on the camera: a millimetre, most often. */
export interface DepthImage {
  readonly data: Uint16Array
  readonly width: number
  readonly height: number
}

/**
 * The RGB pixels of a PNG, JPEG or WebP file of 8 bits per channel; transparency is dropped.
 * @param size what it must measure, where that is known
 * @throws ArmatureError `corrupt-file` for another size; for what is no such file, is cut off or damaged, or has 16 bits per channel, as
 *   depth images have.
 */
export function decodeImage(file: Uint8Array, size?: ImageSize): RgbImage {
  const said = sizeOfImage(file)
  if (said === undefined) throw notAnImage('no PNG, JPEG or WebP')
  // Before anything is unpacked: a small file may hold a picture larger than memory.
  requireSize(said.size, size)
  try {
    if (said.kind === 'png') return decodePng(file)
    const { data, width, height } = decoderOf(said.kind)(file)
    return { width, height, data: toRgb({ width, height, depth: 8, data }) }
  } catch (error) {
    if (error instanceof ArmatureError && error.code === 'corrupt-file') throw error
    throw notAnImage(`a ${NAMES[said.kind]} that is cut off or damaged`, error)
  }
}

/**
 * The distances in a PNG file of one channel, of 8 or 16 bits, as they are.
 * @throws ArmatureError `corrupt-file` for another size, or what is no such file.
 */
export function decodeDepth(file: Uint8Array, size: ImageSize): DepthImage {
  const said = sizeOfImage(file)
  const expected = 'a PNG of one channel'
  if (said?.kind !== 'png') throw notAnImage('no PNG', undefined, expected)
  requireSize(said.size, size)
  const { width, height, channels, depth, data, palette } = decodeSamples(file)
  if (channels !== 1 || depth < 8 || palette !== undefined) {
    throw notAnImage(`a PNG of ${channels} channels of ${depth} bits`, undefined, expected)
  }
  return { width, height, data: Uint16Array.from(data) }
}

type Kind = 'png' | 'jpeg' | 'webp'

const NAMES: Readonly<Record<Kind, string>> = { png: 'PNG', jpeg: 'JPEG', webp: 'WebP' }

function decodePng(file: Uint8Array): RgbImage {
  const { width, height, ...samples } = decodeSamples(file)
  if (samples.depth > 8) throw notAnImage(`a PNG of ${samples.depth} bits`)
  return { width, height, data: toRgb({ width, height, ...samples }) }
}

function decodeSamples(file: Uint8Array): ReturnType<typeof decode> {
  try {
    return decode(file)
  } catch (error) {
    throw notAnImage('a PNG that is cut off or damaged', error)
  }
}

type Decoder = (file: Uint8Array) => {
  readonly data: Uint8ClampedArray
  readonly width: number
  readonly height: number
}

const decoders = new Map<Kind, Decoder>()

/** Loaded when first needed: most folders have PNG files or videos. */
function decoderOf(kind: 'jpeg' | 'webp'): Decoder {
  const known = decoders.get(kind)
  if (known !== undefined) return known
  const name = kind === 'jpeg' ? '@cwasm/jpeg-turbo' : '@cwasm/webp'
  const { decode: loaded } = createRequire(import.meta.url)(name) as { decode: Decoder }
  decoders.set(kind, loaded)
  return loaded
}

/** What a file is by its first bytes, and the size it says; undefined for what is none of the three. */
export function sizeOfImage(file: Uint8Array): { readonly kind: Kind; readonly size: ImageSize } | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  const text = (at: number, length: number): string => bytes.toString('latin1', at, at + length)
  // Signature, then the first chunk, which ends with a checksum.
  if (bytes.length >= 33 && text(1, 3) === 'PNG') {
    return { kind: 'png', size: [bytes.readUInt32BE(20), bytes.readUInt32BE(16)] }
  }
  if (bytes.length > 30 && text(0, 4) === 'RIFF' && text(8, 4) === 'WEBP') {
    const size = webpSize(bytes, text(12, 4))
    return size && { kind: 'webp', size }
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8) {
    const size = jpegSize(bytes)
    return size && { kind: 'jpeg', size }
  }
  return undefined
}

function webpSize(bytes: Buffer, chunk: string): ImageSize | undefined {
  if (chunk === 'VP8 ') return [bytes.readUInt16LE(28) & 0x3fff, bytes.readUInt16LE(26) & 0x3fff]
  if (chunk === 'VP8X') return [bytes.readUIntLE(27, 3) + 1, bytes.readUIntLE(24, 3) + 1]
  if (chunk !== 'VP8L') return undefined
  const bits = bytes.readUInt32LE(21)
  return [((bits >> 14) & 0x3fff) + 1, (bits & 0x3fff) + 1]
}

/** Out of the start of a frame (SOF), before which there are segments of other kinds. */
function jpegSize(bytes: Buffer): ImageSize | undefined {
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1]!
    // Not the tables of codes (C4), nor what else has a number among the starts.
    const isStart = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
    if (isStart) return [bytes.readUInt16BE(at + 5), bytes.readUInt16BE(at + 7)]
    at += marker === 0xff ? 1 : 2 + bytes.readUInt16BE(at + 2)
  }
  return undefined
}

function requireSize([saidHeight, saidWidth]: ImageSize, size: ImageSize | undefined): void {
  const [height, width] = size ?? [saidHeight, saidWidth]
  if (saidHeight === height && saidWidth === width) return
  throw new ArmatureError('corrupt-file', 'image', {
    got: `an image of ${saidWidth}x${saidHeight} instead of ${width}x${height}`,
  })
}

function notAnImage(
  got: string,
  cause?: unknown,
  expected = 'a PNG, JPEG or WebP of 8 bits per channel',
): ArmatureError {
  return new ArmatureError('corrupt-file', 'image', { expected, got, cause })
}
