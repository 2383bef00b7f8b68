/** x and y, metres. */
export type Point = readonly [number, number]

/**
 * Writes to `action` the way from `from` to `to`, in units of `stepM` metres, shortened to the longest that lies in [-1, 1] and keeps its
 * direction.
 */
export function steer(
  action: Float32Array,
  from: ArrayLike<number>,
  to: ArrayLike<number>,
  stepM: number,
): Float32Array {
  let largest = 1
  for (let i = 0; i < action.length; i++) largest = Math.max(largest, Math.abs(to[i]! - from[i]!) / stepM)
  for (let i = 0; i < action.length; i++) action[i] = (to[i]! - from[i]!) / stepM / largest
  return action
}

/** How much larger or smaller than the Panda's a bench is on which a tip starts at height `z` instead of `usualM`; the Panda's is 1 exactly. */
export function scaleAt(z: number, usualM: number): number {
  const scale = z / usualM
  return Math.abs(scale - 1) < 0.02 ? 1 : scale
}
