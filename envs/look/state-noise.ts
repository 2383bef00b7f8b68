import type { RngState } from '../../src/core/rng.ts'
import { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { widened } from './widened.ts'

/** No normal that `Rng` draws is larger: its uniform numbers have 32 bits. */
const LIMIT = 10

/** Serialisable state of a {@link StateNoise}. */
export interface StateNoiseState {
  readonly rng: RngState
  readonly values: readonly number[]
}

/**
 * Numbers behind the privileged state that say nothing: independent standard normals, drawn anew at each control step (the distractor
 * dimensions of Kemertas & Aumentado-Armstrong 2021).
 */
export class StateNoise {
  /** Those of the present step; overwritten by the next. */
  readonly values: Float32Array
  #rng: Rng = new Rng(0)

  constructor(size: number) {
    this.values = new Float32Array(size)
  }

  /** Draws those of the first observation of an episode. */
  begin(rng: Rng): void {
    this.#rng = rng
    this.advance()
  }

  advance(): void {
    this.#rng.fillNormal(this.values)
  }

  get state(): StateNoiseState {
    return { rng: this.#rng.state, values: [...this.values] }
  }

  set state({ rng, values }: StateNoiseState) {
    this.#rng = Rng.fromState(rng)
    this.values.set(values)
  }
}

/** `space`, a vector, with `size` elements of noise behind its own: `noise_0` and so on. */
export function withNoise(space: BoxSpace, size: number): BoxSpace {
  return widened(
    space,
    Array.from({ length: size }, (_, i) => `noise_${i}`),
    LIMIT,
  )
}
