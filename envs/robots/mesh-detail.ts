import type { MeshoptSimplifier as Simplifier } from 'meshoptimizer/simplifier'
import type { TriangleMesh } from './triangle-mesh.ts'

/** As the whole of a robot may have: more would not be seen in the small pictures that agents get, and would be drawn at every step. */
const MOST_TRIANGLES = 6000
/** Of one mesh of a detailed robot, whatever its share. */
const LEAST_TRIANGLES = 60

/**
 * Meshes with at most {@link MOST_TRIANGLES} triangles together, the largest simplified most; the same ones where they have no more.
 * Edges collapse where it is seen least (Garland and Heckbert's quadrics, by meshoptimizer); what cannot be collapsed is clustered.
 * @param uses how often each is drawn; default once.
 */
export async function simplified(
  meshes: readonly TriangleMesh[],
  uses: readonly number[] = meshes.map(() => 1),
): Promise<readonly TriangleMesh[]> {
  const counts = meshes.map(({ triangles }) => triangles.length / 3)
  const share = shareOf(counts, uses)
  if (share === Infinity) return meshes
  const { MeshoptSimplifier } = await import('meshoptimizer/simplifier')
  await MeshoptSimplifier.ready
  return meshes.map((mesh, i) => (counts[i]! > share ? simplify(MeshoptSimplifier, mesh, share) : mesh))
}

/** How many triangles each mesh may have so that all fit, where small ones leave their rest to the others. */
function shareOf(counts: readonly number[], uses: readonly number[]): number {
  let [left, open] = [MOST_TRIANGLES, uses.reduce((sum, use) => sum + use, 0)]
  for (const i of [...counts.keys()].toSorted((a, b) => counts[a]! - counts[b]!)) {
    if (counts[i]! > left / open) return Math.max(LEAST_TRIANGLES, Math.floor(left / open))
    left -= counts[i]! * uses[i]!
    open -= uses[i]!
  }
  return Infinity
}

function simplify(simplifier: typeof Simplifier, { vertices, triangles }: TriangleMesh, most: number): TriangleMesh {
  const points = Float32Array.from(vertices)
  let [kept] = simplifier.simplify(triangles, points, 3, 3 * most, 1)
  if (kept.length > 4.5 * most) [kept] = simplifier.simplifySloppy(kept, points, 3, null, 3 * most, 1)
  // So small a mesh that clustering left nothing of it is not seen either way.
  if (kept.length === 0) kept = triangles.slice(0, 3 * most)
  // In place: afterwards they are indices of the vertices that are left.
  const compactTriangles = Uint32Array.from(kept)
  const [places, count] = simplifier.compactMesh(compactTriangles)
  const compact = new Float64Array(3 * count)
  places.forEach((to, from) => {
    if (to < count) compact.set(vertices.subarray(3 * from, 3 * from + 3), 3 * to)
  })
  return { vertices: compact, triangles: compactTriangles }
}
