import { formatDuration, formatNumber } from './format.ts'
import type { Clock } from './sink.ts'

/** The part of `process.stderr` that a progress line needs. */
export interface ProgressStream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

export interface ProgressOptions {
  readonly stream: ProgressStream
  readonly clock: Clock
  /** Write nothing: under `--quiet` and `--json`. Default false. */
  readonly isSilent?: boolean
}

/** What {@link ProgressPhase} starts from. */
export interface PhaseOptions {
  /** What is counted, for the rate: `steps` gives `103 steps/s`. */
  readonly unit?: string
  /** Already done before this process started, e.g. by a run that is resumed: it does not count towards the rate. */
  readonly done?: number
}

const TERMINAL_INTERVAL_MS = 100
const LOG_INTERVAL_MS = 10_000
/** The rate is that of the last minute: learning starts only after some steps, and slows them. */
const RATE_WINDOW_MS = 60_000
const RATE_SAMPLE_MS = 1000
const CLEAR_LINE = '\r\u001b[2K'

/**
 * A line on stderr that says how far long work is: `train  12000/50000 steps  24%  103 steps/s  ETA 6 min 10 s`. On a terminal it
 * is redrawn in place, elsewhere one line is written about every 10 s. It runs no timer: it writes when `update` is called.
 *
 * @example
 * const progress = new Progress({ stream: process.stderr, clock: Date.now })
 * const phase = progress.phase('train', 50_000, { unit: 'steps' })
 * phase.update(1000)
 * const inner = phase.phase('evaluate', 20) // shown as "train › evaluate  3/20"
 * inner.finish()
 * phase.finish()
 */
export class Progress {
  readonly #stream: ProgressStream
  readonly #clock: Clock
  readonly #isSilent: boolean
  readonly #isTerminal: boolean
  #nextMs: number
  #line = ''

  constructor({ stream, clock, isSilent = false }: ProgressOptions) {
    this.#stream = stream
    this.#clock = clock
    this.#isSilent = isSilent
    this.#isTerminal = stream.isTTY === true
    this.#nextMs = this.#isTerminal ? 0 : clock() + LOG_INTERVAL_MS
  }

  /** Whether nothing is written. */
  get isSilent(): boolean {
    return this.#isSilent
  }

  /** Starts counting up to `total`. */
  phase(label: string, total: number, options: PhaseOptions = {}): ProgressPhase {
    return new ProgressPhase(this, this.#clock, [label], total, options)
  }

  /** Writes whole lines (ending in a newline) above the progress line. */
  print(text: string): void {
    if (this.#isSilent) return
    if (this.#line === '') this.#stream.write(text)
    else this.#stream.write(`${CLEAR_LINE}${text}${this.#line}`)
  }

  /** Shows a new state of the line, if it is time. `text` is made only then. */
  show(text: () => string): void {
    const nowMs = this.#clock()
    if (this.#isSilent || nowMs < this.#nextMs) return
    this.#nextMs = nowMs + (this.#isTerminal ? TERMINAL_INTERVAL_MS : LOG_INTERVAL_MS)
    if (!this.#isTerminal) {
      this.#stream.write(`${text()}\n`)
      return
    }
    this.#line = text().slice(0, (this.#stream.columns ?? 80) - 1)
    this.#stream.write(`${CLEAR_LINE}${this.#line}`)
  }

  /** Replaces the line by `text`, which stays, or removes it. */
  settle(text?: string): void {
    if (this.#isSilent) return
    const clear = this.#line === '' ? '' : CLEAR_LINE
    this.#line = ''
    if (this.#isTerminal) this.#nextMs = 0
    const written = text === undefined ? clear : `${clear}${text}\n`
    if (written !== '') this.#stream.write(written)
  }
}

/** One count of a {@link Progress}, made by its `phase`. */
export class ProgressPhase {
  readonly #progress: Progress
  readonly #clock: Clock
  readonly #labels: readonly string[]
  readonly #total: number
  readonly #unit: string
  readonly #startMs: number
  /** Recent moments, at least a second apart, oldest first. */
  #samples: { readonly ms: number; readonly done: number }[]
  #done: number

  constructor(progress: Progress, clock: Clock, labels: readonly string[], total: number, options: PhaseOptions) {
    const { unit = '', done = 0 } = options
    this.#progress = progress
    this.#clock = clock
    this.#labels = labels
    this.#total = total
    this.#unit = unit
    this.#done = done
    this.#startMs = clock()
    this.#samples = [{ ms: this.#startMs, done }]
  }

  /** @param note a few words at the end of the line, e.g. `success 0.62` */
  update(done: number, note = ''): void {
    this.#done = done
    const nowMs = this.#clock()
    if (nowMs - this.#samples.at(-1)!.ms >= RATE_SAMPLE_MS) {
      const recent = this.#samples.filter(({ ms }) => nowMs - ms <= RATE_WINDOW_MS)
      this.#samples = [...(recent.length > 0 ? recent : this.#samples.slice(-1)), { ms: nowMs, done }]
    }
    this.#progress.show(() => this.#text(nowMs, note))
  }

  /** A count within this one; its line replaces this one's until it is finished. */
  phase(label: string, total: number, options: PhaseOptions = {}): ProgressPhase {
    return new ProgressPhase(this.#progress, this.#clock, [...this.#labels, label], total, options)
  }

  /** Ends the count. An outermost one leaves a line that says how long it took. */
  finish(): void {
    const isInner = this.#labels.length > 1
    const elapsed = formatDuration((this.#clock() - this.#startMs) / 1000)
    this.#progress.settle(isInner ? undefined : `${this.#labels[0]!}  ${this.#count()}  in ${elapsed}`)
  }

  #count(): string {
    return `${this.#done}/${this.#total}${this.#unit === '' ? '' : ` ${this.#unit}`}`
  }

  #text(nowMs: number, note: string): string {
    const { ms, done } = this.#samples[0]!
    const seconds = (nowMs - ms) / 1000
    const rate = seconds > 0 ? (this.#done - done) / seconds : 0
    const parts = [this.#labels.join(' › '), this.#count()]
    if (this.#total > 0) parts.push(`${Math.floor((100 * this.#done) / this.#total)}%`)
    if (rate > 0) {
      parts.push(`${formatNumber(Number(rate.toPrecision(3)))}${this.#unit === '' ? '' : ` ${this.#unit}`}/s`)
      parts.push(`ETA ${formatDuration(Math.max(0, this.#total - this.#done) / rate)}`)
    }
    if (note !== '') parts.push(note)
    return parts.join('  ')
  }
}
