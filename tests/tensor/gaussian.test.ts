import { beforeAll, describe, expect, it } from 'vitest'
import { startEngine } from '../../src/tensor/engine.ts'
import {
  euclideanNorm,
  gaussianEntropy,
  gaussianLogProb,
  klBetweenGaussians,
  klToStandardNormal,
  squashedLogProb,
  squashedSample,
  tanhLogSlope,
  tanhRange,
  wasserstein2,
} from '../../src/tensor/gaussian.ts'
import { tf } from '../../src/tensor/tf.ts'
import { array, ENGINES, evaluate, finiteDifference, worstError } from './numerics.ts'

const MEAN = [0.3, -1.2, 0, 2]
const LOG_STD = [-0.5, 0.4, -2, 1]
const LOG_2PI = Math.log(2 * Math.PI)

const logNormal = (x: number, mean: number, logStd: number): number =>
  -0.5 * ((x - mean) / Math.exp(logStd)) ** 2 - logStd - 0.5 * LOG_2PI
/** Exact in float64 for every u: 1 - tanh(u)^2 = 4 e^(-2|u|) / (1 + e^(-2|u|))^2. */
const logSlope = (u: number): number => Math.log(4) - 2 * Math.abs(u) - 2 * Math.log1p(Math.exp(-2 * Math.abs(u)))

describe.each(ENGINES)('gaussian on %s', (engine) => {
  beforeAll(async () => {
    await startEngine({ name: engine })
  })

  it('log-density is the textbook formula, summed over the last axis', async () => {
    const x = [0.1, -1, 0.05, -3]
    const { value, shape, gradients } = await evaluate(
      gaussianLogProb,
      array(x, [2, 2]),
      array(MEAN, [2, 2]),
      array(LOG_STD, [2, 2]),
    )
    const terms = x.map((xi, i) => logNormal(xi, MEAN[i]!, LOG_STD[i]!))
    expect(shape).toEqual([2])
    expect(worstError(value, [terms[0]! + terms[1]!, terms[2]! + terms[3]!])).toBeLessThan(1e-5)
    const sumOverLogStd = (s: number[]): number => x.reduce((sum, xi, i) => sum + logNormal(xi, MEAN[i]!, s[i]!), 0)
    expect(worstError(gradients[2]!, finiteDifference(sumOverLogStd, LOG_STD))).toBeLessThan(1e-4)
    const sumOverMean = (m: number[]): number => x.reduce((sum, xi, i) => sum + logNormal(xi, m[i]!, LOG_STD[i]!), 0)
    expect(worstError(gradients[1]!, finiteDifference(sumOverMean, MEAN))).toBeLessThan(1e-4)
  })

  it('entropy is D/2 (1 + log 2 pi) + sum log std', async () => {
    const { value } = await evaluate(gaussianEntropy, array(LOG_STD, [2, 2]))
    expect(worstError(value, [1 + LOG_2PI - 0.1, 1 + LOG_2PI - 1])).toBeLessThan(1e-6)
  })

  it('KL to the standard normal: 0 at it, closed form elsewhere, 2.954 nats at variance 1e-3', async () => {
    const { value } = await evaluate(
      klToStandardNormal,
      array([0, 0, 1.5], [3, 1]),
      array([0, Math.log(1e-3) / 2, 0.2], [3, 1]),
    )
    const last = 0.5 * (1.5 ** 2 + Math.exp(0.4) - 0.4 - 1)
    expect(worstError(value, [0, 2.954, last])).toBeLessThan(2e-4)
  })

  it('KL between Gaussians matches the closed form and is 0 for equals', async () => {
    const [m, s, n, t] = [0.5, -0.3, -1, 0.6]
    const kl = t - s + (Math.exp(2 * s) + (m - n) ** 2) / (2 * Math.exp(2 * t)) - 0.5
    const { value } = await evaluate(
      klBetweenGaussians,
      ...[
        [m, m],
        [s, s],
        [n, m],
        [t, s],
      ].map((pair) => array(pair, [2, 1])),
    )
    expect(worstError(value, [kl, 0])).toBeLessThan(1e-6)
  })

  it('log slope of tanh is exact in the tails, with a gradient that never dies', async () => {
    const u = [-20, -9, -1, -1e-3, 0, 0.5, 3, 9, 12, 20]
    const { value, gradients } = await evaluate(tanhLogSlope, array(u, [u.length, 1]))
    expect(worstError(value, u.map(logSlope))).toBeLessThan(1e-6)
    expect(
      worstError(
        gradients[0]!,
        u.map((x) => -2 * Math.tanh(x)),
      ),
    ).toBeLessThan(1e-6)
  })

  it('squashed density integrates to 1', async () => {
    // Midpoint rule over the action in (-1, 1), in 4000 cells.
    const actions = Array.from({ length: 4000 }, (_, i) => -1 + (i + 0.5) / 2000)
    const preTanh = array(actions.map(Math.atanh), [4000, 1])
    for (const [mean, logStd] of [
      [0, 0],
      [0.8, -1],
      [-0.4, -0.3],
    ] as const) {
      const constantOf = (x: number) =>
        array(
          actions.map(() => x),
          [4000, 1],
        )
      const { value } = await evaluate(squashedLogProb, preTanh, constantOf(mean), constantOf(logStd))
      expect(value.reduce((sum, logP) => sum + Math.exp(logP) / 2000, 0)).toBeCloseTo(1, 3)
    }
  })

  it('a sample carries the density that squashedLogProb gives it, also when saturated', async () => {
    const noise = array([0.3, -1.5, 2, 1], [2, 2])
    const mean = array([0, 15, -15, 1], [2, 2])
    const logStd = array([0, 1, 1, -2], [2, 2])
    const sampled = await evaluate((m, s, e) => squashedSample(m, s, e).logProb, mean, logStd, noise)
    const viaDensity = await evaluate(
      (m, s, e) => squashedLogProb(squashedSample(m, s, e).preTanh, m, s),
      mean,
      logStd,
      noise,
    )
    expect(worstError(sampled.value, viaDensity.value)).toBeLessThan(1e-5)
    const { value: action } = await evaluate((m, s, e) => squashedSample(m, s, e).action, mean, logStd, noise)
    expect(action[0]).toBeCloseTo(Math.tanh(0.3), 6)
    expect(action.every((a) => Math.abs(a) <= 1)).toBe(true)
    // d logProb / d mean = 2 tanh(u): the noise term does not depend on the mean.
    const u = [0.3, 15 - 1.5 * Math.E, -15 + 2 * Math.E, 1 + Math.exp(-2)]
    expect(
      worstError(
        sampled.gradients[0]!,
        u.map((x) => 2 * Math.tanh(x)),
      ),
    ).toBeLessThan(1e-5)
  })

  it('tanh range reaches both ends and keeps a gradient near them', async () => {
    const { value, gradients } = await evaluate((x) => tanhRange(x, -5, 2), array([-30, 0, 30, 3]))
    expect(worstError(value, [-5, -1.5, 2, -1.5 + 3.5 * Math.tanh(3)])).toBeLessThan(1e-6)
    expect(gradients[0]![3]).toBeCloseTo(3.5 * (1 - Math.tanh(3) ** 2), 4)
  })

  it('2-Wasserstein distance is the norm of both gaps; of equal Gaussians it has a finite gradient', async () => {
    const distance = (m: tf.Tensor, s: tf.Tensor): tf.Tensor => {
      const [meanP, meanQ] = tf.unstack(m) as [tf.Tensor, tf.Tensor]
      const [stdP, stdQ] = tf.unstack(s) as [tf.Tensor, tf.Tensor]
      return wasserstein2({ mean: meanP, std: stdP }, { mean: meanQ, std: stdQ })
    }
    const apart = await evaluate(
      distance,
      array([1, 2, 0, 0, 1, 2, 3, 0], [2, 2, 2]),
      array([1, 1, 2, 2, 1, 1, 2, 6], [2, 2, 2]),
    )
    expect(worstError(apart.value, [0, 5])).toBeLessThan(1e-5)
    expect(worstError(apart.gradients[0]!.slice(2, 4), [-0.6, 0])).toBeLessThan(1e-5)
    expect(apart.gradients.flat().every(Number.isFinite)).toBe(true)
    const { gradients } = await evaluate(euclideanNorm, array([0, 0], [1, 2]))
    expect(gradients[0]).toEqual([0, 0])
  })

  it('keeps no tensor', async () => {
    const before = tf.memory().numTensors
    await evaluate(
      (m, s, e) => squashedSample(m, s, e).logProb,
      array([1], [1, 1]),
      array([0], [1, 1]),
      array([1], [1, 1]),
    )
    expect(tf.memory().numTensors).toBe(before)
  })
})
