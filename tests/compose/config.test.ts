import { expect, test } from 'vitest'
import { resolveConfig } from '../../src/compose/config.ts'

const GRASPS = { task: 'command', maxEpisodeSteps: 1 }

test('options of a preset are those of its scene: another scene begins with its own', () => {
  const envOf = (env?: string, set: string[] = []) => resolveConfig('grasp2vec-bin', { ...(env && { env }), set }).env
  expect(envOf().options).toEqual(GRASPS)
  expect(envOf('armature/GraspBin-v0').options).toEqual(GRASPS)
  expect(envOf('armature/Reacher-v0')).toMatchObject({ id: 'armature/Reacher-v0', options: {}, evalOptions: {} })
  expect(envOf('armature/Reacher-v0', ['env.options.actionRepeat=4']).options).toEqual({ actionRepeat: 4 })
})

test('where it learns from pixels, actions are held in scenes whose control steps are short', () => {
  const optionsOf = (preset: string, env?: string, set: string[] = []) =>
    resolveConfig(preset, { ...(env && { env }), set }).env.options
  expect(optionsOf('pixels')).toMatchObject({ actionRepeat: 4 })
  expect(optionsOf('pixels', 'armature/CartPole-v0', ['env.options.task=swingup'])).toEqual({
    actionRepeat: 4,
    task: 'swingup',
  })
  expect(optionsOf('curl', 'armature/FingerSpin-v0')).toEqual({ actionRepeat: 2 })
  expect(optionsOf('pixels', 'armature/ArmReach-v0')).toEqual({})
  expect(optionsOf('sac-state', 'armature/Reacher-v0')).toEqual({})
  expect(optionsOf('pixels', 'armature/CartPole-v0', ['env.options.actionRepeat=1'])).toEqual({ actionRepeat: 1 })
})

test('returns of several steps where a reward comes late, of one where the scene says that each step pays', () => {
  const stepsOf = (preset: string, env?: string, set: string[] = []) =>
    resolveConfig(preset, { ...(env && { env }), set }).replay.nStep
  expect(stepsOf('pixels')).toBe(1)
  expect(stepsOf('drq', 'armature/CartPole-v0')).toBe(3)
  expect(stepsOf('pixels', 'armature/Reacher-v0')).toBe(1)
  expect(stepsOf('pixels', 'armature/CartPole-v0', ['replay.nStep=5'])).toBe(5)
  expect(stepsOf('sac-state', 'armature/Reacher-v0')).toBe(1)
})

test('a robot stands for the scene of the preset, whose options it keeps', () => {
  const { env } = resolveConfig('grasp2vec-bin', { env: 'tcp://127.0.0.1:5600' })
  expect(env).toMatchObject({ id: 'armature/GraspBin-v0', options: GRASPS, robot: 'tcp://127.0.0.1:5600' })
})

test('unseen looks to evaluate in stay behind with the scene that has them', () => {
  expect(resolveConfig('cc-rig-disc', {}).env.evalOptions).toEqual({ hues: 'unseen' })
  expect(resolveConfig('cc-rig-disc', { env: 'armature/PushPuck-v0' }).env.evalOptions).toEqual({})
})
