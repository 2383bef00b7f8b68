import type { DatasetSpec, EpisodeData } from '../../core/dataset.ts'
import { sizeOf } from '../../core/ndarray.ts'
import { vectorsOf } from './columns.ts'
import { COLUMNS } from './layout.ts'

const QUANTILES = { q01: 0.01, q10: 0.1, q50: 0.5, q90: 0.9, q99: 0.99 } as const
/** Quantiles of vectors come from at most twice so many rows, evenly spread. */
const SAMPLED_ROWS = 5000
/** Of each episode, every so many frames count, and the first. */
const FRAME_STRIDE = 10

/** Columns of one number a row: LeRobot's loader asks for all features. */
const SCALARS: readonly string[] = [
  COLUMNS.done,
  COLUMNS.truncated,
  COLUMNS.success,
  COLUMNS.isLast,
  COLUMNS.timestamp,
  COLUMNS.frameIndex,
  COLUMNS.episodeIndex,
  COLUMNS.index,
  COLUMNS.taskIndex,
]

/** One entry of stats.json. */
export type FeatureStatistics = Readonly<Record<string, unknown>>

/** Collects the statistics that LeRobot normalises by while episodes are written: exact moments and extremes, sampled quantiles. */
export class DatasetStatistics {
  readonly #vectors: Readonly<Record<string, VectorStatistics>>
  readonly #images: Readonly<Record<string, ImageStatistics>>

  constructor(spec: DatasetSpec) {
    const vectors = Object.entries(vectorsOf(spec)).map(([name, { shape }]) => [
      name,
      new VectorStatistics(sizeOf(shape)),
    ])
    const scalars = [COLUMNS.reward, ...SCALARS].map((name) => [name, new VectorStatistics(1)])
    this.#vectors = Object.fromEntries([...vectors, ...scalars]) as Readonly<Record<string, VectorStatistics>>
    const images = Object.keys(spec.cameras).map((camera) => [camera, new ImageStatistics(3, 255, 255)] as const)
    const depth = Object.keys(spec.depthCameras ?? {}).map((name) => [name, new ImageStatistics(1, 65_535, 1)] as const)
    this.#images = Object.fromEntries([...images, ...depth])
  }

  /** @param scalars flags, numbers and times of the rows, by column */
  add(
    { info, images, depth, proprio, state, actions, rewards }: EpisodeData,
    scalars: Readonly<Record<string, ArrayLike<number>>>,
  ): void {
    const byColumn: Readonly<Record<string, ArrayLike<number>>> = {
      ...scalars,
      [COLUMNS.proprio]: proprio,
      [COLUMNS.state]: state,
      [COLUMNS.action]: actions,
      [COLUMNS.reward]: rewards,
    }
    for (const [column, statistics] of Object.entries(this.#vectors)) statistics.add(byColumn[column]!)
    for (const [camera, statistics] of Object.entries(this.#images)) {
      const frames = images[camera] ?? depth![camera]!
      const size = frames.length / info.length
      for (let t = 0; t < info.length; t += FRAME_STRIDE) statistics.add(frames.subarray(t * size, (t + 1) * size))
    }
  }

  /** What stats.json holds; features without a value are left out. */
  summary(): Record<string, FeatureStatistics> {
    const images = Object.entries(this.#images).map(
      ([camera, statistics]) => [`${COLUMNS.imagePrefix}${camera}`, statistics.summary()] as const,
    )
    const vectors = Object.entries(this.#vectors).map(([column, statistics]) => [column, statistics.summary()] as const)
    return Object.fromEntries(
      [...images, ...vectors].filter((entry): entry is [string, FeatureStatistics] => entry[1] !== undefined),
    )
  }
}

/** Of rows of `size` numbers. Moments by Welford's method. */
class VectorStatistics {
  readonly #size: number
  #count = 0
  readonly #mean: Float64Array
  readonly #squares: Float64Array
  readonly #min: Float64Array
  readonly #max: Float64Array
  /** Every `#stride`-th row. */
  #sample: Float64Array[] = []
  #stride = 1

  constructor(size: number) {
    this.#size = size
    this.#mean = new Float64Array(size)
    this.#squares = new Float64Array(size)
    this.#min = new Float64Array(size).fill(Infinity)
    this.#max = new Float64Array(size).fill(-Infinity)
  }

  add(rows: ArrayLike<number>): void {
    for (let start = 0; start < rows.length; start += this.#size) {
      if (this.#count % this.#stride === 0)
        this.#keep(Float64Array.from({ length: this.#size }, (_, i) => rows[start + i]!))
      this.#count++
      for (let i = 0; i < this.#size; i++) {
        const x = rows[start + i]!
        const delta = x - this.#mean[i]!
        this.#mean[i]! += delta / this.#count
        this.#squares[i]! += delta * (x - this.#mean[i]!)
        this.#min[i] = Math.min(this.#min[i]!, x)
        this.#max[i] = Math.max(this.#max[i]!, x)
      }
    }
  }

  #keep(row: Float64Array): void {
    this.#sample.push(row)
    if (this.#sample.length < 2 * SAMPLED_ROWS) return
    this.#sample = this.#sample.filter((_, i) => i % 2 === 0)
    this.#stride *= 2
  }

  summary(): FeatureStatistics | undefined {
    if (this.#count === 0) return undefined
    const sorted = Array.from({ length: this.#size }, (_, i) =>
      Float64Array.from(this.#sample, (row) => row[i]!).toSorted(),
    )
    const quantiles = Object.entries(QUANTILES).map(([name, q]) => [
      name,
      sorted.map((values) => values[Math.round(q * (values.length - 1))]!),
    ])
    return {
      min: [...this.#min],
      max: [...this.#max],
      mean: [...this.#mean],
      std: Array.from(this.#squares, (sum) => Math.sqrt(sum / this.#count)),
      count: [this.#count],
      ...(Object.fromEntries(quantiles) as Record<string, number[]>),
    }
  }
}

/**
 * Of frames as LeRobot gives them to a policy: per channel, RGB from 0 to 1, depth as it is, shaped [channels, 1, 1]. Exact for the frames
 * that it saw.
 */
class ImageStatistics {
  #frames = 0
  readonly #histograms: readonly Float64Array[]
  /** What a value is divided by. */
  readonly #unit: number

  constructor(channels: number, largest: number, unit: number) {
    this.#histograms = Array.from({ length: channels }, () => new Float64Array(largest + 1))
    this.#unit = unit
  }

  add(frame: Uint8Array | Uint16Array): void {
    this.#frames++
    const channels = this.#histograms.length
    for (let i = 0; i < frame.length; i++) this.#histograms[i % channels]![frame[i]!]!++
  }

  summary(): FeatureStatistics | undefined {
    if (this.#frames === 0) return undefined
    const channels = this.#histograms.map((histogram) => summarizeHistogram(histogram, this.#unit))
    const shaped = Object.keys(channels[0]!).map((name) => [name, channels.map((channel) => [[channel[name]!]])])
    return { ...(Object.fromEntries(shaped) as Record<string, number[][][]>), count: [this.#frames] }
  }
}

function summarizeHistogram(histogram: Float64Array, unit: number): Record<string, number> {
  const total = histogram.reduce((sum, n) => sum + n, 0)
  const mean = histogram.reduce((sum, n, value) => sum + n * value, 0) / total
  const variance = histogram.reduce((sum, n, value) => sum + n * (value - mean) ** 2, 0) / total
  const quantile = (q: number): number => {
    let below = 0
    for (let value = 0; value < histogram.length; value++) {
      below += histogram[value]!
      if (below > 0 && below >= q * total) return value / unit
    }
    return (histogram.length - 1) / unit
  }
  const quantiles = Object.entries(QUANTILES).map(([name, q]) => [name, quantile(q)])
  return {
    min: quantile(0),
    max: quantile(1),
    mean: mean / unit,
    std: Math.sqrt(variance) / unit,
    ...(Object.fromEntries(quantiles) as Record<string, number>),
  }
}
