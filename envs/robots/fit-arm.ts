import { ArmatureError } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import type { TableTop } from './body-clearance.ts'
import { BodyClearance } from './body-clearance.ts'
import type { TipTarget } from './inverse-kinematics.ts'
import { InverseKinematics } from './inverse-kinematics.ts'
import { chainOf, Kinematics } from './kinematics.ts'
import type { PoseSpec, RobotModel } from './robot-model.ts'
import { quatOfRpy, rotationOfQuat, turned } from './rotations.ts'

export type Corner = readonly [number, number, number]

/** A place to work at, made for an arm of {@link USUAL_REACH_M}. */
export interface Workplace {
  /** Where the robot stands; all the rest is scaled about this point. */
  readonly base: PoseSpec
  /** Of the tip. */
  readonly box: readonly [Corner, Corner]
  readonly table: TableTop
  /** Where the tip is at home; default: in the middle of the box. */
  readonly start?: Corner
  /** The tip's z axis must point down all over the box. Default false: as far as it can, at home. */
  readonly pointsDown?: boolean
  /** The smallest that it may be scaled to; default 0.05. */
  readonly leastScale?: number
  /** The largest that box and start may be scaled to, for tools that work no wider; base and table scale on with the arm. */
  readonly mostScale?: number
  /** What is scaled stays about the middle of the table, and the base comes nearer; default: about the base. */
  readonly aboutMiddle?: boolean
}

/** Any robot as an arm that works in a box before it. */
export interface FittedArm {
  readonly model: RobotModel
  /** [n] with the tip at the start. */
  readonly home: readonly number[]
  /** The box that was asked for, scaled about the base. */
  readonly box: readonly [Corner, Corner]
  readonly table: TableTop
  /** Of the box: 1 for an arm of a usual size. */
  readonly scale: number
  /** Of base and table, larger than `scale` where a tool works no wider. */
  readonly standScale: number
  /** Of the root link. */
  readonly base: PoseSpec
  /** The furthest that the tip was found from its first joint, metres. */
  readonly reachM: number
  /** How the base was moved for the robot to face the table, if it was. */
  readonly moved?: string
}

/** Up to twice of that the workplace keeps its size; larger robots get a larger one. */
const USUAL_REACH_M = 1.3
const LEAST_SCALE = 0.05
const SHRINK = 0.85
/** Sizes that a way to stand is tried with before the next, and all of them. */
const EARLY_SIZES = 4
const SIZES = 18
const POSES = 2000
const STARTS = 200
const GOOD_STARTS = 10
const NEAR_M = 1e-3
/** Bodies at home stay this far above a table of scale 1. */
const CLEAR_M = 0.03
/** As many of some random points of the box the arm must reach with its whole body over the table. */
const SAMPLES = 24
const LEAST_SHARE = 0.6
/** As actions move the tip: of a robot of scale 1, metres; at most so many of them. */
const STEP_M = 0.02
const STEPS = 40
const STEP_ITERATIONS = 4
/** How much further back an arm may stand, of its reach. */
const BACK_SHARES = [0.3, 0.2, 0.1, 0.4]
const YAWS_DEG = [0, 90, -90, 180]

/**
 * Finds how a robot works at a place: the scale, a pose with the tip in the middle of the box that points down as far as it can and keeps the
 * bodies off the table, and, unless `base` tells, how its root must be turned or moved for that. The same robot gives the same answer.
 * @param modelAt the robot, for each scale: with a tool of that scale, maybe.
 * @throws ArmatureError `not-found` for an unknown tip; `bad-argument` when nothing moves it, or it cannot work in any such box.
 */
export function fitArm(
  modelAt: RobotModel | ((scale: number) => RobotModel),
  tip: string,
  place: Workplace,
  base?: PoseSpec,
): FittedArm {
  const build = typeof modelAt === 'function' ? modelAt : (): RobotModel => modelAt
  const model = build(1)
  const chain = new Kinematics(chainOf(model, model.links[0]!.name, tip))
  if (chain.joints.length === 0) {
    throw new ArmatureError('bad-argument', `robot ${model.name}`, { expected: `joints that move its link "${tip}"` })
  }
  const reachM = reachOf(chain, new Rng(0))
  const largest = reachM > 2 * USUAL_REACH_M ? reachM / USUAL_REACH_M : Math.min(1, (2 * reachM) / USUAL_REACH_M)
  const ways = base === undefined ? waysToStand(chain, place.base, reachM) : [{ base }]
  const sizes = Array.from({ length: SIZES }, (_, i) => largest * SHRINK ** i)
    .map((standScale) => ({ standScale, scale: Math.min(standScale, place.mostScale ?? Infinity) }))
    .filter(({ scale }) => scale > (place.leastScale ?? LEAST_SCALE))
  const early = ways.flatMap((way) => sizes.slice(0, EARLY_SIZES).map((size) => ({ ...way, ...size })))
  const late = sizes.slice(EARLY_SIZES).flatMap((size) => ways.map((way) => ({ ...way, ...size })))
  for (const { base: told, moved, scale, standScale } of [...early, ...late]) {
    const scaled = { ...scalePlace(place, scale), table: scalePlace(place, standScale).table }
    const stand = base === undefined && place.aboutMiddle === true ? nearer(told, place, standScale) : told
    const sized = build(scale)
    const home = new Fit(sized, tip, stand, { ...place, ...scaled }, scale).home()
    if (home !== undefined) {
      const { box, table } = scaled
      const how = moved === undefined ? {} : { moved }
      return { model: sized, home, box, table, scale, standScale, base: stand, reachM, ...how }
    }
  }
  throw new ArmatureError('bad-argument', `robot ${model.name} with its tip "${tip}"`, {
    expected: `one that reaches places before it and above the table${place.leastScale === undefined ? '' : `, pointing down, at ${place.leastScale} or more of a Panda's size`}`,
    got: `a reach of ${reachM.toFixed(2)} m${base === undefined ? ', also when it is turned or lowered' : ''}`,
    fix: 'name another tip, set base.yawDeg, base.pitchDeg or base.positionM, or check the axes and limits of its joints',
  })
}

interface Stand {
  readonly base: PoseSpec
  readonly moved?: string
}

/**
 * As the file has it; with the foot of the arm, or its first joint, where the base shall be; or further back, for arms that do not fold; each
 * turned to the four sides.
 */
function waysToStand(chain: Kinematics, { positionM }: PoseSpec, reachM: number): Stand[] {
  chain.forward(new Float64Array(chain.joints.length))
  const first = chain.model.joints.findIndex(({ kind }) => kind !== 'fixed')
  const { parent, child } = chain.model.joints[first]!
  const at = (link: string): Corner => {
    const i = 3 * chain.linkIndex(link)
    return [chain.positions[i]!, chain.positions[i + 1]!, chain.positions[i + 2]!]
  }
  const places: { readonly foot: Corner; readonly what: string }[] = [{ foot: [0, 0, 0], what: '' }]
  const candidates = [
    { foot: at(parent), what: `its link ${parent} stands on the table` },
    { foot: at(child), what: `its joint ${chain.model.joints[first]!.name} is at the table` },
  ]
  for (const candidate of candidates) {
    const isNew = places.every(({ foot }) => Math.hypot(...foot.map((x, i) => x - candidate.foot[i]!)) > 0.02)
    if (isNew) places.push(candidate)
  }
  const backs = BACK_SHARES.map((share) => Math.round(share * reachM * 100) / 100)
  return [
    ...places.flatMap(({ foot, what }) => YAWS_DEG.map((yawDeg) => standOn(positionM, foot, yawDeg, what))),
    ...backs.flatMap((backM) => {
      const back: Corner = [positionM[0] - backM, positionM[1], positionM[2]]
      return YAWS_DEG.map((yawDeg) => standOn(back, [0, 0, 0], yawDeg, `it stands ${backM} m further back`))
    }),
  ]
}

function standOn(positionM: Corner, foot: Corner, yawDeg: number, what: string): Stand {
  const quatXyzw = quatOfRpy(0, 0, (yawDeg * Math.PI) / 180)
  const away = turned(rotationOfQuat(quatXyzw, new Float64Array(9)), foot)
  const at = positionM.map((x, i) => x - away[i]!) as unknown as Corner
  const parts = [
    ...(yawDeg === 0 ? [] : [`turned by ${yawDeg} degrees to face the table (base.yawDeg=${yawDeg})`]),
    ...(what === '' ? [] : [`moved so that ${what} (base.positionM=[${at.map((x) => +x.toFixed(3)).join(',')}])`]),
  ]
  return { base: { positionM: at, quatXyzw }, ...(parts.length === 0 ? {} : { moved: parts.join(' and ') }) }
}

/** A base that scales with what is before it. */
function nearer({ positionM: [x, y, z], quatXyzw }: PoseSpec, place: Workplace, scale: number): PoseSpec {
  return { positionM: [x + place.base.positionM[0] * (scale - 1), y, z], quatXyzw }
}

function scalePlace(place: Workplace, scale: number): Pick<Workplace, 'box' | 'table' | 'start'> {
  if (scale === 1) return { box: place.box, table: place.table, ...(place.start && { start: place.start }) }
  const [x, y] = place.base.positionM
  const about = place.aboutMiddle === true ? [0, 0, 0] : [x, y, 0]
  const towards = (corner: Corner): Corner =>
    corner.map((c, i) => about[i]! + (c - about[i]!) * scale) as unknown as Corner
  const box = [towards(place.box[0]), towards(place.box[1])] as const
  const start = place.start && { start: towards(place.start) }
  if (scale < 1 && place.aboutMiddle !== true) return { box, table: place.table, ...start }
  const flat = ([px, py]: readonly [number, number]): readonly [number, number] => {
    const [sx, sy] = towards([px, py, 0])
    return [sx, sy]
  }
  return { box, table: { low: flat(place.table.low), high: flat(place.table.high) }, ...start }
}

/** One way to stand, with one size of the box. */
class Fit {
  readonly #whole: Kinematics
  readonly #chain: Kinematics
  readonly #clearance: BodyClearance
  readonly #box: readonly [Corner, Corner]
  readonly #start: Corner
  readonly #axis: Pick<TipTarget, 'axis'>
  readonly #scale: number
  readonly #ik: InverseKinematics
  readonly #rng = new Rng(1)
  /** Coordinate of the chain that each of the whole robot's is; -1 for none. */
  readonly #ofChain: readonly number[]
  readonly #pose: Float64Array

  constructor(
    model: RobotModel,
    tip: string,
    base: PoseSpec,
    { box, table, start, pointsDown }: Workplace,
    scale: number,
  ) {
    this.#whole = new Kinematics(model, base)
    this.#chain = new Kinematics(chainOf(model, model.links[0]!.name, tip), base)
    this.#clearance = new BodyClearance(this.#whole, table)
    this.#box = box
    const [low, high] = box
    this.#start = start ?? (low.map((x, i) => (x + high[i]!) / 2) as unknown as Corner)
    this.#axis = pointsDown === true ? { axis: [0, 0, -1] } : {}
    this.#scale = scale
    this.#ik = new InverseKinematics(this.#chain, { iterations: 60 })
    this.#ofChain = this.#whole.joints.map(({ name }) => this.#chain.joints.findIndex((joint) => joint.name === name))
    this.#pose = Float64Array.from(this.#whole.joints, (_, j) => middleOf(this.#whole, j))
  }

  /** All coordinates with the tip in the middle of the box, if the box is one to work in. */
  home(): readonly number[] | undefined {
    if (!this.#reachesCorners()) return undefined
    const home = this.#poseAt(this.#start)
    if (home === undefined || this.#shareFrom(home) < LEAST_SHARE) return undefined
    return [...this.#wholePose(home)]
  }

  #reachesCorners(): boolean {
    const q = Float64Array.from(this.#chain.joints, (_, j) => middleOf(this.#chain, j))
    for (let corner = 0; corner < 8; corner++) {
      const position = [0, 1, 2].map((i) => this.#box[(corner >> i) & 1]![i]!)
      if (this.#ik.solve(q, { position, ...this.#axis }, this.#rng, 10) >= NEAR_M) return false
    }
    return true
  }

  /** The best of some poses with the tip at `position` and the bodies off the table; undefined where none was found. */
  #poseAt(position: Corner): Float64Array | undefined {
    const chain = this.#chain
    const q = new Float64Array(chain.joints.length)
    let best: Float64Array | undefined
    let bestScore = -Infinity
    const clear = Math.min(CLEAR_M * this.#scale, position[2] / 2)
    for (let start = 0, good = 0; start < STARTS && good < GOOD_STARTS; start++) {
      if (start === 0) for (let j = 0; j < q.length; j++) q[j] = middleOf(chain, j)
      else randomise(chain, q, this.#rng)
      if (this.#ik.improve(q, { position, ...this.#axis }) > NEAR_M) continue
      const lowest = this.#lowestM(q)
      if (lowest < 0) continue
      const isClear = lowest > clear
      if (isClear) good++
      chain.forward(q)
      // The last row of the tip's rotation: how much its z axis looks up.
      const score = (isClear ? 10 : 0) - chain.rotations.at(-1)! - edgeOf(chain, q)
      if (score <= bestScore) continue
      bestScore = score
      best = q.slice()
    }
    return best
  }

  /** The share of points in the box to which actions take the arm straight from `home` with all of it over the table. */
  #shareFrom(home: Float64Array): number {
    const ik = new InverseKinematics(this.#chain, { iterations: STEP_ITERATIONS, posture: home })
    const [low, high] = this.#box
    let good = 0
    for (let sample = 0; sample < SAMPLES; sample++) {
      const goal = low.map((x, i) => this.#rng.uniform(x, high[i]!))
      if (this.#goes(ik, home.slice(), goal)) good++
    }
    return good / SAMPLES
  }

  #goes(ik: InverseKinematics, q: Float64Array, goal: readonly number[]): boolean {
    const stepM = STEP_M * Math.min(1, this.#scale)
    for (let step = 0; step < STEPS; step++) {
      this.#chain.forward(q)
      const tip = this.#chain.positions.slice(-3)
      if (Math.hypot(...goal.map((x, i) => x - tip[i]!)) < 2 * NEAR_M) return true
      const next = goal.map((x, i) => tip[i]! + Math.max(-stepM, Math.min(stepM, x - tip[i]!)))
      ik.improve(q, { position: next, ...this.#axis })
      if (this.#lowestM(q) < 0) return false
    }
    return false
  }

  #lowestM(q: Float64Array): number {
    this.#whole.forward(this.#wholePose(q))
    return this.#clearance.lowestM()
  }

  #wholePose(q: Float64Array): Float64Array {
    this.#ofChain.forEach((k, j) => {
      if (k >= 0) this.#pose[j] = q[k]!
    })
    return this.#pose
  }
}

function middleOf({ lower, upper }: Kinematics, j: number): number {
  return Number.isFinite(lower[j]!) ? (lower[j]! + upper[j]!) / 2 : 0
}

function randomise(chain: Kinematics, q: Float64Array, rng: Rng): void {
  for (let j = 0; j < q.length; j++) {
    q[j] = rng.uniform(Math.max(chain.lower[j]!, -Math.PI), Math.min(chain.upper[j]!, Math.PI))
  }
}

/** From the first joint that moves. */
function reachOf(chain: Kinematics, rng: Rng): number {
  const first = chain.model.joints.find(({ kind }) => kind !== 'fixed')!
  const at = 3 * chain.linkIndex(first.child)
  const q = new Float64Array(chain.joints.length)
  let reach = 0
  for (let pose = 0; pose < POSES; pose++) {
    randomise(chain, q, rng)
    chain.forward(q)
    const p = chain.positions
    const [x, y, z] = [p.at(-3)! - p[at]!, p.at(-2)! - p[at + 1]!, p.at(-1)! - p[at + 2]!]
    reach = Math.max(reach, Math.hypot(x, y, z))
  }
  return reach
}

/** The largest share of a joint's range that lies between its middle and where it is: 1 at a limit. */
function edgeOf(chain: Kinematics, q: Float64Array): number {
  let edge = 0
  for (let j = 0; j < q.length; j++) {
    const half = (chain.upper[j]! - chain.lower[j]!) / 2
    if (Number.isFinite(half) && half > 0) edge = Math.max(edge, Math.abs(q[j]! - middleOf(chain, j)) / half)
  }
  return edge
}
