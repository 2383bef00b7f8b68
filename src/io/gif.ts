import { createRequire } from 'node:module'
import { ArmatureError } from '../core/errors.ts'
import type { RgbImage } from './image.ts'
import { requireFrames } from './image.ts'

/** The part of gifenc used here; the package ships no types and only CommonJS under its main entry. */
interface Gifenc {
  GIFEncoder(): {
    writeFrame(index: Uint8Array, width: number, height: number, options: FrameOptions): void
    finish(): void
    bytes(): Uint8Array
  }
  quantize(rgba: Uint8Array, maxColors: number): Color[]
  applyPalette(rgba: Uint8Array, palette: readonly Color[]): Uint8Array
}

interface FrameOptions {
  /** In milliseconds; stored in hundredths of a second. */
  readonly delay: number
  readonly palette?: readonly Color[]
  readonly transparent?: boolean
  readonly transparentIndex?: number
  readonly dispose?: number
}

type Color = readonly number[]

const gifenc = createRequire(import.meta.url)('gifenc') as Gifenc

/** One entry of the palette is kept for "as in the frame before". */
const MAX_COLORS = 255
/** Viewers slow down what claims to be faster than this. */
export const MAX_GIF_FPS = 50
/** The palette of a long video is drawn from about this many pixels. */
const SAMPLED_PIXELS = 400_000
const KEEP_FRAME = 1

/**
 * An animated GIF that repeats for ever. One palette serves all frames, so that still parts do not flicker; with at most 255
 * colours in the video it is exact. Pixels that do not change are stored as transparent, which makes them nearly free.
 *
 * @param fps frames per second; kept on average, since GIF counts time in hundredths of a second
 * @throws ArmatureError `bad-argument` for no frames or fps outside 0 .. 50; `bad-shape` when frames differ in size.
 */
export function encodeGif(frames: readonly RgbImage[], fps: number): Uint8Array {
  const { width, height } = requireFrames(frames, 'GIF')
  if (!(fps > 0 && fps <= MAX_GIF_FPS)) {
    throw new ArmatureError('bad-argument', 'GIF', { expected: `fps in (0, ${MAX_GIF_FPS}]`, got: String(fps) })
  }
  const exact = exactPalette(frames)
  const palette = exact?.palette ?? gifenc.quantize(samplePixels(frames), MAX_COLORS)
  const encoder = gifenc.GIFEncoder()
  let previous: Uint8Array | undefined
  for (const [i, frame] of frames.entries()) {
    const index = exact === undefined ? gifenc.applyPalette(toRgba(frame.data), palette) : exact.indexOf(frame)
    const delay = (ticksUntil(i + 1, fps) - ticksUntil(i, fps)) * 10
    if (previous === undefined) {
      encoder.writeFrame(index, width, height, { delay, palette: [...palette, [0, 0, 0]], dispose: KEEP_FRAME })
    } else {
      const transparentIndex = palette.length
      const changes = index.map((color, at) => (color === previous![at] ? transparentIndex : color))
      encoder.writeFrame(changes, width, height, { delay, transparent: true, transparentIndex, dispose: KEEP_FRAME })
    }
    previous = index
  }
  encoder.finish()
  return encoder.bytes()
}

/** Hundredths of a second from the start to frame `count`. */
function ticksUntil(count: number, fps: number): number {
  return Math.round((100 * count) / fps)
}

interface ExactPalette {
  readonly palette: readonly Color[]
  indexOf(frame: RgbImage): Uint8Array
}

/** The colours of all frames, or undefined when there are too many. */
function exactPalette(frames: readonly RgbImage[]): ExactPalette | undefined {
  const indices = new Map<number, number>()
  for (const { data } of frames) {
    for (let i = 0; i < data.length; i += 3) {
      const color = packed(data, i)
      if (indices.has(color)) continue
      if (indices.size === MAX_COLORS) return undefined
      indices.set(color, indices.size)
    }
  }
  return {
    palette: [...indices.keys()].map((color) => [color >> 16, (color >> 8) & 255, color & 255]),
    indexOf: ({ data }) => Uint8Array.from({ length: data.length / 3 }, (_, i) => indices.get(packed(data, i * 3))!),
  }
}

function packed(rgb: Uint8Array, at: number): number {
  return (rgb[at]! << 16) | (rgb[at + 1]! << 8) | rgb[at + 2]!
}

/** Every n-th pixel of all frames, as RGBA. n is odd, or an even width would be sampled in some columns only. */
function samplePixels(frames: readonly RgbImage[]): Uint8Array {
  const { width, height } = frames[0]!
  const size = width * height
  const step = Math.max(1, Math.floor((size * frames.length) / SAMPLED_PIXELS)) | 1
  const count = Math.ceil((size * frames.length) / step)
  const rgba = new Uint8Array(count * 4).fill(255)
  for (let i = 0; i < count; i++) {
    const at = i * step
    const pixel = (at % size) * 3
    rgba.set(frames[Math.floor(at / size)]!.data.subarray(pixel, pixel + 3), i * 4)
  }
  return rgba
}

function toRgba(rgb: Uint8Array): Uint8Array {
  const rgba = new Uint8Array((rgb.length / 3) * 4)
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    rgba[to] = rgb[from]!
    rgba[to + 1] = rgb[from + 1]!
    rgba[to + 2] = rgb[from + 2]!
    rgba[to + 3] = 255
  }
  return rgba
}
