import { ArmatureError } from '../../src/core/errors.ts'
import type { AnyObservationMessage } from '../protocol/messages.ts'

interface Waiter {
  readonly deadlineUs: number
  readonly timeoutMs: number
  resolve(observation: AnyObservationMessage): void
  reject(error: Error): void
}

/** The newest observation, given out once and only while it is fresh. */
export class ObservationInbox {
  readonly #ageUs: (observation: AnyObservationMessage) => number
  #maxAgeUs = Infinity
  #run = ''
  #newest: AnyObservationMessage | undefined
  #lastSeq = 0
  #waiter: Waiter | undefined
  #counts = { received: 0, stale: 0, skipped: 0 }

  /** @param ageUs of an observation, now */
  constructor(ageUs: (observation: AnyObservationMessage) => number) {
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

  put(observation: AnyObservationMessage): void {
    this.#counts.received++
    if (observation.session !== this.#run || observation.observationSeq <= this.#lastSeq) return
    if (this.#newest !== undefined) this.#counts.skipped++
    this.#newest = observation
    this.#serve()
  }

  /**
   * The newest one that has not been given out yet, or the next that comes. Someone has to call {@link expire} now and then: a timer for each
   * observation costs more than reading it.
   */
  next(timeoutMs: number, nowUs: number): Promise<AnyObservationMessage> {
    if (this.#waiter !== undefined) {
      throw new ArmatureError('bad-argument', 'observation', { got: 'a second wait before the first has ended' })
    }
    return new Promise((resolve, reject) => {
      this.#waiter = { deadlineUs: nowUs + 1000 * timeoutMs, timeoutMs, resolve, reject }
      this.#serve()
    })
  }

  /** Ends a wait whose time is over. */
  expire(nowUs: number, circumstances: () => string): void {
    if (this.#waiter === undefined || nowUs < this.#waiter.deadlineUs) return
    const got = `no fresh one for ${this.#waiter.timeoutMs} ms (${circumstances()})`
    this.fail(new ArmatureError('env-failed', 'observation', { got, fix: 'check that the robot still runs' }))
  }

  fail(error: Error): void {
    this.#takeWaiter()?.reject(error)
  }

  #takeWaiter(): Waiter | undefined {
    const waiter = this.#waiter
    this.#waiter = undefined
    return waiter
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
    this.#takeWaiter()?.resolve(observation)
  }
}
