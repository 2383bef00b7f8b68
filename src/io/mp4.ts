import { createRequire } from 'node:module'
import type { H264MP4Encoder } from 'h264-mp4-encoder'
import { ArmatureError } from '../core/errors.ts'
import type { RgbImage } from './image.ts'
import { requireFrames } from './image.ts'
import { withKeyFrames } from './mp4-key-frames.ts'

/** More is a mistake in all likelihood. */
export const MAX_MP4_FPS = 240
/** 10 is best, 51 worst; at 20 the edges of flat colours stay clean. */
const QUANTIZATION = 20
/** From 0, best compression, to 10. */
const SPEED = 5

/**
 * An MP4 video, H.264 (Baseline, yuv420p), that browsers, players and robot datasets read. Colours are stored at half the resolution,
 * so an odd width or height is made even by doubling the last column or row. Equal frames give equal bytes.
 *
 * @param fps frames per second
 * @throws ArmatureError `bad-argument` for no frames or fps outside 0 .. 240; `bad-shape` when frames differ in size.
 */
export async function encodeMp4(frames: readonly RgbImage[], fps: number): Promise<Uint8Array> {
  const first = requireFrames(frames, 'MP4')
  if (!(fps > 0 && fps <= MAX_MP4_FPS)) {
    throw new ArmatureError('bad-argument', 'MP4', { expected: `fps in (0, ${MAX_MP4_FPS}]`, got: String(fps) })
  }
  const encoder = await createEncoder()
  try {
    encoder.width = toEven(first.width)
    encoder.height = toEven(first.height)
    encoder.frameRate = fps
    encoder.quantizationParameter = QUANTIZATION
    encoder.speed = SPEED
    encoder.initialize()
    const rgba = new Uint8Array(encoder.width * encoder.height * 4)
    for (const frame of frames) encoder.addFrameRgba(evenRgba(frame, rgba, encoder.width, encoder.height))
    encoder.finalize()
    // A copy: the encoder's files live in the memory of its WebAssembly.
    const video = encoder.FS.readFile(encoder.outputFilename).slice()
    encoder.FS.unlink(encoder.outputFilename)
    return withKeyFrames(video)
  } finally {
    encoder.delete()
  }
}

/** Loaded when first needed: a megabyte of WebAssembly as text. */
function createEncoder(): Promise<H264MP4Encoder> {
  const events = ['uncaughtException', 'unhandledRejection'] as const
  const before = events.map((event) => process.listeners(event as 'uncaughtException'))
  const module = createRequire(import.meta.url)('h264-mp4-encoder') as typeof import('h264-mp4-encoder')
  // While it loads, Emscripten's start-up code listens for errors of the whole process, which are not its business. Nothing else has run
  // since `before`: what is new is its own.
  for (const [i, event] of events.entries()) {
    for (const listener of process.listeners(event as 'uncaughtException')) {
      if (!before[i]!.includes(listener)) process.off(event, listener)
    }
  }
  return module.createH264MP4Encoder()
}

function toEven(size: number): number {
  return size + (size % 2)
}

/** `frame` as RGBA into `out` of `width` x `height`, its last column and row repeated where they are missing. */
function evenRgba(frame: RgbImage, out: Uint8Array, width: number, height: number): Uint8Array {
  for (let y = 0, to = 0; y < height; y++) {
    const row = Math.min(y, frame.height - 1) * frame.width
    for (let x = 0; x < width; x++, to += 4) {
      const from = (row + Math.min(x, frame.width - 1)) * 3
      out[to] = frame.data[from]!
      out[to + 1] = frame.data[from + 1]!
      out[to + 2] = frame.data[from + 2]!
      out[to + 3] = 255
    }
  }
  return out
}
