import type { MultiViewBatch } from '../../core/batches.ts'
import type { FrameWindow } from '../../core/encoder-input.ts'
import { SINGLE_FRAME } from '../../core/encoder-input.ts'
import { ArmatureError } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'
import type { Rng } from '../../core/rng.ts'
import type { Augmentation } from '../augment.ts'
import type { EpisodeSource } from '../episode-source.ts'
import { FrameRows } from './frame-rows.ts'
import { Positions } from './positions.ts'
import type { Draw } from './sampler.ts'
import { sized } from './sampler.ts'

export interface MultiViewOptions {
  /** Frames of the same shape; default: all of the source. */
  readonly cameras?: readonly string[]
  /** Default none. */
  readonly augment?: readonly Augmentation[]
  /** Whether all views of a moment are augmented alike; false: each by draws of its own, so that no view tells how another looks. Default true. */
  readonly augmentTogether?: boolean
  /** Frames of each moment; default its own alone. Every window lies within its episode, and those of one episode do not overlap. */
  readonly window?: FrameWindow
  /**
   * Moments of one episode that stand together in a batch, at different times; default 1: each moment from an episode of its own. An
   * episode that is too short for so many gives as many as it has.
   */
  readonly rowsPerEpisode?: number
}

/** Moments seen by several cameras. @throws ArmatureError `bad-shape` for cameras whose frames differ in shape. */
export function multiViewSampler(
  source: EpisodeSource,
  options: MultiViewOptions,
  rng: Rng,
  seeds: Rng,
): Draw<MultiViewBatch> {
  const { cameras = Object.keys(source.cameras), augment = [], augmentTogether = true, window = SINGLE_FRAME } = options
  const views = cameras.map((camera) => new FrameRows(source, { camera, augment }))
  const shapes = new Set(views.map(({ frameShape }) => frameShape.join(' x ')))
  if (shapes.size !== 1) {
    throw new ArmatureError('bad-shape', `cameras ${cameras.join(', ')}`, {
      expected: 'at least one, and frames of one shape',
      got: [...shapes].join(', ') || 'none',
    })
  }
  const frameShape = views[0]!.frameShape
  const moments = new Moments(source, options, rng)
  const own = { frames: new Uint8Array(0), episodes: new Int32Array(0) }
  return {
    frameShape,
    draw: (count) => {
      moments.draw(count)
      const { episodes, times } = moments
      const seed = seeds.nextSeed()
      const rows = count * window.frames
      own.frames = sized(own.frames, views.length * rows * sizeOf(frameShape))
      own.episodes = sized(own.episodes, count)
      for (let i = 0; i < count; i++) own.episodes[i] = source.infoOf(episodes[i]!).index
      views.forEach((frames, view) => {
        frames.resize(rows)
        for (let row = 0; row < rows; row++) {
          const [moment, back] = [Math.floor(row / window.frames), window.frames - 1 - (row % window.frames)]
          frames.copy(row, episodes[moment]!, times[moment]! - back * window.stride)
        }
        const look = augmentTogether || view === 0 ? seed : seeds.nextSeed()
        own.frames.set(frames.take(rows, look, window.frames), view * rows * sizeOf(frameShape))
      })
      return { count, views: views.length, cameras, window: window.frames, ...own, times }
    },
  }
}

/** Draws moments: groups of one episode, at times as far from each other as a window is long. */
class Moments {
  /** Drawn last, [count]: numbers of the source, and the last observation of each window. */
  episodes: Int32Array = new Int32Array(0)
  times: Int32Array = new Int32Array(0)
  readonly #source: EpisodeSource
  readonly #rng: Rng
  readonly #span: number
  readonly #together: number
  /** Where the first window of each group lies says which episode it is of. */
  readonly #windows: Positions

  constructor(source: EpisodeSource, { window = SINGLE_FRAME, rowsPerEpisode = 1 }: MultiViewOptions, rng: Rng) {
    for (const [what, value] of Object.entries({ ...window, rowsPerEpisode })) {
      if (Number.isInteger(value) && value >= 1) continue
      throw new ArmatureError('bad-argument', `${what} of a multi-view batch`, {
        expected: 'a whole number >= 1',
        got: String(value),
      })
    }
    this.#source = source
    this.#rng = rng
    this.#span = (window.frames - 1) * window.stride + 1
    this.#together = rowsPerEpisode
    this.#windows = new Positions(source, this.#span, rng)
  }

  /** @throws ArmatureError `bad-argument` where no episode is long enough. */
  draw(count: number): void {
    this.episodes = sized(this.episodes, count)
    this.times = sized(this.times, count)
    for (let row = 0; row < count;) {
      this.#windows.draw(1)
      const episode = this.#windows.episodes[0]!
      const starts = this.#source.lengthOf(episode) - this.#span + 1
      const fits = Math.floor((starts - 1) / this.#span) + 1
      const rows = Math.min(this.#together, fits, count - row)
      for (const start of this.#spread(starts, rows)) {
        this.episodes[row] = episode
        this.times[row++] = start + this.#span - 1
      }
    }
  }

  /** `rows` numbers below `starts` in random order, at least a window apart: all such choices are equally likely. */
  #spread(starts: number, rows: number): number[] {
    const free = starts - (rows - 1) * (this.#span - 1)
    const chosen = new Set<number>()
    // Floyd's algorithm: distinct numbers with as many draws.
    for (let last = free - rows; last < free; last++) {
      const drawn = this.#rng.int(last + 1)
      chosen.add(chosen.has(drawn) ? last : drawn)
    }
    const sorted = [...chosen].toSorted((a, b) => a - b).map((start, i) => start + i * (this.#span - 1))
    return this.#rng.shuffle(sorted)
  }
}
