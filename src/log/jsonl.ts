import type { Metrics } from '../core/ndarray.ts'
import { AppendFile } from './append-file.ts'
import type { LogSink } from './sink.ts'

/** Metrics of this family measure the machine, not the method, and differ from run to run, e.g. `time/fps`. */
const TIMING_PREFIX = 'time/'

/** Which metrics a JSONL file takes: those that a seed reproduces, or the timings. */
export type JsonlContent = 'reproducible' | 'timings'

/**
 * One line `{"step": 1000, "train/critic_loss": 0.1}` for each call that brings at least one metric of its kind. Numbers are
 * written so that they read back equal; JSON has no NaN or infinity, they become null.
 */
export class JsonlSink implements LogSink {
  readonly #file: AppendFile
  readonly #timings: boolean

  /** @throws ArmatureError as {@link AppendFile}. */
  constructor(path: string, content: JsonlContent, keepBytes = 0) {
    this.#file = new AppendFile(path, keepBytes)
    this.#timings = content === 'timings'
  }

  scalars(step: number, metrics: Metrics): void {
    const own = Object.entries(metrics).filter(([name]) => name.startsWith(TIMING_PREFIX) === this.#timings)
    if (own.length > 0) this.#file.append(`${JSON.stringify({ step, ...Object.fromEntries(own) })}\n`)
  }

  sync(): { file: string; bytes: number } {
    return this.#file.sync()
  }

  close(): void {
    this.#file.close()
  }
}
