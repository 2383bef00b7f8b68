import { ArmatureError } from '../../core/errors.ts'
import type { NdArray } from '../../core/ndarray.ts'
import { tf } from '../tf.ts'
import { checkInputs, checkScalars } from './check.ts'
import { checkedInputs, explain, forgetTape, specsOf } from './failures.ts'

/**
 * Runs `fn` op by op on the current TF.js backend, with the same checks and the same all-or-nothing treatment of variables
 * as a compiled graph.
 */
export function runEagerly<I extends string, O extends string>(
  name: string,
  fn: (inputs: Record<I, tf.Tensor>) => Record<O, tf.Tensor>,
  inputs: Record<I, NdArray>,
): Record<O, NdArray> {
  checkInputs(name, inputs)
  return tf.tidy(() => {
    const restore = rememberVariables()
    try {
      const tensors = mapRecord<I, NdArray, tf.Tensor>(inputs, toTensor)
      const outputs = mapRecord<O, tf.Tensor, NdArray>(fn(checkedInputs(name, tensors)), toNdArray)
      checkScalars(name, outputs)
      return outputs as unknown as tf.TensorContainerObject // tidy only looks for tensors in it and finds none
    } catch (error) {
      restore()
      forgetTape()
      throw explain(name, specsOf(inputs), error)
    }
  }) as unknown as Record<O, NdArray>
}

/** The data of TF.js tensors is immutable, so a clone per variable is a snapshot that copies nothing. */
function rememberVariables(): () => void {
  const snapshot = Object.values(tf.engine().state.registeredVariables).map(
    (variable) => [variable, tf.clone<tf.Tensor>(variable)] as const,
  )
  return () => {
    for (const [variable, value] of snapshot) {
      if (variable.dataId !== value.dataId && !variable.isDisposed) variable.assign(value)
    }
  }
}

function toTensor(array: NdArray): tf.Tensor {
  const { data, shape } = array
  const dtype = data instanceof Float32Array ? 'float32' : 'int32'
  return tf.tensor(data instanceof Uint8Array ? Int32Array.from(data) : data.slice(), [...shape], dtype)
}

/** A copy of the value: the tensor dies with the run. Booleans become uint8. */
function toNdArray(tensor: tf.Tensor): NdArray {
  const data = tensor.dataSync()
  if (typeof data[0] === 'string') throw new ArmatureError('unsupported-op', 'string tensor as an output')
  return { data: data.slice(), shape: [...tensor.shape] }
}

function mapRecord<K extends string, A, B>(record: Record<K, A>, map: (value: A) => B): Record<K, B> {
  const entries = Object.entries<A>(record).map(([key, value]) => [key, map(value)])
  return Object.fromEntries(entries) as Record<K, B>
}
