import type { Expert } from './expert.ts'

const STEP_M = 0.02

/** Straight to the goal, by `cartesian-delta`. */
export const armReachExpert = (): Expert => {
  const action = new Float32Array(3)
  return ({ state }, goal) => {
    for (let i = 0; i < 3; i++) action[i] = Math.max(-1, Math.min(1, (goal![i]! - state[i]!) / STEP_M))
    return action
  }
}
