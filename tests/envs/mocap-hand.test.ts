import type { World } from '@dimforge/rapier3d-simd-compat'
import { describe, expect, it } from 'vitest'
import { loadPhysics } from '../../envs/world/engine.ts'
import type { HandSpace, MocapHandSpec } from '../../envs/world/mocap-hand.ts'
import { addMocapHand, MocapHand } from '../../envs/world/mocap-hand.ts'
import { createWorld } from '../../envs/world/physics-world.ts'

const SPEC: MocapHandSpec = {
  radiusM: 0.03,
  heightM: 0.06,
  massKg: 0.5,
  friction: 0.5,
  centerZ: 0.1,
  motor: { stiffnessNPerM: 5000, dampingNsPerM: 200, maxForceN: 30 },
  maxLeadM: 0.03,
  collisionGroups: 0xffffffff | 0,
}
const SPACE: HandSpace = { low: [-0.2, -0.2, 0.01], high: [0.2, 0.2, 0.3] }
const SUBSTEPS = 12

async function handAbove(physics: 'simd' | 'scalar', obstacleTopZ?: number): Promise<[World, MocapHand]> {
  const engine = await loadPhysics(physics)
  const world = createWorld(engine)
  if (obstacleTopZ !== undefined) {
    world.createCollider(engine.rapier.ColliderDesc.cuboid(0.5, 0.5, 0.05).setTranslation(0, 0, obstacleTopZ - 0.05))
  }
  return [world, new MocapHand(world, addMocapHand(engine, world, SPEC, 0.01, -0.02), SPEC, [0.01, -0.02])]
}

describe.each(['simd', 'scalar'] as const)('a mocap hand in space on %s physics', (physics) => {
  it('moves by what it is told on each axis and holds that', async () => {
    const [world, hand] = await handAbove(physics)
    for (let i = 0; i < 5; i++) hand.moveInSpace([0.01, -0.02, 0.015], SPACE, SUBSTEPS)
    for (let i = 0; i < 3; i++) hand.moveInSpace([0, 0, 0], SPACE, SUBSTEPS)
    const { x, y, z } = hand.position
    expect(x).toBeCloseTo(0.06, 4)
    expect(y).toBeCloseTo(-0.12, 4)
    expect(z).toBeCloseTo(0.175, 4)
    world.free()
  })

  it('stays in its space', async () => {
    const [world, hand] = await handAbove(physics)
    for (let i = 0; i < 30; i++) hand.moveInSpace([0.02, -0.02, -0.02], SPACE, SUBSTEPS)
    const { x, y, z } = hand.position
    expect(x).toBeCloseTo(0.2, 3)
    expect(y).toBeCloseTo(-0.2, 3)
    expect(z).toBeCloseTo(0.01, 3)
    world.free()
  })

  it('rests on what is below it, with its target no further than the lead, and lifts off at once', async () => {
    const [world, hand] = await handAbove(physics, 0.05)
    for (let i = 0; i < 20; i++) hand.moveInSpace([0, 0, -0.02], SPACE, SUBSTEPS)
    const pressed = hand.position.z
    expect(Math.abs(pressed - 0.08)).toBeLessThan(0.002)
    expect(pressed - hand.target[2]).toBeLessThanOrEqual(SPEC.maxLeadM + 0.001)
    for (let i = 0; i < 2; i++) hand.moveInSpace([0, 0, 0.02], SPACE, SUBSTEPS)
    expect(hand.position.z - pressed).toBeGreaterThan(0.005)
    world.free()
  })

  it('keeps to its plane when it moves on one', async () => {
    const [world, hand] = await handAbove(physics)
    hand.place(0.05, 0.05)
    for (let i = 0; i < 5; i++) hand.move(0.02, 0, [0.1, 0.1], SUBSTEPS)
    expect(hand.target).toEqual([0.1, 0.05, SPEC.centerZ].map((value) => expect.closeTo(value, 3)))
    expect(hand.target[2]).toBe(SPEC.centerZ)
    expect(hand.position.z).toBeCloseTo(SPEC.centerZ, 4)
    world.free()
  })
})
