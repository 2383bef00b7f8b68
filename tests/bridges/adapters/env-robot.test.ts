import { describe, expect, it } from 'vitest'
import { envRobot } from '../../../bridges/adapters/env-robot.ts'
import { makeEnv } from '../../../envs/index.ts'
import { isGoalRobot } from '../../../src/core/robot.ts'
import { isGoalEnv } from '../../../src/core/env.ts'
import { Rng } from '../../../src/core/rng.ts'
import { sampleSpace } from '../../../src/core/spaces.ts'

describe('a scene as a robot', () => {
  it.each([
    ['armature/PushPuck-v0', {}],
    ['armature/ArmReach-v0', { control: 'joint-position' }],
  ])('%s shows bit for bit what the scene shows in process', async (id, options) => {
    const env = await makeEnv(id, options)
    const robot = envRobot(await makeEnv(id, options))
    const action = new Float32Array(env.spec.actionSpace.shape[0]!)
    const rng = new Rng(1)
    for (const seed of [7, undefined]) {
      const given = seed === undefined ? {} : { seed }
      const { observation, info } = await env.reset(given)
      expect(await robot.reset(given)).toMatchObject({ observation, info, reward: 0, terminated: false })
      for (let k = 0; k < 4; k++) {
        if (isGoalRobot(robot) && isGoalEnv(env)) {
          const goal = await robot.goal()
          expect(goal.state).toEqual(env.goal)
          if (k === 3 && seed === 7) expect(goal.images).toEqual(await env.renderGoal(env.goal))
        }
        const result = await env.step(sampleSpace(env.spec.actionSpace, rng, action))
        await robot.apply(action)
        await robot.stop('hold')
        expect(await robot.read()).toEqual({ ...result, ageUs: 0 })
      }
    }
    await env.close()
    await robot.close()
  })

  it('is ended until it is reset, and can be read before', async () => {
    const robot = envRobot(await makeEnv('armature/PushPuck-v0'), { serial: 'left' })
    expect(robot.spec).toMatchObject({ serial: 'left', isSimulated: true, actionKind: 'velocity', maxEpisodeSteps: 50 })
    expect((await robot.read()).truncated).toBe(false)
    for (let k = 0; k < 52; k++) await robot.apply(Float32Array.of(0.1, 0))
    expect((await robot.read()).truncated).toBe(true)
    expect((await robot.reset()).truncated).toBe(false)
    await robot.close()
  })

  it('knows which actions are positions', async () => {
    const kinds = ['cartesian-delta', 'joint-delta', 'joint-position'].map(async (control) => {
      const robot = envRobot(await makeEnv('armature/ArmReach-v0', { control }))
      await robot.close()
      return robot.spec.actionKind
    })
    expect(await Promise.all(kinds)).toEqual(['velocity', 'velocity', 'position'])
    const told = envRobot(await makeEnv('armature/Pendulum-v1'), { actionKind: 'position' })
    expect(told.spec.actionKind).toBe('position')
    await told.close()
  })
})
