import type { BoxSpace } from '../../src/core/spaces.ts'
import { bound } from '../../src/core/spaces.ts'

/** `space`, a vector, with elements behind its own: one for each of `names`, between -`limit` and `limit`. */
export function widened(space: BoxSpace, names: readonly string[], limit: number): BoxSpace {
  if (names.length === 0) return space
  const own = space.shape[0]!
  const size = own + names.length
  const bounds = (side: BoxSpace['low'], more: number): number[] =>
    Array.from({ length: size }, (_, i) => (i < own ? bound(side, i) : more))
  return {
    ...space,
    shape: [size],
    low: bounds(space.low, -limit),
    high: bounds(space.high, limit),
    ...(space.names && { names: [...space.names, ...names] }),
  }
}
