import { ArmatureError, nearestNames } from '../../src/core/errors.ts'
import { cornersInFrame, inFrame } from './frame-points.ts'
import { Kinematics } from './kinematics.ts'
import type { JointModel, PoseSpec, RobotModel } from './robot-model.ts'
import { quatOfRotation } from './rotations.ts'
import { bodyOf, fingersOf } from './tip.ts'

type Vector = readonly [number, number, number]

/** A parallel gripper of a robot's own: two sides that move towards each other. */
export interface OwnGripper {
  /** The joints that move it, one or two; others may follow them. In the model's order. */
  readonly joints: readonly string[]
  /** All links that move with it. */
  readonly links: ReadonlySet<string>
  /** Of `joints`, rad or m. */
  readonly closed: readonly number[]
  readonly open: readonly number[]
  /** Between the fingertips when it is closed and open, metres. */
  readonly gapM: readonly [number, number]
  /** How far the fingers stand out from what carries them, metres. */
  readonly lengthM: number
  /** Half of how thick the ends of the closed fingers are, metres. */
  readonly halfM: number
  /** The link that carries them, and in its frame the middle between the ends of the fingers: z points outwards, y along the way they close. */
  readonly carrier: string
  readonly end: PoseSpec
  /** How far the tips of the fingers are from each joint that turns: by its child, metres. */
  readonly levers: ReadonlyMap<string, number>
}

/** Why the fingers of a robot are no gripper that can be used, as the end of a sentence. */
export interface NoGripper {
  readonly reason: string
}

/** Of a range in which a stop stands before the limit of a joint that turns, rad; see `ArmPlan`. */
const STOP_MARGIN_RAD = 0.05
/** Fingers that open by less grip nothing. */
const LEAST_STROKE_M = 1e-3
/** The share of a finger, from its end, that grips. */
export const PAD_SHARE = 0.5
/** Directions that are as near to an axis of the carrier are that axis: those of the way are seen more exactly than that outwards. */
const WAY_SNAP = Math.cos((15 * Math.PI) / 180)
const OUT_SNAP = Math.cos((40 * Math.PI) / 180)
/** Of the direction of a finger's way and of that to the other one: with less they do not close on each other. */
const LEAST_COSINE = 0.3

/**
 * The gripper that `flange` of a robot carries: that of the joints named, or of those that look like one; undefined where there are no fingers.
 * @throws ArmatureError `not-found` for a joint that is not there.
 */
export function ownGripper(
  model: RobotModel,
  flange: string,
  told: readonly string[] = [],
): OwnGripper | NoGripper | undefined {
  for (const name of told) requireJoint(model, name)
  const fingers = fingersOf(model, told)
  const body = bodyOf(model, flange)
  const roots = model.joints.filter(
    ({ kind, parent, child }) => kind !== 'fixed' && body.has(parent) && fingers.has(child),
  )
  if (roots.length === 0)
    return told.length === 0 ? undefined : { reason: `${told.join(', ')} do not hang on ${flange}` }
  return new Measure(model, body, roots).gripper()
}

function requireJoint(model: RobotModel, name: string): void {
  const names = model.joints.filter(({ kind }) => kind !== 'fixed').map((joint) => joint.name)
  if (names.includes(name)) return
  const near = nearestNames(name, names)
  throw new ArmatureError('not-found', `joint "${name}" of ${model.name}`, {
    got: 'no such joint that moves',
    fix: near.length > 0 ? `did you mean ${near.join(' or ')}?` : `it has ${names.join(', ')}`,
  })
}

/** The corners of the shapes of some links, in the frame of the carrier. */
type Cloud = readonly (readonly Vector[])[]

/** Moves the fingers of a robot and sees where they go. */
class Measure {
  readonly #model: RobotModel
  readonly #body: ReadonlySet<string>
  readonly #roots: readonly JointModel[]
  readonly #kinematics: Kinematics
  readonly #carrier: string
  /** Links of each root's branch. */
  readonly #branches: readonly ReadonlySet<string>[]
  readonly #links: ReadonlySet<string>
  /** Coordinates that move the branches. */
  readonly #coordinates: readonly number[]
  readonly #q: Float64Array

  constructor(model: RobotModel, body: ReadonlySet<string>, roots: readonly JointModel[]) {
    this.#model = model
    this.#body = body
    this.#roots = roots
    this.#kinematics = new Kinematics(model)
    this.#carrier = roots[0]!.parent
    this.#branches = roots.map(({ child }) => branchOf(model, child))
    this.#links = new Set(this.#branches.flatMap((branch) => [...branch]))
    const moving = model.joints.filter(({ kind, child }) => kind !== 'fixed' && this.#links.has(child))
    const leaders = new Set(moving.map(({ name, mimic }) => mimic?.joint ?? name))
    const { joints } = this.#kinematics
    this.#coordinates = joints.flatMap(({ name }, j) => (leaders.has(name) ? [j] : []))
    this.#q = Float64Array.from(joints, ({ lower, upper }) =>
      Number.isFinite(upper - lower) ? (lower + upper) / 2 : 0,
    )
  }

  gripper(): OwnGripper | NoGripper {
    const joints = this.#coordinates.map((j) => this.#kinematics.joints[j]!)
    const reason = this.#reasonAgainst(joints)
    if (reason !== undefined) return { reason }
    const sides = this.#sides()
    if (sides === undefined) return { reason: 'its fingers do not move towards each other' }
    const { closing, across, first, second } = sides
    const limits = joints.map(limitsOf)
    const closed = limits.map(([low, high], i) => (closing[i]! > 0 ? high : low))
    const open = limits.map(([low, high], i) => (closing[i]! > 0 ? low : high))
    const axes = this.#axes(across, [...first, ...second])
    if (!axes.out.every(Number.isFinite)) return { reason: 'it cannot be seen which way its fingers point' }
    const palm = this.#palm(axes.out)
    const at = (share: number): Jaws => {
      this.#coordinates.forEach((j, i) => (this.#q[j] = closed[i]! + share * (open[i]! - closed[i]!)))
      return jawsOf(this.#cloud(first), this.#cloud(second), axes, palm)
    }
    const [shut, half, wide] = [at(0), at(0.5), at(1)]
    const gapM = [Math.max(0, shut.gapM), wide.gapM] as const
    if (gapM[1] - gapM[0] < LEAST_STROKE_M) return { reason: 'its fingers hardly open' }
    const { out, side } = axes
    const place = [0, 1, 2].map(
      (i) => half.end * out[i]! + half.middle * across[i]! + half.aside * side[i]!,
    ) as unknown as Vector
    return {
      joints: joints.map(({ name }) => name),
      links: this.#links,
      closed,
      open,
      gapM,
      lengthM: half.end - palm,
      halfM: shut.halfM,
      carrier: this.#carrier,
      end: { positionM: place, quatXyzw: quatOfRotation(columns(side, across, out)) },
      levers: this.#levers(place),
    }
  }

  #reasonAgainst(joints: readonly JointModel[]): string | undefined {
    const names = joints.map(({ name }) => name).join(', ')
    if (joints.length === 0 || joints.length > 2) {
      return `${joints.length} joints of its gripper move on their own (${names}), and one or two are wanted`
    }
    if (joints.some(({ child }) => !this.#links.has(child))) return `its fingers follow ${names}, which moves the arm`
    if (this.#roots.length < 2) return 'only one of its fingers moves'
    if (joints.some(({ lower, upper }) => !(upper - lower < 2 * Math.PI))) return `${names} turns without end`
    if (this.#branches.some((branch) => this.#cloud([branch]).length === 0)) return 'its fingers collide nowhere'
    return undefined
  }

  /** The branches of each side, the way in which they close, and whether a coordinate closes them as it rises (1) or falls (-1). */
  #sides():
    { across: Vector; closing: number[]; first: ReadonlySet<string>[]; second: ReadonlySet<string>[] } | undefined {
    const ways = this.#coordinates.map((j) => this.#branches.map((branch) => this.#wayOf(branch, j)))
    const reference = ways[0]!.find((way) => Math.hypot(...way) > 0)
    if (reference === undefined) return undefined
    const isFirst = this.#branches.map((_, b) =>
      ways.length === 1 ? dot(ways[0]![b]!, reference) > 0 : Math.hypot(...ways[0]![b]!) > Math.hypot(...ways[1]![b]!),
    )
    const first = this.#branches.filter((_, b) => isFirst[b]!)
    const second = this.#branches.filter((_, b) => !isFirst[b]!)
    if (first.length === 0 || second.length === 0) return undefined
    const apart = difference(centreOf(this.#cloud(second)), centreOf(this.#cloud(first)))
    const wayOf = (side: boolean, i: number): Vector => sum(ways[i]!.filter((_, b) => isFirst[b] === side))
    const [there, back] = [wayOf(true, 0), wayOf(false, ways.length - 1)]
    const signs = [Math.sign(dot(there, apart)), -Math.sign(dot(back, apart))]
    const both = difference(scaled(there, signs[0]!), scaled(back, signs[1]!))
    const cosine = dot(both, apart) / (Math.hypot(...both) * Math.hypot(...apart))
    if (!(cosine > LEAST_COSINE) || (ways.length === 1 && signs[0] !== signs[1])) return undefined
    return { across: snapped(both, WAY_SNAP), closing: signs.slice(0, ways.length), first, second }
  }

  /** How the middle of a branch moves per unit of a coordinate, in the frame of the carrier. */
  #wayOf(branch: ReadonlySet<string>, coordinate: number): Vector {
    const { lower, upper } = this.#kinematics.joints[coordinate]!
    const [middle, step] = [this.#q[coordinate]!, (upper - lower) / 100]
    this.#q[coordinate] = middle + step
    const after = centreOf(this.#cloud([branch]))
    this.#q[coordinate] = middle
    return scaled(difference(after, centreOf(this.#cloud([branch]))), 1 / step)
  }

  /** The way of the fingers, the way out of the hand, and what is square to both. */
  #axes(across: Vector, branches: readonly ReadonlySet<string>[]): Axes {
    const turning = this.#roots.find(({ kind }) => kind !== 'prismatic')
    const palm = this.#cloud([new Set([this.#carrier])])
    const from = palm.length > 0 ? centreOf(palm) : this.#lastJoint()
    let out = difference(centreOf(this.#cloud(branches)), from)
    out = difference(out, scaled(across, dot(out, across)))
    if (turning !== undefined) {
      const axis = inFrame(this.#kinematics, this.#carrier, turning.child, turning.axis, 'direction')
      out = difference(out, scaled(axis, dot(out, axis)))
    }
    out = snapped(out, OUT_SNAP)
    out = unit(difference(out, scaled(across, dot(out, across))))
    return { across, out, side: cross(across, out) }
  }

  /** Where the last joint of the arm is. */
  #lastJoint(): Vector {
    const root = this.#model.links.find(({ name }) => this.#body.has(name))!.name
    this.#kinematics.forward(this.#q)
    return inFrame(this.#kinematics, this.#carrier, root, [0, 0, 0], 'point')
  }

  /** How far out what carries the fingers reaches. */
  #palm(out: Vector): number {
    const points = this.#cloud([this.#body]).flat()
    return points.reduce((most, point) => Math.max(most, dot(point, out)), points.length === 0 ? 0 : -Infinity)
  }

  #levers(end: Vector): ReadonlyMap<string, number> {
    this.#kinematics.forward(this.#q)
    return new Map(
      this.#model.joints
        .filter(({ kind, child }) => kind !== 'fixed' && kind !== 'prismatic' && this.#links.has(child))
        .map(({ child }) => {
          const pivot = inFrame(this.#kinematics, this.#carrier, child, [0, 0, 0], 'point')
          return [child, Math.hypot(...difference(end, pivot))]
        }),
    )
  }

  /** Of all that collides of some links, with the coordinates as they are. */
  #cloud(branches: readonly ReadonlySet<string>[]): Cloud {
    this.#kinematics.forward(this.#q)
    return cornersInFrame(this.#kinematics, this.#carrier, (name) => branches.some((branch) => branch.has(name)))
  }
}

/** The axis that is nearest to `v`, if the cosine between them is at least `least`; else `v`, of length 1. */
function snapped(v: Vector, least: number): Vector {
  const one = unit(v)
  const main = one.reduce((best, x, i) => (Math.abs(x) > Math.abs(one[best]!) ? i : best), 0)
  if (Math.abs(one[main]!) < least) return one
  return [0, 1, 2].map((i) => (i === main ? Math.sign(one[i]!) : 0)) as unknown as Vector
}

interface Axes {
  readonly across: Vector
  readonly out: Vector
  readonly side: Vector
}

/** Where two sides are near their ends: the inner faces' distance and middle, the end of the shorter one, and the middle square to both. */
interface Jaws {
  readonly gapM: number
  readonly middle: number
  readonly end: number
  readonly aside: number
  /** Half of the pads together: the smaller side of what they cover. */
  readonly halfM: number
}

function jawsOf(first: Cloud, second: Cloud, { across, out, side }: Axes, palm: number): Jaws {
  const ends = [first, second].map((cloud) => Math.max(...cloud.flat().map((point) => dot(point, out))))
  const pads = [first, second].map((cloud, i) => {
    const from = ends[i]! - PAD_SHARE * Math.max(0, ends[i]! - palm) - 1e-6
    return cloud.flatMap((points) => beyond(points, out, from))
  })
  const inner = [
    Math.max(...pads[0]!.map((point) => dot(point, across))),
    Math.min(...pads[1]!.map((point) => dot(point, across))),
  ]
  const [wide, aside] = [across, side].map((axis) => pads.flat().map((point) => dot(point, axis)))
  const halfOf = (values: readonly number[]): number => (Math.max(...values) - Math.min(...values)) / 2
  return {
    gapM: inner[1]! - inner[0]!,
    middle: (inner[0]! + inner[1]!) / 2,
    end: Math.min(...ends),
    aside: (Math.min(...aside!) + Math.max(...aside!)) / 2,
    halfM: Math.min(halfOf(wide!), halfOf(aside!)),
  }
}

/** Corners of what lies of the hull of `points` further along `out` than `from`: of a hook, whose hull is thick at its root, more than its points. */
function beyond(points: readonly Vector[], out: Vector, from: number): Vector[] {
  const heights = points.map((point) => dot(point, out) - from)
  const inside = points.filter((_, i) => heights[i]! >= 0)
  const cuts = points.flatMap((high, i) =>
    heights[i]! < 0
      ? []
      : points.flatMap((low, k) => {
          if (heights[k]! >= 0) return []
          const share = heights[i]! / (heights[i]! - heights[k]!)
          return [sum([scaled(high, 1 - share), scaled(low, share)])]
        }),
  )
  return [...inside, ...cuts]
}

function limitsOf({ kind, lower, upper }: JointModel): readonly [number, number] {
  const inside = kind === 'prismatic' ? 0 : Math.min(STOP_MARGIN_RAD, (upper - lower) / 4)
  return [lower + inside, upper - inside]
}

function branchOf({ joints }: RobotModel, root: string): ReadonlySet<string> {
  const branch = new Set([root])
  for (const { parent, child } of joints) if (branch.has(parent)) branch.add(child)
  return branch
}

function columns(x: Vector, y: Vector, z: Vector): Float64Array {
  return Float64Array.from([0, 1, 2].flatMap((i) => [x[i]!, y[i]!, z[i]!]))
}

function centreOf(cloud: Cloud): Vector {
  const points = cloud.flat()
  return [0, 1, 2].map((i) =>
    points.reduce((total, point) => total + point[i]! / points.length, 0),
  ) as unknown as Vector
}

function sum(vectors: readonly Vector[]): Vector {
  return [0, 1, 2].map((i) => vectors.reduce((total, v) => total + v[i]!, 0)) as unknown as Vector
}

function difference(a: Vector, b: Vector): Vector {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

function scaled(v: Vector, factor: number): Vector {
  return [v[0] * factor, v[1] * factor, v[2] * factor]
}

function unit(v: Vector): Vector {
  return scaled(v, 1 / Math.hypot(...v))
}

function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return a[0]! * b[0]! + a[1]! * b[1]! + a[2]! * b[2]!
}
