import { expect, it } from 'vitest'
import type { PoseSpec } from '../../../envs/robots/robot-model.ts'
import { parseUrdf } from '../../../envs/robots/urdf.ts'
import { weakJoints } from '../../../envs/robots/weak-joints.ts'
import { soundArm, urdfOf } from './urdf-drafts.ts'

const BASE: PoseSpec = { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] }

/** Six links of 1 kg, whose centres of mass are at their joints: stretched out from the second joint on, at x = 0, 0.3, 0.58, 0.66 and 0.74. */
function armOf(effort: string): ReturnType<typeof parseUrdf> {
  const draft = soundArm()
  for (const joint of draft.joints) joint.effort = effort
  return parseUrdf(urdfOf(draft) as string)
}
const STRETCHED = [0, Math.PI / 2, 0, 0, 0, 0]

it('names the joints that a pose is too heavy for, with the load', () => {
  // 9.81 (0.3 + 0.58 + 0.66 + 0.74) = 22.4 about the second joint, 9.81 (0.28 + 0.36 + 0.44) = 10.6 about the third.
  expect(weakJoints(armOf('25'), BASE, STRETCHED)).toEqual([])
  expect(weakJoints(armOf('15'), BASE, STRETCHED)).toEqual(['turn2 (22 of 15 N m)'])
  expect(weakJoints(armOf('5'), BASE, STRETCHED)).toEqual(['turn2 (22 of 5 N m)', 'turn3 (11 of 5 N m)'])
  // Upright, nothing hangs on them.
  expect(weakJoints(armOf('5'), BASE, [0, 0, 0, 0, 0, 0])).toEqual([])
})
