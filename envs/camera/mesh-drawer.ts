import type { CameraPose } from './camera.ts'
import type { Mesh } from './meshes.ts'
import { COARSE, FINE, MEDIUM, meshOf } from './meshes.ts'
import type { CheckerPlane, DepthPlane, PolygonFiller } from './polygon-filler.ts'
import { MAX_CORNERS } from './polygon-filler.ts'
import type { Primitive, Scene } from './scene.ts'

/** Nothing nearer to the camera than this is drawn, metres. */
const NEAR_M = 0.01

const MEDIUM_UP_TO_ROWS = 160

/** Projects and shades meshes and hands their faces to a {@link PolygonFiller}. All its arrays are made once. */
export class MeshDrawer {
  /** Pixels that the last call can have touched: columns and rows [min, max). Empty when max <= min. */
  minColumn = 0
  maxColumn = 0
  minRow = 0
  maxRow = 0

  readonly #filler: PolygonFiller
  readonly #scene: Scene
  readonly #pose: CameraPose
  readonly #focalPx: number
  readonly #groundId: number
  /** Object to camera of the mesh being drawn: row-major [3, 3] and translation. */
  readonly #matrix = new Float64Array(9)
  readonly #offset = new Float64Array(3)
  readonly #shadowRotation = new Float64Array(9)
  readonly #shadowPosition = new Float64Array(3)
  /** Camera position and direction to the light in the object's frame. */
  readonly #eye = new Float64Array(3)
  readonly #light = new Float64Array(3)
  /** By primitive, in the order of the scene. */
  readonly #meshes: readonly Mesh[]
  readonly #shadowMeshes: readonly (Mesh | undefined)[]
  readonly #vertices: Float64Array
  readonly #screenX: Float64Array
  readonly #screenY: Float64Array
  readonly #shades: Float64Array
  #crossesNear = false
  readonly #odd = new Float64Array(3)
  readonly #checker: CheckerPlane = {
    baseU: 0,
    baseV: 0,
    directionU: depthPlane(),
    directionV: depthPlane(),
    squareM: 1,
  }

  constructor(filler: PolygonFiller, scene: Scene, pose: CameraPose, focalPx: number) {
    this.#filler = filler
    this.#scene = scene
    this.#pose = pose
    this.#focalPx = focalPx
    const { shadow } = scene.spec
    this.#groundId = shadow === undefined ? 0 : scene.primitive(shadow.onto).id
    filler.shadowKeep = 1 - (shadow?.strength ?? 0)
    const detail = filler.height <= MEDIUM_UP_TO_ROWS ? MEDIUM : FINE
    this.#meshes = scene.primitives.map(({ spec }) => meshOf(spec.shape, detail))
    this.#shadowMeshes = scene.primitives.map(({ spec }) =>
      spec.castsShadow === true ? meshOf(spec.shape, COARSE) : undefined,
    )
    const meshes = [...this.#meshes, ...this.#shadowMeshes.filter((mesh) => mesh !== undefined)]
    const mostVertices = Math.max(0, ...meshes.map((mesh) => mesh.vertices.length / 3))
    this.#vertices = new Float64Array(mostVertices * 3)
    this.#screenX = new Float64Array(mostVertices)
    this.#screenY = new Float64Array(mostVertices)
    this.#shades = new Float64Array(Math.max(0, ...meshes.map((mesh) => mesh.normals.length / 3)))
  }

  /** Draws the faces of `primitive` that look towards the camera. */
  draw(primitive: Primitive): void {
    const mesh = this.#meshes[primitive.id - 1]!
    const { rotation, position } = primitive
    this.#place(rotation, position)
    if (!this.#project(mesh)) return
    transposeTimes(this.#eye, this.#matrix, this.#offset, -1)
    this.#shade(mesh, rotation)
    for (let face = 0; face < mesh.faceFlat.length; face++) this.#drawFace(primitive, mesh, face)
  }

  /** Darkens the ground where `primitive` keeps the light off: its faces that look to the light, projected along it. */
  drawShadow(primitive: Primitive): void {
    const mesh = this.#shadowMeshes[primitive.id - 1]
    const ground = this.#scene.spec.shadow
    if (mesh === undefined || ground === undefined) {
      this.#clearBounds()
      return
    }
    this.#placeShadow(primitive, ground.z)
    if (!this.#project(mesh)) return
    this.#turnLight(primitive.rotation)
    const lx = this.#light[0]!
    const ly = this.#light[1]!
    const lz = this.#light[2]!
    for (let face = 0; face < mesh.faceFlat.length; face++) {
      const p = face * 4
      if (mesh.facePlane[p]! * lx + mesh.facePlane[p + 1]! * ly + mesh.facePlane[p + 2]! * lz <= 1e-9) continue
      const corners = this.#gatherCorners(mesh, face)
      if (corners >= 3) this.#filler.fillShadow(corners, this.#groundId)
    }
  }

  #drawFace({ id, spec, color }: Primitive, mesh: Mesh, face: number): void {
    const filler = this.#filler
    const eye = this.#eye
    const plane = mesh.facePlane
    const p = face * 4
    const eyeHeight = plane[p]! * eye[0]! + plane[p + 1]! * eye[1]! + plane[p + 2]! * eye[2]! - plane[p + 3]!
    if (eyeHeight <= 1e-9) return
    const corners = this.#gatherCorners(mesh, face)
    if (corners < 3) return
    this.#affineOf(filler.depthPlane, plane[p]!, plane[p + 1]!, plane[p + 2]!, -eyeHeight)
    const isFlat = mesh.faceFlat[face] === 1
    const shade = isFlat ? filler.cornerShade[0]! : 1
    for (let c = 0; c < 3; c++) filler.color[c] = color[c]! * shade
    if (!isFlat) {
      filler.fillSmooth(corners, id)
    } else if (spec.checker === undefined) {
      filler.fillFlat(corners, id)
    } else {
      for (let c = 0; c < 3; c++) this.#odd[c] = spec.checker.color[c]! * shade
      filler.fillChecker(corners, id, this.#odd, this.#placeChecker(spec.checker.squareM))
    }
  }

  #placeChecker(squareM: number): CheckerPlane {
    const checker = this.#checker
    checker.squareM = squareM
    checker.baseU = this.#eye[0]!
    checker.baseV = this.#eye[1]!
    this.#affineOf(checker.directionU, 1, 0, 0, 1)
    this.#affineOf(checker.directionV, 0, 1, 0, 1)
    return checker
  }

  /** The affine function of the pixel that is (n . ray) / divisor, for an object-frame vector n and rays of unit depth. */
  #affineOf(target: DepthPlane, nx: number, ny: number, nz: number, divisor: number): void {
    const m = this.#matrix
    const x = m[0]! * nx + m[1]! * ny + m[2]! * nz
    const y = m[3]! * nx + m[4]! * ny + m[5]! * nz
    const z = m[6]! * nx + m[7]! * ny + m[8]! * nz
    target.perColumn = x / (this.#focalPx * divisor)
    target.perRow = y / (this.#focalPx * divisor)
    target.atOrigin =
      z / divisor + target.perColumn * (0.5 - this.#filler.width / 2) + target.perRow * (0.5 - this.#filler.height / 2)
  }

  #place(rotation: Float64Array, position: Float64Array): void {
    const eye = this.#pose.position
    const world = this.#pose.rotation
    multiply(this.#matrix, world, rotation)
    const dx = position[0]! - eye[0]!
    const dy = position[1]! - eye[1]!
    const dz = position[2]! - eye[2]!
    for (let i = 0; i < 3; i++) this.#offset[i] = world[i * 3]! * dx + world[i * 3 + 1]! * dy + world[i * 3 + 2]! * dz
  }

  /** As `#place`, after flattening the object along the light onto the plane z = groundZ. */
  #placeShadow({ rotation, position }: Primitive, groundZ: number): void {
    const { light } = this.#scene
    const slopeX = light[0] / light[2]
    const slopeY = light[1] / light[2]
    const flat = this.#shadowRotation
    for (let c = 0; c < 3; c++) {
      flat[c] = rotation[c]! - rotation[6 + c]! * slopeX
      flat[3 + c] = rotation[3 + c]! - rotation[6 + c]! * slopeY
      flat[6 + c] = 0
    }
    const above = position[2]! - groundZ
    this.#shadowPosition[0] = position[0]! - above * slopeX
    this.#shadowPosition[1] = position[1]! - above * slopeY
    this.#shadowPosition[2] = groundZ
    this.#place(flat, this.#shadowPosition)
  }

  /** Camera coordinates and pixels of all vertices, and their bounds; false when nothing can be seen. */
  #project(mesh: Mesh): boolean {
    const m = this.#matrix
    const tx = this.#offset[0]!
    const ty = this.#offset[1]!
    const tz = this.#offset[2]!
    const centreX = this.#filler.width / 2
    const centreY = this.#filler.height / 2
    const focal = this.#focalPx
    const source = mesh.vertices
    const camera = this.#vertices
    const screenX = this.#screenX
    const screenY = this.#screenY
    let minX = Infinity
    let maxX = -Infinity
    let minY = Infinity
    let maxY = -Infinity
    let behind = 0
    for (let v = 0, i = 0; i < source.length; v++, i += 3) {
      const x = source[i]!
      const y = source[i + 1]!
      const z = source[i + 2]!
      const cx = m[0]! * x + m[1]! * y + m[2]! * z + tx
      const cy = m[3]! * x + m[4]! * y + m[5]! * z + ty
      const cz = m[6]! * x + m[7]! * y + m[8]! * z + tz
      camera[i] = cx
      camera[i + 1] = cy
      camera[i + 2] = cz
      if (cz < NEAR_M) {
        behind++
        continue
      }
      const scale = focal / cz
      const sx = centreX + cx * scale
      const sy = centreY + cy * scale
      screenX[v] = sx
      screenY[v] = sy
      if (sx < minX) minX = sx
      if (sx > maxX) maxX = sx
      if (sy < minY) minY = sy
      if (sy > maxY) maxY = sy
    }
    this.#crossesNear = behind > 0
    if (behind * 3 === source.length) {
      this.#clearBounds()
      return false
    }
    const { width, height } = this.#filler
    // Clipping moves corners outside the bounds of the vertices in front, so a mesh that crosses the near plane may be anywhere.
    const everywhere = this.#crossesNear
    this.minColumn = everywhere ? 0 : Math.max(0, Math.floor(minX))
    this.maxColumn = everywhere ? width : Math.min(width, Math.ceil(maxX))
    this.minRow = everywhere ? 0 : Math.max(0, Math.floor(minY))
    this.maxRow = everywhere ? height : Math.min(height, Math.ceil(maxY))
    return this.maxColumn > this.minColumn && this.maxRow > this.minRow
  }

  #clearBounds(): void {
    this.minColumn = this.maxColumn = this.minRow = this.maxRow = 0
  }

  /** Copies the corners of a face to the filler, cut off at the near plane where needed; returns how many there are. */
  #gatherCorners(mesh: Mesh, face: number): number {
    if (this.#crossesNear) return this.#clipCorners(mesh, face)
    const { cornerX, cornerY, cornerShade } = this.#filler
    const start = mesh.faceStart[face]!
    const count = mesh.faceStart[face + 1]! - start
    for (let c = 0; c < count; c++) {
      const vertex = mesh.cornerVertex[start + c]!
      cornerX[c] = this.#screenX[vertex]!
      cornerY[c] = this.#screenY[vertex]!
      cornerShade[c] = this.#shades[mesh.cornerNormal[start + c]!]!
    }
    return count
  }

  #clipCorners(mesh: Mesh, face: number): number {
    const start = mesh.faceStart[face]!
    const end = mesh.faceStart[face + 1]!
    const camera = this.#vertices
    let count = 0
    for (let c = start, previous = end - 1; c < end && count < MAX_CORNERS - 1; previous = c++) {
      const a = mesh.cornerVertex[previous]! * 3
      const b = mesh.cornerVertex[c]! * 3
      const shadeA = this.#shades[mesh.cornerNormal[previous]!]!
      const shadeB = this.#shades[mesh.cornerNormal[c]!]!
      const isInside = camera[b + 2]! >= NEAR_M
      if (camera[a + 2]! >= NEAR_M !== isInside) {
        const t = (NEAR_M - camera[a + 2]!) / (camera[b + 2]! - camera[a + 2]!)
        const x = camera[a]! + t * (camera[b]! - camera[a]!)
        const y = camera[a + 1]! + t * (camera[b + 1]! - camera[a + 1]!)
        this.#setCorner(count++, x, y, NEAR_M, shadeA + t * (shadeB - shadeA))
      }
      if (isInside) this.#setCorner(count++, camera[b]!, camera[b + 1]!, camera[b + 2]!, shadeB)
    }
    return count
  }

  #setCorner(index: number, x: number, y: number, z: number, shade: number): void {
    const filler = this.#filler
    filler.cornerX[index] = filler.width / 2 + (x * this.#focalPx) / z
    filler.cornerY[index] = filler.height / 2 + (y * this.#focalPx) / z
    filler.cornerShade[index] = shade
  }

  #turnLight(rotation: Float64Array): void {
    // By index: taking an array apart in a pattern allocates its iterator.
    const { light } = this.#scene
    for (let i = 0; i < 3; i++) {
      this.#light[i] = rotation[i]! * light[0] + rotation[3 + i]! * light[1] + rotation[6 + i]! * light[2]
    }
  }

  /** Lambert's law for each normal of the mesh, on top of the ambient share. */
  #shade(mesh: Mesh, rotation: Float64Array): void {
    this.#turnLight(rotation)
    const lx = this.#light[0]!
    const ly = this.#light[1]!
    const lz = this.#light[2]!
    const { ambient } = this.#scene.spec
    const { normals } = mesh
    const shades = this.#shades
    for (let n = 0, i = 0; i < normals.length; n++, i += 3) {
      const cosine = normals[i]! * lx + normals[i + 1]! * ly + normals[i + 2]! * lz
      shades[n] = cosine > 0 ? Math.min(1, ambient + (1 - ambient) * cosine) : ambient
    }
  }
}

function depthPlane(): DepthPlane {
  return { perColumn: 0, perRow: 0, atOrigin: 0 }
}

/** target = a b, all row-major [3, 3]. */
function multiply(target: Float64Array, a: Float64Array, b: Float64Array): void {
  for (let row = 0; row < 9; row += 3) {
    for (let column = 0; column < 3; column++) {
      target[row + column] = a[row]! * b[column]! + a[row + 1]! * b[3 + column]! + a[row + 2]! * b[6 + column]!
    }
  }
}

/** target = factor * transpose(matrix) * vector. */
function transposeTimes(target: Float64Array, matrix: Float64Array, vector: Float64Array, factor: number): void {
  for (let i = 0; i < 3; i++) {
    target[i] = factor * (matrix[i]! * vector[0]! + matrix[3 + i]! * vector[1]! + matrix[6 + i]! * vector[2]!)
  }
}
