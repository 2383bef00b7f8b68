import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { World } from '@dimforge/rapier3d-simd-compat'
import { describe, expect, it } from 'vitest'
import { armReachExpert } from '../../../envs/experts/arm-reach.ts'
import { addArm, Arm, ArmPlan } from '../../../envs/robots/arm.ts'
import { InverseKinematics } from '../../../envs/robots/inverse-kinematics.ts'
import { Kinematics } from '../../../envs/robots/kinematics.ts'
import type { RobotModel } from '../../../envs/robots/robot-model.ts'
import { fitArm } from '../../../envs/robots/urdf-arm.ts'
import { loadUrdf } from '../../../envs/robots/urdf-files.ts'
import { makeArmReach } from '../../../envs/tasks/arm-reach.ts'
import { loadPhysics } from '../../../envs/world/engine.ts'
import { createWorld } from '../../../envs/world/physics-world.ts'
import type { GoalEnv } from '../../../src/core/env.ts'
import { Rng } from '../../../src/core/rng.ts'

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url))
/** Files that were written elsewhere, to try on this machine: see fixtures/README.md. */
const FOREIGN = (process.env['ARMATURE_URDF'] ?? '').split(delimiter).filter((path) => path !== '')
const SEVEN = `${FIXTURES}seven-joints.urdf`
const PICK_ARM = `${FIXTURES}pick-arm.urdf`
const FILES = [SEVEN, PICK_ARM, ...FOREIGN]

const BUILDS = ['simd', 'scalar'] as const
/** Substeps of a move and of the rest after it: 0.4 s each. */
const MOVE = 96
const REST = 96

interface Stand {
  readonly world: World
  readonly plan: ArmPlan
  readonly arm: Arm
}

async function stand(model: RobotModel, build: (typeof BUILDS)[number]): Promise<Stand> {
  const engine = await loadPhysics(build)
  const world = createWorld(engine)
  world.integrationParameters.numSolverIterations = 2
  world.integrationParameters.numInternalPgsIterations = 4
  const base = { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] } as const
  const { lower, upper } = new Kinematics(model)
  const home = [...lower].map((low, j) => (Number.isFinite(low) ? (low + upper[j]!) / 2 : 0))
  const plan = new ArmPlan({
    model,
    base,
    home,
    collisionGroups: 0x00040000,
    gains: () => ({ stiffness: 5000, damping: 250 }),
  })
  return { world, plan, arm: new Arm(world, addArm(engine, world, plan), plan) }
}

/** Leads the arm to `goal` in a straight line of its joints, and rests there. */
function goTo({ world, arm }: Stand, goal: ArrayLike<number>): void {
  arm.read()
  const from = arm.q.slice()
  const speed = from.map((q, j) => ((goal[j]! - q) * 240) / MOVE)
  for (let i = 1; i <= MOVE + REST; i++) {
    const share = Math.min(1, i / MOVE)
    arm.setTargets(
      from.map((q, j) => q + (goal[j]! - q) * share),
      i < MOVE ? speed : new Float64Array(from.length),
    )
    world.step()
  }
  arm.read()
}

describe.each(FILES.flatMap((path) => BUILDS.map((build) => [path, build] as const)))(
  'an arm from %s on the %s build',
  (path, build) => {
    const model = loadUrdf(path, { visuals: 'collision' })

    it('stands where it is put', async () => {
      const { world, plan, arm } = await stand(model, build)
      for (let i = 0; i < 480; i++) world.step()
      arm.read()
      for (const [j, home] of plan.spec.home.entries()) {
        expect(Math.abs(arm.q[j]! - home)).toBeLessThan(1e-4)
        expect(Math.abs(arm.qd[j]!)).toBeLessThan(1e-4)
      }
      world.free()
    })

    it('reaches random poses within 5 mm', async () => {
      const scene = await stand(model, build)
      const { plan, arm, world } = scene
      const chain = new Kinematics(model)
      chain.lower.set(plan.lower)
      chain.upper.set(plan.upper)
      const ik = new InverseKinematics(chain, { iterations: 50 })
      const rng = new Rng(5)
      const solution = Float64Array.from(plan.spec.home)
      const { root } = plan.groups.at(-1)!
      let worst = 0
      for (let pose = 0; pose < (path === PICK_ARM ? 10 : 50); pose++) {
        chain.forward(plan.lower.map((low, j) => rng.uniform(low, plan.upper[j]!)))
        const target = { position: chain.positions.slice(-3), rotation: chain.rotations.slice(-9) }
        const [x, y, z] = chain.positions.slice(3 * root, 3 * root + 3)
        expect(ik.solve(solution, target, rng, 60)).toBeLessThan(1e-3)
        goTo(scene, solution)
        const at = arm.body(plan.groups.length - 1).translation()
        worst = Math.max(worst, Math.hypot(at.x - x!, at.y - y!, at.z - z!))
      }

      expect(worst).toBeLessThan(5e-3)
      world.free()
    })

    it('stops at its limits', async () => {
      const scene = await stand(model, build)
      for (const [side, sign] of [
        ['lower', -1],
        ['upper', 1],
      ] as const) {
        const beyond = scene.plan[side].map((limit) => limit + 0.3 * sign)
        goTo(scene, beyond)
        const limits = [...scene.plan[side]]

        for (const [j, limit] of limits.entries()) expect(sign * (scene.arm.q[j]! - limit)).toBeLessThan(0.01)
      }
      scene.world.free()
    })
  },
)

describe('fitArm', () => {
  const base = { positionM: [-0.5, 0, 0], quatXyzw: [0, 0, 0, 1] } as const
  const box = [
    [-0.1, -0.2, 0.1],
    [0.1, 0.2, 0.3],
  ] as const

  it('puts the tip in the middle of the box, pointing down, with all links off the ground', () => {
    const model = loadUrdf(SEVEN)
    const fitted = fitArm(model, 'tool', base, box)
    expect(fitted.box).toEqual(box)
    // The arm is 1.306 m high when it is stretched.
    expect(fitted.reachM).toBeGreaterThan(1.2)
    expect(fitted.reachM).toBeLessThan(1.307)
    const kinematics = new Kinematics(model, base)
    kinematics.forward(fitted.home)
    const tip = kinematics.positions.slice(-3)
    expect(Math.hypot(tip[0]!, tip[1]!, tip[2]! - 0.2)).toBeLessThan(1e-3)
    expect(kinematics.rotations.at(-1)).toBeLessThan(-0.5)
    for (let link = 1; link < model.links.length; link++)
      expect(kinematics.positions[3 * link + 2]).toBeGreaterThan(0.03)
  })

  it('shrinks the box for a small robot', () => {
    const model = loadUrdf(SEVEN)
    const small = {
      ...model,
      joints: model.joints.map((joint) => {
        const [x, y, z] = joint.origin.positionM
        return { ...joint, origin: { ...joint.origin, positionM: [x / 4, y / 4, z / 4] as const } }
      }),
    }
    const { box: shrunk, reachM } = fitArm(small, 'tool', base, box)
    expect(reachM).toBeLessThan(1.307 / 4)
    const scale = shrunk[1][2] / 0.3
    expect(scale).toBeGreaterThan(0.1)
    expect(scale).toBeLessThan(0.5)
    expect(shrunk[1][0]).toBeCloseTo(-0.5 + 0.6 * scale, 12)
  })
})

describe("ArmReach with a robot of one's own", () => {
  const make = (robot: string, more: Record<string, string> = {}): Promise<GoalEnv> =>
    makeArmReach({ robot, size: 1, supersample: 'off', ...more })

  it.each([[SEVEN, 'tool'], ...FOREIGN.map((path) => [path, undefined] as const)] as const)(
    '%s, whose tip goes to its goals',
    async (path, tip) => {
      const env = await make(path, { looks: 'collision', ...(tip === undefined ? {} : { tip }) })
      let successes = 0
      for (let seed = 0; seed < 10; seed++) {
        const expert = armReachExpert()
        let { observation } = await env.reset({ seed })
        let success = 0
        for (let step = 0; step < 50 && success === 0; step++) {
          const result = await env.step(expert(observation, env.goal))
          observation = result.observation
          success = result.info['success']!
        }
        successes += success
      }
      expect(successes).toBe(10)
      await env.close()
    },
  )

  it('is the same each time, and continues from a saved state', async () => {
    const [first, second] = [await make(SEVEN), await make(SEVEN)]
    const action = Float32Array.of(1, -1, 0.5)
    await first.reset({ seed: 1 })
    for (let i = 0; i < 5; i++) await first.step(action)
    await second.restoreState(await first.saveState())
    const after = [await first.step(action), await second.step(action)]
    expect(after[1]!.observation.proprio).toEqual(after[0]!.observation.proprio)
    await first.close()
    await second.close()
  })

  it('refuses robots that cannot do it', async () => {
    await expect(make(SEVEN, { tip: 'hand' })).rejects.toThrow(/"hand".*no such link/)
    await expect(make(SEVEN, { tip: 'link_0' })).rejects.toThrow(/joints that move its link "link_0"/)
    await expect(make(SEVEN, { tip: 'link_2' })).rejects.toThrow(
      /its tip "link_2": expected one that reaches places before it.*got a reach of 0\.36 m/,
    )
    await expect(make(`${FIXTURES}none.urdf`)).rejects.toThrow(/URDF file .*none.urdf/)
  })
})
