import { ArmatureError } from '../src/core/errors.ts'
import type { ObservationContent, ObservationMessage } from './protocol/messages.ts'

interface Waiter {
  resolve(observation: ObservationContent): void
  reject(error: Error): void
}

/** The newest observation, given out once and only while it is fresh. */
export class ObservationInbox {
  readonly #ageUs: (observation: ObservationMessage) => number
  #maxAgeUs = Infinity
  #run = ''
  #newest: ObservationMessage | undefined
  #lastSeq = 0
  #waiter: Waiter | undefined
  #counts = { received: 0, stale: 0, skipped: 0 }

  /** @param ageUs of an observation, now */
  constructor(ageUs: (observation: ObservationMessage) => number) {
    this.#ageUs = ageUs
  }

  get received(): number {
    return this.#counts.received
  }

  /** Too old to be given out. */
  get stale(): number {
    return this.#counts.stale
  }

  /** Passed over for newer ones. */
  get skipped(): number {
    return this.#counts.skipped
  }

  /** From now on only observations of this robot process count, and those that are not older than `maxAgeUs`. */
  expect(run: string, maxAgeUs: number): void {
    if (run !== this.#run) this.#lastSeq = 0
    this.#run = run
    this.#maxAgeUs = maxAgeUs
    this.#newest = undefined
  }

  /** Those up to `observationSeq` are over. */
  skipTo(observationSeq: number): void {
    this.#lastSeq = observationSeq
    if (this.#newest !== undefined && this.#newest.observationSeq <= observationSeq) this.#newest = undefined
  }

  put(observation: ObservationMessage): void {
    this.#counts.received++
    if (observation.session !== this.#run || observation.observationSeq <= this.#lastSeq) return
    if (this.#newest !== undefined) this.#counts.skipped++
    this.#newest = observation
    this.#serve()
  }

  /** The newest one that has not been given out yet, or the next that comes. */
  next(timeoutMs: number, circumstances: () => string): Promise<ObservationContent> {
    if (this.#waiter !== undefined) {
      throw new ArmatureError('bad-argument', 'observation', { got: 'a second wait before the first has ended' })
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiter = undefined
        const got = `no fresh one for ${timeoutMs} ms (${circumstances()})`
        reject(new ArmatureError('env-failed', 'observation', { got, fix: 'check that the robot still runs' }))
      }, timeoutMs)
      const settle = (): void => {
        clearTimeout(timer)
        this.#waiter = undefined
      }
      this.#waiter = {
        resolve: (observation) => {
          settle()
          resolve(observation)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      }
      this.#serve()
    })
  }

  fail(error: Error): void {
    this.#waiter?.reject(error)
  }

  #serve(): void {
    const observation = this.#newest
    if (observation === undefined || this.#waiter === undefined) return
    this.#newest = undefined
    this.#lastSeq = observation.observationSeq
    if (observation.stale || this.#ageUs(observation) > this.#maxAgeUs) {
      this.#counts.stale++
      return
    }
    this.#waiter.resolve(observation)
  }
}
