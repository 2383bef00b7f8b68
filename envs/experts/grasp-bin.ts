import { AIM_HALF_M } from '../tasks/grasp-bin-layout.ts'
import { objectInstance } from '../tasks/procedural-objects.ts'
import type { Expert } from './expert.ts'

const [SLOTS, SLOT_SIZE] = [5, 5]
/** By which the yaw on round objects goes on from grasp to grasp, in quarter turns: every yaw is tried. */
const YAW_STEP = 0.618034

/**
 * Grasps objects of `armature/GraspBin-v0` one after the other, each at its origin and along a line on which its shape is narrow. Objects
 * stand in the state in random order, so the choice is random, too; what a grasp missed has its turn again after the others. With a goal it
 * grasps what is wanted alone, as long as that is in the bin.
 */
export function graspBinExpert(): Expert {
  const action = new Float32Array(3)
  let grasps = 0
  return ({ state }, goal) => {
    const inBin = Array.from({ length: SLOTS }, (_, slot) => state[slot * SLOT_SIZE]!)
    const wanted = goal === undefined ? -1 : inBin.indexOf(Math.round(goal[0]!))
    const first = wanted >= 0 ? wanted : grasps
    for (let i = 0; i < SLOTS; i++) {
      const at = ((first + i) % SLOTS) * SLOT_SIZE
      if (state[at]! < 0) continue
      aim(action, state.subarray(at, at + SLOT_SIZE), grasps)
      break
    }
    grasps++
    return action
  }
}

function aim(action: Float32Array, object: Float32Array, grasps: number): void {
  const [instance, x, y, , yaw] = object
  const { graspYawsRad } = objectInstance(instance!)
  const choice = graspYawsRad[grasps % Math.max(1, graspYawsRad.length)]
  const quarters = choice === undefined ? grasps * YAW_STEP : (yaw! + choice) / (Math.PI / 2)
  action[0] = clampToUnit(x! / AIM_HALF_M)
  action[1] = clampToUnit(y! / AIM_HALF_M)
  action[2] = clampToUnit(quarters - 2 * Math.round(quarters / 2))
}

function clampToUnit(value: number): number {
  return Math.max(-1, Math.min(1, value))
}
