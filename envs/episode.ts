import { ArmatureError } from '../src/core/errors.ts'
import { Rng } from '../src/core/rng.ts'
import type { RngState } from '../src/core/rng.ts'

/** Serialisable state of an {@link Episode}. */
export interface EpisodeState {
  readonly rng: RngState
  readonly steps: number
  readonly isRunning: boolean
}

/**
 * What every env must keep track of: whether it may be stepped, when time runs out, and the random stream that `reset` restarts
 * or continues.
 */
export class Episode {
  /** The env's random stream; before the first seed it is that of seed 0. */
  rng: Rng = new Rng(0)
  readonly #id: string
  readonly #maxSteps: number
  #steps = 0
  #isRunning = false
  #isClosed = false

  constructor(id: string, maxSteps: number) {
    this.#id = id
    this.#maxSteps = maxSteps
  }

  /** @throws ArmatureError `closed`, or `bad-argument` for a seed that is not an integer. */
  begin(seed: number | undefined): void {
    this.requireOpen()
    if (seed !== undefined) {
      if (!Number.isInteger(seed)) {
        throw new ArmatureError('bad-argument', `${this.#id} reset`, { expected: 'an integer seed', got: String(seed) })
      }
      this.rng = new Rng(seed)
    }
    this.#steps = 0
    this.#isRunning = true
  }

  /** @throws ArmatureError `closed` or `needs-reset`. */
  requireRunning(): void {
    this.requireOpen()
    if (!this.#isRunning) {
      throw new ArmatureError(
        'needs-reset',
        `${this.#id} was stepped before its first reset or after the end of an episode`,
        {
          fix: 'call reset first',
        },
      )
    }
  }

  /** @throws ArmatureError `closed`. */
  requireOpen(): void {
    if (this.#isClosed) throw new ArmatureError('closed', `${this.#id} is closed`)
  }

  /** Counts a step and returns whether time has run out. */
  advance(terminated: boolean): boolean {
    this.#steps++
    const truncated = !terminated && this.#steps >= this.#maxSteps
    this.#isRunning = !terminated && !truncated
    return truncated
  }

  /** Returns whether this was the first call. */
  close(): boolean {
    const wasOpen = !this.#isClosed
    this.#isClosed = true
    return wasOpen
  }

  get state(): EpisodeState {
    return { rng: this.rng.state, steps: this.#steps, isRunning: this.#isRunning }
  }

  restore(state: EpisodeState): void {
    this.requireOpen()
    this.rng = Rng.fromState(state.rng)
    this.#steps = state.steps
    this.#isRunning = state.isRunning
  }
}
