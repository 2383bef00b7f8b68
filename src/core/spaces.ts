import { ArmatureError } from './errors.ts'
import type { DType, NdData } from './ndarray.ts'
import { dtypeOf, sizeOf } from './ndarray.ts'
import type { Rng } from './rng.ts'

/** A box of numbers: every element between `low` and `high`, each a number for all elements or one per element. */
export interface BoxSpace {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly low: number | readonly number[]
  readonly high: number | readonly number[]
  /** What each element is, with its unit, e.g. `hand_x_m`; travels to datasets and across the bridge. */
  readonly names?: readonly string[]
}

/** A float32 box with names and one bound for all elements. */
export function boxSpace(shape: readonly number[], low: number, high: number, names?: readonly string[]): BoxSpace {
  return names === undefined ? { dtype: 'float32', shape, low, high } : { dtype: 'float32', shape, low, high, names }
}

/** A float32 vector whose element i lies within `limits[i]` of zero. */
export function symmetricSpace(limits: readonly number[], names: readonly string[]): BoxSpace {
  return { dtype: 'float32', shape: [limits.length], low: limits.map((limit) => -limit), high: limits, names }
}

/** The space of an RGB camera image: uint8 [height, width, 3], 0..255. */
export function imageSpace(height: number, width: number): BoxSpace {
  return { dtype: 'uint8', shape: [height, width, 3], low: 0, high: 255 }
}

/** Bound of element `index`. */
export function bound(limit: number | readonly number[], index: number): number {
  return typeof limit === 'number' ? limit : limit[index]!
}

/** Why `value` is not in `space`, in a few words, or undefined when it is. */
export function whyOutside(space: BoxSpace, value: NdData): string | undefined {
  if (dtypeOf(value) !== space.dtype) return `dtype ${dtypeOf(value)} instead of ${space.dtype}`
  if (value.length !== sizeOf(space.shape)) return `${value.length} elements instead of ${sizeOf(space.shape)}`
  for (let i = 0; i < value.length; i++) {
    const x = value[i]!
    if (!(x >= bound(space.low, i) && x <= bound(space.high, i))) {
      return `element ${space.names?.[i] ?? i} is ${x}, outside [${bound(space.low, i)}, ${bound(space.high, i)}]`
    }
  }
  return undefined
}

/**
 * Checks an action before it reaches the physics.
 * @throws ArmatureError `bad-shape` or `bad-value` that names the element.
 */
export function checkAction(space: BoxSpace, action: Float32Array): void {
  if (action.length !== sizeOf(space.shape)) {
    throw new ArmatureError('bad-shape', 'action', {
      expected: `length ${sizeOf(space.shape)}`,
      got: `${action.length}`,
    })
  }
  const why = whyOutside(space, action)
  if (why !== undefined)
    throw new ArmatureError('bad-value', 'action', { got: why, fix: 'clip it to the action space' })
}

/** Fills `target` uniformly from a bounded `space`. */
export function sampleSpace(space: BoxSpace, rng: Rng, target: Float32Array): Float32Array {
  for (let i = 0; i < target.length; i++) target[i] = rng.uniform(bound(space.low, i), bound(space.high, i))
  return target
}
