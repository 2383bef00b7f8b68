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
/** Links other than the root stay this far above the ground. */
const CLEAR_M = 0.03

/** Any robot as an arm that works in a box before it. */
export interface FittedArm {
  /** [n] with the tip at the middle of the box. */
  readonly home: readonly number[]
  /** `box`, drawn towards the base for a robot whose reach is below `fullReachM`. */
  readonly box: readonly [Corner, Corner]
  /** The furthest that the tip was found from the base, metres. */
  readonly reachM: number
}

/**
 * Finds how a robot at `base` works with its tip in `box`, which is meant for a reach of `fullReachM`: how far it reaches, the box to its
 * scale, and a pose with the tip in the middle that points down as far as it can and keeps the links off the ground. The same robot gives
 * the same answer.
 * @throws ArmatureError `not-found` for an unknown tip; `bad-argument` when nothing moves the tip, or a corner of the box is out of reach.
 */
export function fitArm(
  model: RobotModel,
  tip: string,
  base: PoseSpec,
  box: readonly [Corner, Corner],
  fullReachM: number,
): FittedArm {
  const whole = new Kinematics(model)
  const chain = new Kinematics(chainOf(model, model.links[0]!.name, tip), base)
  if (chain.joints.length === 0) {
    throw new ArmatureError('bad-argument', `robot ${model.name}`, { expected: `joints that move its link "${tip}"` })
  }
  const rng = new Rng(0)
  const reachM = reachOf(chain, base, rng)
  const scaled = scaleBox(box, base, Math.min(1, reachM / fullReachM))
  const [low, high] = scaled
  const middle = low.map((x, i) => (x + high[i]!) / 2) as unknown as Corner
  const ik = new InverseKinematics(chain, { iterations: 60 })
  const q = poseAt(chain, ik, middle, rng)
  for (let corner = -1; corner < 8; corner++) {
    const position = corner < 0 ? middle : ([0, 1, 2].map((i) => scaled[(corner >> i) & 1]![i]!) as unknown as Corner)
    const error = q === undefined ? Infinity : ik.solve(q.slice(), { position }, rng)
    if (error < NEAR_M) continue
    throw new ArmatureError('bad-argument', `robot ${model.name} with its tip "${tip}"`, {
      expected: `one that reaches (${position.map((x, i) => (x - base.positionM[i]!).toFixed(2)).join(', ')}) m from its base`,
      got: `a reach of ${reachM.toFixed(2)} m`,
      fix: 'name another tip, or check the limits of its joints',
    })
  }
  const home = whole.joints.map((joint, j) => {
    const k = chain.joints.findIndex(({ name }) => name === joint.name)
    return k < 0 ? middleOf(whole, j) : q![k]!
  })
  return { home, box: scaled, reachM }
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
    const isClear = lowest > CLEAR_M || lowest >= position[2] - 1e-3
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
