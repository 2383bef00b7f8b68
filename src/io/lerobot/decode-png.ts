import { decode } from 'fast-png'
import { ArmatureError } from '../../core/errors.ts'
import { toRgb } from '../../core/rgb.ts'
import type { RgbImage } from '../image.ts'

/** Before the picture: the signature and the first chunk, which ends with a checksum. */
const HEADER_BYTES = 33

/**
 * The RGB pixels of a PNG file with up to 8 bits per channel; transparency is dropped.
 * @param size what it must measure, where that is known
 * @throws ArmatureError `corrupt-file` for another size; for what is no PNG, is cut off or damaged, or has 16 bits per channel, as depth images have.
 */
export function decodePng(file: Uint8Array, size?: readonly [height: number, width: number]): RgbImage {
  const isPng = file.length >= HEADER_BYTES && Buffer.from(file.subarray(1, 4)).toString('latin1') === 'PNG'
  if (!isPng) throw notPng('no PNG')
  if (size !== undefined) {
    // Before anything is unpacked: a small file may hold a picture larger than memory.
    const header = new DataView(file.buffer, file.byteOffset, HEADER_BYTES)
    const [saidWidth, saidHeight] = [header.getUint32(16), header.getUint32(20)]
    if (saidHeight !== size[0] || saidWidth !== size[1]) {
      throw new ArmatureError('corrupt-file', 'image', {
        got: `an image of ${saidWidth}x${saidHeight} instead of ${size[1]}x${size[0]}`,
      })
    }
  }
  const { width, height, depth, rgb } = decodeRgb(file)
  if (depth > 8) throw notPng(`a PNG of ${depth} bits`)
  return { width, height, data: rgb }
}

function decodeRgb(file: Uint8Array): { width: number; height: number; depth: number; rgb: Uint8Array } {
  try {
    const { width, height, depth, ...samples } = decode(file)
    return { width, height, depth, rgb: toRgb({ width, height, depth, ...samples }) }
  } catch (error) {
    throw notPng('a PNG that is cut off or damaged', error)
  }
}

function notPng(got: string, cause?: unknown): ArmatureError {
  return new ArmatureError('corrupt-file', 'image', { expected: 'a PNG of 8 bits per channel', got, cause })
}
