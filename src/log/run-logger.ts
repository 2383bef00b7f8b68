import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Metrics } from '../core/ndarray.ts'
import type { ConsoleOptions } from './console-table.ts'
import { ConsoleTable } from './console-table.ts'
import { JsonlSink } from './jsonl.ts'
import { MonitorSink } from './monitor-csv.ts'
import type { Clock, EpisodeSummary, LogSink, LoggedImage } from './sink.ts'
import { EVENT_FILE_PREFIX, TensorBoardSink } from './tensorboard.ts'

/** Lengths of the log files at a checkpoint, by file name: stored in the checkpoint, handed back on resume. */
export type LogPosition = Readonly<Record<string, number>>

export interface RunLogOptions {
  readonly clock: Clock
  /** Written into `monitor.csv`. */
  readonly envId: string
  /** Where to go on: every log file is cut back to this. A file that it does not name starts anew. */
  readonly position?: LogPosition
  /** Absent: nothing is printed. */
  readonly console?: ConsoleOptions
}

/**
 * Takes metrics and hands them to every sink. `metrics.jsonl` holds nothing that depends on the wall clock, so a run that was
 * killed and resumed ends with the same bytes as one that was not; metrics named `time/*` go to `timings.jsonl` instead.
 *
 * @example
 * const logger = openRunLogger(runFolder, { clock: Date.now, envId: env.spec.id })
 * logger.log(1000, { 'train/critic_loss': 0.1, 'time/fps': 103 })
 * const position = logger.flush() // goes into the checkpoint, and on resume into openRunLogger
 * logger.close()
 */
export class RunLogger {
  readonly #sinks: readonly LogSink[]

  constructor(sinks: readonly LogSink[]) {
    this.#sinks = sinks
  }

  /** Scalars at env step `step`. */
  log(step: number, metrics: Metrics): void {
    for (const sink of this.#sinks) sink.scalars?.(step, metrics)
  }

  image(step: number, name: string, image: LoggedImage): void {
    for (const sink of this.#sinks) sink.image?.(step, name, image)
  }

  /** One finished training episode. */
  episode(episode: EpisodeSummary): void {
    for (const sink of this.#sinks) sink.episode?.(episode)
  }

  /**
   * Makes everything so far survive a crash. Call it before saving a checkpoint, and store what it returns there.
   *
   * @throws ArmatureError `unwritable`
   */
  flush(): LogPosition {
    const position: Record<string, number> = {}
    for (const sink of this.#sinks) {
      const state = sink.sync?.()
      if (state !== undefined) position[state.file] = state.bytes
    }
    return position
  }

  close(): void {
    for (const sink of this.#sinks) sink.close()
  }
}

/**
 * The standard logger of a run folder: `metrics.jsonl`, `timings.jsonl`, `monitor.csv`, a TensorBoard event file, and a table
 * on the console where asked for.
 *
 * @throws ArmatureError `unwritable`; `corrupt-file` when a file is shorter than `position` says.
 */
export function openRunLogger(folder: string, { clock, envId, position = {}, console }: RunLogOptions): RunLogger {
  const sinks: LogSink[] = []
  const open = (file: string, make: (path: string, keepBytes: number) => LogSink): void => {
    sinks.push(make(join(folder, file), position[file] ?? 0))
  }
  try {
    open('metrics.jsonl', (path, keepBytes) => new JsonlSink(path, 'reproducible', keepBytes))
    open('timings.jsonl', (path, keepBytes) => new JsonlSink(path, 'timings', keepBytes))
    open('monitor.csv', (path, keepBytes) => new MonitorSink(path, envId, clock, keepBytes))
    open(eventFile(folder, clock), (path, keepBytes) => new TensorBoardSink(path, clock, keepBytes))
  } catch (error) {
    for (const sink of sinks) sink.close()
    throw error
  }
  if (console !== undefined) sinks.push(new ConsoleTable(clock, console))
  return new RunLogger(sinks)
}

/** The event file that is there: TensorBoard would show the steps of a second one twice. Else a name with the time, as usual. */
function eventFile(folder: string, clock: Clock): string {
  const existing = readdirSync(folder).find((name) => name.startsWith(EVENT_FILE_PREFIX))
  return existing ?? `${EVENT_FILE_PREFIX}${Math.floor(clock() / 1000)}.armature`
}
