import { xoroshiro128plus, xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus'

/**
 * Seeded random numbers (xoroshiro128+). Randomness is an argument everywhere in Armature: whoever needs it takes an `Rng`.
 *
 * `split(label)` derives an independent stream from the seed and the label alone, so adding a consumer never shifts the
 * numbers that the others draw, and the order of the splits does not matter.
 *
 * @example
 * const rng = new Rng(7)
 * const noise = new Float32Array(8)
 * rng.split('exploration').fillNormal(noise)
 */
export class Rng {
  #seed: number
  #generator: ReturnType<typeof xoroshiro128plus>
  #spareNormal: number | undefined

  /** @param seed any number; only its lower 32 bits count. */
  constructor(seed: number) {
    this.#seed = seed | 0
    this.#generator = xoroshiro128plus(this.#seed)
    // The first outputs of nearby seeds are correlated: xoroshiro128+ starts from a state with few bits set.
    for (let i = 0; i < 16; i++) this.#generator.next()
  }

  /** What it was made from, as a 32-bit signed integer. */
  get seed(): number {
    return this.#seed
  }

  /** An independent stream that depends on this generator's seed and on `label` only. */
  split(label: string | number): Rng {
    return new Rng(hash32(`${this.seed}/${label}`))
  }

  /** A 32-bit signed integer: the seed for something that takes a number, e.g. `env.reset({ seed })`. */
  nextSeed(): number {
    return this.#generator.next()
  }

  /** A float64 in [low, high) with 32 random bits. */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * ((this.#generator.next() >>> 0) / 4294967296)
  }

  /** An integer in 0 .. count-1. `count` must be at least 1 and below 2^32. */
  int(count: number): number {
    return Math.floor(((this.#generator.next() >>> 0) / 4294967296) * count)
  }

  /** A standard normal (Marsaglia's polar method; its pair is kept for the next call). */
  normal(mean = 0, std = 1): number {
    const spare = this.#spareNormal
    if (spare !== undefined) {
      this.#spareNormal = undefined
      return mean + std * spare
    }
    for (;;) {
      const u = this.uniform(-1, 1)
      const v = this.uniform(-1, 1)
      const s = u * u + v * v
      if (s >= 1 || s === 0) continue
      const scale = Math.sqrt((-2 * Math.log(s)) / s)
      this.#spareNormal = v * scale
      return mean + std * u * scale
    }
  }

  fillNormal(target: Float32Array): Float32Array {
    for (let i = 0; i < target.length; i++) target[i] = this.normal()
    return target
  }

  fillUniform(target: Float32Array, low = 0, high = 1): Float32Array {
    for (let i = 0; i < target.length; i++) target[i] = this.uniform(low, high)
    return target
  }

  /** Shuffles `items` in place (Fisher-Yates) and returns them. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(i + 1)
      ;[items[i], items[j]] = [items[j]!, items[i]!]
    }
    return items
  }

  /** Everything needed to go on from here, as JSON. */
  get state(): RngState {
    return { seed: this.seed, generator: [...this.#generator.getState()], spareNormal: this.#spareNormal ?? null }
  }

  /** Goes on from `state`, for whoever holds this generator. */
  restore(state: RngState): void {
    this.#seed = state.seed
    this.#generator = xoroshiro128plusFromState(state.generator)
    this.#spareNormal = state.spareNormal ?? undefined
  }

  /** A generator that continues exactly where the one that gave `state` stood. */
  static fromState(state: RngState): Rng {
    const rng = new Rng(state.seed)
    rng.restore(state)
    return rng
  }
}

/** Serialisable state of an {@link Rng}. */
export interface RngState {
  readonly seed: number
  readonly generator: readonly number[]
  readonly spareNormal: number | null
}

/** FNV-1a with a final avalanche (murmur3's), so that labels which differ in one character give unrelated seeds. */
function hash32(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) | 0
}
