import type { FrameBatch } from '../core/batches.ts'
import type { LearningEncoder } from '../core/encoder.ts'
import type { Metrics } from '../core/ndarray.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { Rng } from '../core/rng.ts'

export interface PretrainOptions {
  readonly updates: number
  readonly batchSize: number
  /** The first `trainCount` frames are learned from, the rest are held out. */
  readonly trainCount: number
  /** Updates between rows of metrics. */
  readonly logEvery: number
  readonly onMetrics?: (update: number, metrics: Metrics) => void
  readonly onProgress?: (done: number) => void
  readonly signal?: AbortSignal
}

/** Draws `batch.count` frames uniformly with replacement from the first `from` of `frames` into `batch.frames`. */
export function sampleFrames(frames: Uint8Array, from: number, batch: FrameBatch, rng: Rng): FrameBatch {
  const size = batch.frames.length / batch.count
  for (let row = 0; row < batch.count; row++) {
    const i = rng.int(from)
    batch.frames.set(frames.subarray(i * size, (i + 1) * size), row * size)
  }
  return batch
}

/** Trains an encoder on frames [count, ...] and reports its terms, on training and on held-out batches. */
export async function pretrainEncoder(
  encoder: LearningEncoder,
  frames: Uint8Array,
  rng: Rng,
  options: PretrainOptions,
): Promise<void> {
  const frameSize = sizeOf(encoder.spec.frameShape)
  const { batchSize, trainCount } = options
  const batch = { frames: new Uint8Array(batchSize * frameSize), count: batchSize }
  const heldOut = frames.subarray(trainCount * frameSize)
  for (let update = 1; update <= options.updates; update++) {
    options.signal?.throwIfAborted()
    const metrics = await encoder.update(sampleFrames(frames, trainCount, batch, rng))
    options.onProgress?.(update)
    if (update % options.logEvery !== 0 && update !== options.updates) continue
    sampleFrames(heldOut, heldOut.length / frameSize, batch, rng)
    const validation = await encoder.evaluate(batch)
    options.onMetrics?.(update, { ...prefixed('embed/', metrics), ...prefixed('embed/validation_', validation) })
  }
}

function prefixed(prefix: string, metrics: Metrics): Metrics {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [prefix + name, value]))
}
