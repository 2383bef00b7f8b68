import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { World } from '@dimforge/rapier3d-simd-compat'
import { describe, expect, it } from 'vitest'
import { armReachExpert } from '../../../envs/experts/arm-reach.ts'
import type { Workplace } from '../../../envs/robots/fit-arm.ts'
import { fitArm } from '../../../envs/robots/fit-arm.ts'
import { addArm, Arm, ArmPlan } from '../../../envs/robots/arm.ts'
import { Kinematics } from '../../../envs/robots/kinematics.ts'
import type { PoseSpec, RobotModel } from '../../../envs/robots/robot-model.ts'
import { quatOfRpy } from '../../../envs/robots/rotations.ts'
import { loadUrdf } from '../../../envs/robots/urdf-files.ts'
import { withUsualStrength } from '../../../envs/robots/usual-strength.ts'
import { makeArmReach } from '../../../envs/tasks/arm-reach.ts'
import { loadPhysics } from '../../../envs/world/engine.ts'
import { createWorld } from '../../../envs/world/physics-world.ts'
import type { SimulatedGoalEnv } from '../../../src/core/env.ts'
import { Rng } from '../../../src/core/rng.ts'

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url))
/** Files that were written elsewhere, to try on this machine: see fixtures/README.md. */
const FOREIGN = (process.env['ARMATURE_URDF'] ?? '').split(delimiter).filter((path) => path !== '')
const SEVEN = `${FIXTURES}seven-joints.urdf`
const PICK_ARM = `${FIXTURES}pick-arm.urdf`
const FILES = [SEVEN, PICK_ARM, ...FOREIGN]

const BUILDS = ['simd', 'scalar'] as const
const HZ = 240
/** As many times what the joints' top speeds allow a move may take, and as long the rest after it, s. */
const UNHURRIED = 4
const REST_S = 1.5

interface Stand {
  readonly world: World
  readonly plan: ArmPlan
  readonly arm: Arm
}

async function stand(described: RobotModel, build: (typeof BUILDS)[number]): Promise<Stand> {
  const model = withUsualStrength(described)
  const engine = await loadPhysics(build)
  const world = createWorld(engine)
  world.integrationParameters.numSolverIterations = 2
  world.integrationParameters.numInternalPgsIterations = 16
  const base = { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] } as const
  const { lower, upper } = new Kinematics(model)
  const home = [...lower].map((low, j) => (Number.isFinite(low) ? (low + upper[j]!) / 2 : 0))
  const plan = new ArmPlan({
    model,
    base,
    home,
    zero: 'middle',
    collisionGroups: 0x00040000,
  })
  return { world, plan, arm: new Arm(world, addArm(engine, world, plan), plan) }
}

/** Leads the arm to `goal`, slowly enough for the speeds and efforts of its joints, and rests there. */
function goTo({ world, arm, plan }: Stand, goal: ArrayLike<number>): void {
  arm.read()
  const from = arm.q.slice()
  const { joints } = plan.kinematics
  const seconds = joints.map(({ maxSpeed }, j) => (UNHURRIED * Math.abs(goal[j]! - from[j]!)) / maxSpeed)
  const move = Math.ceil(HZ * Math.max(0.2, ...seconds))
  for (let i = 1; i <= move + REST_S * HZ; i++) {
    const t = Math.min(1, i / move)
    const [share, rate] = [t * t * (3 - 2 * t), (6 * t * (1 - t) * HZ) / move]
    arm.setTargets(
      from.map((q, j) => q + (goal[j]! - q) * share),
      from.map((q, j) => (goal[j]! - q) * rate),
    )
    world.step()
  }
  arm.read()
}

/** The furthest that the last body of an arm comes to rest from where it was sent, over random poses, metres. */
function worstMiss(scene: Stand, poses: number): number {
  const { plan, arm } = scene
  const { kinematics } = plan
  const rng = new Rng(5)
  const { root } = plan.groups.at(-1)!
  let worst = 0
  for (let pose = 0; pose < poses; pose++) {
    const q = plan.lower.map((low, j) => rng.uniform(low, plan.upper[j]!))
    goTo(scene, q)
    kinematics.forward(q)
    const [x, y, z] = kinematics.positions.slice(3 * root, 3 * root + 3)
    const at = arm.body(plan.groups.length - 1).translation()
    worst = Math.max(worst, Math.hypot(at.x - x!, at.y - y!, at.z - z!))
  }
  return worst
}

describe.each(FILES.flatMap((path) => BUILDS.map((build) => [path, build] as const)))(
  'an arm from %s on the %s build',
  async (path, build) => {
    const model = await loadUrdf(path)

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

    it('comes to rest within 5 mm of random poses', async () => {
      const scene = await stand(model, build)
      expect(worstMiss(scene, 6)).toBeLessThan(5e-3)
      scene.world.free()
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

it('tells an arm that is too weak for its own inertia from a sound one', async () => {
  const sound = await loadUrdf(SEVEN)
  const joints = sound.joints.map((joint) => (joint.kind === 'fixed' ? joint : { ...joint, maxEffort: 1e-3 }))
  const scene = await stand({ ...sound, joints }, 'simd')
  expect(worstMiss(scene, 3)).toBeGreaterThan(0.05)
  scene.world.free()
})

describe('fitArm', async () => {
  const place: Workplace = {
    base: { positionM: [-0.5, 0, 0], quatXyzw: [0, 0, 0, 1] },
    box: [
      [-0.1, -0.2, 0.1],
      [0.1, 0.2, 0.3],
    ],
    table: { low: [-0.4, -0.6], high: [0.8, 0.6] },
  }
  const model = await loadUrdf(SEVEN)
  const scaled = (factor: number): RobotModel => ({
    ...model,
    links: model.links.map((link) => ({ ...link, collisions: [] })),
    joints: model.joints.map((joint) => {
      const [x, y, z] = joint.origin.positionM
      return { ...joint, origin: { ...joint.origin, positionM: [factor * x, factor * y, factor * z] as const } }
    }),
  })
  const mounted = (origin: PoseSpec): RobotModel => {
    const root = { ...model.links.at(-1)!, name: 'floor', visuals: [], collisions: [] }
    const mount = { ...model.joints.at(-1)!, name: 'mount', parent: 'floor', child: model.links[0]!.name, origin }
    return { ...model, links: [root, ...model.links], joints: [mount, ...model.joints] }
  }

  it('puts the tip in the middle of the box, pointing down, with all links off the ground', () => {
    const fitted = fitArm(model, 'tool', place)
    expect(fitted).toMatchObject({ box: place.box, scale: 1, base: place.base })
    expect(fitted.moved).toBeUndefined()
    // From its first joint the arm is 1.15 m long when it is stretched.
    expect(fitted.reachM).toBeGreaterThan(1)
    expect(fitted.reachM).toBeLessThan(1.15)
    const kinematics = new Kinematics(model, place.base)
    kinematics.forward(fitted.home)
    const tip = kinematics.positions.slice(-3)
    expect(Math.hypot(tip[0]!, tip[1]!, tip[2]! - 0.2)).toBeLessThan(1e-3)
    expect(kinematics.rotations.at(-1)).toBeLessThan(-0.5)
    for (let link = 1; link < model.links.length; link++)
      expect(kinematics.positions[3 * link + 2]).toBeGreaterThan(0.03)
  })

  it.each([
    [1 / 4, 0.1, 0.5],
    [1 / 12, 0.04, 0.2],
    [4, 2, 5],
  ])('scales the box for a robot of %s times the size', (factor, least, most) => {
    const { box, scale } = fitArm(scaled(factor), 'tool', place)
    expect(scale).toBeGreaterThan(least)
    expect(scale).toBeLessThan(most)
    expect(box[1][2]).toBeCloseTo(0.3 * scale, 12)
    expect(box[1][0]).toBeCloseTo(-0.5 + 0.6 * scale, 12)
  })

  it('lowers a robot on a pedestal to the table, and says so', () => {
    const { base, moved, scale } = fitArm(mounted({ positionM: [0, 0, 0.9], quatXyzw: [0, 0, 0, 1] }), 'tool', place)
    expect(scale).toBeGreaterThan(0.5)
    expect(base.positionM[2]).toBeCloseTo(-0.9, 12)
    expect(moved).toMatch(/stands on the table \(base.positionM=\[-0.5,0,-0.9\]\)/)
  })

  it('leaves the base where it is told to stand', () => {
    const base = { positionM: [-0.45, 0.05, 0.1], quatXyzw: quatOfRpy(0, 0, Math.PI / 2) } as const
    expect(fitArm(model, 'tool', place, base).base).toBe(base)
    const away = { positionM: [-9, 0, 0], quatXyzw: [0, 0, 0, 1] } as const
    expect(() => fitArm(model, 'tool', place, away)).toThrow(/reaches places before it.*set base.yawDeg/)
  })
})

describe("ArmReach with a robot of one's own", () => {
  const make = (robot: string, more: Record<string, string> = {}): Promise<SimulatedGoalEnv> =>
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
    await expect(make(SEVEN, { tip: 'hand' })).rejects.toThrow(/"hand".*no such link; set tip to one of tool/)
    await expect(make(SEVEN, { tip: 'tol' })).rejects.toThrow(/"tol".*did you mean tool/)
    await expect(make(SEVEN, { tip: 'link_0' })).rejects.toThrow(/joints that move its link "link_0"/)
    await expect(make(SEVEN, { tip: 'link_2' })).rejects.toThrow(/its tip "link_2": expected one that reaches places/)
    await expect(make(`${FIXTURES}none.urdf`)).rejects.toThrow(/URDF file .*none.urdf/)
    await expect(makeArmReach({ tip: 'tool' })).rejects.toThrow(/option tip: got no robot that it is for/)
  })
})
