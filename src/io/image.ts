import { ArmatureError } from '../core/errors.ts'
import { GLYPH_HEIGHT, GLYPH_WIDTH, glyphCovers } from './font.ts'

/** An RGB image, uint8 [height, width, 3] row-major. */
export interface RgbImage {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
}

/** An image with what it shows, e.g. `camera`, `goal`, `decoded`. */
export interface Panel {
  readonly label: string
  readonly image: RgbImage
}

export interface TileOptions {
  /** Images in a row; default: all side by side. */
  readonly columns?: number
  /** Pixels between the images. Default 2. */
  readonly gap?: number
}

const BACKGROUND = 255
const INK = 40
const CAPTION_MARGIN = 2

/**
 * Wraps RGB pixels, without copying.
 *
 * @throws ArmatureError `bad-shape` when there are not width * height * 3 of them.
 */
export function rgbImage(data: Uint8Array, width: number, height: number): RgbImage {
  if (data.length !== width * height * 3) {
    throw new ArmatureError('bad-shape', `RGB image of ${width} x ${height}`, {
      expected: `${width * height * 3} bytes`,
      got: String(data.length),
    })
  }
  return { data, width, height }
}

/**
 * Panels side by side, each enlarged by `scale` and labelled: one frame of a video.
 *
 * @example encodeGif(frames.map((camera) => labelledRow([{ label: 'camera', image: camera }, { label: 'goal', image: goal }], 3)), 10)
 */
export function labelledRow(panels: readonly Panel[], scale = 1): RgbImage {
  return sideBySide(panels.map(({ label, image }) => withCaption(upscale(image, scale), label)))
}

/**
 * The first of the frames of `what`, once it is known that there is one and that all have its size.
 * @throws ArmatureError `bad-argument`, `bad-shape`.
 */
export function requireFrames(frames: readonly RgbImage[], what: string): RgbImage {
  const [first] = frames
  if (first === undefined) throw new ArmatureError('bad-argument', what, { expected: 'at least one frame' })
  for (const [i, { width, height }] of frames.entries()) {
    if (width === first.width && height === first.height) continue
    throw new ArmatureError('bad-shape', `${what} frame ${i}`, {
      expected: `${first.width} x ${first.height}`,
      got: `${width} x ${height}`,
    })
  }
  return first
}

/** Images in a row on white, each as wide as it is, aligned at the top. */
export function sideBySide(images: readonly RgbImage[], gap = 2): RgbImage {
  let left = 0
  const placed = images.map((image) => {
    const place = { image, left, top: 0 }
    left += image.width + gap
    return place
  })
  return collage(left - gap, Math.max(...images.map(({ height }) => height)), placed)
}

/** Images below each other on white, each as high as it is, aligned at the left. */
export function stacked(images: readonly RgbImage[], gap = 2): RgbImage {
  let top = 0
  const placed = images.map((image) => {
    const place = { image, left: 0, top }
    top += image.height + gap
    return place
  })
  return collage(Math.max(...images.map(({ width }) => width)), top - gap, placed)
}

/** Images on a white page of `width` x `height`, with their top left corners at (left, top). Later ones cover earlier ones; all must fit. */
export function collage(
  width: number,
  height: number,
  placed: readonly { readonly image: RgbImage; readonly left: number; readonly top: number }[],
): RgbImage {
  const page = blank(width, height)
  for (const { image, left, top } of placed) paste(page, image, left, top)
  return page
}

/** `text` in one line, as dark pixels on white without a margin. */
export function textImage(text: string, scale = 1): RgbImage {
  const line = blank(textWidth(text), GLYPH_HEIGHT)
  drawText(line, text, 0, 0)
  return upscale(line, scale)
}

/** Images in a grid, row by row, on white. Smaller ones stand at the top left of their cell. */
export function tile(images: readonly RgbImage[], { columns = images.length, gap = 2 }: TileOptions = {}): RgbImage {
  if (images.length === 0 || columns < 1) {
    throw new ArmatureError('bad-argument', 'tiles', { expected: 'at least one image and one column' })
  }
  const cellWidth = Math.max(...images.map(({ width }) => width))
  const cellHeight = Math.max(...images.map(({ height }) => height))
  const across = Math.min(columns, images.length)
  const down = Math.ceil(images.length / columns)
  const out = blank(across * (cellWidth + gap) - gap, down * (cellHeight + gap) - gap)
  for (const [i, image] of images.entries()) {
    paste(out, image, (i % columns) * (cellWidth + gap), Math.floor(i / columns) * (cellHeight + gap))
  }
  return out
}

/** Each pixel as a square of `factor` x `factor`. */
export function upscale(image: RgbImage, factor: number): RgbImage {
  if (!Number.isInteger(factor) || factor < 1) {
    throw new ArmatureError('bad-argument', 'scale of an image', { expected: 'a whole number >= 1', got: `${factor}` })
  }
  const width = image.width * factor
  const height = image.height * factor
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < image.height; y++) {
    const first = y * factor * width * 3
    for (let x = 0; x < width * 3; x++) {
      const column = Math.floor(x / (3 * factor))
      data[first + x] = image.data[(y * image.width + column) * 3 + (x % 3)]!
    }
    for (let copy = 1; copy < factor; copy++) data.copyWithin(first + copy * width * 3, first, first + width * 3)
  }
  return { data, width, height }
}

/** `image` under a white strip with `text` in the middle. Text wider than the image is cut off. */
export function withCaption(image: RgbImage, text: string): RgbImage {
  const strip = GLYPH_HEIGHT + 2 * CAPTION_MARGIN
  const out = blank(image.width, image.height + strip)
  paste(out, image, 0, strip)
  drawText(out, text, Math.max(0, Math.floor((image.width - textWidth(text)) / 2)), CAPTION_MARGIN)
  return out
}

function textWidth(text: string): number {
  return Math.max(1, text.length * (GLYPH_WIDTH + 1) - 1)
}

function drawText(image: RgbImage, text: string, left: number, top: number): void {
  for (let i = 0; i < text.length; i++) {
    for (let x = 0; x < GLYPH_WIDTH; x++) {
      const column = left + i * (GLYPH_WIDTH + 1) + x
      if (column >= image.width) return
      for (let y = 0; y < GLYPH_HEIGHT; y++) {
        const at = ((top + y) * image.width + column) * 3
        if (glyphCovers(text.charCodeAt(i), x, y)) image.data.fill(INK, at, at + 3)
      }
    }
  }
}

function blank(width: number, height: number): RgbImage {
  return { data: new Uint8Array(width * height * 3).fill(BACKGROUND), width, height }
}

function paste(target: RgbImage, image: RgbImage, left: number, top: number): void {
  const stride = image.width * 3
  for (let y = 0; y < image.height; y++) {
    target.data.set(image.data.subarray(y * stride, (y + 1) * stride), ((top + y) * target.width + left) * 3)
  }
}
