import type { NdArray } from '../../core/ndarray.ts'
import { engineInfo } from '../engine.ts'
import type { tf } from '../tf.ts'
import { runEagerly } from './eager.ts'

/** A function of tensors, ready to be run on arrays by whatever engine was started. */
export interface Program<I extends string, O extends string> {
  readonly name: string
  run(inputs: Record<I, NdArray>): Promise<Record<O, NdArray>>
  dispose(): void
}

/**
 * Makes a program of a function written in TF.js ops.
 *
 * `fn` may read and assign variables and differentiate (`tf.variableGrads`); apart from them it must be pure. uint8 inputs
 * appear to it as int32 tensors. When a run fails, no variable has changed.
 */
export function compile<I extends string, O extends string>(
  name: string,
  fn: (inputs: Record<I, tf.Tensor>) => Record<O, tf.Tensor>,
): Program<I, O> {
  return {
    name,
    run: async (inputs) => {
      engineInfo()
      return runEagerly(name, fn, inputs)
    },
    dispose: () => {},
  }
}
