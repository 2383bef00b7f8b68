import { describe, expect, it } from 'vitest'
import type { RigidBody, World } from '@dimforge/rapier3d-simd-compat'
import type { PhysicsEngine } from '../../envs/world/engine.ts'
import { loadPhysics } from '../../envs/world/engine.ts'
import type { GripperHandles, GripperSpec } from '../../envs/world/gripper.ts'
import { addGripper, GRIP_SETTINGS, Gripper, GRIPPER, YAW_MOTOR } from '../../envs/world/gripper.ts'
import { Z_UP } from '../../envs/world/mocap-hand.ts'
import { createWorld, restoreWorld } from '../../envs/world/physics-world.ts'

const SPEC: GripperSpec = { ...GRIPPER, yawMotor: YAW_MOTOR }
/** Commands 20 N from each finger on something 4 cm wide. */
const CLOSED = -0.04
const LOW = 0.022

type Shape = 'cube' | 'cylinder' | 'ball'

interface Bench {
  readonly world: World
  readonly gripper: Gripper
  readonly handles: GripperHandles
  readonly object: RigidBody
}

/** A table, an object of 0.1 kg and 4 cm on it, and the open gripper above. */
function bench(engine: PhysicsEngine, shape: Shape = 'cube', settings = GRIP_SETTINGS): Bench {
  const { ColliderDesc, RigidBodyDesc } = engine.rapier
  const world = createWorld(engine, settings)
  world.createCollider(ColliderDesc.cuboid(2, 2, 0.1).setTranslation(0, 0, -0.1).setFriction(0.5))
  const object = world.createRigidBody(RigidBodyDesc.dynamic().setTranslation(0, 0, 0.02).setCanSleep(false))
  const collider = {
    cube: ColliderDesc.cuboid(0.02, 0.02, 0.02),
    cylinder: ColliderDesc.cylinder(0.02, 0.02).setRotation(Z_UP),
    ball: ColliderDesc.ball(0.02),
  }[shape]
  world.createCollider(collider.setMass(0.1).setFriction(0.5), object)
  const handles = addGripper(engine, world, SPEC, [0, 0, 0.12])
  return { world, object, handles, gripper: new Gripper(world, handles, SPEC, [0, 0, 0.12, 0, SPEC.maxOpeningM]) }
}

function grasp({ gripper }: Bench): void {
  gripper.move([0, 0, LOW, 0, SPEC.maxOpeningM], 80)
  gripper.move([0, 0, LOW, 0, CLOSED], 80)
  gripper.move([0, 0, LOW, 0, CLOSED], 40)
}

/** Where the object is, seen from the gripper, in mm: along the fingers' width after undoing yaw, and up. */
function inHand({ gripper, object }: Bench): { across: number; up: number } {
  const [at, hand, yaw] = [object.translation(), gripper.position, gripper.yawRad]
  const across = -(at.x - hand.x) * Math.sin(yaw) + (at.y - hand.y) * Math.cos(yaw)
  return { across: 1e3 * across, up: 1e3 * (at.z - hand.z) }
}

function slipMm(before: ReturnType<typeof inHand>, after: ReturnType<typeof inHand>): number {
  return Math.hypot(after.across - before.across, after.up - before.up)
}

describe.each(['simd', 'scalar'] as const)('the gripper on %s physics', (build) => {
  it('sinks less than 0.5 mm into a light cube at 20 N, and less than 1.5 mm on softer contacts', async () => {
    const engine = await loadPhysics(build)
    for (const [contactFrequencyHz, depthMm] of [
      [240, 0.5],
      [120, 1.5],
    ] as const) {
      const scene = bench(engine, 'cube', { ...GRIP_SETTINGS, contactFrequencyHz })
      grasp(scene)
      // Both fingers together; the springs' force is what the gap leaves of it.
      expect(SPEC.fingerSpring.stiffnessNPerM * (scene.gripper.openingM / 2 - CLOSED / 2)).toBeGreaterThan(19)
      const depth = 1e3 * (0.04 - scene.gripper.openingM)
      expect(depth).toBeGreaterThan(0)
      expect(depth).toBeLessThan(depthMm)
      scene.world.free()
    }
  })

  it.each(['cube', 'cylinder', 'ball'] as const)(
    'lifts a %s by 20 cm and holds it for 5 s by friction',
    async (shape) => {
      const scene = bench(await loadPhysics(build), shape)
      grasp(scene)
      const grasped = inHand(scene)
      scene.gripper.move([0, 0, LOW + 0.2, 0, CLOSED], 160)
      scene.gripper.move([0, 0, LOW + 0.2, 0, CLOSED], 24)
      const lifted = inHand(scene)
      expect(scene.object.translation().z).toBeCloseTo(0.22, 2)
      expect(slipMm(grasped, lifted)).toBeLessThan(0.5)
      scene.gripper.move([0, 0, LOW + 0.2, 0, CLOSED], 1200)
      expect(slipMm(lifted, inHand(scene))).toBeLessThan(0.2)
      scene.world.free()
    },
  )

  it('keeps hold while it moves and turns, and lets go when it opens', async () => {
    const scene = bench(await loadPhysics(build))
    const { gripper, object } = scene
    grasp(scene)
    gripper.move([0, 0, 0.2, 0, CLOSED], 160)
    const before = inHand(scene)
    gripper.move([0.2, -0.1, 0.2, 1.2, CLOSED], 160)
    gripper.move([0.2, -0.1, 0.2, 1.2, CLOSED], 48)
    expect(slipMm(before, inHand(scene))).toBeLessThan(1)
    expect(gripper.yawRad).toBeCloseTo(1.2, 2)
    const { x, y } = object.translation()
    expect(Math.hypot(x - 0.2, y + 0.1)).toBeLessThan(0.002)
    gripper.move([0.2, -0.1, 0.2, 1.2, SPEC.maxOpeningM], 24)
    gripper.move([0.2, -0.1, 0.2, 1.2, SPEC.maxOpeningM], 96)
    expect(object.translation().z).toBeLessThan(0.03)
    scene.world.free()
  })

  it('stops on what it cannot pass, without winding up', async () => {
    const scene = bench(await loadPhysics(build))
    const { gripper, object } = scene
    // Both fingers come down on the cube, whose contact with the table stays as soft as Rapier makes it.
    gripper.move([0, 0, 0.12, 0, 0.02], 60)
    gripper.move([0, 0, LOW, 0, 0.02], 120)
    expect(object.translation().z).toBeGreaterThan(0.017)
    expect(gripper.position.z - 0.02 - object.translation().z).toBeGreaterThan(0.0185)
    expect(gripper.position.z - gripper.command[2]).toBeLessThan(SPEC.maxLeadM + 1e-6)
    scene.world.free()
  })

  it('lets a cube slide as far as Coulomb friction says, within 2 %, in its world, too', async () => {
    const { world, object } = bench(await loadPhysics(build))
    for (let i = 0; i < 24; i++) world.step()
    const start = object.translation().y
    object.setLinvel({ x: 0, y: 1, z: 0 }, true)
    for (let i = 0; i < 120; i++) world.step()
    const expected = 1 / (2 * 0.5 * 9.81)
    expect(Math.abs(object.translation().y - start - expected) / expected).toBeLessThan(0.02)
    world.free()
  })

  it('continues a restored snapshot bit for bit, with something in hand', async () => {
    const engine = await loadPhysics(build)
    const scene = bench(engine)
    grasp(scene)
    scene.gripper.move([0, 0, 0.1, 0, CLOSED], 50)
    const world = restoreWorld(engine, scene.world.takeSnapshot())
    const copy = new Gripper(world, scene.handles, SPEC, scene.gripper.command)
    for (const gripper of [scene.gripper, copy]) gripper.move([0.05, 0, 0.15, 0.5, CLOSED], 100)
    expect(scene.object.translation().z).toBeGreaterThan(0.14)
    expect(Buffer.compare(scene.world.takeSnapshot(), world.takeSnapshot())).toBe(0)
    scene.world.free()
    world.free()
  })
})
