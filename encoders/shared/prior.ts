import { z } from 'zod'
import { choleskyFactor } from '../../src/core/linalg.ts'
import type { NamedArrays, NdArray } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Stateful } from '../../src/tensor/parameters.ts'
import { checkNames, floatsOf } from '../../src/tensor/parameters.ts'

/** Latents that a prior keeps, at most: enough that goals hardly repeat, few enough to save with the weights. */
const MAX_POINTS = 2048

/** Settings of what goals are imagined from. */
export const priorSettings = {
  prior: z
    .enum(['fitted', 'standard'])
    .default('fitted')
    .describe('what goals are imagined from: the density of the latents of the data, or N(0, I)'),
  priorBandwidth: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe(
      'how far the fitted prior strays from latents that it saw, in their standard deviations; 1: it is a Gaussian, 0: those latents',
    ),
}

type PriorArray = 'priorMean' | 'priorFactor' | 'priorPoints' | 'priorCount'

/**
 * What latents are imagined from: N(0, I), or after {@link fit} a kernel density estimate of the latents of the data (smoothed bootstrap:
 * Silverman & Young 1987).
 */
export class Prior implements Stateful {
  readonly #size: number
  readonly #bandwidth: number
  /**
   * Mean [D]; lower Cholesky factor of the covariance [D, D]; latents that it was fitted to, minus their mean [MAX_POINTS, D], of which
   * the first `priorCount` [1] rows are used; 0 rows as long as it is N(0, I).
   */
  readonly #arrays: Readonly<Record<PriorArray, NdArray<Float32Array>>>

  /** @param bandwidth width of the kernel in standard deviations of the latents, in [0, 1] */
  constructor(latentSize: number, bandwidth: number) {
    this.#size = latentSize
    this.#bandwidth = bandwidth
    const identity = new Float32Array(latentSize * latentSize)
    for (let i = 0; i < latentSize; i++) identity[i * latentSize + i] = 1
    this.#arrays = {
      priorMean: ndarray(new Float32Array(latentSize), [latentSize]),
      priorFactor: ndarray(identity, [latentSize, latentSize]),
      priorPoints: ndarray(new Float32Array(MAX_POINTS * latentSize), [MAX_POINTS, latentSize]),
      priorCount: ndarray(new Float32Array(1), [1]),
    }
  }

  /** Takes mean and covariance of `latents` [count, D], and the latents themselves: evenly spaced ones where they are too many. */
  fit(latents: Float32Array, count: number): void {
    const size = this.#size
    const { priorMean, priorFactor, priorPoints, priorCount } = this.#arrays
    const mean = new Float64Array(size)
    for (let i = 0; i < latents.length; i++) mean[i % size]! += latents[i]! / count
    const covariance = new Float64Array(size * size)
    for (let row = 0; row < latents.length; row += size) {
      for (let i = 0; i < size; i++) {
        const deviation = (latents[row + i]! - mean[i]!) / count
        for (let j = 0; j <= i; j++) covariance[i * size + j]! += deviation * (latents[row + j]! - mean[j]!)
      }
    }
    priorMean.data.set(mean)
    choleskyFactor(covariance, size)
    priorFactor.data.set(covariance)
    const kept = Math.min(count, MAX_POINTS)
    for (let row = 0; row < kept; row++) {
      const from = Math.floor((row * count) / kept) * size
      for (let i = 0; i < size; i++) priorPoints.data[row * size + i] = latents[from + i]! - mean[i]!
    }
    priorCount.data[0] = kept
  }

  /**
   * A draw [D]: z = m + sqrt(1 - h^2) (z_i - m) + h L e with one of the latents z_i, their mean m, their covariance L L', e ~ N(0, I) and
   * the bandwidth h. It is shrunk so that mean and covariance stay those of the latents. h = 1 is the Gaussian with both, h = 0
   * the latents themselves.
   */
  sample(rng: Rng): Float32Array {
    const size = this.#size
    const { priorMean, priorFactor, priorPoints, priorCount } = this.#arrays
    const count = priorCount.data[0]!
    const point = count > 0 ? rng.int(count) * size : 0
    const bandwidth = count > 0 ? this.#bandwidth : 1
    const nearness = Math.sqrt(1 - bandwidth ** 2)
    const noise = rng.fillNormal(new Float32Array(size))
    return priorMean.data.map((mean, i) => {
      let value = mean + nearness * priorPoints.data[point + i]!
      for (let j = 0; j <= i; j++) value += bandwidth * priorFactor.data[i * size + j]! * noise[j]!
      return value
    })
  }

  toArrays(): NamedArrays {
    return Object.fromEntries(
      Object.entries(this.#arrays).map(([name, { data, shape }]) => [name, { data: data.slice(), shape }]),
    )
  }

  restorer(arrays: NamedArrays): () => void {
    const own = Object.entries(this.#arrays)
    checkNames('prior', Object.keys(this.#arrays), arrays)
    const values = own.map(([name, { shape }]) => floatsOf(name, arrays, shape))
    return () => own.forEach(([, { data }], i) => data.set(values[i]!))
  }
}
