import { expect, it } from 'vitest'
import { Scene } from '../../../envs/camera/scene.ts'
import { Kinematics } from '../../../envs/robots/kinematics.ts'
import { PANDA_WITH_TOOL } from '../../../envs/robots/panda.ts'
import { RobotLook, robotPrimitives } from '../../../envs/robots/robot-look.ts'

it('draws every visual where its link is', () => {
  const primitives = robotPrimitives(PANDA_WITH_TOOL)
  expect(primitives).toHaveLength(PANDA_WITH_TOOL.links.reduce((sum, { visuals }) => sum + visuals.length, 0))
  const scene = new Scene({ background: [0, 0, 0], lightDirection: [0, 0, 1], ambient: 1, primitives })
  const arm = new Kinematics(PANDA_WITH_TOOL, { positionM: [-0.5, 0, 0], quatXyzw: [0, 0, 0, 1] })
  const look = new RobotLook(scene, arm)
  arm.forward([0, -Math.PI / 4, 0, (-3 * Math.PI) / 4, 0, Math.PI / 2, Math.PI / 4])
  look.place()
  // The rod hangs down from the flange: its middle is 8 cm below, its axis vertical.
  const rod = scene.primitive(primitives.at(-1)!.name)
  const flange = 3 * arm.linkIndex('flange')
  expect(rod.position[0]).toBeCloseTo(arm.positions[flange]!, 9)
  expect(rod.position[2]).toBeCloseTo(arm.positions[flange + 2]! - 0.08, 9)
  expect(rod.rotation[8]).toBeCloseTo(-1, 9)
})
