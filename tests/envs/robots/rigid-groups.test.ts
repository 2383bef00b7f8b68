import { describe, expect, it } from 'vitest'
import { rigidGroups } from '../../../envs/robots/rigid-groups.ts'
import type { LinkModel, RobotModel } from '../../../envs/robots/robot-model.ts'
import { quatOfRpy } from '../../../envs/robots/rotations.ts'
import { PANDA_WITH_GRIPPER } from '../../../envs/robots/panda.ts'

/** A solid box of density 1000 whose centre is the origin of its link. */
function boxLink(name: string, [x, y, z]: readonly [number, number, number]): LinkModel {
  const massKg = 1000 * 8 * x * y * z
  return {
    name,
    massKg,
    inertialPose: { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] },
    inertia: [(massKg * (y * y + z * z)) / 3, 0, 0, (massKg * (x * x + z * z)) / 3, 0, (massKg * (x * x + y * y)) / 3],
    visuals: [],
    collisions: [],
  }
}

describe('rigid groups', () => {
  it('give two turned halves of a box the mass properties of the whole', () => {
    const model: RobotModel = {
      name: 'box',
      links: [boxLink('half', [0.05, 0.03, 0.02]), boxLink('other', [0.03, 0.05, 0.02])],
      joints: [
        {
          name: 'glue',
          kind: 'fixed',
          parent: 'half',
          child: 'other',
          origin: { positionM: [0.1, 0, 0], quatXyzw: quatOfRpy(0, 0, Math.PI / 2) },
          axis: [0, 0, 1],
          lower: 0,
          upper: 0,
          maxSpeed: 0,
          maxEffort: 0,
        },
      ],
    }
    const { groups } = rigidGroups(model)
    expect(groups).toHaveLength(1)
    const whole = boxLink('whole', [0.1, 0.03, 0.02])
    expect(groups[0]!.massKg).toBeCloseTo(whole.massKg, 9)
    expect([...groups[0]!.centerOfMass].map((x) => Math.round(x * 1e9) / 1e9 + 0)).toEqual([0.05, 0, 0])
    const [xx, , , yy, , zz] = whole.inertia
    ;[xx, yy, zz].forEach((moment, i) => expect(groups[0]!.principalInertia[i]).toBeCloseTo(moment, 9))
  })

  it('find the principal axes of a tilted box', () => {
    const box = boxLink('box', [0.1, 0.03, 0.02])
    const tilted: LinkModel = {
      ...box,
      inertialPose: { positionM: [0.1, 0.2, 0.3], quatXyzw: quatOfRpy(0.4, -0.3, 0.9) },
    }
    const { principalInertia, principalAxes, centerOfMass } = rigidGroups({ name: 'b', links: [tilted], joints: [] })
      .groups[0]!
    expect([...centerOfMass]).toEqual([0.1, 0.2, 0.3])
    const [xx, , , yy, , zz] = box.inertia
    const sorted = [...principalInertia].sort((a, b) => a - b)
    ;[xx, yy, zz].sort((a, b) => a - b).forEach((moment, i) => expect(sorted[i]).toBeCloseTo(moment, 10))
    // The axis of the smallest moment is the long side of the box.
    const least = principalInertia.indexOf(sorted[0]!)
    const long = [0, 3, 6].map((row) => principalAxes[row + least]!)
    const [c, s] = [Math.cos(-0.3), Math.sin(-0.3)]
    const expected = [Math.cos(0.9) * c, Math.sin(0.9) * c, -s]
    expect(Math.abs(long.reduce((sum, x, i) => sum + x * expected[i]!, 0))).toBeCloseTo(1, 9)
  })

  it('join what does not move, parents first', () => {
    const { groups, groupOf } = rigidGroups(PANDA_WITH_GRIPPER)
    expect(groups).toHaveLength(10)
    const { links } = PANDA_WITH_GRIPPER
    const of = (name: string): number => groupOf[links.findIndex((link) => link.name === name)]!
    expect([of('link0'), of('link7'), of('flange'), of('hand'), of('tip')]).toEqual([0, 7, 7, 7, 7])
    expect(groups[7]!.massKg).toBeCloseTo(1.47, 9)
    expect(groups[7]!.collisions).toHaveLength(2)
  })
})
