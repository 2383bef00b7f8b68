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
  readonly #out: Uint8Array
  /** Of the frame kept for each time. */
  readonly #errorsS: Float64Array
  readonly #toleranceS: number

  constructor(stretch: VideoStretch, out: Uint8Array) {
    this.#stretch = stretch
    this.#out = out
    this.#toleranceS = TOLERANCE / stretch.fps
    this.#errorsS = new Float64Array(stretch.timesS.length).fill(Infinity)
    this.fromS = stretch.timesS[0]! - this.#toleranceS
    this.toS = stretch.timesS.at(-1)! + this.#toleranceS
  }

  /**
   * The wanted time that a frame shown at `timeS` is the best yet for, as its index; undefined where it is not needed. The caller then
   * gives its pixels to {@link store}.
   * @throws Error for a frame of another size.
   */
  take(timeS: number, width: number, height: number): number | undefined {
    const t = nearest(this.#stretch.timesS, timeS)
    const errorS = Math.abs(timeS - this.#stretch.timesS[t]!)
    if (errorS > this.#toleranceS || errorS >= this.#errorsS[t]!) return undefined
    const spare = [width - this.#stretch.width, height - this.#stretch.height]
    if (spare.some((pixels) => pixels !== 0 && pixels !== 1)) {
      throw new Error(`a video of ${width}x${height} instead of ${this.#stretch.width}x${this.#stretch.height}`)
    }
    this.#errorsS[t] = errorS
    return t
  }

  /** @param pixels rows of `rowPixels` pixels of `channels` bytes, of which the first three are RGB */
  store(t: number, pixels: Uint8Array, rowPixels: number, channels: number): void {
    const { width, height } = this.#stretch
    for (let y = 0, to = t * width * height * 3; y < height; y++) {
      let from = y * rowPixels * channels
      for (let x = 0; x < width; x++, from += channels, to += 3) {
        this.#out[to] = pixels[from]!
        this.#out[to + 1] = pixels[from + 1]!
        this.#out[to + 2] = pixels[from + 2]!
      }
    }
  }

  /** Whether every time has its frame. */
  get isComplete(): boolean {
    return this.#errorsS.every(Number.isFinite)
  }

  /** @throws Error that names the first time without a frame. */
  requireAll(): void {
    const missing = this.#errorsS.indexOf(Infinity)
    if (missing < 0) return
    const { timesS } = this.#stretch
    const found = this.#errorsS.filter(Number.isFinite).length
    const needed = `${timesS.length} frames from ${timesS[0]!.toFixed(3)} to ${timesS.at(-1)!.toFixed(3)} s`
    throw new Error(`${found} of ${needed}, none at ${timesS[missing]!.toFixed(3)} s (row ${missing})`)
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
