import type { ShapeSpec } from '../camera/meshes.ts'

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
