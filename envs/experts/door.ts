import { ACTION_M } from '../tasks/door.ts'
import { HAND, HANDLE, pointOnDoor } from '../tasks/door-layout.ts'
import type { Expert } from './expert.ts'
import { steer } from './steer.ts'

/** Heights of the hand's centre: over the handle, and behind its bar. */
const OVER_Z = 0.205
const HOOKED_Z = 0.105
/** Out of the door: touching the bar from behind, touching the panel, and in the middle of the gap. */
const PULL_OUT_M = HANDLE.outM - HANDLE.halfWidthM - HAND.radiusM
const PUSH_OUT_M = 0.01 + HAND.radiusM
const GAP_OUT_M = (PULL_OUT_M + PUSH_OUT_M) / 2
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
  const [gapX, gapY] = pointOnDoor(angle, HANDLE.alongM, GAP_OUT_M)
  const off = Math.hypot(x - gapX, y - gapY)
  if (z > HOOKED_Z + 0.03) {
    if (off < 0.006) return [gapX, gapY, HOOKED_Z]
    // Not into the bar from in front.
    return off < 0.1 && z < OVER_Z - 0.015 ? [x, y, OVER_Z] : [gapX, gapY, OVER_Z]
  }
  if (off > 0.025) return y < CLEAR_Y ? [gapX, gapY, OVER_Z + (OVER_Z - z)] : [x, y, OVER_Z]
  const next = angle + Math.max(-LEAD_RAD, Math.min(LEAD_RAD, left))
  const [toX, toY] = pointOnDoor(next, HANDLE.alongM, left > 0 ? PULL_OUT_M : PUSH_OUT_M)
  return [toX, toY, HOOKED_Z]
}
