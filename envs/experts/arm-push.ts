import type { Expert } from './expert.ts'
import { scaleAt } from './steer.ts'

const STEP_M = 0.02
/** Of the rod's centre from the puck's when they touch, and how far off it keeps when it goes around. */
const TOUCH_M = 0.058
const BEHIND_M = 0.085
const HIGH_Z_M = 0.09
const LOW_Z_M = 0.025
/** Of the rod's end when an episode starts. */
const START_Z_M = 0.1

/**
 * Over the puck to its far side, down, and towards the goal, aiming so that the puck turns back to the line; by `cartesian-delta`. It lifts
 * the rod and starts anew when the puck slips away sideways.
 */
export const armPushExpert = (): Expert => {
  const action = new Float32Array(3)
  let isPushing = false
  let scale: number | undefined
  return (observation, desired) => {
    scale ??= scaleAt(observation.state[2]!, START_Z_M)
    const [state, goal] = [observation.state.map((x) => x / scale!), desired!.map((x) => x / scale!)]
    const [x, y, z, puckX, puckY] = state as unknown as [number, number, number, number, number]
    const [toX, toY] = [goal[0]! - puckX, goal[1]! - puckY]
    const distance = Math.hypot(toX, toY)
    const [ux, uy] = distance > 0 ? [toX / distance, toY / distance] : [1, 0]
    const along = (puckX - x) * ux + (puckY - y) * uy
    const across = (puckX - x) * uy - (puckY - y) * ux
    if (isPushing && (along < 0.02 || Math.abs(across) > 0.04)) isPushing = false
    const [startX, startY] = [puckX - ux * BEHIND_M, puckY - uy * BEHIND_M]
    const isBehind = Math.hypot(x - startX, y - startY) < 0.012
    if (isBehind && z < LOW_Z_M + 0.012) isPushing = true
    let [aimX, aimY, aimZ] = [startX, startY, isBehind ? LOW_Z_M : HIGH_Z_M]
    if (isPushing) {
      // Beyond the line through puck and goal, so that the puck turns back to it.
      const advance = Math.min(STEP_M, distance)
      aimX = puckX - ux * (TOUCH_M - advance) + 0.5 * across * uy
      aimY = puckY - uy * (TOUCH_M - advance) - 0.5 * across * ux
      aimZ = LOW_Z_M
    } else if (z < HIGH_Z_M - 0.02 && !isBehind) {
      ;[aimX, aimY] = [x, y]
    }
    if (distance < 0.01) [aimX, aimY, aimZ] = [x, y, z]
    action[0] = clip((aimX - x) / STEP_M)
    action[1] = clip((aimY - y) / STEP_M)
    action[2] = clip((aimZ - z) / STEP_M)
    return action
  }
}

function clip(value: number): number {
  return Math.max(-1, Math.min(1, value))
}
