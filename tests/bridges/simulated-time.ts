import type { Time } from '../../bridges/time.ts'

interface Sleeper {
  readonly atUs: number
  readonly wake: () => void
}

/** Time that only {@link advance} moves: whatever sleeps wakes up in order, and finishes what it does before the next one wakes. */
export class SimulatedTime implements Time {
  #nowUs = 1_000_000
  #sleepers: Sleeper[] = []

  readonly clock = (): number => this.#nowUs

  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve()
      const wake = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const sleeper = { atUs: this.#nowUs + Math.max(0, Math.round(ms * 1000)), wake }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', wake)
    })

  async advance(ms: number): Promise<void> {
    const endUs = this.#nowUs + ms * 1000
    for (;;) {
      await settled()
      const next = this.#sleepers.reduce<Sleeper | undefined>(
        (a, b) => (a === undefined || b.atUs < a.atUs ? b : a),
        undefined,
      )
      if (next === undefined || next.atUs > endUs) break
      this.#nowUs = Math.max(this.#nowUs, next.atUs)
      next.wake()
    }
    this.#nowUs = endUs
    await settled()
  }

  /** The same in steps of `stepMs`, until `holds`, for at most `ms`. @returns whether it did */
  async advanceUntil(holds: () => boolean, ms = 60_000, stepMs = 1): Promise<boolean> {
    for (let passedMs = 0; passedMs < ms && !holds(); passedMs += stepMs) await this.advance(stepMs)
    return holds()
  }

  /** Lets time pass while `work` waits for it. */
  async during<T>(work: Promise<T>, stepMs = 1): Promise<T> {
    const state = { isDone: false }
    const done = work.finally(() => (state.isDone = true))
    done.catch(() => undefined)
    while (!state.isDone) await this.advance(stepMs)
    return done
  }
}

/** Everything that was promised and waits for nothing but its turn has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
