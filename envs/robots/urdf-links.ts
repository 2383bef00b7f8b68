import { inertiaOfShapes, whyNoBody } from './inertia.ts'
import type { GeometryModel, LinkModel, PoseSpec } from './robot-model.ts'
import type { UrdfElement } from './urdf-xml.ts'
import type { ShapeContext } from './urdf-shapes.ts'
import { readGeometry, readMaterial, readOrigin } from './urdf-shapes.ts'

type Inertia = LinkModel['inertia']

const AT_PARENT: PoseSpec = { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] }
const FRAME_ONLY = { massKg: 0, inertialPose: AT_PARENT, inertia: [0, 0, 0, 0, 0, 0] as const }
/** A link of less marks a frame, whatever its inertia. */
const LEAST_MASS_KG = 1e-6

/** @throws ArmatureError with the line of what is wrong. */
export function readLink(link: UrdfElement, context: ShapeContext): LinkModel {
  link.checkChildren(['inertial', 'visual', 'collision'])
  const name = link.text('name')
  const collisions = link.all('collision').flatMap((collision) => readGeometry(collision, 'collision', name, context))
  const visuals = context.drawCollisions
    ? collisions.map((geometry) => withColor(geometry, link, name, context))
    : link.all('visual').flatMap((visual) => readGeometry(visual, 'visual', name, context))
  const shapes = collisions.length > 0 ? collisions : visuals
  return { name, ...readInertial(link.optional('inertial'), name, shapes, context), visuals, collisions }
}

function readInertial(
  inertial: UrdfElement | undefined,
  link: string,
  shapes: readonly GeometryModel[],
  { notices }: ShapeContext,
): Pick<LinkModel, 'massKg' | 'inertialPose' | 'inertia'> {
  if (inertial === undefined) return FRAME_ONLY
  inertial.checkChildren(['origin', 'mass', 'inertia'])
  const mass = inertial.required('mass')
  const massKg = mass.quantity('value')
  if (massKg < 0) throw mass.error('mass', { expected: 'a number of kilograms from 0', got: String(massKg) })
  const inertialPose = readOrigin(inertial)
  if (massKg === 0) return { ...FRAME_ONLY, inertialPose }
  if (massKg < LEAST_MASS_KG) {
    notices.add(`a mass below ${LEAST_MASS_KG} kg marks a frame, and is dropped`, link)
    return { ...FRAME_ONLY, inertialPose }
  }
  const inertia = inertial.optional('inertia') === undefined ? undefined : readInertia(inertial.required('inertia'))
  const why = inertia === undefined ? 'missing' : whyNoBody(inertia)
  if (inertia !== undefined && why === undefined) return { massKg, inertialPose, inertia }
  notices.add(
    'inertia that no body has (zero, missing, or moments that do not fit) is computed from mass and shape',
    link,
  )
  const { positionM } = inertialPose
  const straight: PoseSpec = { positionM, quatXyzw: [0, 0, 0, 1] }
  return { massKg, inertialPose: straight, inertia: inertiaOfShapes(massKg, shapes) }
}

/** Products that are absent are 0, as exporters leave them out. */
function readInertia(element: UrdfElement): Inertia {
  const moment = (name: string): number => element.quantity(name)
  const product = (name: string): number => element.quantity(name, 0)
  return [moment('ixx'), product('ixy'), product('ixz'), moment('iyy'), product('iyz'), moment('izz')]
}

/** A collision shape in the colour of the link's first visual. */
function withColor(geometry: GeometryModel, link: UrdfElement, name: string, context: ShapeContext): GeometryModel {
  const [visual] = link.all('visual')
  const color = visual === undefined ? undefined : readMaterial(visual, name, context).rgb
  return color === undefined ? geometry : { ...geometry, color }
}
