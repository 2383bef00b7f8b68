import type { ResetOptions } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { RngState } from '../../src/core/rng.ts'
import { Rng } from '../../src/core/rng.ts'
import type { LayerState } from './wrap-env.ts'

/** A wrapper's own random stream: restarted by the env's seeds, continued without, and independent of what the env draws. */
export class NoiseStream {
  readonly #label: string
  #rng: Rng

  constructor(label: string) {
    this.#label = label
    this.#rng = new Rng(0).split(label)
  }

  begin({ seed }: ResetOptions = {}): void {
    if (seed !== undefined) this.#rng = new Rng(seed).split(this.#label)
  }

  /** `value` with normal noise of standard deviation `std`, within [low, high]. */
  disturb(value: number, std: number, low: number, high: number): number {
    return Math.min(high, Math.max(low, value + std * this.#rng.normal()))
  }

  save(): LayerState {
    return { json: this.#rng.state }
  }

  restore({ json }: LayerState): void {
    this.#rng = Rng.fromState(json as RngState)
  }
}

/** @throws ArmatureError `bad-argument` unless `std` is a number from 0 to 1. */
export function checkStd(std: number, name: string): void {
  if (std >= 0 && std <= 1) return
  throw new ArmatureError('bad-argument', name, { expected: 'a number from 0 to 1', got: String(std) })
}
