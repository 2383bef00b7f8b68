import type { AugmentedPairBatch, ContextBatch, FrameBatch } from '../../core/batches.ts'
import type { Rng } from '../../core/rng.ts'
import type { Augmentation } from '../augment.ts'
import type { EpisodeSource } from '../episode-source.ts'
import type { FrameOptions, Rows } from './frame-rows.ts'
import { FrameRows } from './frame-rows.ts'
import { Positions } from './positions.ts'
import type { Draw } from './sampler.ts'

/** Two views of a frame need augmentations to differ by. */
export interface AugmentedPairOptions extends FrameOptions {
  readonly augment: readonly Augmentation[]
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
export function copyFrames(rows: Rows, positions: Positions, count: number, after = 0): void {
  rows.resize(count)
  for (let i = 0; i < count; i++) rows.copy(i, positions.episodes[i]!, positions.times[i]! + after)
}
