import { setImmediate } from 'node:timers/promises'
import type { Batches, BatchKind } from '../core/batches.ts'
import { requireWhole, requireWholeOrInfinity } from '../core/checks.ts'
import type { LearningEncoder } from '../core/encoder.ts'
import type { Metrics } from '../core/ndarray.ts'

/** Where an encoder's batches come from; each call draws one, and may overwrite the arrays of the one before. */
export interface PretrainData<K extends BatchKind = BatchKind> {
  training(): Batches[K]
  /** Held out. */
  validation(): Batches[K]
}

export interface PretrainOptions {
  /** Gradient steps in all. */
  readonly updates: number
  /** Steps done before, by a run that is gone on with; default 0. */
  readonly done?: number
  /** Updates between rows of metrics. */
  readonly logEvery: number
  readonly onMetrics?: (update: number, metrics: Metrics) => void | Promise<void>
  /** After each update, once its metrics are out. */
  readonly onUpdate?: (done: number) => void | Promise<void>
  readonly signal?: AbortSignal
}

/**
 * Trains an encoder and reports its terms, on training and on held-out batches.
 * @returns updates done: fewer than asked for where `signal` aborted, which it does between two of them
 */
export async function pretrainEncoder<K extends BatchKind>(
  encoder: LearningEncoder<K>,
  data: PretrainData<K>,
  options: PretrainOptions,
): Promise<number> {
  const { updates, done = 0, logEvery, signal } = options
  requireWhole('updates', updates, 0)
  requireWhole('updates done', done, 0)
  requireWholeOrInfinity('logEvery', logEvery, 1)
  for (let update = done + 1; update <= updates; update++) {
    // An encoder may answer without ever leaving the microtask queue: Ctrl-C gets its turn here.
    await setImmediate()
    if (signal?.aborted) return update - 1
    const metrics = await encoder.update(data.training())
    if (update % logEvery === 0 || update === updates) {
      const validation = await encoder.evaluate(data.validation())
      await options.onMetrics?.(update, {
        ...prefixed('embed/', metrics),
        ...prefixed('embed/validation_', validation),
      })
    }
    await options.onUpdate?.(update)
  }
  return Math.max(done, updates)
}

/** Metrics with `prefix` before each name. */
export function prefixed(prefix: string, metrics: Metrics): Metrics {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [prefix + name, value]))
}
