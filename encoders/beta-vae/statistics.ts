import { choleskyFactor } from '../../src/core/linalg.ts'
import type { NamedArrays, NdArray } from '../../src/core/ndarray.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Stateful } from '../../src/tensor/parameters.ts'
import { checkNames, floatsOf } from '../../src/tensor/parameters.ts'

/** Latents that a prior keeps, at most: enough that goals hardly repeat, few enough to save with the weights. */
const MAX_POINTS = 2048

/** What a beta-VAE knows of its data beside its weights. */
export class Statistics implements Stateful {
  /** [height, width, channels], in [0, 1] */
  readonly meanFrame: NdArray<Float32Array>
  /** [1] */
  readonly beta: NdArray<Float32Array>
  /** [D] */
  readonly priorMean: NdArray<Float32Array>
  /** Lower Cholesky factor of the prior's covariance, [D, D]. */
  readonly priorFactor: NdArray<Float32Array>
  /** Latents that the prior was fitted to, minus its mean, [MAX_POINTS, D]; the first `priorCount` rows are used. */
  readonly priorPoints: NdArray<Float32Array>
  /** [1]; 0 as long as the prior is N(0, I). */
  readonly priorCount: NdArray<Float32Array>
  readonly #bandwidth: number

  /**
   * The prior starts as N(0, I).
   * @param bandwidth width of the kernel of {@link samplePrior}, in standard deviations of the latents, in [0, 1]
   */
  constructor(
    frameShape: readonly number[],
    latentSize: number,
    { beta, bandwidth }: { beta: number; bandwidth: number },
  ) {
    this.meanFrame = ndarray(new Float32Array(sizeOf(frameShape)), frameShape)
    this.beta = ndarray(Float32Array.of(beta), [1])
    this.priorMean = ndarray(new Float32Array(latentSize), [latentSize])
    this.priorFactor = ndarray(new Float32Array(latentSize * latentSize), [latentSize, latentSize])
    for (let i = 0; i < latentSize; i++) this.priorFactor.data[i * latentSize + i] = 1
    this.priorPoints = ndarray(new Float32Array(MAX_POINTS * latentSize), [MAX_POINTS, latentSize])
    this.priorCount = ndarray(new Float32Array(1), [1])
    this.#bandwidth = bandwidth
  }

  setFrames(meanFrame: Float32Array, beta: number): void {
    this.meanFrame.data.set(meanFrame)
    this.beta.data[0] = beta
  }

  /** Mean and covariance of `latents` [count, D], and the latents themselves: evenly spaced ones of them where they are too many. */
  fitPrior(latents: Float32Array, count: number): void {
    const size = this.priorMean.data.length
    const mean = new Float64Array(size)
    for (let i = 0; i < latents.length; i++) mean[i % size]! += latents[i]! / count
    const covariance = new Float64Array(size * size)
    for (let row = 0; row < latents.length; row += size) {
      for (let i = 0; i < size; i++) {
        const deviation = (latents[row + i]! - mean[i]!) / count
        for (let j = 0; j <= i; j++) covariance[i * size + j]! += deviation * (latents[row + j]! - mean[j]!)
      }
    }
    this.priorMean.data.set(mean)
    choleskyFactor(covariance, size)
    this.priorFactor.data.set(covariance)
    const kept = Math.min(count, MAX_POINTS)
    for (let row = 0; row < kept; row++) {
      const from = Math.floor((row * count) / kept) * size
      for (let i = 0; i < size; i++) this.priorPoints.data[row * size + i] = latents[from + i]! - mean[i]!
    }
    this.priorCount.data[0] = kept
  }

  /**
   * A draw from the prior, [D]: z = m + sqrt(1 - h^2) (z_i - m) + h L e with one of the latents z_i, their mean m, their covariance L L'
   * and e ~ N(0, I). That is a kernel density estimate of bandwidth h, shrunk so that mean and covariance stay those of the
   * latents (smoothed bootstrap: Silverman & Young 1987). h = 1 is the Gaussian with both, h = 0 the latents themselves.
   */
  samplePrior(rng: Rng): Float32Array {
    const size = this.priorMean.data.length
    const count = this.priorCount.data[0]!
    const point = count > 0 ? rng.int(count) * size : 0
    const bandwidth = count > 0 ? this.#bandwidth : 1
    const nearness = Math.sqrt(1 - bandwidth ** 2)
    const noise = rng.fillNormal(new Float32Array(size))
    return this.priorMean.data.map((mean, i) => {
      let z = mean + nearness * this.priorPoints.data[point + i]!
      for (let j = 0; j <= i; j++) z += bandwidth * this.priorFactor.data[i * size + j]! * noise[j]!
      return z
    })
  }

  toArrays(): NamedArrays {
    const { meanFrame, beta, priorMean, priorFactor, priorPoints, priorCount } = this
    return { meanFrame, beta, priorMean, priorFactor, priorPoints, priorCount }
  }

  prepare(arrays: NamedArrays): () => void {
    const own = Object.entries(this.toArrays())
    checkNames(
      'statistics',
      own.map(([name]) => name),
      arrays,
    )
    const values = own.map(([name, { shape }]) => floatsOf(name, arrays, shape))
    return () => own.forEach(([, { data }], i) => data.set(values[i]!))
  }
}
