import type { Rng } from '../../core/rng.ts'
import type { EmbeddedEpisodes } from './embedded-episodes.ts'
import type { EpisodeStatistic } from './measurement.ts'

/**
 * Bootstrap resamples of episodes, stratified by class, as counts. One set of episodes always gets the same draws, so that values
 * of several measures and encoders pair up.
 */
export class Resampler {
  readonly #data: EmbeddedEpisodes
  readonly #rng: Rng
  readonly #repetitions: number
  readonly #draws = new Map<string, Uint16Array>()

  constructor(data: EmbeddedEpisodes, rng: Rng, repetitions: number) {
    this.#data = data
    this.#rng = rng
    this.#repetitions = repetitions
  }

  /** The statistic with every episode counted once. */
  estimate(statistic: EpisodeStatistic): number {
    return statistic.evaluate(new Float64Array(this.#data.episodes.length).fill(1))
  }

  /** The statistic on every resample of the episodes that it rests on. */
  values(statistic: EpisodeStatistic): Float64Array {
    const { episodes } = statistic
    const draws = this.#drawsOf(episodes)
    const counts = new Float64Array(this.#data.episodes.length)
    return Float64Array.from({ length: this.#repetitions }, (_, repetition) => {
      for (let i = 0; i < episodes.length; i++) counts[episodes[i]!] = draws[repetition * episodes.length + i]!
      return statistic.evaluate(counts)
    })
  }

  /** What decides the draws of these episodes. */
  describe(episodes: readonly number[]): string {
    const strata = episodes.map((position) => {
      const { index, class: name } = this.#data.episodes[position]!
      return `${index}:${name}`
    })
    return `${this.#rng.seed}/${this.#repetitions}/${strata.join(',')}`
  }

  /** [repetitions, episodes] */
  #drawsOf(episodes: readonly number[]): Uint16Array {
    const key = this.describe(episodes)
    const known = this.#draws.get(key)
    if (known !== undefined) return known
    const draws = new Uint16Array(this.#repetitions * episodes.length)
    const rng = this.#rng.split(key)
    const strata = new Map<string, number[]>()
    for (const [i, position] of episodes.entries()) {
      const name = this.#data.episodes[position]!.class
      strata.set(name, [...(strata.get(name) ?? []), i])
    }
    for (let repetition = 0; repetition < this.#repetitions; repetition++) {
      for (const members of strata.values()) {
        for (let draw = 0; draw < members.length; draw++) {
          draws[repetition * episodes.length + members[rng.int(members.length)]!]!++
        }
      }
    }
    this.#draws.set(key, draws)
    return draws
  }
}
