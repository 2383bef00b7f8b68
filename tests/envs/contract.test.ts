import { envList, makeEnv } from '../../envs/index.ts'
import { envContract } from '../contracts/env-cases.ts'

for (const { id } of envList()) envContract(id, () => makeEnv(id))

/** The others have tests on scalar physics beside their own. */
for (const name of ['PickPlace', 'GraspBin', 'PushMulti']) {
  envContract(`${name} on scalar physics`, () => makeEnv(`armature/${name}-v0`, { physics: 'scalar' }))
}

envContract('PushPuck on scalar physics from random starts', () =>
  makeEnv('armature/PushPuck-v0', {
    physics: 'scalar',
    start: 'random',
    size: { width: 24, height: 16 },
    supersample: 'off',
  }),
)
