import type { Expert } from './expert.ts'
import { scaleAt } from './steer.ts'

const STEP_M = 0.02
const ABOVE_M = 0.08
const GRASP_Z_M = 0.02
/** Steps for the fingers to close and press. */
const CLOSING_STEPS = 6
/** Of the tip when an episode starts. */
const START_Z_M = 0.16

/** Above the cube, down, close, and to the goal; from the start again when the cube was lost. By `cartesian-delta`. */
export const armLiftExpert = (): Expert => {
  const action = new Float32Array(4)
  let closing = 0
  let scale: number | undefined
  return (observation, desired) => {
    scale ??= scaleAt(observation.state[2]!, START_Z_M)
    const [state, goal] = [observation.state.map((x) => x / scale!), desired!.map((x) => x / scale!)]
    const [x, y, z, , cubeX, cubeY, cubeZ] = state as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    const aside = Math.hypot(cubeX - x, cubeY - y)
    if (closing > 0 && (aside > 0.03 || Math.abs(cubeZ - z) > 0.03)) closing = 0
    const isDown = aside < 0.006 && z < cubeZ + 0.006
    if (closing > 0 || isDown) closing++
    let aim = [cubeX, cubeY, aside < 0.008 ? cubeZ - CUBE_REST_Z + GRASP_Z_M : cubeZ + ABOVE_M]
    if (closing > CLOSING_STEPS) {
      // The cube is what has to be there, wherever the fingers hold it.
      aim = [goal[0]! - cubeX + x, goal[1]! - cubeY + y, goal[2]! - cubeZ + z]
    } else if (closing > 0) aim = [x, y, z]
    for (let i = 0; i < 3; i++) action[i] = Math.max(-1, Math.min(1, (aim[i]! - state[i]!) / STEP_M))
    action[3] = closing > 0 ? -1 : 1
    return action
  }
}

const CUBE_REST_Z = 0.02
