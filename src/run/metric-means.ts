import type { Metrics } from '../core/ndarray.ts'

/** Running means of named scalars between two rows of metrics. */
export class MetricMeans {
  #sums = new Map<string, [sum: number, count: number]>()

  add(metrics: Metrics): void {
    for (const [name, value] of Object.entries(metrics)) {
      const entry = this.#sums.get(name)
      if (entry === undefined) this.#sums.set(name, [value, 1])
      else {
        entry[0] += value
        entry[1]++
      }
    }
  }

  /** The means since the last call. */
  take(): Metrics {
    const means = Object.fromEntries([...this.#sums].map(([name, [sum, count]]) => [name, sum / count]))
    this.#sums.clear()
    return means
  }

  get state(): Readonly<Record<string, readonly [number, number]>> {
    return Object.fromEntries([...this.#sums].map(([name, [sum, count]]) => [name, [sum, count] as const]))
  }

  set state(state: Readonly<Record<string, readonly [number, number]>>) {
    this.#sums = new Map(Object.entries(state).map(([name, [sum, count]]) => [name, [sum, count]]))
  }
}
