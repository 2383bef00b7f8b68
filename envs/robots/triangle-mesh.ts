/** A surface of triangles, counter-clockwise seen from outside. */
export interface TriangleMesh {
  /** [V, 3], each point once. */
  readonly vertices: Float64Array
  /** [T, 3] indices of vertices. */
  readonly triangles: Uint32Array
}

/** Some of the triangles of a mesh file, all of one colour. */
export interface MeshPart {
  readonly mesh: TriangleMesh
  /** 0..255 per channel, where the file has one. */
  readonly color?: readonly [number, number, number]
}

/** Of one file; a whole robot out of a CAD program may have a million. */
export const MAX_TRIANGLES = 2_000_000

/** Makes corners [T, 3, 3] at the same point one vertex; triangles without area are left out. */
export function weld(corners: ArrayLike<number>): TriangleMesh {
  const table = new VertexTable(corners.length / 3)
  const triangles = new Uint32Array(corners.length / 3)
  let used = 0
  for (let t = 0; t < corners.length; t += 9) {
    if (!hasArea(corners, t)) continue
    for (let c = 0; c < 9; c += 3) {
      triangles[used++] = table.indexOf(corners[t + c]!, corners[t + c + 1]!, corners[t + c + 2]!)
    }
  }
  return { vertices: table.vertices(), triangles: triangles.slice(0, used) }
}

/** Points by their coordinates: a hash table, since a map of texts takes seconds for a large file. */
class VertexTable {
  readonly #slots: Int32Array
  readonly #points: Float64Array
  readonly #bits = new Float64Array(3)
  readonly #words = new Int32Array(this.#bits.buffer)
  #count = 0

  constructor(most: number) {
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * most + 2))).fill(-1)
    this.#points = new Float64Array(3 * most)
  }

  indexOf(x: number, y: number, z: number): number {
    const points = this.#points
    const mask = this.#slots.length - 1
    for (let slot = this.#hash(x, y, z) & mask; ; slot = (slot + 1) & mask) {
      const index = this.#slots[slot]!
      if (index < 0) {
        this.#slots[slot] = this.#count
        const at = 3 * this.#count
        points[at] = x
        points[at + 1] = y
        points[at + 2] = z
        return this.#count++
      }
      if (points[3 * index] === x && points[3 * index + 1] === y && points[3 * index + 2] === z) return index
    }
  }

  vertices(): Float64Array {
    return this.#points.slice(0, 3 * this.#count)
  }

  #hash(x: number, y: number, z: number): number {
    // Zero and minus zero are one point.
    this.#bits[0] = x + 0
    this.#bits[1] = y + 0
    this.#bits[2] = z + 0
    let hash = 0
    for (const word of this.#words) hash = Math.imul(hash ^ word, 0x9e3779b1) ^ (hash >>> 15)
    return hash ^ (hash >>> 13)
  }
}

/** Whether the cross product of two sides can be normalised. Squares, and no arrays: `Math.hypot` is slow, and files have millions of corners. */
function hasArea(p: ArrayLike<number>, t: number): boolean {
  const ax = p[t + 3]! - p[t]!
  const ay = p[t + 4]! - p[t + 1]!
  const az = p[t + 5]! - p[t + 2]!
  const bx = p[t + 6]! - p[t]!
  const by = p[t + 7]! - p[t + 1]!
  const bz = p[t + 8]! - p[t + 2]!
  const cx = ay * bz - az * by
  const cy = az * bx - ax * bz
  const cz = ax * by - ay * bx
  const sides = (ax * ax + ay * ay + az * az) * (bx * bx + by * by + bz * bz)
  return cx * cx + cy * cy + cz * cz > 1e-24 * sides
}

/** The corners of the smallest box around points [V, 3]: [low, high]. */
export function boundsOf(points: ArrayLike<number>): readonly [[number, number, number], [number, number, number]] {
  const low: [number, number, number] = [Infinity, Infinity, Infinity]
  const high: [number, number, number] = [-Infinity, -Infinity, -Infinity]
  for (let i = 0; i < points.length; i++) {
    const axis = i % 3
    low[axis] = Math.min(low[axis]!, points[i]!)
    high[axis] = Math.max(high[axis]!, points[i]!)
  }
  return [low, high]
}

/** One mesh of all `parts`. */
export function joined(parts: readonly MeshPart[]): TriangleMesh {
  if (parts.length === 1) return parts[0]!.mesh
  const vertices = new Float64Array(parts.reduce((sum, { mesh }) => sum + mesh.vertices.length, 0))
  const triangles = new Uint32Array(parts.reduce((sum, { mesh }) => sum + mesh.triangles.length, 0))
  let [v, t] = [0, 0]
  for (const { mesh } of parts) {
    vertices.set(mesh.vertices, v)
    triangles.set(
      mesh.triangles.map((index) => index + v / 3),
      t,
    )
    v += mesh.vertices.length
    t += mesh.triangles.length
  }
  return { vertices, triangles }
}
