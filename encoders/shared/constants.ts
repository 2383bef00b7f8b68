import type { NamedArrays, NdArray } from '../../src/core/ndarray.ts'
import type { Stateful } from '../../src/tensor/parameters.ts'
import { assignFlat, checkNames, floatsOf } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'

/**
 * Numbers that an encoder takes from its data instead of learning them, e.g. the mean frame. Compiled functions read them as
 * tensors and see what they are at the time of the run.
 */
export class Constants<N extends string> implements Stateful {
  readonly #shapes: Readonly<Record<N, readonly number[]>>
  readonly #flat: Readonly<Record<N, tf.Variable>>

  /** @param initial values until {@link set} or a restore */
  constructor(initial: Readonly<Record<N, NdArray<Float32Array>>>) {
    const names = Object.keys(initial) as N[]
    const each = <T>(make: (name: N) => T): Record<N, T> =>
      Object.fromEntries(names.map((name) => [name, make(name)])) as Record<N, T>
    this.#shapes = each((name) => initial[name].shape)
    this.#flat = each((name) => tf.tidy(() => tf.variable(tf.tensor1d(initial[name].data), false)))
  }

  /** One of them in its shape; belongs in a compiled function. */
  tensor(name: N): tf.Tensor {
    return tf.reshape(this.#flat[name], [...this.#shapes[name]])
  }

  /** The present values of one of them; read only. */
  values(name: N): Float32Array {
    return this.#flat[name].dataSync<'float32'>()
  }

  set(values: Readonly<Partial<Record<N, ArrayLike<number>>>>): void {
    for (const name of Object.keys(values) as N[]) assignFlat(this.#flat[name], Float32Array.from(values[name]!))
  }

  toArrays(): NamedArrays {
    return Object.fromEntries(this.#names().map((n) => [n, { data: this.values(n).slice(), shape: this.#shapes[n] }]))
  }

  restorer(arrays: NamedArrays): () => void {
    checkNames('constants', this.#names(), arrays)
    const values = this.#names().map((name) => [name, floatsOf(name, arrays, this.#shapes[name])] as const)
    return () => this.set(Object.fromEntries(values) as Record<N, Float32Array>)
  }

  dispose(): void {
    for (const name of this.#names()) this.#flat[name].dispose()
  }

  #names(): N[] {
    return Object.keys(this.#flat) as N[]
  }
}
