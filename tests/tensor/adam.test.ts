import { beforeAll, describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.ts'
import type { AdamOptions } from '../../src/tensor/adam.ts'
import { Adam } from '../../src/tensor/adam.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { uniform } from '../../src/tensor/init.ts'
import { Parameters } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { array, ENGINES, wiggle, worstError } from './numerics.ts'

const SIZE = 5

/** Algorithm 1 of the paper, in float64. */
class TextbookAdam {
  readonly weights: number[]
  #m = Array.from({ length: SIZE }, () => 0)
  #v = Array.from({ length: SIZE }, () => 0)
  #t = 0

  constructor(weights: readonly number[]) {
    this.weights = [...weights]
  }

  step(gradient: readonly number[], { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamOptions): void {
    this.#t++
    gradient.forEach((g, i) => {
      this.#m[i] = beta1 * this.#m[i]! + (1 - beta1) * g
      this.#v[i] = beta2 * this.#v[i]! + (1 - beta2) * g * g
      const mHat = this.#m[i]! / (1 - beta1 ** this.#t)
      const vHat = this.#v[i]! / (1 - beta2 ** this.#t)
      this.weights[i]! -= (learningRate * mHat) / (Math.sqrt(vHat) + epsilon)
    })
  }
}

function setUp(options: AdamOptions) {
  const parameters = new Parameters([{ name: 'w', shape: [SIZE], init: uniform(1) }], new Rng(1))
  const adam = new Adam(parameters, options)
  const program = compile<'gradient' | 'scalars', 'gradientNorm'>('adam', ({ gradient, scalars }) =>
    adam.apply(gradient, scalars),
  )
  return {
    parameters,
    adam,
    weights: () => [...parameters.toArrays()['w']!.data],
    step: async (gradient: readonly number[]): Promise<number> => {
      const { gradientNorm } = await program.run({ gradient: array(gradient), scalars: adam.stepScalars() })
      adam.advance()
      return gradientNorm.data[0]!
    },
    dispose: () => {
      parameters.dispose()
      adam.dispose()
      program.dispose()
    },
  }
}

const gradientAt = (step: number): number[] => [...wiggle([SIZE], step).data]

describe.each(ENGINES)('Adam on %s', (engine) => {
  beforeAll(async () => {
    await startEngine({ name: engine })
  })

  it.each<[string, AdamOptions]>([
    ['defaults', { learningRate: 1e-2 }],
    ['other betas', { learningRate: 1e-2, beta1: 0.5, beta2: 0.9 }],
    ['a large epsilon', { learningRate: 1e-2, epsilon: 0.1 }],
  ])('follows the textbook for 50 steps with %s', async (_, options) => {
    const run = setUp(options)
    const textbook = new TextbookAdam(run.weights())
    for (let step = 0; step < 50; step++) {
      await run.step(gradientAt(step))
      textbook.step(gradientAt(step), options)
    }
    expect(worstError(run.weights(), textbook.weights)).toBeLessThan(2e-6)
    run.dispose()
  })

  it('the first step has the size of the learning rate unless the gradient is as small as epsilon', async () => {
    const run = setUp({ learningRate: 0.1 })
    const before = run.weights()
    await run.step([3, -200, 1e-3, 1e-8, 0])
    const moved = run.weights().map((w, i) => before[i]! - w)
    expect(worstError(moved, [0.1, -0.1, 0.1, 0.05, 0])).toBeLessThan(1e-5)
    run.dispose()
  })

  it('clips the norm of long gradients only, and reports it before clipping', async () => {
    const options = { learningRate: 1e-2, epsilon: 1 }
    const run = setUp({ ...options, clipNorm: 1 })
    const textbook = new TextbookAdam(run.weights())
    expect(await run.step([3, 0, 4, 0, 0])).toBeCloseTo(5, 5)
    textbook.step([0.6, 0, 0.8, 0, 0], options)
    expect(await run.step([0.3, 0, 0.4, 0, 0])).toBeCloseTo(0.5, 6)
    textbook.step([0.3, 0, 0.4, 0, 0], options)
    expect(worstError(run.weights(), textbook.weights)).toBeLessThan(1e-6)
    run.dispose()
  })

  it('takes shorter steps once the step size has fallen, and less weight decay with it', async () => {
    const [options, weightDecay] = [{ learningRate: 1e-2, epsilon: 1 }, 2]
    const run = setUp({ ...options, weightDecay, learningRateDrop: { after: 3, factor: 0.25 } })
    const textbook = new TextbookAdam(run.weights())
    for (let step = 0; step < 6; step++) {
      const learningRate = step < 3 ? 1e-2 : 2.5e-3
      await run.step(gradientAt(step))
      for (const i of textbook.weights.keys()) textbook.weights[i]! *= 1 - learningRate * weightDecay
      textbook.step(gradientAt(step), { ...options, learningRate })
    }
    expect(worstError(run.weights(), textbook.weights)).toBeLessThan(1e-6)
    run.dispose()
  })

  it('adds L2 to the gradient', async () => {
    const options = { learningRate: 1e-2, epsilon: 1 }
    const run = setUp({ ...options, l2: 0.3 })
    const textbook = new TextbookAdam(run.weights())
    for (let step = 0; step < 3; step++) {
      await run.step(gradientAt(step))
      textbook.step(
        gradientAt(step).map((g, i) => g + 0.3 * textbook.weights[i]!),
        options,
      )
    }
    expect(worstError(run.weights(), textbook.weights)).toBeLessThan(1e-6)
    run.dispose()
  })

  it('goes on bit for bit after save and restore', async () => {
    const straight = setUp({ learningRate: 1e-2 })
    for (let step = 0; step < 3; step++) await straight.step(gradientAt(step))
    const resumed = setUp({ learningRate: 1e-2 })
    resumed.parameters.fromArrays(straight.parameters.toArrays())
    resumed.adam.fromArrays(straight.adam.toArrays())
    for (const run of [straight, resumed]) {
      for (let step = 3; step < 6; step++) await run.step(gradientAt(step))
    }
    expect(resumed.weights()).toEqual(straight.weights())
    expect(resumed.adam.toArrays()).toEqual(straight.adam.toArrays())
    expect(resumed.adam.step).toBe(6)
    straight.dispose()
    resumed.dispose()
  })

  it('refuses a state that does not fit, and stays as it was', async () => {
    const run = setUp({ learningRate: 1e-2 })
    await run.step(gradientAt(0))
    const saved = run.adam.toArrays()
    expect(() => run.adam.fromArrays({ ...saved, secondMoment: array([1, 2]) })).toThrow(
      'secondMoment: expected float32 [5]',
    )
    expect(() => run.adam.fromArrays({ ...saved, step: array([1.5]) })).toThrow(
      'step: expected an integer >= 0, got 1.5',
    )
    expect(() => run.adam.fromArrays({ step: saved['step']! })).toThrow('"firstMoment"')
    expect(run.adam.toArrays()).toEqual(saved)
    run.dispose()
  })

  it('keeps no tensor', async () => {
    const before = tf.memory().numTensors
    const run = setUp({ learningRate: 1e-2 })
    await run.step(gradientAt(0))
    await run.step(gradientAt(1))
    run.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })
})
