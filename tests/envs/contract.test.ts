import { envList, makeEnv } from '../../envs/index.ts'
import { envContract } from '../contracts/env-cases.ts'

/** A step of this scene is a whole grasp. */
const GRASPS = 8

for (const { id } of envList()) {
  envContract(id, () => makeEnv(id), id.includes('GraspBin') ? GRASPS : undefined)
}

/** The others have tests on scalar physics beside their own. */
for (const name of ['PickPlace', 'GraspBin', 'PushMulti']) {
  const make = () => makeEnv(`armature/${name}-v0`, { physics: 'scalar' })
  envContract(`${name} on scalar physics`, make, name === 'GraspBin' ? GRASPS : undefined)
}

envContract('PushPuck on scalar physics from random starts', () =>
  makeEnv('armature/PushPuck-v0', {
    physics: 'scalar',
    start: 'random',
    size: { width: 24, height: 16 },
    supersample: 'off',
  }),
)
