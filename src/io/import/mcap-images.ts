import { decodeDepth, decodeImage, sizeOfImage } from '../decode-image.ts'
import type { Fields } from './mcap-file.ts'

/** A picture of a topic: RGB, or distances. */
export type Picture =
  | { readonly kind: 'rgb'; readonly data: Uint8Array; readonly height: number; readonly width: number }
  | { readonly kind: 'depth'; readonly data: Uint16Array; readonly height: number; readonly width: number }

const IMAGES = /^(sensor_msgs\/(msg\/)?(Compressed)?Image|foxglove\.(CompressedImage|RawImage))$/

/** Whether messages of a schema are pictures. */
export function isPictureSchema(schema: string): boolean {
  return IMAGES.test(schema)
}

/** Where red, green and blue are in a pixel of so many bytes. */
const LAYOUTS: Readonly<Record<string, readonly [bytes: number, ...rgb: [number, number, number]]>> = {
  rgb8: [3, 0, 1, 2],
  bgr8: [3, 2, 1, 0],
  rgba8: [4, 0, 1, 2],
  bgra8: [4, 2, 1, 0],
  mono8: [1, 0, 0, 0],
  '8UC3': [3, 2, 1, 0],
}

/** @throws Error, or ArmatureError, for a picture that is damaged or of a form that is not read */
export function pictureOf({ format, encoding, data, height, width, step, is_bigendian: isBig }: Fields): Picture {
  if (!(data instanceof Uint8Array)) throw new Error('no picture')
  if (typeof encoding !== 'string') {
    if (/compressedDepth/i.test(String(format))) throw new Error('compressedDepth, which is not read')
    return compressed(data)
  }
  const [rows, columns] = [Number(height), Number(width)]
  const depth = ['16UC1', 'mono16'].includes(encoding)
  const layout = Object.hasOwn(LAYOUTS, encoding) ? LAYOUTS[encoding] : undefined
  if (layout === undefined && !depth) throw new Error(`pictures of encoding ${encoding}, which are not read`)
  const pixelBytes = depth ? 2 : layout![0]
  const rowBytes = typeof step === 'number' && step > 0 ? step : columns * pixelBytes
  if (!(rowBytes >= columns * pixelBytes && rowBytes * rows <= data.length))
    throw new Error('a picture that is cut off')
  if (depth) {
    const out = new Uint16Array(rows * columns)
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
    const isLittle = isBig === undefined || isBig === 0 || isBig === false
    for (let i = 0; i < out.length; i++) {
      out[i] = view.getUint16(Math.floor(i / columns) * rowBytes + (i % columns) * 2, isLittle)
    }
    return { kind: 'depth', data: out, height: rows, width: columns }
  }
  const out = new Uint8Array(rows * columns * 3)
  for (let i = 0; i < rows * columns; i++) {
    const at = Math.floor(i / columns) * rowBytes + (i % columns) * pixelBytes
    for (let c = 0; c < 3; c++) out[3 * i + c] = data[at + layout![c + 1]!]!
  }
  return { kind: 'rgb', data: out, height: rows, width: columns }
}

function compressed(data: Uint8Array): Picture {
  const said = sizeOfImage(data)
  // A PNG of one channel of 16 bits.
  if (said?.kind === 'png' && data[24] === 16) return { kind: 'depth', ...decodeDepth(data, said.size) }
  return { kind: 'rgb', ...decodeImage(data) }
}
