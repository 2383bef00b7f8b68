import { fc } from '../../fast-check.ts'
import { describe, expect, it } from 'vitest'
import type { NdArray } from '../../../src/core/ndarray.ts'
import { compile } from '../../../src/tensor/compile/program.ts'
import type { EngineName } from '../../../src/tensor/engine.ts'
import { startEngine } from '../../../src/tensor/engine.ts'
import { tf } from '../../../src/tensor/tf.ts'
import { NATIVE_ENGINES, wiggle } from '../numerics.ts'
import { inputsOf, interpret } from './random-programs.ts'

/** How many programs: more by hand, as in `ARMATURE_FUZZ_RUNS=20000 ARMATURE_FUZZ_SEED=7 npx vitest run tests/tensor/compile/fuzz.test.ts`. */
const RUNS = Number(process.env['ARMATURE_FUZZ_RUNS'] ?? 60)
const SEED = Number(process.env['ARMATURE_FUZZ_SEED'] ?? 1)
const TOLERANCE = 1e-4
const TIMEOUT_MS = 120_000 + RUNS * 1000

interface Case {
  readonly shape: readonly number[]
  readonly steps: readonly number[]
}

const CASES = fc.record({
  shape: fc.array(fc.nat(1000), { minLength: 8, maxLength: 40 }),
  steps: fc.array(fc.nat(10_000), { minLength: 6, maxLength: 60, size: 'max' }),
})

function lossOf({ steps }: Case, xs: readonly tf.Tensor[]): tf.Tensor {
  const { items } = interpret(steps, xs)
  const terms = items.map(({ tensor }, i) =>
    tf.sum(tf.mul(tensor, tf.tensor(wiggle(tensor.shape, i).data, tensor.shape))),
  )
  // Every input takes part, so that each has a gradient.
  return tf.addN([...terms, ...xs.map((x) => tf.mul(tf.sum(x), 0.01))])
}

async function run(engine: EngineName, given: Case): Promise<Record<string, NdArray>> {
  await startEngine({ name: engine })
  const program = compile<string, string>('random', (tensors) => {
    const xs = ['x0', 'x1', 'x2'].map((name) => tensors[name]!)
    const values = interpret(given.steps, xs).items.map(({ tensor }, i) => [`value${i}`, tf.reshape(tensor, [1, -1])])
    const gradients = tf.grads((...inputs: tf.Tensor[]) => lossOf(given, inputs))(xs)
    return Object.fromEntries([...values, ...gradients.map((gradient, i) => [`gradient${i}`, tf.reshape(gradient, [1, -1])])]) as Record<string, tf.Tensor> // prettier-ignore
  })
  try {
    return await program.run(inputsOf(given.shape))
  } finally {
    program.dispose()
  }
}

function differences(actual: Record<string, NdArray>, expected: Record<string, NdArray>): string[] {
  return Object.entries(expected).flatMap(([name, { data, shape }]) => {
    const got = actual[name]!
    if (got.shape.join() !== shape.join()) return [`${name}: shape ${got.shape.join()} instead of ${shape.join()}`]
    if (got.data.constructor !== data.constructor) return [`${name}: ${got.data.constructor.name}`]
    const scale = Math.max(1, ...data.map(Math.abs).filter(Number.isFinite))
    const wrong = data.findIndex(
      (y, i) => !(Object.is(got.data[i], y) || Math.abs(got.data[i]! - y) <= TOLERANCE * scale),
    )
    return wrong < 0 ? [] : [`${name}[${wrong}]: ${got.data[wrong]} instead of ${data[wrong]}`]
  })
}

/** Slope of the loss along one direction by central differences, or undefined where they do not converge. */
function numericSlope(given: Case, inputs: readonly NdArray[], direction: readonly Float32Array[]): number | undefined {
  const at = (step: number): number =>
    tf.tidy(() => {
      const xs = inputs.map(({ data, shape }, i) => {
        const shifted = Float32Array.from(data, (value, k) => value + step * direction[i]![k]!)
        return tf.tensor(shifted, [...shape])
      })
      return lossOf(given, xs).dataSync<'float32'>()[0]!
    })
  const slope = (step: number): number => (at(step) - at(-step)) / (2 * step)
  const [coarse, fine] = [slope(2 ** -5), slope(2 ** -6)]
  return Math.abs(coarse - fine) < 0.01 * Math.max(1, Math.abs(fine)) ? fine : undefined
}

function opsOf(given: Case): string {
  const inputs = Object.values(inputsOf(given.shape))
  const shapes = inputs.map(({ shape }) => `[${shape.join()}]`).join(' ')
  return tf.tidy(() => `${shapes}: ${interpret(given.steps, inputs.map(({ data, shape }) => tf.tensor(data, [...shape]))).ops.join(' ')}`) // prettier-ignore
}

describe('random programs', () => {
  it(
    'give the same values and gradients on every engine',
    async () => {
      await fc.assert(
        fc.asyncProperty(CASES, async (given) => {
          const expected = await run('js', given)
          for (const engine of NATIVE_ENGINES) {
            const wrong = differences(await run(engine, given), expected)
            await startEngine({ name: 'js' })
            expect(wrong, `${engine} ${opsOf(given)}`).toEqual([])
          }
        }),
        { numRuns: RUNS, seed: SEED, endOnFailure: RUNS < 1000 },
      )
    },
    TIMEOUT_MS,
  )

  it(
    'have the gradients on js that finite differences show, where they are smooth',
    async () => {
      let checked = 0
      await fc.assert(
        fc.asyncProperty(CASES, async (given) => {
          await startEngine({ name: 'js' })
          const inputs = Object.values(inputsOf(given.shape))
          const isSmooth = tf.tidy(
            () =>
            interpret(given.steps, inputs.map(({ data, shape }) => tf.tensor(data, [...shape]))).items.every((made) => made.isSmooth), // prettier-ignore
          )
          if (!isSmooth) return
          const results = await run('js', given)
          const direction = inputs.map(({ shape }, i) => wiggle(shape, i + 0.5).data)
          const numeric = numericSlope(given, inputs, direction)
          if (numeric === undefined || !Number.isFinite(numeric)) return
          checked++
          const analytic = direction.reduce(
            (total, step, i) => total + step.reduce((sum, d, k) => sum + d * results[`gradient${i}`]!.data[k]!, 0),
            0,
          )
          expect(Math.abs(analytic - numeric) / Math.max(1, Math.abs(numeric)), opsOf(given)).toBeLessThan(0.02)
        }),
        { numRuns: RUNS, seed: SEED, endOnFailure: RUNS < 1000 },
      )
      expect(checked).toBeGreaterThan(RUNS / 8)
    },
    TIMEOUT_MS,
  )
})
