import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { envs } from '../../../envs/index.ts'
import type { OwnGripper } from '../../../envs/robots/own-gripper.ts'
import { ownGripper } from '../../../envs/robots/own-gripper.ts'
import { turned, rotationOfQuat } from '../../../envs/robots/rotations.ts'
import { tipOf } from '../../../envs/robots/tip.ts'
import { loadUrdf } from '../../../envs/robots/urdf-files.ts'
import { ARM_LIFT_ID } from '../../../envs/tasks/arm-lift.ts'
import { ARM_PUSH_ID } from '../../../envs/tasks/arm-push.ts'
import type { GoalEnv } from '../../../src/core/env.ts'
import type { Draft, GripperKind } from './urdf-drafts.ts'
import { soundArm, urdfOf, withGripper } from './urdf-drafts.ts'

const folder = mkdtempSync(join(tmpdir(), 'armature-gripper-'))
afterAll(() => rmSync(folder, { recursive: true }))

function fileOf(draft: Draft, name: string): string {
  const file = join(folder, `${name}.urdf`)
  writeFileSync(file, urdfOf(draft))
  return file
}

async function gripperOf(draft: Draft, told?: readonly string[]): Promise<ReturnType<typeof ownGripper>> {
  const model = await loadUrdf(fileOf(draft, 'arm'))
  return ownGripper(model, tipOf(model, undefined, told), told)
}

/** A gripper with the names of its joints changed. */
function renamed(draft: Draft, left: string, right: string): Draft {
  const named = (text: string): string =>
    text.replaceAll('finger_joint_left', left).replaceAll('finger_joint_right', right)
  const links = (text: string): string => text.replaceAll('finger_left', 'one').replaceAll('finger_right', 'two')
  draft.finish.push((xml) => links(named(xml)))
  return draft
}

describe('a gripper in a file', () => {
  it.each<[GripperKind, number]>([
    ['slides', 2],
    ['mimic', 1],
    ['one-sided ranges', 2],
  ])('of %s is measured', async (kind, joints) => {
    const gripper = (await gripperOf(withGripper(soundArm(), 1, kind))) as OwnGripper
    expect(gripper.joints).toHaveLength(joints)
    expect(gripper.closed.map(Math.abs)).toEqual(gripper.closed.map(() => 0))
    expect(gripper.open.map(Math.abs)).toEqual(gripper.open.map(() => 0.045))
    expect(gripper.gapM[0]).toBeCloseTo(0, 6)
    expect(gripper.gapM[1]).toBeCloseTo(0.09, 6)
    // The palm is 5 cm long, the fingers 6 cm.
    expect(gripper.lengthM).toBeCloseTo(0.06, 6)
    gripper.end.positionM.forEach((x, i) => expect(x).toBeCloseTo([0, 0, 0.11][i]!, 6))
  })

  it('of two turning fingers closes as far as their stops let it', async () => {
    const gripper = (await gripperOf(withGripper(soundArm(), 1, 'turns'))) as OwnGripper
    expect(gripper.open.every((q) => q > 0.5)).toBe(true)
    expect(gripper.gapM[0]).toBeGreaterThan(0.015)
    expect(gripper.gapM[1]).toBeGreaterThan(gripper.gapM[0] + 0.03)
    expect(gripper.levers.get('finger_left')).toBeCloseTo(0.059, 2)
  })

  it('points where its fingers do, however it is mounted', async () => {
    const gripper = (await gripperOf(withGripper(soundArm(), 1, 'mimic', '0 1.5708 0.7'))) as OwnGripper
    const way = (v: readonly number[]): Float64Array =>
      turned(rotationOfQuat(gripper.end.quatXyzw, new Float64Array(9)), v)
    expect(gripper.carrier).toBe('palm')
    expect(way([0, 0, 1])[2]).toBeCloseTo(1, 6)
    expect(Math.abs(way([0, 1, 0])[1]!)).toBeCloseTo(1, 6)
  })

  it('is found by its shape, or by the names that are told', async () => {
    const unnamed = (): Draft => renamed(withGripper(soundArm(), 1, 'slides'), 'x1', 'x2')
    expect((await gripperOf(unnamed())) as OwnGripper).toMatchObject({ joints: ['x1', 'x2'] })
    expect((await gripperOf(unnamed(), ['x1', 'x2'])) as OwnGripper).toMatchObject({ joints: ['x1', 'x2'] })
    await expect(gripperOf(unnamed(), ['x3'])).rejects.toThrow(/joint "x3".*did you mean x/)
  })

  it('is none where there is none, or only one finger moves', async () => {
    expect(await gripperOf(soundArm())).toBeUndefined()
    expect(await gripperOf(withGripper(soundArm(), 1, 'one moves'))).toEqual({
      reason: 'only one of its fingers moves',
    })
  })
})

describe.each([ARM_LIFT_ID, ARM_PUSH_ID])('%s with a gripper of the file', (id) => {
  it.each<[GripperKind, number]>([
    ['mimic', 1],
    ['turns', 1],
    ['one-sided ranges', 0.3],
  ])('of %s, scale %d, is solved by its expert in 9 of 10 episodes', async (kind, scale) => {
    const robot = fileOf(withGripper(soundArm(scale), scale, kind), `arm-${kind}-${scale}`)
    const env = (await envs[id]!.make({ size: 1, supersample: 'off', robot })) as GoalEnv
    // The tool of the scene brings links of its own.
    expect(env.spec.proprioSpace.names!.some((name) => name.startsWith('finger_joint_left'))).toBe(true)
    let wins = 0
    for (let seed = 0; seed < 10; seed++) {
      const expert = envs[id]!.expert!()
      let { observation, info } = await env.reset({ seed })
      for (let isOver = false; !isOver && info['success'] === 0;) {
        const step = await env.step(expert(observation, env.goal))
        ;({ observation, info } = step)
        isOver = step.terminated || step.truncated
      }
      wins += info['success']!
    }
    expect(wins).toBeGreaterThanOrEqual(9)
    await env.close()
  })

  it('takes the tool of the scene where the gripper is refused', async () => {
    const robot = fileOf(withGripper(soundArm(), 1, 'mimic'), 'refused')
    const env = (await envs[id]!.make({ size: 1, supersample: 'off', robot, gripper: 'none' })) as GoalEnv
    expect(env.spec.proprioSpace.names!.some((name) => name.startsWith('finger_joint_left'))).toBe(false)
    await env.close()
  })

  it('refuses joints that are no gripper in one line', async () => {
    const robot = fileOf(withGripper(soundArm(), 1, 'one moves'), 'one')
    const made = envs[id]!.make({ size: 1, robot, gripper: ['finger_joint_left'] })
    await expect(made).rejects.toThrow(
      /gripper finger_joint_left of draft.*only one of its fingers moves.*gripper=none/,
    )
    await expect(envs[id]!.make({ size: 1, gripper: 'none' })).rejects.toThrow(/option gripper.*no robot/)
  })
})
