import { ArmatureError } from '../../core/errors.ts'
import type { Rng } from '../../core/rng.ts'
import type { EpisodeSource } from '../episode-source.ts'

/**
 * Draws places at which `span` observations in a row lie in one episode, all of them equally likely, with replacement. Places are
 * kept as (number of the episode in the source, time of the first observation).
 */
export class Positions {
  /** Drawn last, [count]: numbers of the source, which may be others after it changed. */
  episodes: Int32Array = new Int32Array(0)
  times: Int32Array = new Int32Array(0)
  readonly #source: EpisodeSource
  readonly #span: number
  readonly #rng: Rng
  /** Places in the episodes up to and including each. */
  #upTo = new Float64Array(0)
  #version = NaN

  /** @throws ArmatureError `bad-argument` for a span that is no whole number above 0. */
  constructor(source: EpisodeSource, span: number, rng: Rng) {
    if (!Number.isInteger(span) || span < 1) {
      throw new ArmatureError('bad-argument', 'length and stride of a batch', {
        expected: 'whole numbers above 0',
        got: `a span of ${span} observations`,
      })
    }
    this.#source = source
    this.#span = span
    this.#rng = rng
  }

  /** @throws ArmatureError `bad-argument` where no episode is long enough. */
  draw(count: number): void {
    if (this.#source.version !== this.#version) this.#count()
    const total = this.#upTo.at(-1) ?? 0
    if (total === 0) {
      throw new ArmatureError('bad-argument', 'batch', {
        expected: `an episode of at least ${this.#span} observations`,
        got: `${this.#source.episodeCount} episodes, all shorter`,
      })
    }
    if (this.episodes.length !== count) {
      this.episodes = new Int32Array(count)
      this.times = new Int32Array(count)
    }
    for (let i = 0; i < count; i++) {
      const place = this.#rng.int(total)
      const episode = firstAbove(this.#upTo, place)
      this.episodes[i] = episode
      this.times[i] = episode === 0 ? place : place - this.#upTo[episode - 1]!
    }
  }

  #count(): void {
    const { episodeCount } = this.#source
    if (this.#upTo.length !== episodeCount) this.#upTo = new Float64Array(episodeCount)
    for (let episode = 0, sum = 0; episode < episodeCount; episode++) {
      sum += Math.max(0, this.#source.lengthOf(episode) - this.#span + 1)
      this.#upTo[episode] = sum
    }
    this.#version = this.#source.version
  }
}

/** Index of the first element of the rising `values` that is greater than `value`. */
function firstAbove(values: Float64Array, value: number): number {
  let [low, high] = [0, values.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (values[middle]! > value) high = middle
    else low = middle + 1
  }
  return low
}
