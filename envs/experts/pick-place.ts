import type { Expert } from './expert.ts'

const STEP_M = 0.02
const ABOVE_M = 0.07
const OPEN_M = 0.075
const NEAR_M = 0.008
/** A finger is stopped by the cube when the opening stays about as wide as it. */
const HELD_M: readonly [number, number] = [0.036, 0.0425]

/** Solves `armature/PickPlace-v0`: open above the cube, go down, close, carry. */
export function pickPlaceExpert(): Expert {
  const action = new Float32Array(4)
  let closing = 0
  return ({ state }, goal) => {
    const [x, y, z, opening] = [state[0]!, state[1]!, state[2]!, state[3]!]
    const [cubeX, cubeY, cubeZ] = [state[4]!, state[5]!, state[6]!]
    const aside = Math.hypot(cubeX - x, cubeY - y)
    const isAround = aside < 0.015 && Math.abs(cubeZ - z) < 0.015
    if (!isAround) closing = 0
    if (isAround && opening > HELD_M[0] && opening < HELD_M[1] && (closing > 2 || cubeZ > 0.03)) {
      closing = 3
      return towards(action, goal![0]! - cubeX, goal![1]! - cubeY, goal![2]! - cubeZ, -1)
    }
    if (isAround && aside < NEAR_M) {
      closing++
      return towards(action, cubeX - x, cubeY - y, 0, -1)
    }
    const isOpen = opening > OPEN_M
    // Down only when it would not land on the cube.
    const height = aside < NEAR_M && isOpen ? cubeZ + 0.001 : Math.max(cubeZ + ABOVE_M, aside < NEAR_M ? z : 0)
    return towards(action, cubeX - x, cubeY - y, height - z, 1)
  }
}

function towards(action: Float32Array, dx: number, dy: number, dz: number, opening: number): Float32Array {
  const scale = 1 / Math.max(STEP_M, Math.abs(dx), Math.abs(dy), Math.abs(dz))
  action[0] = dx * scale
  action[1] = dy * scale
  action[2] = dz * scale
  action[3] = opening
  return action
}
