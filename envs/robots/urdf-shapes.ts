import type { ShapeSpec } from '../camera/meshes.ts'
import type { Notices } from './notices.ts'
import type { GeometryModel, PoseSpec } from './robot-model.ts'
import { quatOfRpy } from './rotations.ts'
import type { MeshPart, TriangleMesh } from './triangle-mesh.ts'
import { joined } from './triangle-mesh.ts'
import type { UrdfElement } from './urdf-xml.ts'
import { quote } from './urdf-xml.ts'

export type Color = readonly [number, number, number]
type MeshShape = Extract<ShapeSpec, { kind: 'mesh' }>

/** What a shape is for. */
export type ShapeRole = 'visual' | 'collision'

const SHAPES = ['box', 'cylinder', 'sphere', 'capsule', 'mesh']
const AT_PARENT: PoseSpec = { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] }

/** A mesh whose file was not found. */
export interface MissingMesh {
  readonly element: UrdfElement
  readonly path: string
  readonly role: ShapeRole
  readonly link: string
}

/** What shapes take from the rest of the file and from its folder, and what is noted while they are read. */
export interface ShapeContext {
  readonly materials: ReadonlyMap<string, Color>
  /** The parts of a mesh file by its path as the file has it; undefined: not found. */
  readonly readMesh: (path: string, role: ShapeRole) => readonly MeshPart[] | undefined
  /** Draw links as they collide, and do not read how they look. */
  readonly drawCollisions: boolean
  /** Meshes already read, by path, scale and role. */
  readonly meshes: Map<string, readonly { readonly shape: MeshShape; readonly color?: Color }[]>
  readonly missing: MissingMesh[]
  readonly notices: Notices
}

/** Colours by name, from all over the file: a visual may use what another defines. A name without a colour (a texture) is not in it. */
export function readMaterials(robot: UrdfElement, notices: Notices): Map<string, Color> {
  const colors = new Map<string, Color>()
  const top = new Set<string>()
  for (const material of robot.all('material')) {
    const name = material.text('name')
    if (top.has(name)) throw material.error(`a second material ${quote(name)}`, { expected: 'names that differ' })
    top.add(name)
    colors.set(name, readColor(material, notices)?.rgb ?? GREY)
  }
  for (const visual of robot.all('link').flatMap((link) => link.all('visual'))) {
    for (const material of visual.all('material')) {
      const name = material.attribute('name')
      const isDefinition = material.optional('color') !== undefined || material.optional('texture') !== undefined
      if (name !== undefined && isDefinition && !colors.has(name)) {
        colors.set(name, readColor(material, notices)?.rgb ?? GREY)
      }
    }
  }
  return colors
}

/** Of materials that only have a texture. */
const GREY: Color = [150, 150, 150]

/** The pose in an element's `<origin>`: position and roll, pitch, yaw about fixed axes. */
export function readOrigin(element: UrdfElement): PoseSpec {
  const origin = element.optional('origin')
  if (origin === undefined) return AT_PARENT
  const [x, y, z] = origin.vector('xyz', 3, [0, 0, 0]) as Color
  const [roll, pitch, yaw] = origin.vector('rpy', 3, [0, 0, 0]) as Color
  return { positionM: [x, y, z], quatXyzw: quatOfRpy(roll, pitch, yaw) }
}

/** The shapes of a `<visual>` or `<collision>` of `link`: none where it has no size, is invisible or is missing; of a mesh, one per colour. */
export function readGeometry(
  element: UrdfElement,
  role: ShapeRole,
  link: string,
  context: ShapeContext,
): readonly GeometryModel[] {
  element.checkChildren(['origin', 'geometry', 'material'])
  const pose = readOrigin(element)
  const material = role === 'visual' ? readMaterial(element, link, context) : undefined
  if (material?.isInvisible === true) return []
  const geometry = element.required('geometry')
  const shapes = geometry.children()
  const [shape] = shapes
  if (shape === undefined || shapes.length > 1) {
    throw geometry.error('<geometry>', { expected: 'one shape', got: String(shapes.length) })
  }
  if (!SHAPES.includes(shape.name)) {
    geometry.checkChildren(SHAPES)
    const fix = `there is ${SHAPES.join(', ')}`
    throw shape.error(`shape <${shape.name}> is not supported`, { fix }, 'bad-argument')
  }
  const found =
    shape.name === 'mesh' ? readMesh(shape, role, link, context) : [readPrimitive(shape, role, link, context)]
  return found.flatMap((one) => {
    if (one === undefined) return []
    const color = material?.rgb ?? one.color
    return [{ shape: one.shape, pose, ...(color === undefined ? {} : { color }) }]
  })
}

function readPrimitive(
  element: UrdfElement,
  role: ShapeRole,
  link: string,
  { notices }: ShapeContext,
): { readonly shape: ShapeSpec; readonly color?: Color } | undefined {
  const sizes =
    element.name === 'box'
      ? element.vector('size', 3)
      : (element.name === 'sphere' ? ['radius'] : ['radius', 'length']).map((name) => element.quantity(name))
  if (Math.min(...sizes) < 0) {
    throw element.error(`<${element.name}> size`, { expected: 'numbers above 0', got: sizes.join(' ') })
  }
  if (Math.min(...sizes) === 0) {
    notices.add(`a ${role} shape without size is left out`, link)
    return undefined
  }
  const [x, y, z] = sizes as unknown as Color
  if (element.name === 'box') return { shape: { kind: 'box', halfExtentsM: [x / 2, y / 2, z / 2] } }
  if (element.name === 'sphere') return { shape: { kind: 'sphere', radiusM: x } }
  return { shape: { kind: element.name as 'cylinder' | 'capsule', radiusM: x, heightM: y } }
}

function readMesh(
  element: UrdfElement,
  role: ShapeRole,
  link: string,
  context: ShapeContext,
): readonly { readonly shape: MeshShape; readonly color?: Color }[] {
  const path = element.text('filename')
  const scale = element.vector('scale', 3, [1, 1, 1]) as Color
  if (scale.includes(0)) {
    context.notices.add(`a ${role} shape without size is left out`, link)
    return []
  }
  const key = `${scale.join(' ')} ${role} ${path}`
  const known = context.meshes.get(key)
  if (known !== undefined) return known
  const parts = context.readMesh(path, role)
  if (parts === undefined) {
    context.missing.push({ element, path, role, link })
    return []
  }
  const colored = role === 'visual' ? parts : [{ mesh: joined(parts) }]
  const shapes = colored.map(({ mesh, ...color }) => {
    const scaled = scaledMesh(mesh, scale)
    if (scaled.vertices.every((value) => Math.abs(value) < 1e6)) return { shape: scaled, ...color }
    throw element.error(`mesh ${quote(path)} is larger than 1000 km`)
  })
  context.meshes.set(key, shapes)
  return shapes
}

/** A mesh stretched along its axes. */
export function scaledMesh({ vertices, triangles }: TriangleMesh, [sx, sy, sz]: Color): MeshShape {
  const scaled = vertices.map((value, i) => value * (i % 3 === 0 ? sx : i % 3 === 1 ? sy : sz))
  const outward = triangles.slice()
  // An odd number of mirrorings turns the surface inside out.
  if (sx * sy * sz < 0) for (let t = 0; t < outward.length; t += 3) outward.subarray(t, t + 3).reverse()
  return { kind: 'mesh', vertices: scaled, triangles: outward }
}

interface Material {
  /** Absent: the viewer chooses. */
  readonly rgb?: Color
  readonly isInvisible?: boolean
}

/** Of the first `<material>` of a visual. */
export function readMaterial(visual: UrdfElement, link: string, { materials, notices }: ShapeContext): Material {
  // Exporters write one material twice.
  const [material] = visual.all('material')
  if (material === undefined) return {}
  const color = readColor(material, notices)
  if (color !== undefined) return color
  const name = material.attribute('name') ?? ''
  const rgb = materials.get(name)
  if (rgb !== undefined) return { rgb }
  if (material.optional('texture') !== undefined) return { rgb: GREY }
  notices.add(`material ${quote(name)} is not defined, and a default colour is taken`, link)
  return {}
}

function readColor(material: UrdfElement, notices: Notices): { rgb: Color; isInvisible: boolean } | undefined {
  material.checkChildren(['color', 'texture'])
  const color = material.optional('color')
  if (color === undefined) return undefined
  let rgba = color.vector('rgba', 4)
  if (rgba.every((share) => share >= 0 && share <= 255) && rgba.slice(0, 3).some((share) => share > 1)) {
    notices.add('colours from 0 to 255 are read as such', material.attribute('name') ?? 'a material')
    rgba = rgba.map((share) => share / 255)
  }
  if (!rgba.every((share) => share >= 0 && share <= 1)) {
    throw color.error('<color> rgba', { expected: 'four numbers from 0 to 1', got: rgba.join(' ') })
  }
  const [red, green, blue] = rgba.map((share) => Math.round(share * 255))
  return { rgb: [red!, green!, blue!], isInvisible: rgba[3] === 0 }
}
