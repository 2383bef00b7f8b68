import { ArmatureError } from '../core/errors.ts'
import type { NamedArrays } from '../core/ndarray.ts'
import { ndarray } from '../core/ndarray.ts'

/** Of row `row` of `a` and row `other` of `b`, rows of `size` numbers. */
export function squaredDistance(a: Float32Array, row: number, b: Float32Array, other: number, size: number): number {
  let sum = 0
  for (let k = 0, i = row * size, j = other * size; k < size; k++) sum += (a[i + k]! - b[j + k]!) ** 2
  return sum
}

/** What the reward for a squared distance is made of. */
export interface HuberOptions {
  readonly alpha: number
  readonly beta: number
  readonly gamma: number
}

/** -alpha d^2 - beta sqrt(gamma + d^2) of a squared distance d^2 (Sermanet et al. 2018, eq. 2): it pulls from afar, and still near the goal. */
export function huber(squared: number, { alpha, beta, gamma }: HuberOptions): number {
  return -alpha * squared - beta * Math.sqrt(gamma + squared)
}

/** How an episode is laid beside a demonstration, and what following it pays. */
export interface FollowOptions extends HuberOptions {
  readonly alignment: 'time' | 'nearest'
  /** `nearest`: moments that one step goes forward at least, above 0 to 1. */
  readonly pace: number
  /** `nearest`: moments that one step may go forward at most. */
  readonly reach: number
}

/** A demonstration as its encoder sees it. Empty until it is learned or restored. */
export class Demonstration {
  readonly #size: number
  #latents: Float32Array | undefined
  #spread = 1

  /** @param size of a latent */
  constructor(size: number) {
    this.#size = size
  }

  /** Number of the last moment. */
  get last(): number {
    return this.#known().length / this.#size - 1
  }

  /** @param latents [length, size] of its moments @throws ArmatureError `bad-value` where nothing moves in it. */
  learn(latents: Float32Array): void {
    const spread = meanSquaredDistance(latents, this.#size)
    if (!(spread > 0)) {
      throw new ArmatureError('bad-value', 'demonstration', {
        expected: 'moments that its encoder tells apart',
        got: `${latents.length / this.#size} that it sees as one`,
        fix: 'show one in which something moves, or train the encoder for longer',
      })
    }
    this.#latents = latents
    this.#spread = spread
  }

  /** Squared distance of `latent` [size] to a moment, relative to the mean over pairs of moments: of order one whatever the encoder. */
  distance(latent: Float32Array, moment: number): number {
    return squaredDistance(latent, 0, this.#known(), moment, this.#size) / this.#spread
  }

  /** Nothing where nothing was learned. */
  save(): NamedArrays {
    const latents = this.#latents
    return latents === undefined ? {} : { latents: ndarray(latents, [latents.length / this.#size, this.#size]) }
  }

  restore({ latents }: NamedArrays): void {
    if (latents !== undefined) this.learn(latents.data as Float32Array)
  }

  #known(): Float32Array {
    if (this.#latents !== undefined) return this.#latents
    throw new ArmatureError('bad-argument', 'demonstration', { expected: 'one that was shown first' })
  }
}

function meanSquaredDistance(latents: Float32Array, size: number): number {
  const count = latents.length / size
  let sum = 0
  for (let a = 1; a < count; a++) {
    for (let b = 0; b < a; b++) sum += squaredDistance(latents, a, latents, b, size)
  }
  return (2 * sum) / (count * (count - 1))
}

/**
 * Follows one episode along a demonstration. By `time` the moment that counts is that of the same time, at most the last one. By `nearest`
 * it is the nearest of those from `pace` to `reach` behind the last one: it never goes back, cannot leave anything out, and does not wait
 * for who stands still, as slopes are bounded in dynamic time warping (Sakoe and Chiba 1978). As where it stands depends on all that came
 * before, it is a part of what the agent sees, and rewards are stored as they are earned.
 */
export class Follower {
  readonly #demonstration: Demonstration
  readonly #options: FollowOptions
  #moment = -1
  #reward = 0

  constructor(demonstration: Demonstration, options: FollowOptions) {
    this.#demonstration = demonstration
    this.#options = options
  }

  /** The next observation of the episode, the first one included, as a latent. */
  observe(latent: Float32Array): void {
    const { alignment } = this.#options
    this.#moment = this.#moment < 0 ? 0 : alignment === 'time' ? this.#next(1) : this.#nearest(latent)
    this.#reward = huber(this.#demonstration.distance(latent, Math.floor(this.#moment)), this.#options)
  }

  /** Share of the demonstration that lies behind, 0 to 1. */
  get phase(): number {
    return this.#moment / this.#demonstration.last
  }

  /** What the newest observation pays. */
  get reward(): number {
    return this.#reward
  }

  /** [moment, which lies between two where the pace is less than one a step; what it pays]. */
  save(): Float64Array {
    return Float64Array.of(this.#moment, this.#reward)
  }

  restore([moment, reward]: ArrayLike<number> & Iterable<number>): void {
    this.#moment = moment!
    this.#reward = reward!
  }

  /** In single precision, as exported policies reckon: sums of a pace that is no binary fraction are whole for both or for neither. */
  #next(moments: number): number {
    return Math.min(this.#demonstration.last, Math.fround(this.#moment + Math.fround(moments)))
  }

  #nearest(latent: Float32Array): number {
    const { pace, reach } = this.#options
    const [from, to] = [this.#next(pace), this.#next(reach)]
    let [best, distance] = [from, this.#demonstration.distance(latent, Math.floor(from))]
    for (let moment = Math.floor(from) + 1; moment <= to; moment++) {
      const other = this.#demonstration.distance(latent, moment)
      if (other < distance) [best, distance] = [moment, other]
    }
    return best
  }
}
