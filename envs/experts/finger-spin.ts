import type { ExpertFactory } from './expert.ts'

/**
 * The joints' path, once around per half-turn of the spinner (which looks the same then): middle, half width and phase, rad. Found by
 * random search for the time that the spinner is fast, as are the numbers below.
 */
const PROXIMAL = { middle: 0.412, half: 0.926, phase: 4.95 }
const DISTAL = { middle: -1.284, half: 0.253, phase: 4.435 }
const GAIN = 7.86
/** How far the finger aims ahead of the spinner. */
const LEAD_S = 0.035
/** Below this speed (rad/s, clockwise) the finger does not follow the spinner but leads, as if that turned at `OWN_SPEED`. */
const CATCH_SPEED = 7.58
const OWN_SPEED = 12.4
const DT_S = 0.02
/** While the spinner is slow, the distal joint straightens by up to twice this (rad) and bends again, this often (rad/s). */
const STRETCH = 0.4
const STRETCH_RAD_PER_S = 2

/**
 * Moves the fingertip around clockwise in step with the spinner, so that it strikes each arm upwards from below and is back in
 * time for the other one. A spinner that is slow is struck at the finger's own pace, and with a reach that varies, as it may stand where
 * the path does not touch it.
 */
export const fingerSpinExpert: ExpertFactory = () => {
  const action = new Float32Array(2)
  let phase = 0
  let slowS = 0
  return ({ state }) => {
    const spin = state[7]!
    const angle = Math.atan2(state[6]!, state[5]!)
    const isSlow = spin > -CATCH_SPEED
    slowS = isSlow ? slowS + DT_S : 0
    phase = isSlow ? phase - 2 * OWN_SPEED * DT_S : 2 * (angle + LEAD_S * spin)
    action[0] = drive(PROXIMAL, phase, state[0]!)
    action[1] = drive(DISTAL, phase, state[1]! - STRETCH * (1 - Math.cos(STRETCH_RAD_PER_S * slowS)))
    return action
  }
}

function drive(path: typeof PROXIMAL, phase: number, angle: number): number {
  const target = path.middle + path.half * Math.cos(phase - path.phase)
  return Math.max(-1, Math.min(1, GAIN * (target - angle)))
}
