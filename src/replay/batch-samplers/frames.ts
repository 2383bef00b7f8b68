import type { AugmentedPairBatch, ContextBatch, FrameBatch, MultiViewBatch } from '../../core/batches.ts'
import { ArmatureError } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'
import type { Rng } from '../../core/rng.ts'
import type { Augmentation } from '../augment.ts'
import type { EpisodeSource } from '../episode-source.ts'
import type { FrameOptions } from './frame-rows.ts'
import { FrameRows } from './frame-rows.ts'
import { Positions } from './positions.ts'
import type { Draw } from './sampler.ts'
import { episodeIds, sized } from './sampler.ts'

/** Two views of a frame need augmentations to differ by. */
export interface AugmentedPairOptions extends FrameOptions {
  readonly augment: readonly Augmentation[]
}

export interface MultiViewOptions {
  /** Frames of the same shape; default: all of the source. */
  readonly cameras?: readonly string[]
  /** Applied to all views of a moment alike; default none. */
  readonly augment?: readonly Augmentation[]
}

/** Single frames. */
export function frameSampler(source: EpisodeSource, options: FrameOptions, rng: Rng, seeds: Rng): Draw<FrameBatch> {
  const positions = new Positions(source, 1, rng)
  const rows = new FrameRows(source, options)
  return {
    frameShape: rows.frameShape,
    draw: (count) => {
      positions.draw(count)
      copyFrames(rows, positions, count)
      return { count, frames: rows.take(count, seeds.nextSeed()) }
    },
  }
}

/** Two differently augmented copies of single frames. */
export function augmentedPairSampler(
  source: EpisodeSource,
  options: AugmentedPairOptions,
  rng: Rng,
  seeds: Rng,
): Draw<AugmentedPairBatch> {
  const positions = new Positions(source, 1, rng)
  const [first, second] = [new FrameRows(source, options), new FrameRows(source, options)]
  return {
    frameShape: first.frameShape,
    draw: (count) => {
      positions.draw(count)
      copyFrames(first, positions, count)
      copyFrames(second, positions, count)
      return { count, first: first.take(count, seeds.nextSeed()), second: second.take(count, seeds.nextSeed()) }
    },
  }
}

/** Frames of several cameras at the same moments. @throws ArmatureError `bad-shape` for cameras whose frames differ in shape. */
export function multiViewSampler(
  source: EpisodeSource,
  options: MultiViewOptions,
  rng: Rng,
  seeds: Rng,
): Draw<MultiViewBatch> {
  const { cameras = Object.keys(source.cameras), augment = [] } = options
  const positions = new Positions(source, 1, rng)
  const views = cameras.map((camera) => new FrameRows(source, { camera, augment }))
  const shapes = new Set(views.map(({ frameShape }) => frameShape.join(' x ')))
  if (shapes.size !== 1) {
    throw new ArmatureError('bad-shape', `cameras ${cameras.join(', ')}`, {
      expected: 'at least one, and frames of one shape',
      got: [...shapes].join(', ') || 'none',
    })
  }
  const frameShape = views[0]!.frameShape
  const own = { frames: new Uint8Array(0), episodes: new Int32Array(0) }
  return {
    frameShape,
    draw: (count) => {
      positions.draw(count)
      const seed = seeds.nextSeed()
      own.frames = sized(own.frames, views.length * count * sizeOf(frameShape))
      own.episodes = episodeIds(source, positions, own.episodes)
      views.forEach((rows, view) => {
        copyFrames(rows, positions, count)
        own.frames.set(rows.take(count, seed), view * count * sizeOf(frameShape))
      })
      return { count, views: views.length, ...own, times: positions.times }
    },
  }
}

/** Frames, each with the first of its episode, augmented alike. */
export function contextSampler(source: EpisodeSource, options: FrameOptions, rng: Rng, seeds: Rng): Draw<ContextBatch> {
  const positions = new Positions(source, 1, rng)
  const [context, frames] = [new FrameRows(source, options), new FrameRows(source, options)]
  return {
    frameShape: frames.frameShape,
    draw: (count) => {
      positions.draw(count)
      const seed = seeds.nextSeed()
      copyFrames(frames, positions, count)
      context.resize(count)
      for (let i = 0; i < count; i++) context.copy(i, positions.episodes[i]!, 0)
      return { count, context: context.take(count, seed), frames: frames.take(count, seed) }
    },
  }
}

/** Copies the observation `after` each of the positions. */
export function copyFrames(rows: FrameRows, positions: Positions, count: number, after = 0): void {
  rows.resize(count)
  for (let i = 0; i < count; i++) rows.copy(i, positions.episodes[i]!, positions.times[i]! + after)
}
