import { crc32, deflateSync } from 'node:zlib'
import { ArmatureError } from '../core/errors.ts'

/** An image to be encoded, row-major without padding. Its channels follow from the length of `data`: 1 grey, 3 RGB, 4 RGBA. */
export interface PngImage {
  /** 8 bits per channel; `Uint16Array` is 16-bit grey, e.g. depth in millimetres. */
  readonly data: Uint8Array | Uint16Array
  readonly width: number
  readonly height: number
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
const COLOR_TYPES: Readonly<Record<number, number>> = { 1: 0, 3: 2, 4: 6 }

/**
 * A PNG file of `image` (zlib, and on each row the filter with the smallest sum of absolute differences).
 *
 * @throws ArmatureError `bad-shape` when `data` is not 1, 3 or 4 whole channels (16 bit: 1).
 */
export function encodePng({ data, width, height }: PngImage): Uint8Array {
  const channels = data.length / (width * height)
  const colorType = COLOR_TYPES[channels]
  const is16Bit = data instanceof Uint16Array
  if (colorType === undefined || (is16Bit && channels !== 1)) {
    throw new ArmatureError('bad-shape', `PNG of ${width} x ${height}`, {
      expected: is16Bit ? '1 channel of 16 bits' : '1, 3 or 4 channels',
      got: `${data.length} elements`,
    })
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = is16Bit ? 16 : 8
  header[9] = colorType
  const bytes = is16Bit ? bigEndian(data) : data
  const filtered = filterRows(bytes, height, is16Bit ? 2 : channels)
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(filtered)),
    chunk('IEND', new Uint8Array(0)),
  ])
}

function bigEndian(data: Uint16Array): Uint8Array {
  const bytes = Buffer.alloc(data.length * 2)
  for (let i = 0; i < data.length; i++) bytes.writeUInt16BE(data[i]!, i * 2)
  return bytes
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(12 + content.length)
  bytes.writeUInt32BE(content.length, 0)
  bytes.write(type, 4, 'latin1')
  bytes.set(content, 8)
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + content.length)), 8 + content.length)
  return bytes
}

/** Every row after its filter byte. `step` is the distance in bytes to the pixel on the left. */
function filterRows(bytes: Uint8Array, height: number, step: number): Uint8Array {
  const stride = bytes.length / height
  const out = new Uint8Array((stride + 1) * height)
  const candidate = new Uint8Array(stride)
  for (let y = 0; y < height; y++) {
    const target = out.subarray(y * (stride + 1), (y + 1) * (stride + 1))
    let best = Infinity
    for (let filter = 0; filter < 5; filter++) {
      const cost = filterRow(bytes, y * stride, stride, step, filter, candidate)
      if (cost >= best) continue
      best = cost
      target[0] = filter
      target.set(candidate, 1)
    }
  }
  return out
}

/** Filters the row that starts at byte `start` into `out`; returns the sum of absolute differences. */
function filterRow(
  bytes: Uint8Array,
  start: number,
  stride: number,
  step: number,
  filter: number,
  out: Uint8Array,
): number {
  let cost = 0
  for (let i = 0; i < stride; i++) {
    const at = start + i
    const left = i >= step ? bytes[at - step]! : 0
    const up = start > 0 ? bytes[at - stride]! : 0
    const upLeft = start > 0 && i >= step ? bytes[at - stride - step]! : 0
    const difference = (bytes[at]! - predict(filter, left, up, upLeft)) & 0xff
    out[i] = difference
    cost += difference < 128 ? difference : 256 - difference
  }
  return cost
}

/** The five predictors of the PNG specification, section 9.2: none, sub, up, average, Paeth. */
function predict(filter: number, left: number, up: number, upLeft: number): number {
  switch (filter) {
    case 0:
      return 0
    case 1:
      return left
    case 2:
      return up
    case 3:
      return (left + up) >> 1
    default:
      return paeth(left, up, upLeft)
  }
}

/** Whichever neighbour is nearest to left + up - upLeft; ties in the order left, up, upLeft. */
function paeth(left: number, up: number, upLeft: number): number {
  const toLeft = Math.abs(up - upLeft)
  const toUp = Math.abs(left - upLeft)
  const toUpLeft = Math.abs(left + up - 2 * upLeft)
  if (toLeft <= toUp && toLeft <= toUpLeft) return left
  return toUp <= toUpLeft ? up : upLeft
}
