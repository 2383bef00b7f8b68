import type { DecodedFrame } from './frame-stream.ts'

/** Frames of a video file. */
export interface VideoStretch {
  readonly file: string
  /** Column and episode, for errors. */
  readonly what: string
  /** When each frame that is wanted is shown, in seconds of the file, ascending. */
  readonly timesS: Float64Array
  /** Frames a second: a frame belongs to a wanted time when it is less than {@link TOLERANCE} of one away. */
  readonly fps: number
  /** What the frames must measure; a last column or row may be there besides, as codecs want even sizes. */
  readonly width: number
  readonly height: number
}

/** Of the time between two frames. Half would let one frame stand for two. */
const TOLERANCE = 0.45

/** Takes decoded frames in the order of their times and keeps, for each wanted time, the nearest. */
export class FrameSink {
  /** What must be decoded, in seconds of the file. */
  readonly fromS: number
  readonly toS: number
  readonly #stretch: VideoStretch
  #out: Uint8Array | undefined
  /** Of the frame kept for each time. */
  readonly #errorsS: Float64Array
  readonly #toleranceS: number

  constructor(stretch: VideoStretch) {
    this.#stretch = stretch
    this.#toleranceS = TOLERANCE / stretch.fps
    this.#errorsS = new Float64Array(stretch.timesS.length).fill(Infinity)
    this.fromS = stretch.timesS[0]! - this.#toleranceS
    this.toS = stretch.timesS.at(-1)! + this.#toleranceS
  }

  /**
   * Keeps a frame where it is the best yet for a wanted time.
   * @throws Error for a frame of another size.
   */
  async offer(frame: DecodedFrame): Promise<void> {
    const { timesS, width, height } = this.#stretch
    const t = nearest(timesS, frame.timeS)
    const errorS = Math.abs(frame.timeS - timesS[t]!)
    if (errorS > this.#toleranceS || errorS >= this.#errorsS[t]!) return
    const spare = [frame.width - width, frame.height - height]
    if (spare.some((pixels) => pixels !== 0 && pixels !== 1)) {
      throw new Error(`a video of ${frame.width}x${frame.height} instead of ${width}x${height}`)
    }
    this.#errorsS[t] = errorS
    // Not before a frame has the size that was declared: that is what a damaged folder may say anything of.
    this.#out ??= new Uint8Array(timesS.length * width * height * 3)
    copyRgb(await frame.pixels(), frame, this.#out.subarray(t * width * height * 3), [height, width])
  }

  /**
   * All frames, [times, height, width, 3].
   * @throws Error that names the first time without a frame.
   */
  frames(): Uint8Array {
    this.#requireAll()
    return this.#out!
  }

  /** Whether every time has its frame. */
  get isComplete(): boolean {
    return this.#errorsS.every(Number.isFinite)
  }

  #requireAll(): void {
    const missing = this.#errorsS.indexOf(Infinity)
    if (missing < 0) return
    const { timesS } = this.#stretch
    const found = this.#errorsS.filter(Number.isFinite).length
    const needed = `${timesS.length} frames from ${timesS[0]!.toFixed(3)} to ${timesS.at(-1)!.toFixed(3)} s`
    throw new Error(`${found} of ${needed}, none at ${timesS[missing]!.toFixed(3)} s (row ${missing})`)
  }
}

/** Leaves out a last column or row that is there besides, and what is not RGB. */
function copyRgb(
  pixels: Uint8Array,
  { width: rowPixels, channels }: DecodedFrame,
  out: Uint8Array,
  [height, width]: readonly [number, number],
): void {
  for (let y = 0, to = 0; y < height; y++) {
    let from = y * rowPixels * channels
    if (channels === 3) {
      out.set(pixels.subarray(from, from + width * 3), to)
      to += width * 3
      continue
    }
    for (let x = 0; x < width; x++, from += channels, to += 3) {
      out[to] = pixels[from]!
      out[to + 1] = pixels[from + 1]!
      out[to + 2] = pixels[from + 2]!
    }
  }
}

/** Index of the element of ascending `values` that is nearest to `x`. */
function nearest(values: Float64Array, x: number): number {
  let low = 0
  let high = values.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (values[middle]! < x) low = middle + 1
    else high = middle
  }
  return low > 0 && x - values[low - 1]! < values[low]! - x ? low - 1 : low
}
