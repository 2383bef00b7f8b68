import type { DatasetSpec, EpisodeData } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'

/** How {@link LeRobotWriter} stores a dataset, and what it says of it. */
export interface LeRobotWriterOptions {
  /** `png`: exact, in the parquet files; `mp4`: H.264, much smaller, with losses. Default `png`. */
  readonly images?: 'png' | 'mp4'
  /** What the robot was to do, in a sentence; default: `spec.source`. */
  readonly task?: string
  /** Kept beside the data as it is: command line, versions, options. Must be JSON. */
  readonly record?: Readonly<Record<string, unknown>>
}

/** Writes a LeRobot v3.0 folder, one episode at a time. */
export class LeRobotWriter {
  /** @throws ArmatureError `bad-argument` when something is at `path`; `unwritable`. */
  static async create(path: string, _spec: DatasetSpec, _options: LeRobotWriterOptions = {}): Promise<LeRobotWriter> {
    throw new ArmatureError('not-found', path)
  }

  /** Appends an episode; `info.index` is given by the order. When it returns, the folder is valid with it. */
  async addEpisode(_episode: EpisodeData): Promise<void> {}

  /** Writes the statistics. May be called twice. */
  async close(): Promise<void> {}
}
