import { ArmatureError } from './errors.ts'

/** A picture as decoders of PNG files give it: rows of samples, several to a byte where `depth` is below 8. */
export interface DecodedPicture {
  readonly width: number
  readonly height: number
  /** Grey, grey with alpha, RGB or RGBA; row-major, each row from a whole byte on. */
  readonly data: Uint8Array | Uint8ClampedArray | Uint16Array
  /** Bits per sample: 1, 2, 4, 8 or 16. */
  readonly depth: number
  /** Where the samples are numbers of colours: RGB or RGBA, 8 bits each. */
  readonly palette?: readonly (readonly number[])[] | undefined
}

/**
 * The picture as RGB, uint8 [height, width, 3]. What is transparent counts as if it were not.
 * @throws ArmatureError `bad-shape` for other numbers of samples than a picture of its size has, or a colour that its palette lacks.
 */
export function toRgb(picture: DecodedPicture): Uint8Array {
  const { width, height, data, depth, palette } = picture
  const channels = depth < 8 ? 1 : data.length / (width * height)
  const rowLength = depth < 8 ? Math.ceil((width * depth) / 8) : width * channels
  if (data.length !== rowLength * height || ![1, 2, 3, 4].includes(channels)) {
    throw new ArmatureError('bad-shape', `picture of ${width} x ${height}`, { got: `${data.length} samples` })
  }
  const rgb = new Uint8Array(width * height * 3)
  if (depth === 8 && channels === 3) {
    rgb.set(data)
    return rgb
  }
  const largest = 2 ** depth - 1
  for (let pixel = 0; pixel < width * height; pixel++) {
    const x = pixel % width
    const start = ((pixel - x) / width) * rowLength
    if (palette !== undefined) {
      rgb.set(colour(palette, sampleAt(data, start, x, depth)), pixel * 3)
      continue
    }
    for (let c = 0; c < 3; c++) {
      const at = channels < 3 ? x * channels : x * channels + c
      rgb[pixel * 3 + c] = (sampleAt(data, start, at, depth) * 255) / largest
    }
  }
  return rgb
}

function sampleAt(data: DecodedPicture['data'], start: number, index: number, depth: number): number {
  if (depth >= 8) return data[start + index]!
  const bit = index * depth
  return (data[start + (bit >> 3)]! >> (8 - depth - (bit & 7))) & (2 ** depth - 1)
}

function colour(palette: readonly (readonly number[])[], index: number): readonly number[] {
  const found = palette[index]
  if (found === undefined) {
    throw new ArmatureError('bad-shape', 'picture', { expected: `${palette.length} colours`, got: `colour ${index}` })
  }
  return found.length === 3 ? found : found.slice(0, 3)
}
