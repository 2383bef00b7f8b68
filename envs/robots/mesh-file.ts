import { DOMParser } from '@xmldom/xmldom'
import type { LoadedMaterial, LoadedObject } from 'three/examples/jsm/loaders/*'
import { ArmatureError } from '../../src/core/errors.ts'
import { parseStl } from './stl.ts'
import type { MeshPart } from './triangle-mesh.ts'
import { MAX_TRIANGLES, weld } from './triangle-mesh.ts'

type Rgb = readonly [number, number, number]

/**
 * Reads a mesh in one of the formats that robots come in: STL, OBJ (with the colours of its MTL) or COLLADA (with the unit and the colours of
 * the file; its up axis is ignored, as ROS does). Textures are not read: what has one is of its base colour.
 * @param path stands in errors; its ending tells the format.
 * @param readBeside gives a file by its path from the mesh's folder, e.g. the MTL of an OBJ.
 * @throws ArmatureError `corrupt-file` for what is not a mesh, `bad-argument` for another format.
 */
export async function readMeshFile(
  bytes: Uint8Array,
  path: string,
  readBeside: (name: string) => Uint8Array | undefined = () => undefined,
): Promise<readonly MeshPart[]> {
  switch (/\.(\w+)$/.exec(path)?.[1]?.toLowerCase()) {
    case 'stl':
      return [{ mesh: parseStl(bytes, path) }]
    case 'obj':
      return readObj(textOf(bytes), path, readBeside)
    case 'dae':
      return readCollada(textOf(bytes), path)
    default:
      throw new ArmatureError('bad-argument', `mesh ${path}`, {
        expected: 'an STL, OBJ or DAE (COLLADA) file',
        fix: 'convert it, e.g. with Blender, and change the name in the URDF',
      })
  }
}

async function readObj(
  text: string,
  path: string,
  readBeside: (name: string) => Uint8Array | undefined,
): Promise<readonly MeshPart[]> {
  if (!/^\s*f\s/m.test(text)) throw corrupt(path, 'no faces')
  const { OBJLoader } = await import('three/examples/jsm/loaders/OBJLoader.js')
  const colors = new Map<string, Rgb>()
  for (const [, library] of text.matchAll(/^\s*mtllib\s+(.+?)\s*$/gm)) {
    const bytes = readBeside(library!)
    if (bytes !== undefined) readMtl(textOf(bytes), colors)
  }
  const root = quietly(path, () => new OBJLoader().parse(text))
  return partsOf(root, path, ({ name }) => colors.get(name))
}

/** Diffuse colours of materials by name. */
function readMtl(text: string, colors: Map<string, Rgb>): void {
  let name: string | undefined
  for (const line of text.split(/\r\n|\r|\n/)) {
    const [keyword, ...rest] = line.trim().split(/\s+/)
    if (keyword === 'newmtl') name = rest.join(' ')
    if (keyword !== 'Kd' || name === undefined) continue
    const [r, g, b] = rest.map((share) => Math.round(255 * Math.min(1, Math.max(0, Number(share)))))
    if ([r, g, b].every(Number.isFinite)) colors.set(name, [r!, g!, b!])
  }
}

async function readCollada(text: string, path: string): Promise<readonly MeshPart[]> {
  if (!/<COLLADA\b/.test(text)) throw corrupt(path, 'no element <COLLADA>')
  const { ColladaLoader } = await import('three/examples/jsm/loaders/ColladaLoader.js')
  // Images would be loaded by a browser's means; without them, materials keep their base colour.
  const plain = text.replaceAll(/<library_images\b[^>]*>[\s\S]*?<\/library_images>/g, '')
  const root = quietly(path, () => new ColladaLoader().parse(plain, '')?.scene)
  if (root === undefined) throw corrupt(path, 'text that is not COLLADA')
  root.rotation.set(0, 0, 0)
  return partsOf(root, path, colorOf)
}

/** The loaders parse XML as browsers do, and tell the console what they think: both only while they work. */
function quietly<T>(path: string, load: () => T): T {
  const scope = globalThis as { DOMParser?: unknown; console: Console }
  const before = { DOMParser: scope.DOMParser, console }
  scope.DOMParser = DOMParser
  scope.console = new Proxy(console, { get: () => () => {} })
  try {
    return load()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0]! : String(cause)
    throw corrupt(path, `a file that cannot be followed (${reason})`, cause)
  } finally {
    Object.assign(scope, before)
  }
}

function colorOf({ color }: LoadedMaterial): Rgb | undefined {
  if (color === undefined) return undefined
  const rgb = { r: 0, g: 0, b: 0 }
  color.getRGB(rgb, 'srgb')
  return [Math.round(255 * rgb.r), Math.round(255 * rgb.g), Math.round(255 * rgb.b)]
}

/** All triangles below `root` in its frame, by colour. */
function partsOf(
  root: LoadedObject,
  path: string,
  colorOfMaterial: (material: LoadedMaterial) => Rgb | undefined,
): readonly MeshPart[] {
  const corners = new Map<string, { readonly color: Rgb | undefined; readonly points: Float64Array[] }>()
  root.updateMatrixWorld(true)
  root.traverse((object) => {
    if (object.isMesh !== true) return
    const { geometry, material } = object
    const count = (geometry.index?.array ?? geometry.attributes.position?.array ?? []).length
    const whole = [{ start: 0, count, materialIndex: 0 }]
    const materials = Array.isArray(material) ? (material as LoadedMaterial[]) : [material as LoadedMaterial]
    for (const group of geometry.groups.length > 0 ? geometry.groups : whole) {
      const color = colorOfMaterial(materials[group.materialIndex] ?? materials[0]!)
      const key = String(color)
      if (!corners.has(key)) corners.set(key, { color, points: [] })
      corners.get(key)!.points.push(cornersOf(object, group))
    }
  })
  const parts: MeshPart[] = []
  for (const { color, points: pieces } of corners.values()) {
    const points = concatenated(pieces)
    if (!points.every(Number.isFinite)) throw corrupt(path, 'a corner that is not finite')
    if (points.length > 9 * MAX_TRIANGLES) throw corrupt(path, `more than ${MAX_TRIANGLES} triangles`)
    const mesh = weld(points)
    if (mesh.triangles.length > 0) parts.push({ mesh, ...(color === undefined ? {} : { color }) })
  }
  if (parts.length === 0) throw corrupt(path, 'no triangles with an area')
  return parts
}

/** The corners of some triangles of an object, [T, 3, 3], in the frame of the root. */
function cornersOf(
  { geometry, matrixWorld }: LoadedObject,
  { start, count }: { readonly start: number; readonly count: number },
): Float64Array {
  const positions = geometry.attributes.position?.array ?? []
  const indices = geometry.index?.array
  const m = matrixWorld.elements
  const end = Math.min(start + count, indices?.length ?? positions.length / 3)
  const points = new Float64Array(9 * Math.max(0, Math.floor((end - start) / 3)))
  const [second, third] = determinant(m) < 0 ? [2, 1] : [1, 2]
  for (let out = 0; out < points.length; out++) {
    const row = out % 3
    const corner = Math.floor((out % 9) / 3)
    const c = start + 3 * Math.floor(out / 9) + (corner === 0 ? 0 : corner === 1 ? second! : third!)
    const at = 3 * (indices === undefined ? c : indices[c]!)
    points[out] =
      m[row]! * positions[at]! + m[row + 4]! * positions[at + 1]! + m[row + 8]! * positions[at + 2]! + m[row + 12]!
  }
  return points
}

function concatenated(pieces: readonly Float64Array[]): Float64Array {
  if (pieces.length === 1) return pieces[0]!
  const whole = new Float64Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

function determinant(m: readonly number[]): number {
  return (
    m[0]! * (m[5]! * m[10]! - m[9]! * m[6]!) -
    m[4]! * (m[1]! * m[10]! - m[9]! * m[2]!) +
    m[8]! * (m[1]! * m[6]! - m[5]! * m[2]!)
  )
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

function corrupt(path: string, got: string, cause?: unknown): ArmatureError {
  return new ArmatureError('corrupt-file', `mesh ${path}`, {
    expected: 'triangles',
    got,
    ...(cause === undefined ? {} : { cause }),
  })
}
