import { ArmatureError } from '../../src/core/errors.ts'
import { originAt } from './locked-joints.ts'
import type { MjcfJoint } from './mjcf-joints.ts'
import { JOINT_TYPES, jointsOfMujoco, mimicsOfMujoco } from './mjcf-joints.ts'
import { MjcfShapes } from './mjcf-shapes.ts'
import type { MujocoModel } from './mujoco-model.ts'
import { nameOf, quatOf, rowOf } from './mujoco-model.ts'
import { Notices } from './notices.ts'
import type { JointModel, LinkModel, PoseSpec, RobotModel } from './robot-model.ts'
import { rodBetween } from './rods.ts'
import { mendMasses, mendShapes } from './urdf-mends.ts'

export interface MjcfOptions {
  /** Of the file. */
  readonly name: string
  /** Paths of meshes that were not found, in whose place the model has cubes. */
  readonly missing: ReadonlySet<string>
  readonly visuals: 'own' | 'collision'
}

const STILL: PoseSpec = { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] }
const NO_MASS = { massKg: 0, inertialPose: STILL, inertia: [0, 0, 0, 0, 0, 0] as const }
const WORLD = 0

/**
 * A robot out of a compiled MJCF model: bodies with their inertias, hinges and slides with ranges, geoms, and sites as frames. Efforts are
 * those of the joints' and the actuators' force ranges; joints that an equality constraint ties to another follow it. What a geom collides
 * with and whether it is shown is as in MuJoCo: `contype` and `conaffinity`, groups 0 to 2.
 *
 * Left out, and told in `notices`: tendons and other constraints, free joints of robots that move about, what lies or stands beside the robot.
 * Read past: damping, armature, springs, sensors, keyframes, cameras, lights, textures.
 * @throws ArmatureError `bad-argument` for ball joints, slides without a range, and models in which nothing moves.
 */
export async function robotOfMujoco(mujoco: MujocoModel, options: MjcfOptions): Promise<RobotModel> {
  const { model } = mujoco
  const notices = new Notices()
  const bodies = bodiesOf(mujoco, options.name, notices)
  const shapes = new MjcfShapes(mujoco, options.missing, notices)
  await shapes.readMeshes(new Set(bodies))
  const tree = new Tree(mujoco, shapes, mimicsOfMujoco(mujoco, notices), options)
  for (const body of bodies) tree.add(body)
  for (let tendon = 0; tendon < model.ntendon; tendon++) {
    notices.add('tendons are left out', nameOf(mujoco, 'tendon', tendon) || `number ${tendon + 1}`)
  }
  if (tree.joints.some(({ kind, maxEffort }) => kind !== 'fixed' && maxEffort === 0)) {
    const untold = tree.joints.filter(({ kind, maxEffort }) => kind !== 'fixed' && maxEffort === 0)
    for (const { name } of untold) {
      notices.add('no range of forces is told, and three times what holds the links beyond is taken', name)
    }
  }
  notices.add('MJCF tells no speeds, and usual ones are taken', 'all joints')
  const links = mendShapes(withStandIns(tree, notices), tree.joints, [], notices)
  return {
    name: modelName(options.name),
    links: mendMasses(links, tree.joints, notices),
    joints: tree.joints,
    notices: notices.lines,
  }
}

function modelName(file: string): string {
  return file.replace(/\.[^.]*$/, '')
}

/** The bodies of what moves by joints of its own, parents first. */
function bodiesOf(mujoco: MujocoModel, file: string, notices: Notices): number[] {
  const { model } = mujoco
  const parents = model.body_parentid as Int32Array
  const types = model.jnt_type as Int32Array
  const jointed = model.jnt_bodyid as Int32Array
  const rootOf = (body: number): number => {
    let root = body
    while (parents[root] !== WORLD) root = parents[root]!
    return root
  }
  const robots = new Set<number>()
  for (const [joint, body] of jointed.entries()) if (types[joint] !== JOINT_TYPES.free) robots.add(rootOf(body))
  if (robots.size === 0) {
    throw new ArmatureError('bad-argument', file, { expected: 'a robot with hinge or slide joints', got: 'none' })
  }
  const kept: number[] = []
  for (let body = 1; body < parents.length; body++) {
    const name = nameOf(mujoco, 'body', body) || `body${body}`
    if (robots.has(rootOf(body))) kept.push(body)
    else if (parents[body] === WORLD) notices.add('what stands or lies beside the robot is left out', name)
  }
  for (const [joint, body] of jointed.entries()) {
    if (types[joint] === JOINT_TYPES.free && kept.includes(body)) {
      notices.add('a robot that moves about freely stands still', nameOf(mujoco, 'body', body) || `body${body}`)
    }
  }
  return kept
}

/** Links and joints as they are added, body by body. */
class Tree {
  readonly links: LinkModel[] = [{ name: 'world', ...NO_MASS, visuals: [], collisions: [] }]
  readonly joints: JointModel[] = []
  /** Links that lack the shape of a mesh that was not found. */
  readonly incomplete = new Set<string>()
  readonly #mujoco: MujocoModel
  readonly #shapes: MjcfShapes
  readonly #mimics: ReadonlyMap<string, NonNullable<JointModel['mimic']>>
  readonly #options: MjcfOptions
  /** The link of each body, and where its origin is in the frame of the body. */
  readonly #placed = new Map<number, { readonly link: string; readonly anchor: readonly number[] }>([
    [WORLD, { link: 'world', anchor: [0, 0, 0] }],
  ])

  constructor(
    mujoco: MujocoModel,
    shapes: MjcfShapes,
    mimics: ReadonlyMap<string, NonNullable<JointModel['mimic']>>,
    options: MjcfOptions,
  ) {
    this.#mujoco = mujoco
    this.#shapes = shapes
    this.#mimics = mimics
    this.#options = options
  }

  /** A link per joint of the body, of which the last is the body; links begin where their joints are. */
  add(body: number): void {
    const { model } = this.#mujoco
    const parent = this.#placed.get((model.body_parentid as Int32Array)[body]!)!
    const name = this.#freeName(nameOf(this.#mujoco, 'body', body) || `body${body}`)
    const joints = jointsOfMujoco(this.#mujoco, body, this.#options.name)
    const origin = {
      positionM: minus(rowOf(model.body_pos, body, 3), parent.anchor),
      quatXyzw: quatOf(model.body_quat, body),
    }
    let [from, anchor, at]: [string, readonly number[], PoseSpec] = [parent.link, [0, 0, 0], origin]
    if (joints.length === 0) this.#join(`${name}_mount`, from, name, at)
    for (const [i, joint] of joints.entries()) {
      const link = i === joints.length - 1 ? name : this.#freeName(`${name}_${i + 1}`)
      if (link !== name) this.links.push({ name: link, ...NO_MASS, visuals: [], collisions: [] })
      const shifted = along(at, minus(joint.anchor, anchor))
      this.#join(joint.name, from, link, shifted, joint)
      ;[from, anchor, at] = [link, joint.anchor, STILL]
    }
    this.links.push(this.#linkOf(body, name, anchor))
    this.#placed.set(body, { link: name, anchor })
    if (this.#shapes.isIncomplete(body)) this.incomplete.add(name)
    this.#addSites(body, name, anchor)
  }

  #linkOf(body: number, name: string, anchor: readonly number[]): LinkModel {
    const { model } = this.#mujoco
    const massKg = (model.body_mass as Float64Array)[body]!
    const [xx, yy, zz] = rowOf(model.body_inertia, body, 3) as [number, number, number]
    const collisions = this.#shapes.of(body, 'collision', anchor, name)
    const visuals = this.#options.visuals === 'own' ? this.#shapes.of(body, 'visual', anchor, name) : collisions
    const inertialPose = {
      positionM: minus(rowOf(model.body_ipos, body, 3), anchor),
      quatXyzw: quatOf(model.body_iquat, body),
    }
    const inertial = massKg > 0 ? { massKg, inertialPose, inertia: [xx, 0, 0, yy, 0, zz] as const } : NO_MASS
    return { name, ...inertial, visuals, collisions }
  }

  #addSites(body: number, link: string, anchor: readonly number[]): void {
    const { model } = this.#mujoco
    for (const [site, owner] of (model.site_bodyid as Int32Array).entries()) {
      const given = nameOf(this.#mujoco, 'site', site)
      if (owner !== body || given === '') continue
      const name = this.#freeName(given)
      const positionM = minus(rowOf(model.site_pos, site, 3), anchor)
      this.links.push({ name, ...NO_MASS, visuals: [], collisions: [] })
      this.#join(`${name}_mount`, link, name, { positionM, quatXyzw: quatOf(model.site_quat, site) })
    }
  }

  #join(name: string, parent: string, child: string, origin: PoseSpec, joint?: MjcfJoint): void {
    if (joint === undefined) {
      const still = { lower: 0, upper: 0, maxSpeed: 0, maxEffort: 0 }
      this.joints.push({ name, kind: 'fixed', parent, child, origin, axis: [1, 0, 0], ...still })
      return
    }
    const { kind, axis, lower, upper, maxSpeed, maxEffort, reference } = joint
    const moving = { name, kind, parent, child, origin, axis, lower, upper, maxSpeed, maxEffort }
    const mimic = this.#mimics.get(name)
    // The pose of the file is that at the reference; ours is that at 0.
    const atZero = reference === 0 ? origin : originAt(moving, -reference)
    this.joints.push({ ...moving, origin: atZero, ...(mimic === undefined ? {} : { mimic }) })
  }

  #freeName(wanted: string): string {
    const isTaken = (name: string): boolean => this.links.some((link) => link.name === name)
    return isTaken(wanted) ? this.#freeName(`${wanted}_frame`) : wanted
  }
}

/** Rods in the place of meshes that were not found, from a joint to the next ones. */
function withStandIns({ links, joints, incomplete }: Tree, notices: Notices): LinkModel[] {
  return links.map((link) => {
    if (!incomplete.has(link.name)) return link
    notices.add('a mesh file was not found, and the link has its other shape or a rod instead', link.name)
    const rods = joints
      .filter(({ parent, origin }) => parent === link.name && Math.hypot(...origin.positionM) > 1e-3)
      .map(({ origin }) => rodBetween([0, 0, 0], origin.positionM, Math.hypot(...origin.positionM) / 10))
    const instead = (own: LinkModel['visuals'], other: LinkModel['visuals']): LinkModel['visuals'] =>
      own.length > 0 ? own : other.length > 0 ? other : rods
    return {
      ...link,
      visuals: instead(link.visuals, link.collisions),
      collisions: instead(link.collisions, link.visuals),
    }
  })
}

function minus(a: readonly number[], b: readonly number[]): [number, number, number] {
  return [a[0]! - b[0]!, a[1]! - b[1]!, a[2]! - b[2]!]
}

/** A pose moved by `by` in its own frame. */
function along(pose: PoseSpec, by: readonly [number, number, number]): PoseSpec {
  const length = Math.hypot(...by)
  if (length === 0) return pose
  const axis = by.map((x) => x / length) as unknown as [number, number, number]
  return originAt({ kind: 'prismatic', axis, origin: pose }, length)
}
