import { nearestNames } from '../../src/core/errors.ts'
import { Notices } from './notices.ts'
import type { JointModel, LinkModel, RobotModel } from './robot-model.ts'
import { readJoint } from './urdf-joints.ts'
import { readLink } from './urdf-links.ts'
import { mendMasses, mendShapes } from './urdf-mends.ts'
import type { ShapeContext } from './urdf-shapes.ts'
import { readMaterials } from './urdf-shapes.ts'
import type { UrdfElement } from './urdf-xml.ts'
import { parseXml, quote } from './urdf-xml.ts'

/** Links and joints each; a humanoid with hands has about 100. */
const MAX_LINKS = 1000

/** Elements of `<robot>` that say nothing of its body. */
const IGNORED = ['transmission', 'gazebo', 'sensor', 'ros2_control']

export interface UrdfOptions {
  /** The parts of a mesh, by the path as the file has it (`package://arm/link.stl`, `meshes/link.stl`); undefined: not found. */
  readonly readMesh?: ShapeContext['readMesh']
  /** What stands before the line in errors; default `URDF`. */
  readonly name?: string
  /** `collision`: links look like what collides, and their visuals are not read. Default `own`. */
  readonly visuals?: 'own' | 'collision'
}

interface Named<T> {
  readonly element: UrdfElement
  readonly model: T
}

/**
 * Reads a robot from URDF: a tree of links with inertia, and of visuals and collisions that are boxes, cylinders, spheres, capsules (an
 * extension) or meshes; colours; revolute, continuous, prismatic, fixed and mimicking joints with limits.
 *
 * Read past: joint dynamics, calibration and safety controllers, transmissions, sensors, Gazebo and ros2_control blocks, textures (grey),
 * partial transparency, and elements of other programs. Inertia of a link of mass 0 is dropped: such a link marks a frame or stands still.
 * Mended, and told in `notices`: efforts and speeds of 0, inertia that no body has, shapes without size, materials that are not defined,
 * meshes in millimetres or not found, robots without visuals. Refused: planar and floating joints, xacro, elements that look like a misspelt one.
 *
 * @throws ArmatureError with the line in the file: `corrupt-file` for what is wrong, `bad-argument` for what is not read, `not-found` for mesh
 * files where nothing of the robot would be left.
 */
export function parseUrdf(xml: string, options: UrdfOptions = {}): RobotModel {
  return readRobot(parseXml(xml, options.name ?? 'URDF'), options)
}

/** {@link parseUrdf} from the root element on. */
export function readRobot(robot: UrdfElement, options: UrdfOptions): RobotModel {
  if (robot.name !== 'robot') throw robot.error('no robot', { expected: '<robot>', got: `<${robot.name}>` })
  robot.checkChildren(['link', 'joint', 'material', ...IGNORED])
  const notices = new Notices()
  const joints = readNamed(robot, 'joint', (joint) => readJoint(joint, notices))
  const context: ShapeContext = {
    materials: readMaterials(robot, notices),
    readMesh: options.readMesh ?? ((): undefined => undefined),
    drawCollisions: options.visuals === 'collision',
    meshes: new Map(),
    missing: [],
    notices,
  }
  const links = readNamed(robot, 'link', (link) => readLink(link, context))
  if (links.size === 0) throw robot.error('the robot has no links')
  checkMimics(joints, notices)
  const tree = inTreeOrder(links, parentJoints(links, joints))
  return {
    name: robot.attribute('name') ?? 'robot',
    links: mendMasses(mendShapes(tree.links, tree.joints, context.missing, notices), tree.joints, notices),
    joints: withDirectMimics(tree.joints),
    ...(notices.lines.length === 0 ? {} : { notices: notices.lines }),
  }
}

function readNamed<T>(robot: UrdfElement, kind: string, read: (element: UrdfElement) => T): Map<string, Named<T>> {
  const elements = robot.all(kind)
  if (elements.length > MAX_LINKS) {
    throw robot.error(`${elements.length} elements <${kind}>`, { expected: `at most ${MAX_LINKS}` })
  }
  const found = new Map<string, Named<T>>()
  for (const element of elements) {
    const name = element.text('name')
    const first = found.get(name)
    if (first !== undefined) {
      throw element.error(`a second ${kind} ${quote(name)}`, {
        expected: `another name than in line ${first.element.line}`,
      })
    }
    found.set(name, { element, model: read(element) })
  }
  return found
}

/** The joint that carries each link, by the link's name. */
function parentJoints(
  links: ReadonlyMap<string, Named<LinkModel>>,
  joints: ReadonlyMap<string, Named<JointModel>>,
): Map<string, Named<JointModel>> {
  const parents = new Map<string, Named<JointModel>>()
  for (const joint of joints.values()) {
    const { element, model } = joint
    for (const end of ['parent', 'child'] as const) {
      if (links.has(model[end])) continue
      const near = nearestNames(model[end], [...links.keys()])
      throw element.error(`joint ${quote(model.name)}: ${end} link ${quote(model[end])} does not exist`, {
        fix: near.length === 0 ? 'add the link, or correct the name' : `did you mean "${near[0]}"?`,
      })
    }
    const other = parents.get(model.child)
    if (other !== undefined) {
      throw element.error(`link ${quote(model.child)} is a child of two joints`, {
        got: `${quote(other.model.name)} and ${quote(model.name)}`,
        fix: 'a loop cannot be described: make one of them its parent, or leave one out',
      })
    }
    parents.set(model.child, joint)
  }
  return parents
}

/** Links and joints from the root on, children in the order of the file; fails unless there is one tree. */
function inTreeOrder(
  links: ReadonlyMap<string, Named<LinkModel>>,
  parents: ReadonlyMap<string, Named<JointModel>>,
): Pick<RobotModel, 'links' | 'joints'> {
  const roots = [...links.values()].filter(({ model }) => !parents.has(model.name))
  if (roots.length > 1) {
    throw roots[1]!.element.error(`link ${quote(roots[1]!.model.name)} is a second root`, {
      expected: `a joint that has it as its child, as all links but ${quote(roots[0]!.model.name)} have`,
    })
  }
  const children = new Map<string, JointModel[]>()
  for (const { model } of parents.values()) children.set(model.parent, [...(children.get(model.parent) ?? []), model])
  const ordered: LinkModel[] = roots.map(({ model }) => model)
  const joints: JointModel[] = []
  const open = (children.get(ordered[0]?.name ?? '') ?? []).toReversed()
  for (let joint = open.pop(); joint !== undefined; joint = open.pop()) {
    joints.push(joint)
    ordered.push(links.get(joint.child)!.model)
    open.push(...(children.get(joint.child) ?? []).toReversed())
  }
  if (ordered.length < links.size) {
    const reached = new Set(ordered.map(({ name }) => name))
    const lost = [...parents.values()].find(({ model }) => !reached.has(model.child))!
    throw lost.element.error(`joint ${quote(lost.model.name)} is part of a cycle`, { expected: 'a tree of links' })
  }
  return { links: ordered, joints }
}

function checkMimics(joints: Map<string, Named<JointModel>>, notices: Notices): void {
  for (const [name, { element, model }] of joints) {
    if (model.mimic === undefined || joints.has(model.mimic.joint)) continue
    notices.add(`a joint that mimics ${quote(model.mimic.joint)}, which does not exist, moves on its own`, name)
    const { mimic: _nobody, ...alone } = model
    joints.set(name, { element, model: alone })
  }
  for (const { element, model } of joints.values()) {
    const seen = new Set([model.name])
    for (let follower = model; follower.mimic !== undefined;) {
      const leader = joints.get(follower.mimic.joint)!.model
      const what = `joint ${quote(model.name)} mimics ${quote(follower.mimic.joint)}`
      if (leader.kind === 'fixed') throw element.error(what, { got: 'a fixed joint' })
      if (seen.has(leader.name)) throw element.error(what, { got: 'joints that mimic each other in a circle' })
      seen.add(leader.name)
      follower = leader
    }
  }
}

/** Each mimic tied to the joint that moves, not to one that follows itself. */
function withDirectMimics(joints: readonly JointModel[]): JointModel[] {
  return joints.map((joint) => {
    if (joint.mimic === undefined) return joint
    let { multiplier, offset, joint: name } = joint.mimic
    for (;;) {
      const next = joints.find((leader) => leader.name === name)!.mimic
      if (next === undefined) return { ...joint, mimic: { joint: name, multiplier, offset } }
      offset += multiplier * next.offset
      multiplier *= next.multiplier
      name = next.joint
    }
  })
}
