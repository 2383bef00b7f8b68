import { reacherAngles } from '../tasks/reacher.ts'
import type { ExpertFactory } from './expert.ts'

/** Of the action per radian and per radian per second. */
const GAIN = 15
const DAMPING = 0.5

/** Inverse kinematics, with the elbow on the side where it is, and a spring and a damper at each joint. */
export const reacherExpert: ExpertFactory = () => {
  const action = new Float32Array(2)
  return ({ state }, goal) => {
    const wrist = state[4]!
    const [shoulderGoal, wristGoal] = reacherAngles(goal![0]!, goal![1]!, wrist < 0 ? -1 : 1)
    const shoulderError = shoulderGoal - Math.atan2(state[3]!, state[2]!)
    const shortest = Math.atan2(Math.sin(shoulderError), Math.cos(shoulderError))
    action[0] = Math.max(-1, Math.min(1, GAIN * shortest - DAMPING * state[5]!))
    action[1] = Math.max(-1, Math.min(1, GAIN * (wristGoal - wrist) - DAMPING * state[6]!))
    return action
  }
}
