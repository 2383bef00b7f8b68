import type { Dataset, EpisodeData } from '../core/dataset.ts'

/** Height, width, channels. */
export type FrameShape = readonly [height: number, width: number, channels: number]

/** A part of a frame, in its pixels. */
export type Crop = readonly [top: number, left: number, height: number, width: number]

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

/**
 * The dataset with the frames and goal images of one camera at another size: whole frames, or what a crop leaves of them, each pixel the
 * mean of the area that it covers.
 */
export function resizedDataset(dataset: Dataset, camera: string, shape: FrameShape, crop?: Crop): Dataset {
  const space = dataset.spec.cameras[camera]
  if (space === undefined || (crop === undefined && space.shape.join() === shape.join())) return dataset
  const from = space.shape as unknown as FrameShape
  const spec = { ...dataset.spec, cameras: { ...dataset.spec.cameras, [camera]: { ...space, shape: [...shape] } } }
  const resized = <T extends Readonly<Record<string, Uint8Array>>>(images: T): T =>
    images[camera] === undefined ? images : { ...images, [camera]: resizeFrames(images[camera], from, shape, crop) }
  return {
    path: dataset.path,
    spec,
    episodes: dataset.episodes,
    get problems() {
      return dataset.problems
    },
    readEpisode: async (index, cameras): Promise<EpisodeData> => {
      const data = await dataset.readEpisode(index, cameras)
      const { goalImages } = data
      return { ...data, images: resized(data.images), ...(goalImages && { goalImages: resized(goalImages) }) }
    },
  }
}

/**
 * Frames uint8 [count, ...from], or what `crop` leaves of them, at another size, [count, ...to]: each pixel is the mean of the area that it
 * covers, rounded. Both have as many channels.
 */
export function resizeFrames(frames: Uint8Array, from: FrameShape, to: FrameShape, crop?: Crop): Uint8Array {
  if (crop !== undefined) return resizeFrames(cropFrames(frames, from, crop), [crop[2], crop[3], from[2]], to)
  if (from.join() === to.join()) return frames
  const [height, width, channels] = from
  const [toHeight, toWidth] = to
  const size = height * width * channels
  const count = frames.length / size
  const out = new Uint8Array(count * toHeight * toWidth * channels)
  const rows = sharesOf(height, toHeight)
  const columns = sharesOf(width, toWidth)
  const narrow = new Float32Array(height * toWidth * channels)
  for (let frame = 0; frame < count; frame++) {
    averageRows(frames.subarray(frame * size, (frame + 1) * size), narrow, columns, { rows: height, width, channels })
    averageColumns(narrow, out, frame * toHeight * toWidth * channels, rows, toWidth * channels)
  }
  return out
}

function cropFrames(frames: Uint8Array, [height, width, channels]: FrameShape, crop: Crop): Uint8Array {
  const [top, left, rows, columns] = crop
  const count = frames.length / (height * width * channels)
  const out = new Uint8Array(count * rows * columns * channels)
  for (let row = 0; row < count * rows; row++) {
    const frame = Math.floor(row / rows)
    const start = ((frame * height + top + (row % rows)) * width + left) * channels
    out.set(frames.subarray(start, start + columns * channels), row * columns * channels)
  }
  return out
}

/** For each new pixel of a line: the first old one that it covers, and the share of each in its mean. */
type Shares = readonly { readonly first: number; readonly weights: Float32Array }[]

function sharesOf(size: number, toSize: number): Shares {
  const step = size / toSize
  return Array.from({ length: toSize }, (_, i) => {
    const [low, high] = [i * step, (i + 1) * step]
    const first = Math.min(size - 1, Math.floor(low + 1e-9))
    const last = Math.min(size - 1, Math.max(first, Math.ceil(high - 1e-9) - 1))
    const weights = Float32Array.from({ length: last - first + 1 }, (_unused, k) => {
      return (Math.min(high, first + k + 1) - Math.max(low, first + k)) / step
    })
    return { first, weights }
  })
}

function averageRows(
  frame: Uint8Array,
  narrow: Float32Array,
  columns: Shares,
  { rows, width, channels }: { readonly rows: number; readonly width: number; readonly channels: number },
): void {
  let at = 0
  for (let y = 0; y < rows; y++) {
    for (const { first, weights } of columns) {
      const start = (y * width + first) * channels
      for (let c = 0; c < channels; c++) {
        let sum = 0
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * frame[start + k * channels + c]!
        narrow[at++] = sum
      }
    }
  }
}

function averageColumns(narrow: Float32Array, out: Uint8Array, start: number, rows: Shares, rowSize: number): void {
  let at = start
  for (const { first, weights } of rows) {
    for (let x = 0; x < rowSize; x++) {
      let sum = 0
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * narrow[(first + k) * rowSize + x]!
      out[at++] = Math.round(sum)
    }
  }
}
