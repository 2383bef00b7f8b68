import { beforeAll, describe, expect, it } from 'vitest'
import type { NdArray } from '../../../src/core/ndarray.ts'
import { compile } from '../../../src/tensor/compile/program.ts'
import type { EngineName } from '../../../src/tensor/engine.ts'
import { startEngine } from '../../../src/tensor/engine.ts'
import { tf } from '../../../src/tensor/tf.ts'
import { NATIVE_ENGINES, wiggle, worstError } from '../numerics.ts'
import type { OpCase } from './op-cases.ts'
import { OP_CASES } from './op-cases.ts'
import { METHOD_CASES } from './method-cases.ts'
import { PICKING_CASES } from './picking-cases.ts'

const TOLERANCE = 1e-5
const ALL_CASES = [...OP_CASES, ...PICKING_CASES, ...METHOD_CASES]

function inputsOf({ inputs }: OpCase): Record<string, NdArray> {
  return Object.fromEntries(inputs.map((input, i) => [`x${i}`, input]))
}

/** The value, and the gradients of its elements weighted unequally. */
function differentiated(
  { fn, inputs, gradient }: OpCase,
  tensors: Record<string, tf.Tensor>,
): Record<string, tf.Tensor> {
  const args = inputs.map((_, i) => tensors[`x${i}`]!)
  const value = fn(...args)
  if (gradient === false) return { value }
  const gradients = tf.grads((...xs: tf.Tensor[]) => weightedSum(fn(...xs)))(args)
  return { value, ...Object.fromEntries(gradients.map((g, i) => [`gradient${i}`, g])) }
}

function weightedSum(value: tf.Tensor): tf.Tensor {
  const { data, shape } = wiggle(value.shape, 0.7)
  return tf.sum(tf.mul(value, tf.tensor(data, [...shape])))
}

async function run(engine: EngineName, opCase: OpCase): Promise<Record<string, NdArray>> {
  await startEngine({ name: engine })
  const program = compile<string, string>(opCase.name, (tensors) => differentiated(opCase, tensors))
  const outputs = await program.run(inputsOf(opCase))
  program.dispose()
  return outputs
}

describe.each(NATIVE_ENGINES)('every op on %s agrees with TF.js', (engine) => {
  const cases = ALL_CASES.filter(({ lackedBy }) => lackedBy !== engine)
  it.each(cases.map((opCase) => [opCase.name, opCase] as const))('%s', async (_, opCase) => {
    const expected = await run('js', opCase)
    const actual = await run(engine, opCase)
    expect(Object.keys(actual)).toEqual(Object.keys(expected))
    for (const [name, { data, shape }] of Object.entries(expected)) {
      expect(actual[name]!.shape, name).toEqual(shape)
      expect(worstError(actual[name]!.data, data), name).toBeLessThan(TOLERANCE)
    }
  })
})

/** A few elements of each input, spread over it. */
function sample(length: number): number[] {
  const count = Math.min(length, 8)
  return Array.from({ length: count }, (_, i) => Math.floor((i * length) / count))
}

describe('gradients of TF.js agree with finite differences', () => {
  beforeAll(() => startEngine({ name: 'js' }))

  const differentiable = ALL_CASES.filter(({ gradient, name }) => gradient !== false && name !== 'customGrad')
  it.each(differentiable.map((opCase) => [opCase.name, opCase] as const))('%s', async (_, opCase) => {
    const analytic = await run('js', opCase)
    const lossOf = (values: readonly Float32Array[]): number =>
      tf.tidy(() => {
        const args = opCase.inputs.map(({ shape }, i) => tf.tensor(values[i]!, [...shape]))
        return weightedSum(opCase.fn(...args)).dataSync<'float32'>()[0]!
      })
    for (const [i, { data }] of opCase.inputs.entries()) {
      const values = opCase.inputs.map((input) => Float32Array.from(input.data))
      // A power of two, so that x + step is exact for the small numbers of these cases; scaled down for narrow ranges.
      const step = Math.max(...data.map(Math.abs)) < 0.02 ? 2 ** -11 : 2 ** -7
      for (const j of sample(data.length)) {
        const at = (offset: number): number => {
          const shifted = values.map((array) => array.slice())
          shifted[i]![j]! += offset
          return lossOf(shifted)
        }
        const numeric = (at(step) - at(-step)) / (2 * step)
        const given = Number(analytic[`gradient${i}`]!.data[j])
        expect(Math.abs(given - numeric) / Math.max(1, Math.abs(numeric)), `input ${i}, element ${j}`).toBeLessThan(
          5e-3,
        )
      }
    }
  })
})
