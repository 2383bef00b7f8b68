/** Shapes that the camera can draw. Sizes in metres; cylinder and capsule stand along their local z axis. */
export type ShapeSpec =
  | { readonly kind: 'box'; readonly halfExtentsM: readonly [number, number, number] }
  | { readonly kind: 'cylinder'; readonly radiusM: number; readonly heightM: number }
  | { readonly kind: 'sphere'; readonly radiusM: number }
  /** `heightM` is that of the straight part; the caps add a radius at each end. */
  | { readonly kind: 'capsule'; readonly radiusM: number; readonly heightM: number }
  /** A rectangle in the local xy plane that faces +z. */
  | { readonly kind: 'plane'; readonly halfExtentsM: readonly [number, number] }
  /** Triangles [T, 3] of vertices [V, 3], counter-clockwise seen from outside; need not be convex, is seen from outside only. */
  | {
      readonly kind: 'mesh'
      readonly vertices: Float64Array | readonly number[]
      readonly triangles: Uint32Array | readonly number[]
    }

/**
 * A surface of planar convex polygons, counter-clockwise seen from outside. A face whose corners share one normal is flat;
 * otherwise its shade is interpolated.
 */
export interface Mesh {
  /** [V, 3] */
  readonly vertices: Float64Array
  /** [N, 3] unit normals that corners refer to. */
  readonly normals: Float64Array
  /** [F + 1] first corner of each face. */
  readonly faceStart: Int32Array
  /** [C] vertex index of each corner. */
  readonly cornerVertex: Int32Array
  /** [C] normal index of each corner. */
  readonly cornerNormal: Int32Array
  /** [F, 4] plane of each face: unit outward normal n and offset d with n.p = d on the face. */
  readonly facePlane: Float64Array
  /** [F] 1 where all corners share one normal. */
  readonly faceFlat: Uint8Array
}

/** Segments around the axis of round shapes. */
export interface Tessellation {
  readonly segments: number
  /** Bands from pole to pole of a sphere (even). */
  readonly bands: number
}

/** For images up to 160 samples high, where the error of the outline is a small part of a pixel. */
export const MEDIUM: Tessellation = { segments: 16, bands: 8 }
export const FINE: Tessellation = { segments: 48, bands: 24 }
/** For shadows, whose edge need not be fine. */
export const COARSE: Tessellation = { segments: 12, bands: 4 }

/** Tessellates `shape` about its centre. */
export function meshOf(shape: ShapeSpec, detail: Tessellation): Mesh {
  const builder = new MeshBuilder()
  switch (shape.kind) {
    case 'box':
      addBox(builder, shape.halfExtentsM)
      break
    case 'plane': {
      const [hx, hy] = shape.halfExtentsM
      builder.addFlatFace([-hx, -hy, 0], [hx, -hy, 0], [hx, hy, 0], [-hx, hy, 0])
      break
    }
    case 'cylinder':
      addCylinder(builder, shape.radiusM, shape.heightM, detail.segments)
      break
    case 'sphere':
      addRound(builder, shape.radiusM, 0, detail)
      break
    case 'capsule':
      addRound(builder, shape.radiusM, shape.heightM, detail)
      break
    case 'mesh':
      addTriangles(builder, shape.vertices, shape.triangles)
      break
  }
  return builder.build()
}

type Point = readonly [number, number, number]

class MeshBuilder {
  readonly #vertices: number[] = []
  readonly #normals: number[] = []
  readonly #faceStart: number[] = [0]
  readonly #cornerVertex: number[] = []
  readonly #cornerNormal: number[] = []

  addVertex(point: Point): number {
    this.#vertices.push(...point)
    return this.#vertices.length / 3 - 1
  }

  addNormal(normal: Point): number {
    this.#normals.push(...normal)
    return this.#normals.length / 3 - 1
  }

  addFace(vertices: readonly number[], normals: readonly number[]): void {
    this.#cornerVertex.push(...vertices)
    this.#cornerNormal.push(...normals)
    this.#faceStart.push(this.#cornerVertex.length)
  }

  addFlatFace(...points: Point[]): void {
    const vertices = points.map((point) => this.addVertex(point))
    const normal = this.addNormal(polygonNormal(points))
    this.addFace(
      vertices,
      vertices.map(() => normal),
    )
  }

  build(): Mesh {
    const faces = this.#faceStart.length - 1
    const facePlane = new Float64Array(faces * 4)
    const faceFlat = new Uint8Array(faces)
    for (let f = 0; f < faces; f++) {
      const corners = range(this.#faceStart[f]!, this.#faceStart[f + 1]!)
      const points = corners.map((c) => this.#point(this.#cornerVertex[c]!))
      const normal = polygonNormal(points)
      const [x, y, z] = points[0]!
      facePlane.set([...normal, normal[0] * x + normal[1] * y + normal[2] * z], f * 4)
      faceFlat[f] = corners.every((c) => this.#cornerNormal[c] === this.#cornerNormal[corners[0]!]) ? 1 : 0
    }
    return {
      vertices: Float64Array.from(this.#vertices),
      normals: Float64Array.from(this.#normals),
      faceStart: Int32Array.from(this.#faceStart),
      cornerVertex: Int32Array.from(this.#cornerVertex),
      cornerNormal: Int32Array.from(this.#cornerNormal),
      facePlane,
      faceFlat,
    }
  }

  #point(vertex: number): Point {
    return [this.#vertices[vertex * 3]!, this.#vertices[vertex * 3 + 1]!, this.#vertices[vertex * 3 + 2]!]
  }
}

function addBox(builder: MeshBuilder, [hx, hy, hz]: Point): void {
  builder.addFlatFace([-hx, -hy, hz], [hx, -hy, hz], [hx, hy, hz], [-hx, hy, hz])
  builder.addFlatFace([-hx, hy, -hz], [hx, hy, -hz], [hx, -hy, -hz], [-hx, -hy, -hz])
  builder.addFlatFace([hx, -hy, -hz], [hx, hy, -hz], [hx, hy, hz], [hx, -hy, hz])
  builder.addFlatFace([-hx, hy, -hz], [-hx, -hy, -hz], [-hx, -hy, hz], [-hx, hy, hz])
  builder.addFlatFace([hx, hy, -hz], [-hx, hy, -hz], [-hx, hy, hz], [hx, hy, hz])
  builder.addFlatFace([-hx, -hy, -hz], [hx, -hy, -hz], [hx, -hy, hz], [-hx, -hy, hz])
}

function addCylinder(builder: MeshBuilder, radius: number, height: number, segments: number): void {
  const bottom: number[] = []
  const top: number[] = []
  const around: number[] = []
  for (let i = 0; i < segments; i++) {
    const [c, s] = onCircle(i, segments)
    bottom.push(builder.addVertex([radius * c, radius * s, -height / 2]))
    top.push(builder.addVertex([radius * c, radius * s, height / 2]))
    around.push(builder.addNormal([c, s, 0]))
  }
  for (let i = 0; i < segments; i++) {
    const j = (i + 1) % segments
    builder.addFace([bottom[i]!, bottom[j]!, top[j]!, top[i]!], [around[i]!, around[j]!, around[j]!, around[i]!])
  }
  const up = builder.addNormal([0, 0, 1])
  const down = builder.addNormal([0, 0, -1])
  builder.addFace(
    top,
    top.map(() => up),
  )
  builder.addFace(
    bottom.toReversed(),
    bottom.map(() => down),
  )
}

/** A sphere, or a capsule when `straight` is above 0: rings of quads between two fans. */
function addRound(builder: MeshBuilder, radius: number, straight: number, { segments, bands }: Tessellation): void {
  const rings: { vertex: number; normal: number }[][] = []
  const addRing = (latitude: number, z: number): void => {
    const [flat, up] = [Math.cos(latitude), Math.sin(latitude)]
    const count = Math.abs(flat) < 1e-9 ? 1 : segments
    rings.push(
      range(0, count).map((i) => {
        const [c, s] = onCircle(i, segments)
        return {
          vertex: builder.addVertex([radius * flat * c, radius * flat * s, radius * up + z]),
          normal: builder.addNormal(count === 1 ? [0, 0, Math.sign(up)] : [flat * c, flat * s, up]),
        }
      }),
    )
  }
  for (let band = 0; band <= bands; band++) {
    const latitude = -Math.PI / 2 + (Math.PI * band) / bands
    if (straight > 0 && band === bands / 2) addRing(latitude, -straight / 2)
    addRing(latitude, straight === 0 ? 0 : band < bands / 2 ? -straight / 2 : straight / 2)
  }
  for (let r = 0; r + 1 < rings.length; r++) {
    const [low, high] = [rings[r]!, rings[r + 1]!]
    for (let i = 0; i < segments; i++) {
      const j = (i + 1) % segments
      const corners = [
        low[i % low.length]!,
        ...(low.length > 1 ? [low[j]!] : []),
        ...(high.length > 1 ? [high[j]!] : []),
        high[i % high.length]!,
      ]
      builder.addFace(
        corners.map((corner) => corner.vertex),
        corners.map((corner) => corner.normal),
      )
    }
  }
}

/** Flat triangles; those without area, which face nowhere, are left out. */
function addTriangles(builder: MeshBuilder, vertices: ArrayLike<number>, triangles: ArrayLike<number>): void {
  const pointAt = (v: number): Point => [vertices[v * 3]!, vertices[v * 3 + 1]!, vertices[v * 3 + 2]!]
  for (let v = 0; v * 3 < vertices.length; v++) builder.addVertex(pointAt(v))
  for (let t = 0; t < triangles.length; t += 3) {
    const corners = [triangles[t]!, triangles[t + 1]!, triangles[t + 2]!]
    const normal = polygonNormal(corners.map(pointAt))
    if (!normal.every(Number.isFinite)) continue
    const shared = builder.addNormal(normal)
    builder.addFace(corners, [shared, shared, shared])
  }
}

function onCircle(i: number, segments: number): [number, number] {
  const angle = (2 * Math.PI * i) / segments
  return [Math.cos(angle), Math.sin(angle)]
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i)
}

/** Newell's method, which also takes polygons with repeated or collinear points. */
function polygonNormal(points: readonly Point[]): Point {
  let [nx, ny, nz] = [0, 0, 0]
  for (let i = 0; i < points.length; i++) {
    const [ax, ay, az] = points[i]!
    const [bx, by, bz] = points[(i + 1) % points.length]!
    nx += (ay - by) * (az + bz)
    ny += (az - bz) * (ax + bx)
    nz += (ax - bx) * (ay + by)
  }
  const length = Math.hypot(nx, ny, nz)
  return [nx / length, ny / length, nz / length]
}
