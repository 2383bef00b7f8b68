import { makeEnv } from '../../../envs/index.ts'
import {
  actionNoise,
  actionRepeat,
  frameStack,
  latentGoal,
  observationNoise,
  timeLimit,
} from '../../../envs/wrappers/index.ts'
import type { SimulatedGoalEnv } from '../../../src/core/env.ts'
import { envContract } from '../../contracts/env-cases.ts'
import { meanColors } from './mean-colors.ts'

async function push(physics = 'auto'): Promise<SimulatedGoalEnv> {
  return (await makeEnv('armature/PushPuck-v0', {
    size: 16,
    supersample: 'off',
    start: 'random',
    physics,
  })) as SimulatedGoalEnv
}

/** Images that differ from the exact ones by less than the battery's measure of a goal image allows. */
const LITTLE_NOISE = { images: 0.0015, proprio: 0.02 }

envContract('timeLimit', async () => timeLimit(await push(), 20))
envContract('frameStack', async () => frameStack(await push(), 3))
envContract('actionRepeat', async () => actionRepeat(await push(), 3))
envContract('actionNoise', async () => actionNoise(await push(), 0.3))
envContract('observationNoise', async () => observationNoise(await push(), LITTLE_NOISE))
envContract('latentGoal', async () => latentGoal(await push(), { encode: meanColors }))
envContract('all wrappers at once, on scalar physics', async () => {
  const disturbed = observationNoise(actionNoise(await push('scalar'), 0.2), LITTLE_NOISE)
  return latentGoal(frameStack(timeLimit(actionRepeat(disturbed, 2), 15), 2), { encode: meanColors })
})
envContract('wrappers of an env without goals and images', async () =>
  timeLimit(frameStack(observationNoise(await makeEnv('armature/Pendulum-v1'), { proprio: 0.1 }), 2), 30),
)
