import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { loadRobot, robotToJson } from '../../envs/robots/robot-file.ts'
import { loadRun } from '../../src/compose/load-run.ts'
import { sets, temporaryFolder } from '../cli/helpers.ts'
import { runHere } from '../cli/in-process.ts'

const FIXTURES = fileURLToPath(new URL('../envs/robots/fixtures/', import.meta.url))
const SMALL = {
  'agent.config.hidden': [8, 8],
  'training.batchSize': 8,
  'training.learningStarts': 30,
  'training.evalEpisodes': 1,
  'training.finalEpisodes': 1,
}

it('keeps a robot exactly, infinite limits and meshes included', async () => {
  const folder = temporaryFolder()
  const model = await loadRobot(`${FIXTURES}pick-arm.urdf`)
  writeFileSync(join(folder, 'robot.json'), robotToJson(model))
  const kept = await loadRobot(join(folder, 'robot.json'))
  expect(robotToJson(kept)).toBe(robotToJson(model))
  expect(kept.joints.find(({ kind }) => kind === 'continuous')!.upper).toBe(Infinity)
  writeFileSync(join(folder, 'other.json'), '{"a": 1}')
  await expect(loadRobot(join(folder, 'other.json'))).rejects.toThrow(/a robot that a run keeps/)
})

it('a run goes on and is evaluated with the robot that it was trained with', { timeout: 60_000 }, async () => {
  const folder = temporaryFolder()
  const [robot, out] = [join(folder, 'arm.urdf'), join(folder, 'run')]
  cpSync(`${FIXTURES}seven-joints.urdf`, robot)
  const scene = sets({ ...SMALL, 'env.options.robot': robot, 'env.options.control': 'joint-delta' })
  const training = [
    'train',
    'oracle-push',
    '--env',
    'armature/ArmReach-v0',
    ...scene,
    '--steps',
    '60',
    '--out',
    out,
    '--quiet',
  ]
  expect(await runHere(training)).toMatchObject({ code: 0 })
  const before = await loadRun(out)
  const lengths = before.parts.env.spec.stateSpace.high
  await before.parts.env.close()
  // The file changes to a robot of other lengths, and goes.
  writeFileSync(robot, readFileSync(robot, 'utf8').replaceAll(/xyz="0 0 0\.(\d)/g, 'xyz="0 0 0.0$1'))
  const edited = await loadRun(out)
  expect(edited.parts.env.spec.stateSpace.high).toEqual(lengths)
  await edited.parts.env.close()
  rmSync(robot)
  expect(await runHere(['eval', out, '--episodes', '1', '--json'])).toMatchObject({ code: 0 })
  expect(await runHere(['train', '--resume', '--out', out, '--steps', '80', '--quiet'])).toMatchObject({ code: 0 })
})
