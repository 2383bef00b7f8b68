import { ACTION_M } from '../tasks/door.ts'
import { HAND, HANDLE, HOOKED, PANEL_HALF_THICKNESS_M, pointOnDoor } from '../tasks/door-layout.ts'
import type { Expert } from './expert.ts'
import { steer } from './steer.ts'

/** Height of the hand's centre over the handle. */
const OVER_Z = 0.205
/** Where the hand is, out of the door, when it touches the bar from behind and when it touches the panel. */
const PULL_OUT_M = HANDLE.outM - HANDLE.halfWidthM - HAND.radiusM
const PUSH_OUT_M = PANEL_HALF_THICKNESS_M + HAND.radiusM
/** The door is moved until it is this near to its goal, and again when it is this far. */
const DONE_RAD = 0.006
const MOVED_RAD = 0.017
/** How far ahead of the door the hand is sent. */
const LEAD_RAD = 0.09
/** In front of this the hand is clear of the door wherever that is. */
const CLEAR_Y = -0.085

/**
 * Solves the door task: goes over the handle, down behind its bar, pulls the door open (or pushes it back) to its angle, up again and
 * to the hand's goal.
 */
export function doorExpert(): Expert {
  const action = new Float32Array(3)
  let isMoving = true
  return ({ state }, goal) => {
    const [x, y, z, angle] = [state[0]!, state[1]!, state[2]!, state[3]!]
    const left = goal![3]! - angle
    isMoving = Math.abs(left) > (isMoving ? DONE_RAD : MOVED_RAD)
    if (isMoving) return steer(action, state, towardsAngle(state, left), ACTION_M)
    if (y < CLEAR_Y) return steer(action, state, goal!, ACTION_M)
    // Straight up out of the gap, then forward.
    const isUp = z > OVER_Z - 0.015
    return steer(action, state, isUp ? [goal![0]!, goal![1]!, OVER_Z] : [x, y, OVER_Z], ACTION_M)
  }
}

/** Where the hand should go to turn the door by `left` more. */
function towardsAngle(state: Float32Array, left: number): readonly [number, number, number] {
  const [x, y, z, angle] = [state[0]!, state[1]!, state[2]!, state[3]!]
  const [gapX, gapY] = pointOnDoor(angle, HOOKED.alongM, HOOKED.outM)
  const off = Math.hypot(x - gapX, y - gapY)
  if (z > HOOKED.z + 0.03) {
    if (off < 0.006) return [gapX, gapY, HOOKED.z]
    // Not into the bar from in front.
    return off < 0.1 && z < OVER_Z - 0.015 ? [x, y, OVER_Z] : [gapX, gapY, OVER_Z]
  }
  if (off > 0.025) return y < CLEAR_Y ? [gapX, gapY, OVER_Z + (OVER_Z - z)] : [x, y, OVER_Z]
  // Slower towards the end: the door runs on a little.
  const lead = Math.min(LEAD_RAD, Math.max(0.6 * Math.abs(left), DONE_RAD))
  const next = angle + lead * Math.sign(left)
  const [toX, toY] = pointOnDoor(next, HANDLE.alongM, left > 0 ? PULL_OUT_M : PUSH_OUT_M)
  return [toX, toY, HOOKED.z]
}
