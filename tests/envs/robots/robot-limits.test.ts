import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { envRobot } from '../../../bridges/adapters/env-robot.ts'
import { loadLimits } from '../../../bridges/safety/limits.ts'
import { makeEnv } from '../../../envs/index.ts'
import { loadUrdf } from '../../../envs/robots/urdf-files.ts'
import { limitsOfRobot } from '../../../envs/robots/robot-limits.ts'
import { boxSpace } from '../../../src/core/spaces.ts'
import { soundArm, urdfOf } from './urdf-drafts.ts'

const folder = mkdtempSync(join(tmpdir(), 'armature-limits-'))
afterAll(() => rmSync(folder, { recursive: true }))

const draft = soundArm()
Object.assign(draft.joints[1]!, { effort: '0', velocity: '0' })
draft.joints[5]!.type = 'continuous'
const robot = join(folder, 'arm.urdf')
writeFileSync(robot, urdfOf(draft))

it('gives a real arm the range, speed and effort of its joints, less where its file tells none', async () => {
  const model = await loadUrdf(robot)
  const names = [1, 2, 6].map((number) => `turn${number}_rad`)
  const actionSpace = boxSpace([3], -10, 10, names)
  const spec = { name: 'arm', actionSpace, actionKind: 'position', controlHz: 100 } as const
  const { elements, about } = loadLimits(limitsOfRobot(model, spec), 'arm.urdf', spec)
  expect(about).toMatch(/tells no speed or effort of turn2: ours are conservative/)
  const [first, second, last] = elements
  expect(first).toMatchObject({ min: -2.8, max: 2.8, softMargin: 0.05, maxVelocity: 3, maxLead: 0.2 })
  // 60 N m, of which half go into some 2 kg m^2.
  expect(first!.maxAcceleration).toBeGreaterThan(5)
  expect(first!.maxAcceleration).toBeLessThanOrEqual(12)
  expect(second).toMatchObject({ maxVelocity: 0.5, maxAcceleration: 1 })
  expect(last).toMatchObject({ min: -Math.PI, max: Math.PI })
  const other = { ...spec, actionSpace: boxSpace([1], -1, 1, ['shoulder_rad']) }
  expect(() => limitsOfRobot(model, other)).toThrow(/got shoulder_rad; it has turn1, turn2/)
})

it.each(['joint-delta', 'joint-position', 'cartesian-delta'])('fits the scene with that arm by %s', async (control) => {
  const env = await makeEnv('armature/ArmReach-v0', { robot, control, size: 1, supersample: 'off' })
  const { spec } = envRobot(env)
  const { elements } = loadLimits(limitsOfRobot(await loadUrdf(robot), spec), 'arm.urdf', spec)
  expect(elements).toHaveLength(spec.actionSpace.shape[0]!)
  if (control === 'joint-delta') {
    // 0.05 rad per step at 20 Hz are 1 rad/s: what turn2 may not.
    expect(elements.map(({ max }) => max)).toEqual([1, 0.5, 1, 1, 1, 1])
  }
  await env.close()
})
