import { afterEach } from 'vitest'
import { sizeOf } from '../../../src/core/ndarray.ts'
import { tf } from '../../../src/tensor/tf.ts'

/** What is disposed of after the test. */
export const owned: tf.Variable[] = []

/** A variable that is disposed of after the test. */
export function variable(values: readonly number[], shape: readonly number[] = [values.length]): tf.Variable {
  const made = tf.tidy(() => tf.variable(tf.tensor([...values], [...shape])))
  owned.push(made)
  return made
}

/** {@link variable} of zeros. */
export function zeros(shape: readonly number[]): tf.Variable {
  return variable(
    Array.from({ length: sizeOf(shape) }, () => 0),
    shape,
  )
}

afterEach(() => {
  for (const made of owned.splice(0)) made.dispose()
})
