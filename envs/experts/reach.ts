import { ACTION_M } from '../tasks/reach.ts'
import type { Expert } from './expert.ts'
import { steer } from './steer.ts'

/** Solves the reach task: straight to the goal. */
export function reachExpert(): Expert {
  const action = new Float32Array(3)
  return ({ state }, goal) => steer(action, state, goal!, ACTION_M)
}
