import type { Info } from '../../src/core/env.ts'
import type { RngState } from '../../src/core/rng.ts'
import { Rng } from '../../src/core/rng.ts'

/** Serialisable state of an {@link ActionChannel}. */
export interface ActionChannelState {
  readonly delay: number
  readonly waiting: readonly number[]
  readonly oldest: number
  readonly noise: RngState
}

/** What lies between an action and the robot: it comes some steps late, zeros before the first, and with noise. */
export class ActionChannel {
  readonly #fixedDelay: number
  readonly #maxDelay: number
  readonly #noiseStd: number
  readonly #applied: Float32Array
  /** [delay, action size], a ring. */
  readonly #waiting: Float32Array
  #delay = 0
  #oldest = 0
  #noise: Rng = new Rng(0)

  /**
   * @param maxDelay in control steps; each episode draws its own from 0 to this
   * @param fixedDelay in control steps, of every episode besides
   */
  constructor(size: number, maxDelay: number, noiseStd: number, fixedDelay = 0) {
    this.#fixedDelay = fixedDelay
    this.#maxDelay = maxDelay
    this.#noiseStd = noiseStd
    this.#applied = new Float32Array(size)
    this.#waiting = new Float32Array((fixedDelay + maxDelay) * size)
  }

  get info(): Info {
    return this.#maxDelay > 0 ? { random_action_delay_steps: this.#delay } : {}
  }

  begin(rng: Rng): void {
    this.#delay = this.#fixedDelay + rng.split('delay').int(this.#maxDelay + 1)
    this.#noise = rng.split('noise')
    this.#oldest = 0
    this.#waiting.fill(0)
  }

  /** What arrives when `action` is sent, within [-1, 1]; overwritten by the next call. */
  pass(action: Float32Array): Float32Array {
    const applied = this.#applied
    const size = action.length
    for (let i = 0; i < size; i++) {
      if (this.#delay === 0) {
        applied[i] = action[i]!
      } else {
        applied[i] = this.#waiting[this.#oldest * size + i]!
        this.#waiting[this.#oldest * size + i] = action[i]!
      }
      if (this.#noiseStd > 0) applied[i] = Math.max(-1, Math.min(1, this.#noise.normal(applied[i], this.#noiseStd)))
    }
    if (this.#delay > 0) this.#oldest = (this.#oldest + 1) % this.#delay
    return applied
  }

  get state(): ActionChannelState {
    return { delay: this.#delay, waiting: [...this.#waiting], oldest: this.#oldest, noise: this.#noise.state }
  }

  set state({ delay, waiting, oldest, noise }: ActionChannelState) {
    this.#delay = delay
    this.#waiting.set(waiting)
    this.#oldest = oldest
    this.#noise = Rng.fromState(noise)
  }
}
