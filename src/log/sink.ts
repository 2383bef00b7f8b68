import type { Metrics } from '../core/ndarray.ts'

/** The time in milliseconds since the epoch. Library code takes it as an argument: `Date.now` in the CLI, a fake in tests. */
export type Clock = () => number

/** A picture for the log, already encoded. */
export interface LoggedImage {
  /** A PNG file of an RGB image. */
  readonly png: Uint8Array
  readonly width: number
  readonly height: number
}

/** One finished training episode. */
export interface EpisodeSummary {
  /** Undiscounted sum of the env's own rewards. */
  readonly return: number
  /** Env steps. */
  readonly length: number
}

/** One destination of a {@link RunLogger}. A sink leaves out what it has no place for. */
export interface LogSink {
  /** Scalars at an env step. */
  scalars?(step: number, metrics: Metrics): void
  image?(step: number, name: string, image: LoggedImage): void
  episode?(episode: EpisodeSummary): void
  /** Makes everything so far survive a crash, and returns the file's name and length where there is a file. */
  sync?(): { readonly file: string; readonly bytes: number }
  close(): void
}
