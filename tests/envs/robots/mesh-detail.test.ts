import { expect, it } from 'vitest'
import { simplified } from '../../../envs/robots/mesh-detail.ts'
import type { TriangleMesh } from '../../../envs/robots/triangle-mesh.ts'
import { weld } from '../../../envs/robots/triangle-mesh.ts'
import { ballFaces } from './mesh-drafts.ts'

function areaOf({ vertices, triangles }: TriangleMesh): number {
  let area = 0
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [0, 1, 2].map((corner) =>
      vertices.subarray(3 * triangles[t + corner]!, 3 * triangles[t + corner]! + 3),
    )
    const [u, v] = [b!.map((x, i) => x - a![i]!), c!.map((x, i) => x - a![i]!)]
    area += Math.hypot(u[1]! * v[2]! - u[2]! * v[1]!, u[2]! * v[0]! - u[0]! * v[2]!, u[0]! * v[1]! - u[1]! * v[0]!) / 2
  }
  return area
}

it('simplifies a surface to one of the same place and size', async () => {
  const ball = weld(ballFaces(20_000).flat(2))
  const [small] = await simplified([ball])
  expect(small!.triangles.length / 3).toBeLessThanOrEqual(6000)
  expect(Math.max(...small!.triangles)).toBe(small!.vertices.length / 3 - 1)
  expect(areaOf(small!) / areaOf(ball)).toBeGreaterThan(0.97)
  expect(areaOf(small!) / areaOf(ball)).toBeLessThan(1.01)
})
