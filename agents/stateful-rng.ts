import { ArmatureError } from '../src/core/errors.ts'
import type { NamedArrays } from '../src/core/ndarray.ts'
import { Rng } from '../src/core/rng.ts'
import type { Stateful } from '../src/tensor/parameters.ts'
import { checkNames } from '../src/tensor/parameters.ts'

/** Seed, four words of the generator, whether a normal is pending, and that normal. */
const STATE_SIZE = 7

/** A random stream that goes into checkpoints with its owner. */
export class StatefulRng implements Stateful {
  /** The stream; another object after a restore, so read it anew for each use. */
  current: Rng

  constructor(rng: Rng) {
    this.current = rng
  }

  toArrays(): NamedArrays {
    const { seed, generator, spareNormal } = this.current.state
    const data = Float64Array.of(seed, ...generator, spareNormal === null ? 0 : 1, spareNormal ?? 0)
    return { state: { data, shape: [STATE_SIZE] } }
  }

  restorer(arrays: NamedArrays): () => void {
    checkNames('random stream', ['state'], arrays)
    const { data } = arrays['state']!
    if (!(data instanceof Float64Array) || data.length !== STATE_SIZE) {
      throw new ArmatureError('bad-shape', 'state', {
        expected: `float64 [${STATE_SIZE}]`,
        got: `${data.length} elements`,
      })
    }
    const [seed, a, b, c, d, pending, spare] = data as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    const rng = Rng.fromState({ seed, generator: [a, b, c, d], spareNormal: pending === 1 ? spare : null })
    return () => {
      this.current = rng
    }
  }
}
