import type { ExpertFactory } from './expert.ts'

/** Newton per metre, radian and their speeds: the linear-quadratic regulator of the upright cart at 100 Hz (weights 1, 10, 0.1, 0.1; force 0.1). */
const GAINS = [2.993, 41.0, 4.396, 10.25] as const
const FORCE_N = 10
/** (3 g) / (4 l): what gravity adds to thetaDot per second and sin(theta). */
const PENDULUM = (3 * 9.81) / 2
const CATCH_RAD = 0.5
const CATCH_RAD_PER_S = 2.5

/** Pumps energy into the pole until it can stand (Astrom and Furuta 2000), then holds it with a linear-quadratic regulator. */
export const cartPoleExpert: ExpertFactory = () => {
  const action = new Float32Array(1)
  return ({ state }) => {
    const [x, cos, sin, speed, spin] = state as unknown as readonly [number, number, number, number, number]
    const angle = Math.atan2(sin, cos)
    const isNearTop = Math.abs(angle) < CATCH_RAD && Math.abs(spin) < CATCH_RAD_PER_S
    const forceN = isNearTop
      ? GAINS[0] * x + GAINS[1] * angle + GAINS[2] * speed + GAINS[3] * spin
      : pumpingForce(x, cos, speed, spin)
    action[0] = Math.max(-1, Math.min(1, forceN / FORCE_N))
    return action
  }
}

/** Accelerates the cart with the swing while the pole lacks energy, and draws the cart to the middle. */
function pumpingForce(x: number, cos: number, speed: number, spin: number): number {
  const lackingEnergy = PENDULUM * (1 - cos) - (spin * spin) / 2
  return Math.max(-8, Math.min(8, -0.9 * lackingEnergy * spin * cos)) - 3 * x - 1.5 * speed
}
