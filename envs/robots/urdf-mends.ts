import { massOfShapes } from './inertia.ts'
import type { Notices } from './notices.ts'
import type { GeometryModel, JointModel, LinkModel } from './robot-model.ts'
import { rodBetween } from './rods.ts'
import { boundsOf } from './triangle-mesh.ts'
import type { MissingMesh } from './urdf-shapes.ts'
import { scaledMesh } from './urdf-shapes.ts'
import { quote } from './urdf-xml.ts'

/** As many times the length of the robot no part of it is long: its mesh is in millimetres. */
const TOO_LONG = 20
/** Of a rod in the place of a mesh that was not found, as a share of its length. */
const ROD_SHARE = 0.1

/**
 * Gives links what their file meant them to have: meshes in millimetres their size; links whose mesh was not found the link's other shape, or
 * a rod from joint to joint; a robot that is nowhere visible the shapes with which it collides.
 * @throws ArmatureError `not-found` where nothing of the robot would be as it is described.
 */
export function mendShapes(
  links: readonly LinkModel[],
  joints: readonly JointModel[],
  missing: readonly MissingMesh[],
  notices: Notices,
): LinkModel[] {
  const lengthM = lengthOf(links, joints)
  const hasShapes = links.some(({ visuals, collisions }) => visuals.length + collisions.length > 0)
  if (missing.length > 0 && !hasShapes) throw notFound(missing[0]!)
  const mended = links.map((link) => {
    const inMetres = withoutMillimetres(link, lengthM, notices)
    const lost = missing.filter((mesh) => mesh.link === link.name)
    return lost.length === 0 ? inMetres : withStandIns(inMetres, joints, lost, notices)
  })
  if (mended.some(({ visuals }) => visuals.length > 0)) return mended
  const blind = mended.filter(({ collisions }) => collisions.length > 0)
  if (blind.length > 0) notices.add('the robot is drawn as it collides, since nothing of it is visible', 'all links')
  return mended.map((link) => ({ ...link, visuals: link.collisions }))
}

function notFound({ element, path }: MissingMesh): Error {
  const fix =
    'paths start from the folder of the URDF file, package:// ones from a folder or package.xml of that name, which --set packages=FOLDER or ROS_PACKAGE_PATH also lead to'
  return element.error(`mesh file ${quote(path)} not found`, { fix }, 'not-found')
}

/**
 * Gives links that move without mass that of their shapes: a motor would throw them about. Those that fixed joints hold to a link with mass
 * need none.
 */
export function mendMasses(
  links: readonly LinkModel[],
  joints: readonly JointModel[],
  notices: Notices,
): readonly LinkModel[] {
  const body = new Map<string, string>([[links[0]?.name ?? '', '']])
  for (const { kind, parent, child } of joints) body.set(child, kind === 'fixed' ? body.get(parent)! : child)
  const heavy = new Set(links.filter(({ massKg }) => massKg > 0).map(({ name }) => body.get(name)))
  return links.map((link) => {
    const shapes = link.collisions.length > 0 ? link.collisions : link.visuals
    if (body.get(link.name) === '' || heavy.has(body.get(link.name)) || shapes.length === 0) return link
    notices.add('a link that moves without mass is given that of its shape at half the density of water', link.name)
    return { ...link, ...massOfShapes(shapes) }
  })
}

/** Of the longest chain of joint origins, metres. */
function lengthOf(links: readonly LinkModel[], joints: readonly JointModel[]): number {
  const lengths = new Map<string, number>([[links[0]?.name ?? '', 0]])
  for (const { parent, child, origin } of joints) {
    lengths.set(child, (lengths.get(parent) ?? 0) + Math.hypot(...origin.positionM))
  }
  return Math.max(...lengths.values())
}

function withoutMillimetres(link: LinkModel, lengthM: number, notices: Notices): LinkModel {
  const mend = (geometry: GeometryModel): GeometryModel => {
    const { shape } = geometry
    if (shape.kind !== 'mesh' || lengthM === 0) return geometry
    const [low, high] = boundsOf(shape.vertices)
    if (Math.max(...high.map((x, i) => x - low[i]!)) < TOO_LONG * lengthM) return geometry
    notices.add('a mesh without scale is read as one in millimetres, since it is far longer than the robot', link.name)
    const { vertices, triangles } = shape
    const mesh = { vertices: Float64Array.from(vertices), triangles: Uint32Array.from(triangles) }
    return { ...geometry, shape: scaledMesh(mesh, [1e-3, 1e-3, 1e-3]) }
  }
  return { ...link, visuals: link.visuals.map(mend), collisions: link.collisions.map(mend) }
}

function withStandIns(
  link: LinkModel,
  joints: readonly JointModel[],
  lost: readonly MissingMesh[],
  notices: Notices,
): LinkModel {
  const files = [...new Set(lost.map(({ path }) => quote(path)))].join(', ')
  const instead = (own: readonly GeometryModel[], other: readonly GeometryModel[]): readonly GeometryModel[] => {
    if (own.length > 0) return own
    return other.length > 0 ? other : rodsOf(link, joints)
  }
  notices.add(
    'a mesh file was not found, and the link has its other shape or a rod instead (see packages)',
    `${link.name} (${files})`,
  )
  const { visuals, collisions } = link
  const isLost = (role: string): boolean => lost.some((mesh) => mesh.role === role)
  return {
    ...link,
    visuals: isLost('visual') ? instead(visuals, collisions) : visuals,
    collisions: isLost('collision') ? instead(collisions, visuals) : collisions,
  }
}

/** From a link's joint to the joints that it carries. */
function rodsOf({ name }: LinkModel, joints: readonly JointModel[]): readonly GeometryModel[] {
  return joints
    .filter(({ parent, origin }) => parent === name && Math.hypot(...origin.positionM) > 1e-3)
    .map(({ origin }) => rodBetween([0, 0, 0], origin.positionM, ROD_SHARE * Math.hypot(...origin.positionM)))
}
