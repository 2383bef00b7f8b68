import type { NdArray } from '../../src/core/ndarray.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import type { EngineName } from '../../src/tensor/engine.ts'
import { probeEngines } from '../../src/tensor/engine.ts'
import { tf } from '../../src/tensor/tf.ts'

/** What is held against `js`, the truth: `onnx`, which must be there, and `tensorflow` where one of its packages is installed. */
export const NATIVE_ENGINES: readonly EngineName[] = (await probeEngines())
  .filter(({ name, available }) => name === 'onnx' || (name === 'tensorflow' && available))
  .map(({ name }) => name)

/** Engines that every numeric suite runs on. */
export const ENGINES: readonly EngineName[] = ['js', ...NATIVE_ENGINES]

export function array(values: ArrayLike<number>, shape: readonly number[] = [values.length]): NdArray<Float32Array> {
  return { data: Float32Array.from(values), shape }
}

export interface Evaluated {
  readonly value: number[]
  readonly shape: readonly number[]
  /** Of the sum of `value`, one per input. */
  readonly gradients: number[][]
}

/** Value of `fn`, and the gradient of the sum of its elements with respect to every input, on the running engine. */
export async function evaluate(fn: (...inputs: tf.Tensor[]) => tf.Tensor, ...inputs: NdArray[]): Promise<Evaluated> {
  const names = inputs.map((_, index) => `x${index}`)
  const program = compile<string, string>('evaluate', (tensors) => {
    const args = names.map((name) => tensors[name]!)
    const grads = tf.grads((...xs: tf.Tensor[]) => tf.sum(fn(...xs)))(args)
    return { value: fn(...args), ...Object.fromEntries(grads.map((gradient, index) => [`g${index}`, gradient])) }
  })
  const outputs = await program.run(Object.fromEntries(names.map((name, index) => [name, inputs[index]!])))
  program.dispose()
  return {
    value: [...outputs['value']!.data],
    shape: outputs['value']!.shape,
    gradients: names.map((_, index) => [...outputs[`g${index}`]!.data]),
  }
}

/** Central differences of the float64 function `fn` at `x`. */
export function finiteDifference(fn: (x: number[]) => number, x: readonly number[], step = 1e-5): number[] {
  return x.map((_, index) => {
    const shifted = (by: number): number[] => x.map((value, i) => (i === index ? value + by : value))
    return (fn(shifted(step)) - fn(shifted(-step))) / (2 * step)
  })
}

/** Largest |a - b| / max(1, |b|). */
export function worstError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity
  let worst = 0
  for (let i = 0; i < a.length; i++) {
    const error = Math.abs(a[i]! - b[i]!) / Math.max(1, Math.abs(b[i]!))
    worst = Number.isNaN(error) ? Infinity : Math.max(worst, error)
  }
  return worst
}

/** Numbers in [-1, 1] that look random and never change. */
export function wiggle(shape: readonly number[], phase = 0): NdArray<Float32Array> {
  return array(
    Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(1.7 * i + 0.3 * i * i + phase)),
    shape,
  )
}
