import type { ShapeSpec } from '../camera/meshes.ts'
import type { GeometryModel, LinkModel, PoseSpec } from './robot-model.ts'
import { quatOfRpy } from './rotations.ts'
import { parseStl } from './stl.ts'
import type { UrdfElement } from './urdf-xml.ts'
import { quote } from './urdf-xml.ts'

type Color = readonly [number, number, number]
type Inertia = LinkModel['inertia']
type MeshShape = Extract<ShapeSpec, { kind: 'mesh' }>

/** Share of the largest moment by which two others may fall short of the third: files are rounded to few digits. */
const INERTIA_TOLERANCE = 0.01
/** Smallest principal moment as a share of the largest. */
const LEAST_MOMENT = 1e-9

const SHAPES = ['box', 'cylinder', 'sphere', 'capsule', 'mesh']
const AT_PARENT: PoseSpec = { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] }

/** What links take from the rest of the file and from its folder. */
export interface LinkContext {
  readonly materials: ReadonlyMap<string, Color>
  readonly readMesh: (path: string) => Uint8Array | undefined
  /** Draw links as they collide, and do not read how they look. */
  readonly drawCollisions: boolean
  /** Meshes already read, by path and scale. */
  readonly meshes: Map<string, MeshShape>
}

/** Colours by name, from all over the file: a visual may use what another defines. A name without a colour (a texture) is not in it. */
export function readMaterials(robot: UrdfElement): Map<string, Color> {
  const colors = new Map<string, Color>()
  const top = new Set<string>()
  for (const material of robot.all('material')) {
    const name = material.text('name')
    if (top.has(name)) throw material.error(`a second material ${quote(name)}`, { expected: 'names that differ' })
    top.add(name)
    colors.set(name, readColor(material) ?? GREY)
  }
  for (const visual of robot.all('link').flatMap((link) => link.all('visual'))) {
    for (const material of visual.all('material')) {
      const name = material.attribute('name')
      const isDefinition = material.optional('color') !== undefined || material.optional('texture') !== undefined
      if (name !== undefined && isDefinition && !colors.has(name)) colors.set(name, readColor(material) ?? GREY)
    }
  }
  return colors
}

/** Of materials that only have a texture. */
const GREY: Color = [150, 150, 150]

/** @throws ArmatureError with the line of what is wrong. */
export function readLink(link: UrdfElement, context: LinkContext): LinkModel {
  link.checkChildren(['inertial', 'visual', 'collision'])
  const collisions = link.all('collision').map((collision) => readGeometry(collision, context))
  const visuals = context.drawCollisions
    ? collisions.map((geometry) => withColor(geometry, link, context))
    : link.all('visual').map((visual) => readGeometry(visual, context, readMaterial(visual, context)))
  return { name: link.text('name'), ...readInertial(link.optional('inertial')), visuals, collisions }
}

/** The pose in an element's `<origin>`: position and roll, pitch, yaw about fixed axes. */
export function readOrigin(element: UrdfElement): PoseSpec {
  const origin = element.optional('origin')
  if (origin === undefined) return AT_PARENT
  const [x, y, z] = origin.vector('xyz', 3, [0, 0, 0]) as Color
  const [roll, pitch, yaw] = origin.vector('rpy', 3, [0, 0, 0]) as Color
  return { positionM: [x, y, z], quatXyzw: quatOfRpy(roll, pitch, yaw) }
}

function readInertial(inertial: UrdfElement | undefined): Pick<LinkModel, 'massKg' | 'inertialPose' | 'inertia'> {
  const frameOnly = { massKg: 0, inertialPose: AT_PARENT, inertia: [0, 0, 0, 0, 0, 0] as const }
  if (inertial === undefined) return frameOnly
  inertial.checkChildren(['origin', 'mass', 'inertia'])
  const mass = inertial.required('mass')
  const massKg = mass.quantity('value')
  if (massKg < 0) throw mass.error('mass', { expected: 'a number of kilograms from 0', got: String(massKg) })
  const inertialPose = readOrigin(inertial)
  if (massKg === 0) return { ...frameOnly, inertialPose }
  const element = inertial.required('inertia')
  const inertia = ['ixx', 'ixy', 'ixz', 'iyy', 'iyz', 'izz'].map((name) => element.quantity(name)) as unknown as Inertia
  checkInertia(element, inertia)
  return { massKg, inertialPose, inertia }
}

/** A rigid body's principal moments are positive, and no one exceeds the sum of the other two. */
function checkInertia(element: UrdfElement, inertia: Inertia): void {
  const [low, middle, high] = principalMoments(inertia)
  const got = `principal moments ${[low, middle, high].map((moment) => moment.toPrecision(3)).join(', ')}`
  const fix = 'compute it anew about the centre of mass, or leave <inertial> out for a frame'
  if (!(low > LEAST_MOMENT * high)) {
    throw element.error('inertia is not that of a body', { expected: 'a positive definite matrix', got, fix })
  }
  if (low + middle < high * (1 - INERTIA_TOLERANCE)) {
    const expected = 'none greater than the sum of the other two'
    throw element.error('inertia is not that of a body', { expected, got, fix })
  }
}

/** Eigenvalues of a symmetric 3x3 matrix, ascending (O. K. Smith, 1961). */
function principalMoments([xx, xy, xz, yy, yz, zz]: Inertia): [number, number, number] {
  const mean = (xx + yy + zz) / 3
  const spread = (xx - mean) ** 2 + (yy - mean) ** 2 + (zz - mean) ** 2 + 2 * (xy * xy + xz * xz + yz * yz)
  const scale = Math.sqrt(spread / 6)
  if (scale === 0) return [mean, mean, mean]
  const [a, b, c] = [(xx - mean) / scale, (yy - mean) / scale, (zz - mean) / scale]
  const [d, e, f] = [xy / scale, xz / scale, yz / scale]
  const half = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / 2
  const angle = Math.acos(Math.min(1, Math.max(-1, half))) / 3
  const high = mean + 2 * scale * Math.cos(angle)
  const low = mean + 2 * scale * Math.cos(angle + (2 * Math.PI) / 3)
  return [low, 3 * mean - high - low, high]
}

function readGeometry(element: UrdfElement, context: LinkContext, color?: Color): GeometryModel {
  element.checkChildren(['origin', 'geometry', 'material'])
  const shape = readShape(element.required('geometry'), context)
  return { shape, pose: readOrigin(element), ...(color === undefined ? {} : { color }) }
}

function readShape(geometry: UrdfElement, context: LinkContext): ShapeSpec {
  const shapes = geometry.children()
  const [shape] = shapes
  if (shape === undefined || shapes.length > 1) {
    throw geometry.error('<geometry>', { expected: 'one shape', got: String(shapes.length) })
  }
  switch (shape.name) {
    case 'box': {
      const [x, y, z] = shape.vector('size', 3) as Color
      if (Math.min(x, y, z) <= 0) throw shape.error('<box> size', { expected: 'three numbers above 0' })
      return { kind: 'box', halfExtentsM: [x / 2, y / 2, z / 2] }
    }
    case 'cylinder':
    case 'capsule':
      return { kind: shape.name, radiusM: shape.positive('radius'), heightM: shape.positive('length') }
    case 'sphere':
      return { kind: 'sphere', radiusM: shape.positive('radius') }
    case 'mesh':
      return readMesh(shape, context)
    default:
      geometry.checkChildren(SHAPES)
      throw shape.error(
        `shape <${shape.name}> is not supported`,
        { fix: `there is ${SHAPES.join(', ')}` },
        'unsupported-op',
      )
  }
}

function readMesh(element: UrdfElement, context: LinkContext): MeshShape {
  const path = element.text('filename')
  const [sx, sy, sz] = element.vector('scale', 3, [1, 1, 1]) as Color
  if (sx * sy * sz === 0) throw element.error('<mesh> scale', { expected: 'three numbers other than 0' })
  if (!/\.stl$/i.test(path)) {
    const fix = `convert it to STL${context.drawCollisions ? '' : ', or draw what collides with the option visuals: collision'}`
    throw element.error(`mesh ${quote(path)} is not supported`, { expected: 'an STL file', fix }, 'unsupported-op')
  }
  const key = `${sx} ${sy} ${sz} ${path}`
  const known = context.meshes.get(key)
  if (known !== undefined) return known
  const bytes = context.readMesh(path)
  if (bytes === undefined) {
    const fix = 'paths start from the folder of the URDF file, package:// ones from a folder of that name'
    throw element.error(`mesh file ${quote(path)} not found`, { fix }, 'not-found')
  }
  const { vertices, triangles } = parseStl(bytes, path)
  for (let i = 0; i < vertices.length; i += 3) {
    vertices[i]! *= sx
    vertices[i + 1]! *= sy
    vertices[i + 2]! *= sz
  }
  // An odd number of mirrorings turns the surface inside out.
  if (sx * sy * sz < 0) for (let t = 0; t < triangles.length; t += 3) triangles.subarray(t, t + 3).reverse()
  if (!vertices.every((value) => Math.abs(value) < 1e6))
    throw element.error(`mesh ${quote(path)} is larger than 1000 km`)
  const mesh: MeshShape = { kind: 'mesh', vertices, triangles }
  context.meshes.set(key, mesh)
  return mesh
}

function readMaterial(visual: UrdfElement, { materials }: LinkContext): Color | undefined {
  const material = visual.optional('material')
  if (material === undefined) return undefined
  const color = readColor(material)
  if (color !== undefined) return color
  const name = material.attribute('name') ?? ''
  const named = materials.get(name)
  if (named === undefined && material.optional('texture') === undefined) {
    const fix = `define it with <material name="${name}"><color rgba="r g b a"/></material>`
    throw material.error(`material ${quote(name)} is not defined`, { fix })
  }
  return named ?? GREY
}

function readColor(material: UrdfElement): Color | undefined {
  material.checkChildren(['color', 'texture'])
  const color = material.optional('color')
  if (color === undefined) return undefined
  const rgba = color.vector('rgba', 4)
  if (!rgba.every((share) => share >= 0 && share <= 1)) {
    throw color.error('<color> rgba', { expected: 'four numbers from 0 to 1', got: rgba.join(' ') })
  }
  const [red, green, blue] = rgba.map((share) => Math.round(share * 255))
  return [red!, green!, blue!]
}

/** A collision shape in the colour of the link's first visual. */
function withColor(geometry: GeometryModel, link: UrdfElement, context: LinkContext): GeometryModel {
  const [visual] = link.all('visual')
  const color = visual === undefined ? undefined : readMaterial(visual, context)
  return color === undefined ? geometry : { ...geometry, color }
}
