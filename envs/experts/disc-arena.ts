import type { ExpertFactory } from './expert.ts'

const STEP_M = 0.02

/** Straight to the goal. */
export const discArenaExpert: ExpertFactory = () => {
  const action = new Float32Array(2)
  return ({ state }, goal) => {
    const dx = (goal![0]! - state[0]!) / STEP_M
    const dy = (goal![1]! - state[1]!) / STEP_M
    const scale = 1 / Math.max(1, Math.abs(dx), Math.abs(dy))
    action[0] = dx * scale
    action[1] = dy * scale
    return action
  }
}
