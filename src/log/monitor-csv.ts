import { readFileSync } from 'node:fs'
import { ArmatureError } from '../core/errors.ts'
import { AppendFile } from './append-file.ts'
import type { Clock, EpisodeSummary, LogSink } from './sink.ts'

/**
 * One row per training episode in the layout of Stable-Baselines3's Monitor, which its plotting tools and the RL Zoo read: a
 * first line `#{"t_start": seconds since the epoch, "env_id": ...}`, then `r,l,t` = return, length, seconds since `t_start`.
 */
export class MonitorSink implements LogSink {
  readonly #file: AppendFile
  readonly #clock: Clock
  readonly #startS: number

  /** @throws ArmatureError as {@link AppendFile}; `corrupt-file` when a kept file has no header to go on from. */
  constructor(path: string, envId: string, clock: Clock, keepBytes = 0) {
    this.#clock = clock
    this.#startS = keepBytes > 0 ? startOf(path) : clock() / 1000
    this.#file = new AppendFile(path, keepBytes)
    if (keepBytes === 0) this.#file.append(`#${JSON.stringify({ t_start: this.#startS, env_id: envId })}\nr,l,t\n`)
  }

  episode({ return: total, length }: EpisodeSummary): void {
    const elapsedS = this.#clock() / 1000 - this.#startS
    this.#file.append(`${rounded(total)},${length},${rounded(elapsedS)}\n`)
  }

  sync(): { file: string; bytes: number } {
    return this.#file.sync()
  }

  close(): void {
    this.#file.close()
  }
}

function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6
}

function startOf(path: string): number {
  try {
    const [first = ''] = readFileSync(path, 'utf8').split('\n', 1)
    const header = JSON.parse(first.slice(1)) as { t_start?: unknown }
    if (first.startsWith('#') && typeof header.t_start === 'number') return header.t_start
  } catch (cause) {
    throw new ArmatureError('corrupt-file', path, { expected: 'a first line #{"t_start": ...}', cause })
  }
  throw new ArmatureError('corrupt-file', path, { expected: 'a first line #{"t_start": ...}' })
}
