import { ArmatureError } from '../../core/errors.ts'
import type { NdArray } from '../../core/ndarray.ts'
import { dtypeOf } from '../../core/ndarray.ts'
import { tf } from '../tf.ts'

export interface InputSpec {
  readonly dtype: 'float32' | 'int32' | 'uint8'
  readonly shape: readonly number[]
}

export function specsOf(inputs: Readonly<Record<string, NdArray>>): Record<string, InputSpec> {
  const specs = Object.entries(inputs).map(([name, { data, shape }]) => [
    name,
    { dtype: dtypeOf(data) as InputSpec['dtype'], shape: [...shape] },
  ])
  return Object.fromEntries(specs) as Record<string, InputSpec>
}

/** Inputs that name the missing one instead of handing out `undefined`. */
export function checkedInputs<I extends string>(program: string, tensors: Record<I, tf.Tensor>): Record<I, tf.Tensor> {
  return new Proxy(tensors, {
    get(target, name) {
      if (typeof name === 'symbol' || name in target) return Reflect.get(target, name) as unknown
      throw new ArmatureError('bad-argument', `program ${program}`, {
        expected: `an input ${name}`,
        got: Object.keys(target).join(', ') || 'no inputs',
      })
    },
  })
}

/** What a user can make of an error that `fn` ended with. */
export function explain(program: string, inputs: Readonly<Record<string, InputSpec>>, error: unknown): unknown {
  if (error instanceof ArmatureError || !(error instanceof Error)) return error
  const kernel = /Kernel '(\w+)' not registered/.exec(error.message)?.[1]
  if (kernel !== undefined) {
    return new ArmatureError('unsupported-op', `program ${program}: op ${kernel} is not covered by the onnx engine`, {
      fix: 'write it in other ops, or choose the engine js',
      cause: error,
    })
  }
  const flat = /gradient function not found for (\w+)/.exec(error.message)?.[1]
  if (flat !== undefined) {
    return new ArmatureError('unsupported-op', `program ${program}: op ${flat} has no gradient`, {
      fix: 'write it in other ops, give it one with tf.customGrad, or keep it out of the loss',
      cause: error,
    })
  }
  // TF.js reports every shape mismatch as a plain Error.
  if (error.constructor !== Error) return error
  const given = Object.entries(inputs).map(([name, { dtype, shape }]) => `${name} ${dtype} [${shape.join(', ')}]`)
  return new ArmatureError('bad-shape', `program ${program} with inputs ${given.join(', ')}: ${error.message}`, {
    cause: error,
  })
}

/** Disposes of what TF.js saved for a backward pass that an error kept from running. */
export function forgetTape(): void {
  const { state } = tf.engine()
  if (state.gradientDepth > 0) return
  for (const { saved } of state.activeTape ?? []) tf.dispose(saved)
  state.activeTape = []
}
