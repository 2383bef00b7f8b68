/** Points of a hull: more make contacts slow, and are not felt. */
const MOST_HULL_POINTS = 128
/** Golden angle: directions spread evenly over a sphere. */
const TURN = Math.PI * (3 - Math.sqrt(5))

/** The `points` [V, 3] that lie furthest out in even directions: their convex hull is nearly that of all. */
export function hullPoints(points: ArrayLike<number>): Float32Array {
  if (points.length <= 3 * MOST_HULL_POINTS) return Float32Array.from(points)
  const chosen = new Set<number>()
  for (let d = 0; d < MOST_HULL_POINTS; d++) {
    const z = 1 - (2 * d + 1) / MOST_HULL_POINTS
    const [x, y] = [Math.sqrt(1 - z * z) * Math.cos(d * TURN), Math.sqrt(1 - z * z) * Math.sin(d * TURN)]
    let [best, furthest] = [0, -Infinity]
    for (let at = 0; at < points.length; at += 3) {
      const along = x * points[at]! + y * points[at + 1]! + z * points[at + 2]!
      if (along > furthest) [best, furthest] = [at, along]
    }
    chosen.add(best)
  }
  return Float32Array.from([...chosen].flatMap((at) => [points[at]!, points[at + 1]!, points[at + 2]!]))
}
