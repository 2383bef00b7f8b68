import { solveCholesky } from '../../src/core/linalg.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Kinematics } from './kinematics.ts'

/** Where the tip shall be, in the world. Without `rotation` its orientation is free. */
export interface TipTarget {
  /** [3], metres. */
  readonly position: ArrayLike<number>
  /** [3, 3] tip to world, row-major. */
  readonly rotation?: ArrayLike<number>
  /** [3] where the tip's z axis shall point, with its turn about that axis free; not together with `rotation`. */
  readonly axis?: ArrayLike<number>
}

export interface InverseKinematicsOptions {
  /** At most; default 10. */
  readonly iterations?: number
  /** Floor of the damping, in metres: steps near singular poses shrink from there on. Default 1e-3. */
  readonly damping?: number
  /** Ends the iteration; default 1e-6 m (orientation errors count by `metresPerRad`). */
  readonly toleranceM?: number
  /** Lever arm at which orientation errors count beside position errors; default 0.3. */
  readonly metresPerRad?: number
  /** A pose that redundant joints drift towards, so that the tip's pose determines the arm's: [n]. Absent: none. */
  readonly posture?: ArrayLike<number>
  /** Share of the way to `posture` per iteration; default 0.2. */
  readonly postureGain?: number
}

/** Rows of the task: three of position and, maybe, three of orientation. */
const ROWS = 6

/**
 * Damped least squares within joint limits: dq = J^T (J J^T + l^2 I)^-1 (e - J z) + z with z towards the posture. The square of the damping
 * grows with that of the error (Sugihara, "Solvability-Unconcerned Inverse Kinematics", 2011), which keeps far targets from throwing
 * the arm about. Joints at a limit that would be pushed beyond it are taken out and the step is solved again.
 */
export class InverseKinematics {
  readonly #chain: Kinematics
  readonly #tip: number
  readonly #options: Required<Omit<InverseKinematicsOptions, 'posture'>> & { readonly posture?: ArrayLike<number> }
  readonly #jacobian: Float64Array
  readonly #error: Float64Array = new Float64Array(ROWS)
  readonly #right: Float64Array = new Float64Array(ROWS)
  readonly #gram: Float64Array = new Float64Array(ROWS * ROWS)
  readonly #pull: Float64Array
  readonly #step: Float64Array
  readonly #isStuck: Uint8Array

  /** @param chain its last link is the tip. */
  constructor(chain: Kinematics, options: InverseKinematicsOptions = {}) {
    const n = chain.joints.length
    this.#chain = chain
    this.#tip = chain.model.links.length - 1
    this.#options = {
      iterations: 10,
      damping: 1e-3,
      toleranceM: 1e-6,
      metresPerRad: 0.3,
      postureGain: 0.2,
      ...options,
    }
    this.#jacobian = new Float64Array(ROWS * n)
    this.#pull = new Float64Array(n)
    this.#step = new Float64Array(n)
    this.#isStuck = new Uint8Array(n)
  }

  /** Moves `q` [n] towards the target from where it is; returns the remaining error in metres (see `metresPerRad`). */
  improve(q: Float64Array, target: TipTarget): number {
    const { iterations, toleranceM, posture } = this.#options
    // A posture goes on pulling when the tip has arrived.
    const enough = posture === undefined ? toleranceM : 0
    let error = this.#measure(q, target)
    for (let i = 0; i < iterations && error > enough; i++) {
      this.#advance(q, target, error)
      error = this.#measure(q, target)
    }
    return error
  }

  /** Tries `q` and then up to `starts` random poses until the error is below `toleranceM`; `q` is the best of all. */
  solve(q: Float64Array, target: TipTarget, rng: Rng, starts = 20): number {
    const { lower, upper } = this.#chain
    let best = this.#repeat(q, target)
    const trial = new Float64Array(q.length)
    for (let start = 0; start < starts && best > this.#options.toleranceM; start++) {
      for (let j = 0; j < trial.length; j++) {
        trial[j] = rng.uniform(Math.max(lower[j]!, -Math.PI), Math.min(upper[j]!, Math.PI))
      }
      const error = this.#repeat(trial, target)
      if (error >= best) continue
      best = error
      q.set(trial)
    }
    return best
  }

  /** Improves as long as it helps. */
  #repeat(q: Float64Array, target: TipTarget): number {
    let error = this.improve(q, target)
    for (let i = 0; i < 20 && error > this.#options.toleranceM; i++) {
      const next = this.improve(q, target)
      if (next > 0.999 * error) return next
      error = next
    }
    return error
  }

  /** Writes the error and, weighted like it, the Jacobian at `q`. */
  #measure(q: Float64Array, { position, rotation, axis }: TipTarget): number {
    const { positions, rotations } = this.#chain
    const [p, r, error] = [this.#tip * 3, this.#tip * 9, this.#error]
    this.#chain.forward(q)
    for (let i = 0; i < 3; i++) error[i] = position[i]! - positions[p + i]!
    if (rotation === undefined && axis === undefined) return Math.hypot(error[0]!, error[1]!, error[2]!)
    if (rotation === undefined) axisError(rotations, r, axis!, this.#options.metresPerRad, error)
    else rotationError(rotations, r, rotation, this.#options.metresPerRad, error)
    let sum = 0
    for (let i = 0; i < ROWS; i++) sum += error[i]! * error[i]!
    return Math.sqrt(sum)
  }

  #advance(q: Float64Array, { rotation, axis }: TipTarget, error: number): void {
    const rows = rotation === undefined && axis === undefined ? 3 : ROWS
    const { lower, upper } = this.#chain
    const n = q.length
    const { posture, postureGain, damping, metresPerRad } = this.#options
    this.#chain.jacobian(this.#tip, this.#jacobian)
    for (let i = 3 * n; i < ROWS * n; i++) this.#jacobian[i]! *= metresPerRad
    if (axis !== undefined) this.#freeTurn(axis, n)
    for (let j = 0; j < n; j++) this.#pull[j] = posture === undefined ? 0 : postureGain * (posture[j]! - q[j]!)
    this.#isStuck.fill(0)
    const dampingSquared = damping * damping + 0.5 * error * error
    for (let round = 0; round < 3; round++) {
      this.#solveStep(rows, n, dampingSquared)
      let changed = false
      for (let j = 0; j < n; j++) {
        const next = q[j]! + this.#step[j]!
        const isBeyond = next < lower[j]! || next > upper[j]!
        if (!isBeyond || this.#isStuck[j] === 1) continue
        const room = next < lower[j]! ? q[j]! - lower[j]! : upper[j]! - q[j]!
        if (room > 1e-9) continue
        this.#isStuck[j] = 1
        changed = true
      }
      if (!changed) break
    }
    for (let j = 0; j < n; j++) q[j] = Math.max(lower[j]!, Math.min(upper[j]!, q[j]! + this.#step[j]!))
  }

  /** Takes turns about `axis` out of the Jacobian: they cost nothing. */
  #freeTurn(axis: ArrayLike<number>, n: number): void {
    const jacobian = this.#jacobian
    for (let j = 0; j < n; j++) {
      let along = 0
      for (let i = 0; i < 3; i++) along += axis[i]! * jacobian[(3 + i) * n + j]!
      for (let i = 0; i < 3; i++) jacobian[(3 + i) * n + j]! -= along * axis[i]!
    }
  }

  #solveStep(rows: number, n: number, dampingSquared: number): void {
    const jacobian = this.#jacobian
    for (let j = 0; j < n; j++) {
      if (this.#isStuck[j] === 0) continue
      this.#pull[j] = 0
      for (let row = 0; row < rows; row++) jacobian[row * n + j] = 0
    }
    for (let a = 0; a < rows; a++) {
      let right = this.#error[a]!
      for (let j = 0; j < n; j++) right -= jacobian[a * n + j]! * this.#pull[j]!
      this.#right[a] = right
      for (let b = 0; b <= a; b++) {
        let sum = a === b ? dampingSquared : 0
        for (let j = 0; j < n; j++) sum += jacobian[a * n + j]! * jacobian[b * n + j]!
        this.#gram[a * rows + b] = sum
      }
    }
    solveCholesky(this.#gram, rows, this.#right)
    for (let j = 0; j < n; j++) {
      let step = this.#pull[j]!
      for (let row = 0; row < rows; row++) step += jacobian[row * n + j]! * this.#right[row]!
      this.#step[j] = step
    }
  }
}

/** Writes `scale` times the shortest rotation vector (world) from the z axis of `rotations` [at..] to `axis`, to elements 3..5 of `out`. */
function axisError(
  rotations: Float64Array,
  at: number,
  axis: ArrayLike<number>,
  scale: number,
  out: Float64Array,
): void {
  const [zx, zy, zz] = [rotations[at + 2]!, rotations[at + 5]!, rotations[at + 8]!]
  const [x, y, z] = [zy * axis[2]! - zz * axis[1]!, zz * axis[0]! - zx * axis[2]!, zx * axis[1]! - zy * axis[0]!]
  const sine = Math.hypot(x, y, z)
  const angle = Math.atan2(sine, zx * axis[0]! + zy * axis[1]! + zz * axis[2]!)
  // At exactly half a turn any direction across is as good.
  if (sine < 1e-9) {
    out[3] = angle * scale
    out[4] = 0
    out[5] = 0
    return
  }
  out[3] = (x / sine) * angle * scale
  out[4] = (y / sine) * angle * scale
  out[5] = (z / sine) * angle * scale
}

/** Writes `scale` times the rotation vector (world) from `rotations` [at..] to `target`, to elements 3..5 of `out`. */
function rotationError(
  rotations: Float64Array,
  at: number,
  target: ArrayLike<number>,
  scale: number,
  out: Float64Array,
): void {
  // The antisymmetric part of target * current^T is sin(angle) times the axis, its trace 1 + 2 cos(angle).
  let [x, y, z, trace] = [0, 0, 0, 0]
  for (let k = 0; k < 3; k++) {
    const [c0, c1, c2] = [rotations[at + k]!, rotations[at + 3 + k]!, rotations[at + 6 + k]!]
    const [t0, t1, t2] = [target[k]!, target[3 + k]!, target[6 + k]!]
    x += t2 * c1 - t1 * c2
    y += t0 * c2 - t2 * c0
    z += t1 * c0 - t0 * c1
    trace += t0 * c0 + t1 * c1 + t2 * c2
  }
  const sine = Math.hypot(x, y, z) / 2
  const angle = Math.atan2(sine, (trace - 1) / 2)
  // At exactly half a turn the axis cannot be seen here, and the error reads as none.
  const factor = (sine < 1e-9 ? 1 : angle / sine) * 0.5 * scale
  out[3] = x * factor
  out[4] = y * factor
  out[5] = z * factor
}
