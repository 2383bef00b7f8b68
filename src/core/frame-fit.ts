import { ArmatureError } from './errors.ts'
import { sizeOf } from './ndarray.ts'

/** Height, width, channels. */
export type FrameShape = readonly [height: number, width: number, channels: number]

/** A part of a frame, in its pixels. */
export type Crop = readonly [top: number, left: number, height: number, width: number]

/**
 * How the frames of a camera become those that an encoder looks at: `crop` is cut out, then averaged to `to`, see {@link fitFrames}. It
 * belongs to the encoder: whoever shows it a frame, in learning, in judging it or on a robot, follows it.
 */
export interface FrameFit {
  /** Frames of the camera. */
  readonly from: FrameShape
  /** Absent: all of the frame. */
  readonly crop?: Crop | undefined
  /** Frames of the encoder. */
  readonly to: FrameShape
}

/** Frames up to this are learned from as they are. */
const LARGE_SIDE = 128
/** The longer side of those that are larger. */
const AUTO_SIDE = 96

/** The size that frames are brought to unless another is asked for: as recorded up to 128 pixels a side, else 96 on the longer side. */
export function autoFrameShape([height, width, channels]: FrameShape): FrameShape {
  const longer = Math.max(height, width)
  if (longer <= LARGE_SIDE) return [height, width, channels]
  const scaled = (side: number): number => Math.max(1, Math.round((side * AUTO_SIDE) / longer))
  return [scaled(height), scaled(width), channels]
}

/** The fit that leaves frames as they are. */
export function asTheyAre(shape: FrameShape): FrameFit {
  return { from: shape, to: shape }
}

/** Whether `fit` changes a frame at all. */
export function changesFrames({ from, crop, to }: FrameFit): boolean {
  return crop !== undefined || from.join() !== to.join()
}

/** What the crop of a fit leaves of a frame. */
export function croppedShape({ from, crop }: Pick<FrameFit, 'from' | 'crop'>): FrameShape {
  return crop === undefined ? from : [crop[2], crop[3], from[2]]
}

/** @throws ArmatureError `bad-config` for a crop that leads out of the frame, or another number of channels. */
export function checkFit({ from, crop, to }: FrameFit): void {
  if (from[2] !== to[2]) {
    throw new ArmatureError('bad-config', 'resize', {
      expected: `frames of ${from[2]} channels`,
      got: `${to[2]}`,
    })
  }
  if (crop === undefined) return
  const [top, left, rows, columns] = crop
  if (top + rows <= from[0] && left + columns <= from[1]) return
  throw new ArmatureError('bad-config', 'crop', {
    expected: `[top, left, height, width] within frames of ${from[0]}x${from[1]}`,
    got: `[${crop.join(', ')}]`,
  })
}

/** A camera whose frames are to be fitted, for the text of an error. */
export interface FittedCamera {
  /** e.g. `encoder mine on data/push` */
  readonly what: string
  readonly camera: string
  readonly shape: readonly number[]
  readonly fix: string
}

/**
 * The fit for a camera that may have another size than the one that `fit` was made for. Frames of the encoder's own size are taken as they
 * are; where whole frames were averaged, so are others of the same proportions that are no smaller than the result. Nothing is stretched or
 * enlarged, and a crop is a part of frames of one size.
 * @throws ArmatureError `bad-config` in one line for a camera of any other size
 */
export function fitOfCamera(fit: FrameFit, { what, camera, shape, fix }: FittedCamera): FrameFit {
  const { from, crop, to } = fit
  const seen = shape as FrameShape
  if (seen.join() === from.join()) return fit
  if (crop === undefined && seen.join() === to.join()) return asTheyAre(to)
  const isAveraging = crop === undefined && changesFrames(fit)
  if (isAveraging && isLargerAlike(seen, fit)) return { from: seen, to }
  const others = isAveraging
    ? `, or larger ones of the proportions of ${from.join('x')}, which it averages to that`
    : ''
  const part = crop === undefined ? '' : `, of which it sees the part [${crop.join(', ')}]`
  throw new ArmatureError('bad-config', what, {
    expected: `frames of ${(crop === undefined ? to : from).join('x')}${others}${part}`,
    got: `${shape.join('x')} from camera ${camera}`,
    fix,
  })
}

function isLargerAlike([height, width, channels]: FrameShape, { from, to }: FrameFit): boolean {
  return height * from[1] === width * from[0] && channels === from[2] && height >= to[0] && width >= to[1]
}

/**
 * Frames uint8 [count, ...from] as `fit` says, [count, ...to]: each pixel is the mean of the area that it covers, half a level rounded up.
 * Frames that stay as they are are not copied. Sums are of whole numbers, see {@link averagingOf}, so that a graph in float32 gives the same
 * bytes.
 * @throws ArmatureError `bad-shape` for frames of another size
 */
export function fitFrames(frames: Uint8Array, fit: FrameFit): Uint8Array {
  const { from, crop, to } = fit
  const size = sizeOf(from)
  if (frames.length % size !== 0) {
    throw new ArmatureError('bad-shape', 'frames to fit', {
      expected: `uint8 [${from.join(', ')}] each`,
      got: `${frames.length} bytes`,
    })
  }
  if (!changesFrames(fit)) return frames
  const [top, left, height, width] = crop ?? [0, 0, from[0], from[1]]
  const [rows, columns] = [averagingOf(height, to[0]), averagingOf(width, to[1])]
  const area = rows.total * columns.total
  const toSize = sizeOf(to)
  const out = new Uint8Array((frames.length / size) * toSize)
  const narrow = new Float32Array(height * to[1] * to[2])
  for (let frame = 0; frame * size < frames.length; frame++) {
    const start = frame * size + (top * from[1] + left) * from[2]
    averageRows(frames, start, narrow, columns, { rows: height, width: from[1], channels: from[2] })
    averageColumns(narrow, out, frame * toSize, rows, { rowSize: to[1] * to[2], area })
  }
  return out
}

/** Weights have at most so many steps: 255 times the square of it is below 2^24, up to which float32 holds every whole number. */
const FINEST = 256

/** How a line of pixels is averaged to a shorter one. */
export interface Averaging {
  /** Of each new pixel: the first old one that it covers, and a whole number for each as its weight. */
  readonly pixels: readonly { readonly first: number; readonly weights: Float32Array }[]
  /** What the weights of a new pixel add up to. */
  readonly total: number
}

/**
 * A line of `size` pixels averaged to one of `toSize`: with size / toSize = n / m in lowest terms a new pixel covers n m-ths of an old one, and
 * how many of them lie in an old pixel is its weight. Where n is above 256, borders are rounded to 256ths of a new pixel.
 */
export function averagingOf(size: number, toSize: number): Averaging {
  const common = greatestDivisor(size, toSize)
  const [n, m] = [size / common, toSize / common]
  const total = Math.min(n, FINEST)
  const pixels = Array.from({ length: toSize }, (_, i) => {
    const first = Math.floor((i * n) / m)
    const last = Math.ceil(((i + 1) * n) / m) - 1
    const before = (old: number): number => Math.round((Math.min(n, Math.max(0, old * m - i * n)) * total) / n)
    const weights = Float32Array.from(
      { length: last - first + 1 },
      (_unused, k) => before(first + k + 1) - before(first + k),
    )
    return { first, weights }
  })
  return { pixels, total }
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b)
}

function averageRows(
  frames: Uint8Array,
  from: number,
  narrow: Float32Array,
  { pixels }: Averaging,
  { rows, width, channels }: { readonly rows: number; readonly width: number; readonly channels: number },
): void {
  let at = 0
  for (let y = 0; y < rows; y++) {
    for (const { first, weights } of pixels) {
      const start = from + (y * width + first) * channels
      for (let c = 0; c < channels; c++) {
        let sum = 0
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * frames[start + k * channels + c]!
        narrow[at++] = sum
      }
    }
  }
}

function averageColumns(
  narrow: Float32Array,
  out: Uint8Array,
  start: number,
  { pixels }: Averaging,
  { rowSize, area }: { readonly rowSize: number; readonly area: number },
): void {
  let at = start
  const half = Math.floor(area / 2)
  for (const { first, weights } of pixels) {
    for (let x = 0; x < rowSize; x++) {
      let sum = half
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * narrow[(first + k) * rowSize + x]!
      out[at++] = Math.floor(sum / area)
    }
  }
}
