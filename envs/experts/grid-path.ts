import type { Point } from './steer.ts'

/** A disc that a path keeps out of. */
export interface Disc {
  readonly center: Point
  readonly radiusM: number
}

const CELL_M = 0.02
const NEIGHBOURS: readonly Point[] = [
  [1, 0],
  [-1, 0],
  [0, 1],
  [0, -1],
  [1, 1],
  [1, -1],
  [-1, 1],
  [-1, -1],
]

/**
 * Where to head for, straight on, from `from` on a short way to `to` that stays within `box` (half extents) and out of `obstacles`: the
 * furthest point in sight of a path on a grid (breadth first). A start inside an obstacle is left outwards. Undefined when there is no way.
 */
export function nextOnPath(
  from: Point,
  to: Point,
  obstacles: readonly Disc[],
  box: readonly [number, number],
): Point | undefined {
  if (isFree(from, to, obstacles)) return to
  const path = search(from, to, obstacles, box)
  if (path === undefined) return undefined
  return path.findLast((point) => isFree(from, point, obstacles)) ?? path[0]
}

/** Whether the line from `from` to `to` enters no obstacle that it is not already leaving. */
function isFree(from: Point, to: Point, obstacles: readonly Disc[]): boolean {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]]
  const squared = dx * dx + dy * dy
  return obstacles.every(({ center, radiusM }) => {
    const [ox, oy] = [center[0] - from[0], center[1] - from[1]]
    const t = squared === 0 ? 0 : (ox * dx + oy * dy) / squared
    if (t <= 0) return true
    const [nx, ny] = [ox - Math.min(t, 1) * dx, oy - Math.min(t, 1) * dy]
    return Math.hypot(nx, ny) > radiusM
  })
}

/** Centres of the cells from the one after `from`'s to `to`'s, `to` itself at the end. */
function search(
  from: Point,
  to: Point,
  obstacles: readonly Disc[],
  [halfX, halfY]: readonly [number, number],
): Point[] | undefined {
  const [columns, rows] = [Math.ceil((2 * halfX) / CELL_M) + 1, Math.ceil((2 * halfY) / CELL_M) + 1]
  const centerOf = (cell: number): Point => [
    (cell % columns) * CELL_M - halfX,
    Math.floor(cell / columns) * CELL_M - halfY,
  ]
  const cellOf = ([x, y]: Point): number =>
    Math.min(columns - 1, Math.max(0, Math.round((x + halfX) / CELL_M))) +
    columns * Math.min(rows - 1, Math.max(0, Math.round((y + halfY) / CELL_M)))
  const [first, last] = [cellOf(from), cellOf(to)]
  const before = new Map<number, number>([[first, first]])
  const queue = [first]
  for (let head = 0; head < queue.length && !before.has(last); head++) {
    const cell = queue[head]!
    const column = cell % columns
    for (const [stepX, stepY] of NEIGHBOURS) {
      const next = cell + stepX + stepY * columns
      const isInside = column + stepX >= 0 && column + stepX < columns && next >= 0 && next < columns * rows
      if (!isInside || before.has(next)) continue
      if (next !== last && !isFree(cell === first ? from : centerOf(cell), centerOf(next), obstacles)) continue
      before.set(next, cell)
      queue.push(next)
    }
  }
  if (!before.has(last)) return undefined
  const path: Point[] = [to]
  for (let cell = before.get(last)!; cell !== first; cell = before.get(cell)!) path.push(centerOf(cell))
  return path.toReversed()
}
