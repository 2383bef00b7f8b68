import { beforeAll, describe, expect, it } from 'vitest'
import { startEngine } from '../../src/tensor/engine.ts'
import {
  bernoulliNegativeLogLikelihood,
  energyDistance,
  huber,
  meanSquaredError,
  softmaxCrossEntropy,
  symexp,
  symlog,
  twoHot,
  twoHotMean,
} from '../../src/tensor/losses.ts'
import { tf } from '../../src/tensor/tf.ts'
import { array, ENGINES, evaluate, finiteDifference, wiggle, worstError } from './numerics.ts'

describe.each(ENGINES)('losses on %s', (engine) => {
  beforeAll(async () => {
    await startEngine({ name: engine })
  })

  it('mean squared error and its gradient', async () => {
    const { value, gradients } = await evaluate(
      meanSquaredError,
      array([1, 2, 3, 4], [2, 2]),
      array([1, 0, 3, 8], [2, 2]),
    )
    expect(value).toEqual([5])
    expect(gradients[0]).toEqual([0, 1, 0, -2])
  })

  it('Huber is quadratic inside delta and linear outside; a gap of 0.1 costs 0.005', async () => {
    const gaps = [0.1, 0, -0.5, 3, -4]
    const { value, gradients } = await evaluate((d) => huber(d, tf.zerosLike(d)), array(gaps))
    expect(value[0]).toBeCloseTo((0.005 + 0 + 0.125 + 2.5 + 3.5) / 5, 6)
    expect(worstError(gradients[0]!, [0.02, 0, -0.1, 0.2, -0.2])).toBeLessThan(1e-6)
    const wide = await evaluate((d) => huber(d, tf.zerosLike(d), 2), array([3]))
    expect(wide.value[0]).toBeCloseTo(2 * (3 - 1), 6)
  })

  it.each([4, 16, 64])('softmax cross-entropy over %d equal logits is ln K', async (classes) => {
    const target = array([1, ...Array.from({ length: classes - 1 }, () => 0)], [1, classes])
    const { value } = await evaluate(
      (x) => softmaxCrossEntropy(x, tf.tensor(target.data, [1, classes])),
      array(
        Array.from({ length: classes }, () => 7),
        [1, classes],
      ),
    )
    expect(value[0]).toBeCloseTo(Math.log(classes), 5)
  })

  it('softmax cross-entropy: gradient is (softmax - target) / rows, and huge logits stay finite', async () => {
    const logits = [0.5, -1, 2, 0, 0.3, -0.2]
    const target = [0, 0, 1, 0.5, 0.5, 0]
    const reference = (x: number[]): number => {
      const row = (r: number): number => {
        const slice = x.slice(3 * r, 3 * r + 3)
        const logSum = Math.log(slice.reduce((sum, xi) => sum + Math.exp(xi), 0))
        return slice.reduce((sum, xi, i) => sum - target[3 * r + i]! * (xi - logSum), 0)
      }
      return (row(0) + row(1)) / 2
    }
    const { value, gradients } = await evaluate(softmaxCrossEntropy, array(logits, [2, 3]), array(target, [2, 3]))
    expect(value[0]).toBeCloseTo(reference(logits), 5)
    expect(worstError(gradients[0]!, finiteDifference(reference, logits))).toBeLessThan(1e-5)
    const huge = await evaluate(softmaxCrossEntropy, array([1000, 0, -1000], [1, 3]), array([1, 0, 0], [1, 3]))
    expect(huge.value[0]).toBeCloseTo(0, 6)
    expect(huge.gradients[0]!.every(Number.isFinite)).toBe(true)
  })

  it('Bernoulli likelihood sums over pixels, row by row, and survives large logits', async () => {
    const logits = [0, 2, -3, 100, -100, 100]
    const target = [0.5, 1, 0.25, 1, 0, 0]
    const { value, shape, gradients } = await evaluate(
      bernoulliNegativeLogLikelihood,
      array(logits, [2, 3, 1]),
      array(target, [2, 3, 1]),
    )
    const first = Math.LN2 + Math.log1p(Math.exp(-2)) + Math.log1p(Math.exp(-3)) + 0.75
    expect(shape).toEqual([2])
    expect(worstError(value, [first, 100])).toBeLessThan(1e-6)
    const sigmoid = logits.map((x) => 1 / (1 + Math.exp(-x)))
    expect(
      worstError(
        gradients[0]!,
        sigmoid.map((p, i) => p - target[i]!),
      ),
    ).toBeLessThan(1e-6)
  })

  it('Bernoulli likelihood at logit 0 is ln 2 per pixel', async () => {
    const { value } = await evaluate(
      (x) => bernoulliNegativeLogLikelihood(tf.mul(x, 0), tf.abs(x)),
      wiggle([1, 4, 4, 3]),
    )
    expect(value[0]).toBeCloseTo(48 * Math.LN2, 4)
  })

  it("energy distance is 2 E|x - y| - E|y - y'|, and least in expectation where the samples have the law of x", async () => {
    const observed = [0, 0, 3, 4]
    const samples = [0, 0, 3, 0, 3, 4, 3, 4]
    const { value, gradients } = await evaluate(energyDistance, array(observed, [2, 2]), array(samples, [2, 2, 2]))
    // Row 0: samples (0, 0) and (3, 4); row 1: (3, 0) and (3, 4).
    expect(value[0]).toBeCloseTo(((2 * (0 + 5)) / 2 - 5 + (2 * (4 + 0)) / 2 - 4) / 2, 4)
    expect(gradients.flat().every(Number.isFinite)).toBe(true)

    // x is -1 or 1: a model that says both beats one that says the mean, which squared error prefers.
    const outcomes = [-1, 1, -1, 1]
    const cost = async (draws: number[]): Promise<number> =>
      (await evaluate(energyDistance, array(outcomes, [4, 1]), array(draws, [2, 4, 1]))).value[0]!
    expect(await cost([-1, -1, 1, 1, 1, 1, -1, -1])).toBeLessThan((await cost(Array(8).fill(0))) - 0.5)
  })

  it('symlog and symexp undo each other', async () => {
    const x = [-1000, -1, -0.01, 0, 0.01, 1, 1000]
    const logs = await evaluate(symlog, array(x))
    expect(
      worstError(
        logs.value,
        x.map((xi) => Math.sign(xi) * Math.log1p(Math.abs(xi))),
      ),
    ).toBeLessThan(1e-6)
    const { value } = await evaluate((y) => symexp(symlog(y)), array(x))
    expect(worstError(value, x)).toBeLessThan(1e-4)
  })

  it('two-hot weights lie on two neighbours, add up to one, and give the scalar back', async () => {
    const bins = { low: -2, high: 2, count: 9 }
    const x = [0, 0.5, -1.3, 1e6, -1e6]
    const { value } = await evaluate((y) => twoHot(y, bins), array(x))
    for (let row = 0; row < x.length; row++) {
      const weights = value.slice(9 * row, 9 * row + 9)
      expect(weights.reduce((sum, w) => sum + w, 0)).toBeCloseTo(1, 5)
      expect(weights.filter((w) => w > 1e-6).length).toBeLessThanOrEqual(2)
    }
    expect(value[4]).toBeCloseTo(1, 5)
    const place = 2 * (Math.log1p(0.5) + 2)
    expect(value[9 + Math.floor(place)]).toBeCloseTo(1 - (place % 1), 4)
    const back = await evaluate((y) => twoHotMean(tf.log(tf.add(twoHot(y, bins), 1e-9)), bins), array([0, 0.5, -1.3]))
    expect(worstError(back.value, [0, 0.5, -1.3])).toBeLessThan(1e-3)
  })
})
