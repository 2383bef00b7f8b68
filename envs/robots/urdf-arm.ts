import { ArmatureError } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import { InverseKinematics } from './inverse-kinematics.ts'
import { chainOf, Kinematics } from './kinematics.ts'
import type { PoseSpec, RobotModel } from './robot-model.ts'

type Corner = readonly [number, number, number]

const POSES = 2000
const STARTS = 200
const GOOD_STARTS = 10
const NEAR_M = 1e-3
const LEAST_SCALE = 0.1
/** Links other than the root stay this far above the ground, those of tiny robots half as high as the tip. */
const CLEAR_M = 0.03

/** Any robot as an arm that works in a box before it. */
export interface FittedArm {
  /** [n] with the tip at the middle of the box. */
  readonly home: readonly number[]
  /** The box that was asked for, drawn towards the base until the robot reaches all its corners. */
  readonly box: readonly [Corner, Corner]
  /** The furthest that the tip was found from the base, metres. */
  readonly reachM: number
}

/**
 * Finds how a robot at `base` works with its tip in `box`: the box to its scale, and a pose with the tip in the middle that points down as
 * far as it can and keeps the links off the ground. The same robot gives the same answer.
 * @throws ArmatureError `not-found` for an unknown tip; `bad-argument` when nothing moves it, or it cannot reach a tenth of the box.
 */
export function fitArm(model: RobotModel, tip: string, base: PoseSpec, box: readonly [Corner, Corner]): FittedArm {
  const whole = new Kinematics(model)
  const chain = new Kinematics(chainOf(model, model.links[0]!.name, tip), base)
  if (chain.joints.length === 0) {
    throw new ArmatureError('bad-argument', `robot ${model.name}`, { expected: `joints that move its link "${tip}"` })
  }
  const rng = new Rng(0)
  const reachM = reachOf(chain, base, rng)
  const ik = new InverseKinematics(chain, { iterations: 60 })
  for (let scale = 1; scale > LEAST_SCALE; scale *= 0.85) {
    const scaled = scaleBox(box, base, scale)
    const q = poseIn(chain, ik, scaled, rng)
    if (q === undefined) continue
    const home = whole.joints.map((joint, j) => {
      const k = chain.joints.findIndex(({ name }) => name === joint.name)
      return k < 0 ? middleOf(whole, j) : q[k]!
    })
    return { home, box: scaled, reachM }
  }
  throw new ArmatureError('bad-argument', `robot ${model.name} with its tip "${tip}"`, {
    expected: 'one that reaches places before it, along x of its first link',
    got: `a reach of ${reachM.toFixed(2)} m`,
    fix: 'name another tip, or check the axes and limits of its joints',
  })
}

/** A pose with the tip in the middle of `box`, if there is one for each corner too. */
function poseIn(
  chain: Kinematics,
  ik: InverseKinematics,
  box: readonly [Corner, Corner],
  rng: Rng,
): Float64Array | undefined {
  const [low, high] = box
  const q = poseAt(chain, ik, low.map((x, i) => (x + high[i]!) / 2) as unknown as Corner, rng)
  if (q === undefined) return undefined
  for (let corner = 0; corner < 8; corner++) {
    const position = [0, 1, 2].map((i) => box[(corner >> i) & 1]![i]!)
    if (ik.solve(q.slice(), { position }, rng) >= NEAR_M) return undefined
  }
  return q
}

function middleOf({ lower, upper }: Kinematics, j: number): number {
  return Number.isFinite(lower[j]!) ? (lower[j]! + upper[j]!) / 2 : 0
}

function randomise(chain: Kinematics, q: Float64Array, rng: Rng): void {
  for (let j = 0; j < q.length; j++) {
    q[j] = rng.uniform(Math.max(chain.lower[j]!, -Math.PI), Math.min(chain.upper[j]!, Math.PI))
  }
}

function reachOf(chain: Kinematics, { positionM }: PoseSpec, rng: Rng): number {
  const q = new Float64Array(chain.joints.length)
  let reach = 0
  for (let pose = 0; pose < POSES; pose++) {
    randomise(chain, q, rng)
    chain.forward(q)
    const [x, y, z] = chain.positions.slice(-3)
    reach = Math.max(reach, Math.hypot(x! - positionM[0], y! - positionM[1], z! - positionM[2]))
  }
  return reach
}

function scaleBox(box: readonly [Corner, Corner], { positionM }: PoseSpec, scale: number): readonly [Corner, Corner] {
  if (scale === 1) return box
  const towards = (corner: Corner): Corner =>
    corner.map((x, i) => positionM[i]! + (x - positionM[i]!) * scale) as unknown as Corner
  return [towards(box[0]), towards(box[1])]
}

/** The best of some poses with the tip at `position`; undefined where none was found. */
function poseAt(chain: Kinematics, ik: InverseKinematics, position: Corner, rng: Rng): Float64Array | undefined {
  const q = new Float64Array(chain.joints.length)
  let best: Float64Array | undefined
  let bestScore = -Infinity
  for (let start = 0, good = 0; start < STARTS && good < GOOD_STARTS; start++) {
    randomise(chain, q, rng)
    if (start === 0) for (let j = 0; j < q.length; j++) q[j] = middleOf(chain, j)
    if (ik.improve(q, { position }) > NEAR_M) continue
    chain.forward(q)
    let lowest = Infinity
    for (let at = 5; at < chain.positions.length; at += 3) lowest = Math.min(lowest, chain.positions[at]!)
    const isClear = lowest > Math.min(CLEAR_M, position[2] / 2)
    if (isClear) good++
    // The last row of the tip's rotation: how much its z axis looks up.
    const score = (isClear ? 10 : 0) - chain.rotations.at(-1)! - edgeOf(chain, q)
    if (score <= bestScore) continue
    bestScore = score
    best = q.slice()
  }
  return best
}

/** The largest share of a joint's range that lies between its middle and where it is: 1 at a limit. */
function edgeOf(chain: Kinematics, q: Float64Array): number {
  let edge = 0
  for (let j = 0; j < q.length; j++) {
    const half = (chain.upper[j]! - chain.lower[j]!) / 2
    if (Number.isFinite(half)) edge = Math.max(edge, Math.abs(q[j]! - middleOf(chain, j)) / half)
  }
  return edge
}
