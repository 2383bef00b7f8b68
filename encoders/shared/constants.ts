import type { NamedArrays, NdArray } from '../../src/core/ndarray.ts'
import type { Stateful } from '../../src/tensor/parameters.ts'
import { checkNames, floatsOf } from '../../src/tensor/parameters.ts'

/** Arrays that an encoder takes from its data instead of learning them, e.g. the mean frame: part of its state. */
export class Constants<N extends string> implements Stateful {
  /** The arrays themselves; their data is overwritten by {@link set} and on restoring. */
  readonly arrays: Readonly<Record<N, NdArray<Float32Array>>>

  constructor(arrays: Record<N, NdArray<Float32Array>>) {
    this.arrays = arrays
  }

  set(values: Readonly<Record<N, ArrayLike<number>>>): void {
    for (const [name, { data }] of this.#entries()) data.set(values[name])
  }

  toArrays(): NamedArrays {
    return Object.fromEntries(this.#entries().map(([name, { data, shape }]) => [name, { data: data.slice(), shape }]))
  }

  prepare(arrays: NamedArrays): () => void {
    const own = this.#entries()
    checkNames(
      'constants',
      own.map(([name]) => name),
      arrays,
    )
    const values = own.map(([name, { shape }]) => floatsOf(name, arrays, shape))
    return () => own.forEach(([, { data }], i) => data.set(values[i]!))
  }

  #entries(): [N, NdArray<Float32Array>][] {
    return Object.entries(this.arrays) as [N, NdArray<Float32Array>][]
  }
}
