import type { ShapeSpec } from '../camera/meshes.ts'
import { hullPoints } from './hull-points.ts'

/** How far `shape` reaches from its origin along the unit vector `direction` [3], both in its own frame, metres. */
export function extentOf(shape: ShapeSpec, direction: ArrayLike<number>): number {
  const [x, y, z] = [direction[0]!, direction[1]!, direction[2]!]
  switch (shape.kind) {
    case 'box': {
      const [hx, hy, hz] = shape.halfExtentsM
      return Math.abs(x) * hx + Math.abs(y) * hy + Math.abs(z) * hz
    }
    case 'sphere':
      return shape.radiusM
    case 'cylinder':
      return Math.hypot(x, y) * shape.radiusM + (Math.abs(z) * shape.heightM) / 2
    case 'capsule':
      return shape.radiusM + (Math.abs(z) * shape.heightM) / 2
    case 'plane':
      return Math.abs(x) * shape.halfExtentsM[0] + Math.abs(y) * shape.halfExtentsM[1]
    case 'mesh': {
      const { vertices } = shape
      let furthest = -Infinity
      for (let v = 0; v < vertices.length; v += 3) {
        furthest = Math.max(furthest, x * vertices[v]! + y * vertices[v + 1]! + z * vertices[v + 2]!)
      }
      return furthest
    }
  }
}

const SIGNS = [-1, 1] as const
const AROUND = 8

/** Points whose hull is nearly that of `shape`, or a little larger, in its own frame, metres. */
export function cornersOf(shape: ShapeSpec): [number, number, number][] {
  switch (shape.kind) {
    case 'box': {
      const [x, y, z] = shape.halfExtentsM
      return SIGNS.flatMap((i) =>
        SIGNS.flatMap((j) => SIGNS.map((k): [number, number, number] => [i * x, j * y, k * z])),
      )
    }
    case 'plane': {
      const [x, y] = shape.halfExtentsM
      return SIGNS.flatMap((i) => SIGNS.map((j): [number, number, number] => [i * x, j * y, 0]))
    }
    case 'sphere':
      return rings(shape.radiusM, [-shape.radiusM, 0, shape.radiusM])
    case 'cylinder':
      return rings(shape.radiusM, [-shape.heightM / 2, shape.heightM / 2])
    case 'capsule': {
      const end = shape.heightM / 2 + shape.radiusM
      return rings(shape.radiusM, [-end, end])
    }
    case 'mesh': {
      const points = hullPoints(shape.vertices)
      return Array.from({ length: points.length / 3 }, (_, i) => [
        points[3 * i]!,
        points[3 * i + 1]!,
        points[3 * i + 2]!,
      ])
    }
  }
}

function rings(radiusM: number, heights: readonly number[]): [number, number, number][] {
  return heights.flatMap((z) =>
    Array.from({ length: AROUND }, (_, i): [number, number, number] => {
      const angle = (2 * Math.PI * i) / AROUND
      return [radiusM * Math.cos(angle), radiusM * Math.sin(angle), z]
    }),
  )
}
