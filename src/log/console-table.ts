import type { Metrics } from '../core/ndarray.ts'
import { formatNumber } from './format.ts'
import type { Clock, LogSink } from './sink.ts'

/** Where the table goes and how often. */
export interface ConsoleOptions {
  /** Takes whole lines, e.g. `(text) => progress.print(text)`. */
  readonly print: (text: string) => void
  /** Seconds from one table to the next. Default 30. */
  readonly everyS?: number
  /** Characters in a line. Default 100. */
  readonly columns?: number
}

/**
 * The latest value of every metric as a small table, at most once per cadence and once at the end, one row per family:
 *
 *     step 12000
 *       rollout  ep_rew_mean -12.35  ep_len_mean 50
 *       train    critic_loss 0.0153  ent_coef 0.2
 */
export class ConsoleTable implements LogSink {
  readonly #print: (text: string) => void
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #columns: number
  readonly #latest = new Map<string, number>()
  #step = 0
  #nextMs: number
  #isNew = false

  constructor(clock: Clock, { print, everyS = 30, columns = 100 }: ConsoleOptions) {
    this.#print = print
    this.#clock = clock
    this.#everyMs = everyS * 1000
    this.#columns = columns
    this.#nextMs = clock() + this.#everyMs
  }

  scalars(step: number, metrics: Metrics): void {
    for (const [name, value] of Object.entries(metrics)) this.#latest.set(name, value)
    this.#step = step
    this.#isNew = true
    if (this.#clock() >= this.#nextMs) this.#show()
  }

  close(): void {
    if (this.#isNew) this.#show()
  }

  #show(): void {
    this.#isNew = false
    this.#nextMs = this.#clock() + this.#everyMs
    this.#print(tableText(this.#step, this.#latest, this.#columns))
  }
}

function tableText(step: number, metrics: ReadonlyMap<string, number>, columns: number): string {
  const families = new Map<string, string[]>()
  for (const [name, value] of metrics) {
    const slash = name.indexOf('/')
    const family = name.slice(0, Math.max(0, slash))
    const cell = `${name.slice(slash + 1)} ${formatNumber(value)}`
    families.set(family, [...(families.get(family) ?? []), cell])
  }
  const labelWidth = Math.max(...[...families.keys()].map((family) => family.length))
  const lines = [`step ${step}`]
  for (const [family, cells] of families) lines.push(...wrap(family.padEnd(labelWidth), cells, columns))
  return lines.map((line) => `${line}\n`).join('')
}

/** Rows of cells under one label, none longer than `columns` unless a single cell is. */
function wrap(label: string, cells: readonly string[], columns: number): string[] {
  const lines: string[] = []
  let line = `  ${label}`
  let isEmpty = true
  for (const cell of cells) {
    if (!isEmpty && line.length + 2 + cell.length > columns) {
      lines.push(line)
      line = ' '.repeat(2 + label.length)
    }
    line += `  ${cell}`
    isEmpty = false
  }
  return [...lines, line]
}
