/** A rigid body that turns in a plane. */
export interface PlanarBody {
  readonly massKg: number
  /** Of its centre of mass, along the link from its joint. */
  readonly comM: number
  /** About its centre of mass, kg m^2. */
  readonly inertia: number
}

const DENSITY_KG_PER_M3 = 1000

/** A solid capsule, as dense as water, from `startM` to `endM` along its link, with caps beyond both; a ball where they are equal. */
export function capsuleBody(radiusM: number, startM: number, endM: number): PlanarBody {
  const [r, length] = [radiusM, endM - startM]
  const straightKg = DENSITY_KG_PER_M3 * Math.PI * r * r * length
  const capsKg = (DENSITY_KG_PER_M3 * 4 * Math.PI * r ** 3) / 3
  const inertia =
    straightKg * ((length * length) / 12 + (r * r) / 4) +
    capsKg * ((2 / 5) * r * r + (length * length) / 4 + (3 / 8) * length * r)
  return { massKg: straightKg + capsKg, comM: (startM + endM) / 2, inertia }
}

/** Bodies of one link as one. */
export function joinBodies(...bodies: readonly PlanarBody[]): PlanarBody {
  const massKg = bodies.reduce((sum, body) => sum + body.massKg, 0)
  const comM = bodies.reduce((sum, body) => sum + body.massKg * body.comM, 0) / massKg
  const inertia = bodies.reduce((sum, body) => sum + body.inertia + body.massKg * (body.comM - comM) ** 2, 0)
  return { massKg, comM, inertia }
}

/** The same body of another density. */
export function scaleBody(body: PlanarBody, massScale: number): PlanarBody {
  return { ...body, massKg: body.massKg * massScale, inertia: body.inertia * massScale }
}

/**
 * An arm of two links that turns in a plane without gravity; q1 is the first joint's angle, q2 that of the second against the first link.
 * Its mass matrix is [a + 2 b cos q2, d + b cos q2; d + b cos q2, d] (Spong et al., Robot Modeling and Control, section 7.4).
 */
export class PlanarArm {
  readonly #a: number
  readonly #b: number
  readonly #d: number
  readonly #damping: number

  /** @param damping of both joints, N m s / rad. */
  constructor(firstLengthM: number, first: PlanarBody, second: PlanarBody, damping: number) {
    this.#b = second.massKg * firstLengthM * second.comM
    this.#d = second.inertia + second.massKg * second.comM ** 2
    this.#a = first.inertia + first.massKg * first.comM ** 2 + second.massKg * firstLengthM ** 2 + this.#d
    this.#damping = damping
  }

  /** Writes the rates of `state` = [q1, q2, their speeds, ...] to the first four elements of `rate`, under joint torques in N m. */
  rates(state: Float64Array, torque1: number, torque2: number, rate: Float64Array): void {
    const [bend, v1, v2] = [state[1]!, state[2]!, state[3]!]
    const coupling = this.#b * Math.cos(bend)
    const [m11, m12, m22] = [this.#a + 2 * coupling, this.#d + coupling, this.#d]
    const h = this.#b * Math.sin(bend)
    const t1 = torque1 - this.#damping * v1 + h * v2 * (2 * v1 + v2)
    const t2 = torque2 - this.#damping * v2 - h * v1 * v1
    const determinant = m11 * m22 - m12 * m12
    rate[0] = v1
    rate[1] = v2
    rate[2] = (m22 * t1 - m12 * t2) / determinant
    rate[3] = (m11 * t2 - m12 * t1) / determinant
  }

  /** Stops the first joint at `limit` (rad, to either side) where it is beyond. The momentum of the second stays. */
  stopFirst(state: Float64Array, limit: number): void {
    const q1 = state[0]!
    if (Math.abs(q1) <= limit) return
    state[0] = Math.sign(q1) * limit
    if (q1 * state[2]! <= 0) return
    state[3] = state[3]! + ((this.#d + this.#b * Math.cos(state[1]!)) / this.#d) * state[2]!
    state[2] = 0
  }

  /** As `stopFirst`, for the second joint. */
  stopSecond(state: Float64Array, limit: number): void {
    const q2 = state[1]!
    if (Math.abs(q2) <= limit) return
    state[1] = Math.sign(q2) * limit
    if (q2 * state[3]! <= 0) return
    const coupling = this.#b * Math.cos(state[1])
    state[2] = state[2]! + ((this.#d + coupling) / (this.#a + 2 * coupling)) * state[3]!
    state[3] = 0
  }
}
