import { describe, expect, it } from 'vitest'
import type { World } from '@dimforge/rapier3d-simd-compat'
import type { ArmSpec } from '../../../envs/robots/arm.ts'
import { addArm, Arm, ArmPlan } from '../../../envs/robots/arm.ts'
import type { ArmControlMode } from '../../../envs/robots/arm-control.ts'
import { ArmControl } from '../../../envs/robots/arm-control.ts'
import { PANDA, PANDA_WITH_GRIPPER } from '../../../envs/robots/panda.ts'
import type { RobotModel } from '../../../envs/robots/robot-model.ts'
import type { PhysicsEngine } from '../../../envs/world/engine.ts'
import { loadPhysics } from '../../../envs/world/engine.ts'
import { createWorld, restoreWorld } from '../../../envs/world/physics-world.ts'
import { Rng } from '../../../src/core/rng.ts'

const READY = [0, -Math.PI / 4, 0, (-3 * Math.PI) / 4, 0, Math.PI / 2, Math.PI / 4]
const STILL = new Float64Array(9)

interface Stand {
  readonly world: World
  readonly plan: ArmPlan
  readonly arm: Arm
  readonly handles: ReturnType<typeof addArm>
}

/** An arm alone in a world. */
function stand(engine: PhysicsEngine, spec: Partial<ArmSpec> = {}): Stand {
  const world = createWorld(engine)
  world.integrationParameters.numSolverIterations = 2
  world.integrationParameters.numInternalPgsIterations = 4
  const plan = new ArmPlan({
    model: PANDA,
    base: { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] },
    home: READY,
    collisionGroups: 0x00040000,
    ...spec,
  })
  const handles = addArm(engine, world, plan)
  return { world, plan, arm: new Arm(world, handles, plan), handles }
}

/** Torques [n] by which gravity turns the joints, from the links' own weights. */
function gravityTorques({ kinematics, groups }: ArmPlan): Float64Array {
  const n = kinematics.joints.length
  const [torques, jacobian] = [new Float64Array(n), new Float64Array(6 * n)]
  for (const { root, massKg, centerOfMass } of groups.slice(1)) {
    kinematics.jacobian(root, jacobian)
    const r = kinematics.rotations.subarray(9 * root, 9 * root + 9)
    const row = (i: number): number =>
      r[i]! * centerOfMass[0]! + r[i + 1]! * centerOfMass[1]! + r[i + 2]! * centerOfMass[2]!
    for (let j = 0; j < n; j++) {
      const rise = jacobian[2 * n + j]! + jacobian[3 * n + j]! * row(3) - jacobian[4 * n + j]! * row(0)
      torques[j]! -= 9.81 * massKg * rise
    }
  }
  return torques
}

/** The largest distance of a body from where the kinematics has its link at the arm's `q`. */
function worstGapM({ plan, arm }: Stand): number {
  const { kinematics, groups } = plan
  arm.read()
  kinematics.forward(arm.q)
  const gaps = groups.map(({ root }, index) => {
    const { x, y, z } = arm.body(index).translation()
    const [px, py, pz] = kinematics.positions.subarray(3 * root)
    return Math.hypot(x - px!, y - py!, z - pz!)
  })
  return Math.max(...gaps)
}

describe.each(['simd', 'scalar'] as const)('an arm on the %s build', (build) => {
  it('sags under gravity as its springs say, within 5 %', async () => {
    const engine = await loadPhysics(build)
    const scene = stand(engine, { gravityScale: 1, gains: () => ({ stiffness: 600, damping: 60 }) })
    const { world, plan, arm } = scene
    for (let i = 0; i < 720; i++) world.step()
    arm.read()
    const tip = (q: ArrayLike<number>): Float64Array => {
      plan.kinematics.forward(q)
      return plan.kinematics.positions.slice(-3)
    }
    const start = tip(READY)
    const sag = tip(arm.q).map((x, i) => x - start[i]!)
    const torques = gravityTorques(plan)
    const expected = tip(READY.map((q, j) => q + torques[j]! / 600)).map((x, i) => x - start[i]!)
    const size = Math.hypot(...expected)
    expect(size).toBeGreaterThan(0.01)
    expect(Math.hypot(...sag.map((x, i) => x - expected[i]!)) / size).toBeLessThan(0.05)
    world.free()
  })

  it('does not sag when gravity is compensated, and weakens no drive far from home', async () => {
    const engine = await loadPhysics(build)
    const { world, arm } = stand(engine)
    const far = READY.with(5, 3.7).with(0, 2.8)
    for (let i = 0; i < 960; i++) {
      const share = Math.min(1, i / 480)
      arm.setTargets(
        READY.map((q, j) => q + (far[j]! - q) * share),
        STILL,
      )
      world.step()
    }
    arm.read()
    far.forEach((q, j) => expect(Math.abs(arm.q[j]! - q)).toBeLessThan(2e-3))
    arm.qd.forEach((speed) => expect(Math.abs(speed)).toBeLessThan(1e-2))
    world.free()
  })

  it('follows a wave of 0.5 Hz with its joints together', async () => {
    const engine = await loadPhysics(build)
    const scene = stand(engine)
    const { world, arm } = scene
    let [sum, worst] = [0, 0]
    for (let i = 1; i <= 480; i++) {
      const phase = (Math.PI * i) / 240
      const target = READY.map((q) => q + 0.3 * Math.sin(phase))
      const speed = READY.map(() => 0.3 * Math.PI * Math.cos(phase))
      arm.setTargets(target, speed)
      world.step()
      arm.read()
      target.forEach((q, j) => (sum += (arm.q[j]! - q) ** 2 / (480 * 7)))
      if (i > 120) worst = Math.max(worst, ...speed.map((v, j) => Math.abs(arm.qd[j]! - v)))
    }
    expect(Math.sqrt(sum)).toBeLessThan(4e-3)
    expect(worst).toBeLessThan(0.1)
    expect(worstGapM(scene)).toBeLessThan(1e-5)
    world.free()
  })

  it('holds the limits of its joints against its own drives', async () => {
    const engine = await loadPhysics(build)
    const { world, arm, plan } = stand(engine)
    for (let i = 0; i < 480; i++) {
      arm.setTargets(
        READY.map((q, j) => (j === 3 ? 0.3 : j === 1 ? -2.2 : q)),
        STILL,
      )
      world.step()
    }
    arm.read()
    expect(Math.abs(arm.q[3]! - plan.upper[3]!)).toBeLessThan(0.01)
    expect(Math.abs(arm.q[1]! - plan.lower[1]!)).toBeLessThan(0.01)
    world.free()
  })

  it('drives no joint beyond its effort', async () => {
    const engine = await loadPhysics(build)
    const weak: RobotModel = { ...PANDA, joints: PANDA.joints.map((joint) => ({ ...joint, maxEffort: 3 })) }
    const gains = (): { stiffness: number; damping: number } => ({ stiffness: 2000, damping: 200 })
    const drops = [PANDA, weak].map((model) => {
      const { world, arm } = stand(engine, { model, gravityScale: 1, gains })
      for (let i = 0; i < 240; i++) world.step()
      arm.read()
      const drop = Math.abs(arm.q[3]! - READY[3]!)
      world.free()
      return drop
    })
    expect(drops[0]).toBeLessThan(0.02)
    expect(drops[1]).toBeGreaterThan(0.3)
  })

  it('takes a finger that follows the other along', async () => {
    const engine = await loadPhysics(build)
    const finger = PANDA_WITH_GRIPPER.joints.at(-1)!
    const model: RobotModel = {
      ...PANDA_WITH_GRIPPER,
      joints: [
        ...PANDA_WITH_GRIPPER.joints.slice(0, -1),
        { ...finger, mimic: { joint: 'finger-joint1', multiplier: 1, offset: 0 } },
      ],
    }
    const scene = stand(engine, { model, home: [...READY, 0.01] })
    for (let i = 0; i < 240; i++) {
      scene.arm.setTargets([...READY, 0.035], STILL)
      scene.world.step()
    }
    expect(worstGapM(scene)).toBeLessThan(1e-4)
    expect(scene.arm.q[7]).toBeCloseTo(0.035, 4)
    scene.world.free()
  })

  it.each(['cartesian-delta', 'joint-delta', 'joint-position'] as const)(
    'survives 2000 random actions by %s',
    async (mode: ArmControlMode) => {
      const engine = await loadPhysics(build)
      const { world, arm, plan } = stand(engine)
      const control = new ArmControl(plan, {
        mode,
        tip: 'flange',
        box: [
          [0.2, -0.3, 0.1],
          [0.6, 0.3, 0.6],
        ],
        stepM: 0.02,
        stepRad: 0.05,
        controlHz: 20,
        substeps: 4,
      })
      const rng = new Rng(1)
      const action = new Float32Array(control.actionNames.length)
      expect(action).toHaveLength(mode === 'cartesian-delta' ? 3 : 7)
      const from = arm.q.slice()
      let [travelled, strayed] = [0, false]
      for (let i = 0; i < 2000; i++) {
        // Held for a while, so that the walk meets the limits.
        if (i % 20 === 0) rng.fillUniform(action, -1, 1)
        control.step(arm, action, () => {
          world.step()
        })
        arm.read()
        strayed ||= !arm.q.every((q, j) => q > plan.lower[j]! - 0.03 && q < plan.upper[j]! + 0.03)
        travelled = Math.max(travelled, ...arm.q.map((q, j) => Math.abs(q - from[j]!)))
        if (mode !== 'cartesian-delta') continue
        const [x, y, z] = control.tipAt(arm.q)
        strayed ||= !(x! > 0.18 && x! < 0.62 && y! > -0.32 && y! < 0.32 && z! > 0.08 && z! < 0.62)
      }
      expect(strayed).toBe(false)
      expect(travelled).toBeGreaterThan(0.3)
      world.free()
    },
  )

  it('continues bit for bit in a restored world', async () => {
    const engine = await loadPhysics(build)
    const { world, plan, arm, handles } = stand(engine)
    const move = (each: Arm, its: World): void => {
      for (let i = 0; i < 60; i++) {
        each.setTargets(
          READY.map((q) => q + 0.002 * i),
          STILL,
        )
        its.step()
      }
      each.read()
    }
    move(arm, world)
    const restored = restoreWorld(engine, world.takeSnapshot())
    const again = new Arm(restored, handles, plan)
    move(arm, world)
    move(again, restored)
    expect(again.q).toEqual(arm.q)
    expect(again.qd).toEqual(arm.qd)
    world.free()
    restored.free()
  })
})

describe('an arm plan', () => {
  it('refuses a home outside the limits', () => {
    const spec = { model: PANDA, base: { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] }, collisionGroups: 0 } as const
    expect(() => new ArmPlan({ ...spec, home: READY.with(3, 0) })).toThrow('within the limits of joint1')
    expect(() => new ArmPlan({ ...spec, home: READY.slice(1) })).toThrow('7 positions')
  })

  it('keeps coordinates within half a turn of home', () => {
    const joints = PANDA.joints.map((joint) => ({ ...joint, lower: -Infinity, upper: Infinity }))
    const plan = new ArmPlan({
      model: { ...PANDA, joints },
      base: { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] },
      home: READY,
      collisionGroups: 0,
    })
    expect(plan.upper[1]).toBeCloseTo(READY[1]! + Math.PI - 0.1, 6)
    expect(plan.lower[1]).toBeCloseTo(READY[1]! - Math.PI + 0.1, 6)
  })
})
