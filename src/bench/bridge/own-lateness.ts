import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Histogram } from '../../../bridges/protocol/histogram.ts'
import { monotonicUs } from '../../cli/monotonic-clock.ts'

const PERIOD_US = 20_000

/**
 * How late this thread wakes by its own doing, every 20 ms: without the time in which it was ready, and waited for a processor that others had. On a
 * machine that computes something else that is what can be said of a robot; only Linux tells it, elsewhere all lateness counts.
 */
export class OwnLateness {
  readonly histogram: Histogram = new Histogram()

  /** Begins, and never ends. */
  constructor() {
    void this.#watch()
  }

  async #watch(): Promise<void> {
    let waitedUs = waitedForProcessorUs()
    for (let dueUs = monotonicUs() + PERIOD_US; ;) {
      await sleep(Math.max(0, (dueUs - monotonicUs()) / 1000), undefined, { ref: false })
      const lateUs = Math.max(0, monotonicUs() - dueUs)
      const waitedBeforeUs = waitedUs
      waitedUs = waitedForProcessorUs()
      this.histogram.record(Math.max(0, lateUs - (waitedUs - waitedBeforeUs)))
      dueUs += PERIOD_US * Math.max(1, Math.ceil((monotonicUs() - dueUs) / PERIOD_US))
    }
  }
}

/** Of the main thread since its start; 0 where the system does not tell. */
function waitedForProcessorUs(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[1]) / 1000
  } catch {
    return 0
  }
}
