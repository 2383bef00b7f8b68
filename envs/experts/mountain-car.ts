import type { ExpertFactory } from './expert.ts'

/** Pushes the way the car rolls: each swing goes higher, until the last one gets out. */
export const mountainCarExpert: ExpertFactory = () => {
  const action = new Float32Array(1)
  return ({ state }) => {
    action[0] = state[1]! < 0 ? -1 : 1
    return action
  }
}
