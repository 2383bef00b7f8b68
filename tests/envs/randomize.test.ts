import { describe, expect, it } from 'vitest'
import { checkEnv } from '../../envs/check.ts'
import { envs, makeEnv } from '../../envs/index.ts'
import { ActionChannel } from '../../envs/look/action-channel.ts'
import type { RandomizeOptions } from '../../envs/look/randomize.ts'
import { loadPhysics } from '../../envs/world/engine.ts'
import { createWorld } from '../../envs/world/physics-world.ts'
import { scaleDynamics } from '../../envs/world/scale-dynamics.ts'
import type { CameraEnv, Env, SimulatedGoalEnv, Info } from '../../src/core/env.ts'
import { isGoalEnv } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'

const EVERYTHING: RandomizeOptions = {
  hue: 1,
  texture: 1,
  light: 1,
  camera: 1,
  mass: 1,
  friction: 1,
  actionDelay: 2,
  actionNoise: 0.05,
}
const PUSH = Float32Array.of(0.1, 1)

type SceneEnv = SimulatedGoalEnv & CameraEnv

async function makePushPuck(randomize: RandomizeOptions, options: object = {}): Promise<SceneEnv> {
  return (await makeEnv('armature/PushPuck-v0', { size: 32, supersample: 'off', randomize, ...options })) as SceneEnv
}

interface Episode {
  readonly info: Info
  readonly image: Uint8Array
  readonly ids: Uint16Array
  readonly human: Uint8Array
  readonly goal: Float32Array
  readonly start: Float32Array
  /** After some steps towards the puck and with it. */
  readonly end: Float32Array
}

async function episodesOf(env: SceneEnv, count: number): Promise<Episode[]> {
  const episodes: Episode[] = []
  for (let i = 0; i < count; i++) {
    const { observation, info } = await env.reset({ ...(i === 0 ? { seed: 5 } : {}), options: { start: 'random' } })
    const shown = {
      info,
      image: observation.images['front']!.slice(),
      ids: await env.renderIds(),
      human: await env.render('human', { width: 32, height: 24 }),
      goal: env.goal.slice(),
      start: observation.state.slice(),
    }
    await env.reset({ options: { start: 'default' } })
    for (let step = 0; step < 8; step++) await env.step(PUSH)
    episodes.push({ ...shown, end: observation.state.slice() })
  }
  return episodes
}

function drawn(infos: readonly Info[], key: string): number[] {
  return infos.map((info) => info[key]!)
}

/** That values fill [low, high] and do not leave it. */
function expectSpread(values: readonly number[], low: number, high: number): void {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const slack = 0.3 * (high - low)
  expect(least).toBeGreaterThanOrEqual(low)
  expect(most).toBeLessThanOrEqual(high)
  expect(least).toBeLessThan(low + slack)
  expect(most).toBeGreaterThan(high - slack)
}

async function infosOf(randomize: RandomizeOptions, count: number): Promise<Info[]> {
  const env = await makePushPuck(randomize, { size: 1 })
  const infos: Info[] = []
  for (let i = 0; i < count; i++) infos.push((await env.reset(i === 0 ? { seed: 1 } : {})).info)
  await env.close()
  return infos
}

describe('randomisation', () => {
  it.each([
    ['hue', { hue: 1 }, ['image', 'human']],
    ['texture', { texture: 1 }, ['image', 'human']],
    ['light', { light: 1 }, ['image', 'human']],
    ['camera', { camera: 1 }, ['image', 'ids']],
    ['mass', { mass: 5 }, ['end']],
    ['friction', { friction: 5 }, ['end']],
    ['actionDelay', { actionDelay: 3 }, ['end']],
    ['actionNoise', { actionNoise: 0.2 }, ['end']],
  ] as const)('of %s changes that and nothing else', async (_, options, changing) => {
    const [plainEnv, env] = [await makePushPuck({}), await makePushPuck(options)]
    const [plain, varied] = [await episodesOf(plainEnv, 3), await episodesOf(env, 3)]
    const names = ['image', 'ids', 'human', 'goal', 'start', 'end'] as const
    const changed = names.filter((name) =>
      plain.some((episode, i) => String(episode[name]) !== String(varied[i]![name])),
    )
    expect(changed).toEqual(changing)
    for (const [i, { info }] of plain.entries()) expect(varied[i]!.info).toMatchObject(info)
    await env.close()
    await plainEnv.close()
  })

  it('draws each kind the same with and without the others', async () => {
    const together = await infosOf(EVERYTHING, 3)
    let compared = 0
    for (const [kind, amount] of Object.entries(EVERYTHING)) {
      for (const [i, alone] of (await infosOf({ [kind]: amount }, 3)).entries()) {
        const random = Object.entries(alone).filter(([key]) => key.startsWith('random_'))
        if (kind !== 'actionNoise') expect(random.length).toBeGreaterThan(0)
        for (const [key, value] of random) expect(together[i]![key]).toBe(value)
        compared += random.length
      }
    }
    expect(compared).toBe(
      together.flatMap((info) => Object.keys(info).filter((key) => key.startsWith('random_'))).length,
    )
  })

  it('stays within the ranges of its strengths, and fills them', async () => {
    const infos = await infosOf({ ...EVERYTHING, mass: 2 }, 40)
    expectSpread(drawn(infos, 'random_mass_scale'), 0.96, 1.04)
    expectSpread(drawn(infos, 'random_friction_scale'), 0.9, 1.1)
    expectSpread(drawn(infos, 'random_light_ambient'), 0.35, 0.55)
    expectSpread(drawn(infos, 'random_camera_front_dx_m'), -0.01, 0.01)
    expectSpread(drawn(infos, 'random_camera_front_turn_rad'), -0.087, 0.087)
    expectSpread(drawn(infos, 'random_camera_front_fov_deg'), 30, 40)
    expectSpread(drawn(infos, 'random_hue_puck_rad'), -Math.PI / 5, Math.PI / 5)
    expectSpread(drawn(infos, 'random_texture_table_scale_m'), 0.05, 0.2)
    expect(new Set(drawn(infos, 'random_texture_table_kind'))).toEqual(new Set([0, 1, 2, 3]))
    expect(new Set(drawn(infos, 'random_action_delay_steps'))).toEqual(new Set([0, 1, 2]))
    const length = Math.hypot(0.25, 0.35, 1)
    for (const info of infos) {
      const [x, y, z] = [info['random_light_x']!, info['random_light_y']!, info['random_light_z']!]
      expect(Math.acos((-0.25 * x + 0.35 * y + z) / length)).toBeLessThanOrEqual(0.35)
    }
    expect(infos.some((info) => 'random_camera_human_dx_m' in info)).toBe(false)
  })

  it('puts the camera where it says', async () => {
    const env = await makePushPuck({ camera: 1 })
    const { info } = await env.reset({ seed: 3 })
    const { extrinsics, intrinsics } = await env.cameraMatrices('front')
    const eye = [
      info['random_camera_front_dx_m']!,
      -0.2 + info['random_camera_front_dy_m']!,
      0.82 + info['random_camera_front_dz_m']!,
    ]
    for (let r = 0; r < 12; r += 4) {
      const q =
        extrinsics[r]! * eye[0]! + extrinsics[r + 1]! * eye[1]! + extrinsics[r + 2]! * eye[2]! + extrinsics[r + 3]!
      expect(q).toBeCloseTo(0, 9)
    }
    expect(intrinsics[0]).toBeCloseTo(16 / Math.tan((info['random_camera_front_fov_deg']! * Math.PI) / 360), 9)
    // The same at another size, made only now.
    const other = await env.cameraMatrices('front', { width: 20, height: 20 })
    expect(other.extrinsics).toEqual(extrinsics)
    await env.close()
  })

  it('delays actions by whole steps, from standing still', async () => {
    const [plain, env] = [await makePushPuck({}), await makePushPuck({ actionDelay: 3 })]
    const delays = new Set<number>()
    for (let episode = 0; episode < 8; episode++) {
      const seed = episode === 0 ? { seed: 1 } : {}
      await plain.reset(seed)
      const { info } = await env.reset(seed)
      const delay = info['random_action_delay_steps']!
      delays.add(delay)
      const rng = new Rng(episode)
      const actions = Array.from({ length: 12 }, () => rng.fillUniform(new Float32Array(2), -1, 1))
      for (const [i, action] of actions.entries()) {
        const late = await env.step(action)
        const { observation } = await plain.step(i < delay ? new Float32Array(2) : actions[i - delay]!)
        expect(late.observation.state).toEqual(observation.state)
      }
    }
    expect(delays.size).toBeGreaterThan(2)
    await env.close()
    await plain.close()
  })

  it('is off without strength, and refuses nonsense', async () => {
    const env = await makePushPuck({ hue: 0, actionDelay: 0 })
    expect(Object.keys((await env.reset({ seed: 1 })).info)).toEqual([
      'success',
      'hand_distance',
      'puck_distance',
      'distance',
    ])
    const plain = await makeEnv('armature/PushPuck-v0', { size: 32, supersample: 'off' })
    await plain.reset({ seed: 1 })
    expect(await env.saveState()).toEqual(await (plain as SimulatedGoalEnv).saveState())
    await env.close()
    await plain.close()
    const attempt = (randomize: object): Promise<unknown> => makePushPuck(randomize)
    await expect(attempt({ colour: 1 })).rejects.toThrow(/no option "colour"/)
    await expect(attempt({ hue: -1 })).rejects.toThrow(/from 0 to 5/)
    await expect(attempt({ actionDelay: 0.5 })).rejects.toThrow(/an integer/)
  })

  it.each([
    ['colour', {}],
    ['discs', { physics: 'scalar', start: 'random' }],
    ['texture', { cameras: ['front', 'human'] }],
    ['none', { size: 24, supersample: 'off' }],
  ])('keeps the contract with all of it on, before a distractor: %s', async (distractor, options) => {
    const everything = { size: 48, supersample: 'on', distractor, ...options }
    const results = await checkEnv(() => makePushPuck(EVERYTHING, everything), { steps: 40 })
    expect(results.filter((result) => !result.ok)).toEqual([])
  })
})

describe('masses and frictions of other scenes', () => {
  const small = { size: 1, supersample: 'off' }
  const physical = { mass: 5, friction: 5 }
  /** What the expert's first steps lead to, in two episodes. */
  const statesAfter = async (id: string, steps: number, options: object): Promise<string> => {
    const env = await makeEnv(id, { ...small, ...options })
    let states = ''
    for (const seed of [0, 3]) {
      let { observation } = await env.reset({ seed })
      const act = envs[id]!.expert!()
      for (let i = 0; i < steps; i++) {
        ;({ observation } = await env.step(act(observation, isGoalEnv(env) ? env.goal : undefined)))
      }
      states += String(observation.state)
    }
    await env.close()
    return states
  }

  it.each([
    ['armature/PushMulti-v0', 60, {}],
    ['armature/PushMulti-v0', 60, { appearance: 'random' }],
    ['armature/PickPlace-v0', 30, {}],
    ['armature/GraspBin-v0', 1, {}],
    ['armature/Door-v0', 30, {}],
  ] as const)('are drawn for each episode and keep the contract: %s after %i steps, %o', async (id, steps, options) => {
    const plain = await statesAfter(id, steps, options)
    expect(await statesAfter(id, steps, { ...options, randomize: physical })).not.toBe(plain)
    const make = (): Promise<Env> => makeEnv(id, { ...options, size: 48, randomize: physical })
    const results = await checkEnv(make, { steps: 8 })
    expect(results.filter(({ ok }) => !ok)).toEqual([])
  })

  it('are refused where there are none', async () => {
    const attempt = (id: string, randomize: object): Promise<Env> => makeEnv(id, { ...small, randomize })
    await expect(attempt('armature/CartPole-v0', { friction: 1 })).rejects.toThrow(/friction, which this scene cannot/)
    await expect(attempt('armature/RingWorld-v0', { mass: 1 })).rejects.toThrow(/mass, which this scene cannot/)
    await (await attempt('armature/CartPole-v0', { mass: 1 })).close()
  })
})

describe('an action channel', () => {
  it('adds noise of its strength and stays within the actions', () => {
    const channel = new ActionChannel(2, 0, 0.1)
    channel.begin(new Rng(1))
    let [sum, squares] = [0, 0]
    for (let i = 0; i < 2000; i++) {
      const [x, y] = channel.pass(Float32Array.of(0.2, 1)) as unknown as [number, number]
      sum += x - 0.2
      squares += (x - 0.2) ** 2
      expect(y).toBeLessThanOrEqual(1)
    }
    expect(Math.abs(sum / 2000)).toBeLessThan(0.01)
    expect(Math.sqrt(squares / 2000)).toBeCloseTo(0.1, 1.8)
  })
})

describe('scaleDynamics', () => {
  it.each(['simd', 'scalar'] as const)('scales what moves and what rubs, and 1 is nothing (%s)', async (build) => {
    const engine = await loadPhysics(build)
    const { rapier } = engine
    const world = createWorld(engine)
    const ground = world.createCollider(rapier.ColliderDesc.cuboid(1, 1, 0.1).setFriction(0.5))
    const body = world.createRigidBody(rapier.RigidBodyDesc.dynamic().setTranslation(0, 0, 1))
    const box = world.createCollider(rapier.ColliderDesc.cuboid(0.1, 0.1, 0.1).setMass(0.4).setFriction(0.8), body)
    const groundMass = ground.mass()
    const before = world.takeSnapshot()
    scaleDynamics(world, 1, 1)
    expect(Buffer.compare(world.takeSnapshot(), before)).toBe(0)
    scaleDynamics(world, 1.5, 0.5)
    world.step()
    expect(box.mass()).toBeCloseTo(0.6, 6)
    expect(body.mass()).toBeCloseTo(0.6, 6)
    expect(ground.mass()).toBe(groundMass)
    expect([box.friction(), ground.friction()].map((x) => Number(x.toFixed(6)))).toEqual([0.4, 0.25])
    world.free()
  })
})
