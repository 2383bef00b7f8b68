import { describe, expect, it } from 'vitest'
import type { RigidBody, World } from '@dimforge/rapier3d-simd-compat'
import type { PhysicsEngine } from '../../envs/world/engine.ts'
import { loadPhysics } from '../../envs/world/engine.ts'
import type { MocapHandSpec } from '../../envs/world/mocap-hand.ts'
import { addMocapHand, Z_UP } from '../../envs/world/mocap-hand.ts'
import { createWorld, restoreWorld } from '../../envs/world/physics-world.ts'

const HAND: MocapHandSpec = {
  radiusM: 0.02,
  heightM: 0.05,
  massKg: 0.5,
  friction: 0.5,
  centerZ: 0.03,
  motor: { stiffnessNPerM: 5000, dampingNsPerM: 200, maxForceN: 30 },
  maxLeadM: 0.03,
  collisionGroups: 0xffffffff,
}

interface Bench {
  readonly world: World
  readonly hand: RigidBody
  readonly target: RigidBody
}

/** A table with its top at z = 0 and the hand at (-0.15, 0). */
function bench(engine: PhysicsEngine, friction = 0.5): Bench {
  const world = createWorld(engine)
  world.createCollider(engine.rapier.ColliderDesc.cuboid(2, 2, 0.1).setTranslation(0, 0, -0.1).setFriction(friction))
  const { hand, target } = addMocapHand(engine, world, HAND, -0.15, 0)
  return { world, hand: world.getRigidBody(hand), target: world.getRigidBody(target) }
}

function addCube(engine: PhysicsEngine, world: World, x: number, friction = 0.5): RigidBody {
  const cube = world.createRigidBody(
    engine.rapier.RigidBodyDesc.dynamic().setTranslation(x, 0, 0.02).setCanSleep(false),
  )
  world.createCollider(engine.rapier.ColliderDesc.cuboid(0.02, 0.02, 0.02).setMass(0.1).setFriction(friction), cube)
  return cube
}

/** Moves the target in a straight line over `substeps`. */
function moveTarget({ world, target }: Bench, x: number, y: number, substeps: number): void {
  const from = target.translation()
  for (let i = 1; i <= substeps; i++) {
    const [atX, atY] = [from.x + ((x - from.x) * i) / substeps, from.y + ((y - from.y) * i) / substeps]
    target.setNextKinematicTranslation({ x: atX, y: atY, z: HAND.centerZ })
    world.step()
  }
}

describe.each(['simd', 'scalar'] as const)('physics on the %s build', (build) => {
  it('pushes a cube that has been idle for two seconds', async () => {
    const engine = await loadPhysics(build)
    const scene = bench(engine)
    const cube = addCube(engine, scene.world, 0)
    for (let i = 0; i < 480; i++) scene.world.step()
    moveTarget(scene, 0.1, 0, 300)
    expect(cube.translation().x).toBeGreaterThan(0.139)
    expect(cube.translation().x - scene.hand.translation().x).toBeCloseTo(0.04, 3)
    scene.world.free()
  })

  it('lets a cube slide as far as Coulomb friction says, within 2 %', async () => {
    const engine = await loadPhysics(build)
    const { world } = bench(engine)
    const cube = addCube(engine, world, 0.1)
    for (let i = 0; i < 24; i++) world.step()
    const start = cube.translation().x
    cube.setLinvel({ x: 1, y: 0, z: 0 }, true)
    for (let i = 0; i < 240; i++) world.step()
    const expected = 1 / (2 * 0.5 * 9.81)
    expect(Math.abs(cube.translation().x - start - expected) / expected).toBeLessThan(0.02)
    world.free()
  })

  it('follows its target closely and stops at a wall with bounded force', async () => {
    const engine = await loadPhysics(build)
    const scene = bench(engine)
    moveTarget(scene, -0.05, 0, 60)
    expect(Math.abs(scene.hand.translation().x + 0.05)).toBeLessThan(0.002)
    const cube = addCube(engine, scene.world, 0)
    scene.world.createCollider(engine.rapier.ColliderDesc.cuboid(0.01, 0.2, 0.05).setTranslation(0.05, 0, 0.05))
    moveTarget(scene, 0.02, 0, 120)
    moveTarget(scene, 0.02, 0, 120)
    const [handX, cubeX] = [scene.hand.translation().x, cube.translation().x]
    // The contact frequency does not stiffen contacts with fixed bodies.
    expect(cubeX + 0.02 - 0.04).toBeLessThan(0.0025)
    expect(handX + 0.02 - (cubeX - 0.02)).toBeLessThan(0.0015)
    expect(scene.target.translation().x - handX).toBeGreaterThan(0.015)
    scene.world.free()
  })

  it('does not drag a puck that the hand circles without touching it', async () => {
    const engine = await loadPhysics(build)
    const scene = bench(engine)
    const puck = scene.world.createRigidBody(
      engine.rapier.RigidBodyDesc.dynamic().setTranslation(0, 0, 0.015).setCanSleep(false).setLinearDamping(100),
    )
    scene.world.createCollider(engine.rapier.ColliderDesc.cylinder(0.015, 0.04).setRotation(Z_UP).setMass(0.2), puck)
    moveTarget(scene, -0.04, 0, 120)
    moveTarget(scene, -0.04, 0, 24)
    const touched = puck.translation()
    expect(touched.x).toBeGreaterThan(0.015)
    moveTarget(scene, touched.x - 0.065, 0, 12)
    for (let i = 1; i <= 64; i++) {
      const angle = Math.PI - (i / 64) * 2 * Math.PI
      moveTarget(scene, touched.x + 0.065 * Math.cos(angle), touched.y + 0.065 * Math.sin(angle), 2)
    }
    const { x, y } = puck.translation()
    expect(Math.hypot(x - touched.x, y - touched.y)).toBeLessThan(1e-4)
    scene.world.free()
  })

  it('continues a restored snapshot bit for bit, in contact and with its settings', async () => {
    const engine = await loadPhysics(build)
    const scene = bench(engine)
    const cubes = [0, 0.05, 0.1].map((x) => addCube(engine, scene.world, x))
    moveTarget(scene, -0.02, 0, 60)
    const restored = restoreWorld(engine, scene.world.takeSnapshot())
    const copy = {
      world: restored,
      hand: restored.getRigidBody(scene.hand.handle),
      target: restored.getRigidBody(scene.target.handle),
    }
    for (const each of [scene, copy]) moveTarget(each, 0.08, 0.03, 200)
    expect(cubes[2]!.translation().x).toBeGreaterThan(0.12)
    expect(Buffer.compare(scene.world.takeSnapshot(), restored.takeSnapshot())).toBe(0)
    scene.world.free()
    restored.free()
  })
})
