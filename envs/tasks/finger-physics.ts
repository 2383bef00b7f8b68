import { capsuleBody, joinBodies, PlanarArm, scaleBody } from '../world/planar-arm.ts'
import { RungeKutta4 } from '../world/runge-kutta.ts'

/** Sizes of dm_control's finger, metres, in a vertical plane: x to the right, z up, angles counter-clockwise from +x. */
export const FINGER: {
  readonly base: readonly [number, number]
  readonly proximalM: number
  readonly distalM: number
  readonly radiusM: number
  readonly limitRad: number
} = { base: [-0.2, 0.4], proximalM: 0.18, distalM: 0.16, radiusM: 0.03, limitRad: (110 * Math.PI) / 180 }

/** A capsule that is hinged in its middle: the outline of dm_control's pair of capsules side by side. */
export const SPINNER: { readonly hinge: readonly [number, number]; readonly halfM: number; readonly radiusM: number } =
  {
    hinge: [0.2, 0.4],
    halfM: 0.07,
    radiusM: 0.06,
  }

export const PROXIMAL_N_M = 30
export const DISTAL_N_M = 15
/** The fastest that anything may turn, rad/s: beyond what torques and dampers allow, so that speeds are in their spaces. */
export const MAX_SPEED = 150

const JOINT_DAMPING = 2.5
const SPINNER_DAMPING = 0.03
/** Dry friction of the hinge, and the damping by which it sets in. */
const SPINNER_FRICTION_N_M = 0.1
const SPINNER_FRICTION_DAMPING = 1

const CONTACT_N_PER_M = 50_000
/** Share of the force that speed adds or takes away, s/m: a soft tip that gives back little of a blow (Hunt and Crossley 1975). */
const CONTACT_DAMPING = 1
const FRICTION = 1
/** Slip is resisted by this, N s/m, up to the limit of friction. */
const SLIP_DAMPING = 200

const SUBSTEP_S = 0.001

/**
 * Finger and spinner without gravity: rigid links and a penalty contact between the round fingertip and the spinner, integrated at
 * 1 kHz. `state` is [proximal, distal angle, their speeds, spinner angle, its speed].
 */
export class FingerPhysics {
  readonly state: Float64Array = new Float64Array(6)
  /** Of the fingertip against the spinner at the end of the last step, N. */
  touchN = 0

  readonly #torque = new Float64Array(2)
  /** Moments of the contact force about both joints and the hinge, N m. */
  readonly #contact = new Float64Array(3)
  readonly #ode = new RungeKutta4(6, (state, rate) => this.#rates(state, rate))
  #arm = createFinger(1)
  #inertia = spinnerInertia(1)
  #friction = FRICTION

  /** Scales masses, and friction of the fingertip. */
  scale(massScale: number, frictionScale: number): void {
    this.#arm = createFinger(massScale)
    this.#inertia = spinnerInertia(massScale)
    this.#friction = FRICTION * frictionScale
  }

  /** Holds both torques (shares of their maxima) for `seconds`. */
  advance(proximal: number, distal: number, seconds: number): void {
    const s = this.state
    this.#torque[0] = PROXIMAL_N_M * proximal
    this.#torque[1] = DISTAL_N_M * distal
    for (let i = Math.round(seconds / SUBSTEP_S); i > 0; i--) {
      this.#ode.step(s, SUBSTEP_S)
      this.#arm.stopFirst(s, FINGER.limitRad)
      this.#arm.stopSecond(s, FINGER.limitRad)
      for (let j = 2; j < 6; j++) if (j !== 4) s[j] = Math.max(-MAX_SPEED, Math.min(MAX_SPEED, s[j]!))
    }
    this.touchN = this.#push(s)
  }

  /** Whether the fingertip and the spinner, both at rest, press on each other where they are now. */
  get isTouching(): boolean {
    return this.#push(this.state) > 0
  }

  #rates(s: Float64Array, rate: Float64Array): void {
    this.#push(s)
    const [onProximal, onDistal, onSpinner] = [this.#contact[0]!, this.#contact[1]!, this.#contact[2]!]
    this.#arm.rates(s, this.#torque[0]! + onProximal, this.#torque[1]! + onDistal, rate)
    const spin = s[5]!
    const friction = SPINNER_DAMPING * spin + clamp(SPINNER_FRICTION_DAMPING * spin, SPINNER_FRICTION_N_M)
    rate[4] = spin
    rate[5] = (onSpinner - friction) / this.#inertia
  }

  /** Writes the moments of the contact force at `s`, and returns its normal part. */
  #push(s: Float64Array): number {
    const moments = this.#contact
    moments.fill(0)
    const outer = s[0]! + s[1]!
    const elbowX = FINGER.base[0] + FINGER.proximalM * Math.cos(s[0]!)
    const elbowZ = FINGER.base[1] + FINGER.proximalM * Math.sin(s[0]!)
    const tipX = elbowX + FINGER.distalM * Math.cos(outer)
    const tipZ = elbowZ + FINGER.distalM * Math.sin(outer)
    const [hingeX, hingeZ] = SPINNER.hinge
    const ux = Math.cos(s[4]!)
    const uz = Math.sin(s[4]!)
    const along = clamp((tipX - hingeX) * ux + (tipZ - hingeZ) * uz, SPINNER.halfM)
    const awayX = tipX - hingeX - along * ux
    const awayZ = tipZ - hingeZ - along * uz
    const distance = Math.hypot(awayX, awayZ)
    const depth = SPINNER.radiusM + FINGER.radiusM - distance
    if (depth <= 0 || distance < 1e-9) return 0
    const nx = awayX / distance
    const nz = awayZ / distance
    // All moments and speeds are those of the point where the surfaces touch.
    const x = tipX - FINGER.radiusM * nx
    const z = tipZ - FINGER.radiusM * nz
    const turn = s[2]! + s[3]!
    const slideX = -(elbowZ - FINGER.base[1]) * s[2]! - (z - elbowZ) * turn + (z - hingeZ) * s[5]!
    const slideZ = (elbowX - FINGER.base[0]) * s[2]! + (x - elbowX) * turn - (x - hingeX) * s[5]!
    const approach = -(slideX * nx + slideZ * nz)
    const normal = Math.max(0, CONTACT_N_PER_M * depth * (1 + CONTACT_DAMPING * approach))
    const slip = slideZ * nx - slideX * nz
    const tangent = -clamp(SLIP_DAMPING * slip, this.#friction * normal)
    const forceX = normal * nx - tangent * nz
    const forceZ = normal * nz + tangent * nx
    moments[0] = (x - FINGER.base[0]) * forceZ - (z - FINGER.base[1]) * forceX
    moments[1] = (x - elbowX) * forceZ - (z - elbowZ) * forceX
    moments[2] = -(x - hingeX) * forceZ + (z - hingeZ) * forceX
    return normal
  }
}

function createFinger(massScale: number): PlanarArm {
  const proximal = capsuleBody(0.03, 0, 0.17)
  const distal = joinBodies(capsuleBody(0.028, 0, FINGER.distalM), capsuleBody(FINGER.radiusM, 0.13, 0.161))
  return new PlanarArm(FINGER.proximalM, scaleBody(proximal, massScale), scaleBody(distal, massScale), JOINT_DAMPING)
}

/** Of dm_control's two capsules, each 2 cm off the hinge. */
function spinnerInertia(massScale: number): number {
  const { inertia, massKg } = capsuleBody(0.04, -0.09, 0.09)
  return 2 * (inertia + massKg * 0.02 ** 2) * massScale
}

function clamp(x: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, x))
}
