import { describe, expect, it } from 'vitest'
import { graspBinExpert } from '../../envs/experts/grasp-bin.ts'
import { makeEnv } from '../../envs/index.ts'
import { OPENING_M } from '../../envs/tasks/grasp-bin-layout.ts'
import { SLOT_SIZE, SLOTS } from '../../envs/tasks/grasp-bin.ts'
import { NOVEL_COUNT, objectInstance, TRAIN_COUNT } from '../../envs/tasks/procedural-objects.ts'
import type { SimulatedEnv, SimulatedGoalEnv, StepResult } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import { sampleSpace } from '../../src/core/spaces.ts'
import { envContract } from '../contracts/env-cases.ts'

async function makeGraspBin(options: Readonly<Record<string, unknown>> = {}): Promise<SimulatedEnv> {
  return (await makeEnv('armature/GraspBin-v0', options)) as SimulatedEnv
}

/** Without a camera to speak of, for tests of the physics. */
const BLIND = { size: 1, supersample: 'off' }

/** Plays episodes with the expert (or at random) and gives the share of grasps that lifted something. */
async function liftedShare(env: SimulatedEnv, episodes: number, isRandom = false): Promise<number> {
  const [rng, action] = [new Rng(3), new Float32Array(3)]
  let [grasps, lifted] = [0, 0]
  for (let seed = 0; seed < episodes; seed++) {
    const expert = graspBinExpert()
    let { observation } = await env.reset({ seed })
    for (let isOver = false; !isOver;) {
      const chosen = isRandom ? sampleSpace(env.spec.actionSpace, rng, action) : expert(observation, undefined)
      const result = await env.step(chosen)
      observation = result.observation
      grasps++
      lifted += result.info['success']!
      isOver = result.terminated || result.truncated
    }
  }
  return lifted / grasps
}

/** Instances in the bin by the state, -1 where an object is gone. */
function instancesOf(state: Float32Array): number[] {
  return Array.from({ length: SLOTS }, (_, slot) => state[slot * SLOT_SIZE]!)
}

/** Hue (0..1) of a colour, or undefined where it is nearly grey. */
function hueOf(red: number, green: number, blue: number): number | undefined {
  const [most, least] = [Math.max(red, green, blue), Math.min(red, green, blue)]
  const chroma = most - least
  if (chroma < 0.25 * most || most < 25) return undefined
  const sector =
    most === red ? (green - blue) / chroma : most === green ? 2 + (blue - red) / chroma : 4 + (red - green) / chroma
  return (sector / 6 + 1) % 1
}

function hueDistance(a: number, b: number): number {
  const apart = Math.abs(a - b) % 1
  return Math.min(apart, 1 - apart)
}

/** Share of the pixels that have the hue of an instance. */
function shareOf(image: Uint8Array, instance: number): number {
  const hue = hueOf(...objectInstance(instance).color)!
  let count = 0
  for (let i = 0; i < image.length; i += 3) {
    const pixel = hueOf(image[i]!, image[i + 1]!, image[i + 2]!)
    if (pixel !== undefined && hueDistance(pixel, hue) < 0.03) count++
  }
  return count / (image.length / 3)
}

describe('grasping from the bin', () => {
  it.each([
    { episodes: 6, objects: 'train', physics: 'simd' },
    { episodes: 5, objects: 'novel', physics: 'simd' },
    { episodes: 2, objects: 'train', physics: 'scalar' },
  ])('lifts $objects objects that it is aimed at, on $physics physics', async ({ episodes, ...options }) => {
    const env = await makeGraspBin({ ...BLIND, ...options })
    expect(await liftedShare(env, episodes)).toBeGreaterThan(0.9)
    await env.close()
  })

  it('mostly fails when it is aimed anywhere', async () => {
    const env = await makeGraspBin(BLIND)
    const share = await liftedShare(env, 8, true)
    expect(share).toBeLessThan(0.3)
    // Some of it must work, or random play would teach nothing.
    expect(share).toBeGreaterThan(0.03)
    await env.close()
  })

  it('takes the lifted object out of the bin, pays 1, and ends when the bin is empty', async () => {
    const env = await makeGraspBin({ ...BLIND, maxEpisodeSteps: 20 })
    const expert = graspBinExpert()
    let { observation, info } = await env.reset({ seed: 2 })
    expect([info['success'], info['lifted_instance'], info['in_bin_count']]).toEqual([0, -1, SLOTS])
    let result: StepResult | undefined
    let total = 0
    for (let i = 0; i < 20 && result?.terminated !== true; i++) {
      const before = instancesOf(observation.state)
      result = await env.step(expert(observation, undefined))
      ;({ observation, info } = result)
      const after = instancesOf(observation.state)
      const gone = before.filter((instance) => !after.includes(instance))
      expect(gone).toEqual(info['success'] === 1 ? [info['lifted_instance']] : [])
      expect(info['in_bin_count']).toBe(after.filter((instance) => instance >= 0).length)
      expect(result.reward).toBe(gone.length)
      total += gone.length
    }
    expect([result!.terminated, total]).toEqual([true, SLOTS])
    await env.close()
  })

  it('continues a state saved with an object in hand, in another env, bit for bit', async () => {
    const [env, other] = [await makeGraspBin({ size: 16 }), await makeGraspBin({ size: 16 })]
    const expert = graspBinExpert()
    const { observation } = await env.reset({ seed: 3 })
    const first = await env.step(expert(observation, undefined))
    expect(first.info['success']).toBe(1)
    await other.restoreState(await env.saveState())
    for (let i = 0; i < 3; i++) {
      const action = expert(observation, undefined)
      const [here, there] = [await env.step(action), await other.step(action)]
      expect(there.info).toEqual(here.info)
      for (const [camera, image] of Object.entries(here.observation.images))
        expect(Buffer.compare(image, there.observation.images[camera]!)).toBe(0)
      expect(Buffer.compare(bytesOf(here.observation.state), bytesOf(there.observation.state))).toBe(0)
    }
    await env.close()
    await other.close()
  })

  it('puts the objects at rest on the floor, clear of each other', async () => {
    const env = await makeGraspBin(BLIND)
    const seen = new Set<number>()
    for (let seed = 0; seed < 30; seed++) {
      const { state } = (await env.reset({ seed })).observation
      const objects = Array.from({ length: SLOTS }, (_, i) => state.slice(i * SLOT_SIZE, (i + 1) * SLOT_SIZE))
      expect(new Set(instancesOf(state)).size).toBe(SLOTS)
      for (const [i, [instance, x, y, z]] of objects.entries()) {
        seen.add(instance!)
        expect(instance).toBeLessThan(TRAIN_COUNT)
        expect(Math.abs(z! - objectInstance(instance!).bottomM)).toBeLessThan(0.001)
        for (const [, otherX, otherY] of objects.slice(i + 1))
          expect(Math.hypot(x! - otherX!, y! - otherY!)).toBeGreaterThan(0.05)
      }
    }
    expect(seen.size).toBeGreaterThan(40)
    await env.close()
  })
})

/** The bin that takes commands. */
async function makeCommanded(options: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  return (await makeGraspBin({ task: 'command', ...options })) as SimulatedGoalEnv
}

envContract('GraspBin that takes commands', () => makeCommanded({ size: 24 }), 8)

describe('commanded grasps', () => {
  it('have the objects of the same bin as without commands', async () => {
    const [plain, commanded] = [await makeGraspBin(BLIND), await makeCommanded(BLIND)]
    const { state } = (await plain.reset({ seed: 4 })).observation
    expect((await commanded.reset({ seed: 4 })).observation.state.slice(0, SLOTS * SLOT_SIZE)).toEqual(state)
    await plain.close()
    await commanded.close()
  })

  it('ask for one of the objects in the bin, each as likely, and succeed and end with that one alone in hand', async () => {
    const env = await makeCommanded(BLIND)
    const asked = new Set<number>()
    let wrong = 0
    for (let seed = 0; seed < 12; seed++) {
      let { observation, info } = await env.reset({ seed })
      const wanted = env.goal[0]!
      const instances = instancesOf(observation.state)
      expect(instances).toContain(wanted)
      asked.add(instances.indexOf(wanted))
      expect([info['success'], info['distance'], env.achievedGoal(observation.state)[0]]).toEqual([0, 1, -1])
      // First another one, then the one that is wanted.
      const other = instances.find((instance) => instance !== wanted)!
      const first = await env.step(graspBinExpert()(observation, Float32Array.of(other)))
      expect([first.reward, first.info['success'], first.terminated]).toEqual([-1, 0, false])
      if (first.info['lifted_instance'] === other) wrong++
      expect(env.achievedGoal(first.observation.state)[0]).toBe(first.info['lifted_instance'])
      observation = first.observation
      if (!instancesOf(observation.state).includes(wanted)) continue
      const last = await env.step(graspBinExpert()(observation, env.goal))
      const isRight = last.info['lifted_instance'] === wanted
      expect([last.info['success'], last.terminated, last.reward + 0]).toEqual(isRight ? [1, true, 0] : [0, false, -1])
    }
    expect(wrong).toBeGreaterThan(8)
    expect(asked.size).toBeGreaterThan(3)
    await env.close()
  })

  it('show in the picture of the goal what the camera shows once it is in hand', async () => {
    const env = await makeCommanded({ size: 24 })
    let compared = 0
    for (let seed = 0; seed < 6; seed++) {
      const { observation } = await env.reset({ seed })
      const goal = await env.renderGoal(env.goal)
      const others = await Promise.all(
        instancesOf(observation.state)
          .filter((instance) => instance !== env.goal[0])
          .map(async (instance) => (await env.renderGoal(Float32Array.of(instance)))['outcome']!),
      )
      const before = observation.images['scene']!.slice()
      const { info, ...after } = await env.step(graspBinExpert()(observation, env.goal))
      if (info['success'] !== 1) continue
      compared++
      const seen = after.observation.images
      const inHand = middleOf(seen['outcome']!)
      const apart = others.map((other) => meanDifference(middleOf(other), inHand))
      expect(meanDifference(middleOf(goal['outcome']!), inHand)).toBeLessThan(Math.min(...apart))
      expect(meanDifference(goal['scene']!, seen['scene']!)).toBeLessThan(meanDifference(before, seen['scene']!))
    }
    expect(compared).toBeGreaterThan(3)
    await env.close()
  })

  it('can ask for novel objects, of which none is in the training bin', async () => {
    const env = await makeCommanded({ ...BLIND, objects: 'novel' })
    for (let seed = 0; seed < 5; seed++) {
      await env.reset({ seed })
      expect(env.goal[0]).toBeGreaterThanOrEqual(TRAIN_COUNT)
    }
    await env.close()
  })

  it('continue a state saved with an object in hand, which is still what was reached', async () => {
    const env = await makeCommanded({ size: 16 })
    const { observation } = await env.reset({ seed: 3 })
    const other = instancesOf(observation.state).find((instance) => instance !== env.goal[0])!
    const { info } = await env.step(graspBinExpert()(observation, Float32Array.of(other)))
    expect(info['lifted_instance']).toBe(other)
    const saved = await env.saveState()
    await env.reset({ seed: 4 })
    await env.restoreState(saved)
    const next = await env.renderGoal(Float32Array.of(-1))
    expect(env.goal[0]).not.toBe(other)
    expect(next['outcome']).toBeDefined()
    await env.close()
  })
})

/** The middle third of an image of 24x24 pixels, where the gripper holds things. */
function middleOf(image: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => image[(8 + Math.floor(i / 24)) * 72 + 24 + (i % 24)]!)
}

function meanDifference(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length
}

describe('the cameras of the bin', () => {
  it('show the object before the grasp in the bin, and after it in hand only', async () => {
    const env = await makeGraspBin()
    expect(Object.keys(env.spec.imageSpaces)).toEqual(['scene', 'outcome'])
    const palm = hueOf(70, 130, 230)!
    let compared = 0
    for (let seed = 0; seed < 4; seed++) {
      const expert = graspBinExpert()
      let { observation } = await env.reset({ seed })
      for (let isOver = false; !isOver;) {
        const instances = instancesOf(observation.state).filter((instance) => instance >= 0)
        const before = observation.images['scene']!.slice()
        const { info, terminated, truncated, ...after } = await env.step(expert(observation, undefined))
        observation = after.observation
        isOver = terminated || truncated
        const lifted = info['lifted_instance']!
        if (lifted < 0) continue
        const hue = hueOf(...objectInstance(lifted).color)!
        const others = instances.filter((instance) => instance !== lifted)
        const otherHues = [palm, ...others.map((instance) => hueOf(...objectInstance(instance).color)!)]
        if (otherHues.some((other) => hueDistance(other, hue) < 0.07)) continue
        compared++
        const { scene, outcome } = observation.images
        expect(shareOf(before, lifted)).toBeGreaterThan(0.003)
        expect(shareOf(scene!, lifted)).toBeLessThan(0.0005)
        expect(shareOf(outcome!, lifted)).toBeGreaterThan(0.03)
        for (const instance of others) {
          if (hueDistance(hueOf(...objectInstance(instance).color)!, palm) < 0.07) continue
          expect(shareOf(outcome!, instance)).toBeLessThan(0.002)
        }
      }
    }
    expect(compared).toBeGreaterThan(6)
    await env.close()
  })

  it('show an empty gripper after a failure', async () => {
    const env = await makeGraspBin()
    await env.reset({ seed: 0 })
    // Into a corner, where no object is put.
    const { info, observation } = await env.step(Float32Array.of(-1, -1, 0.5))
    expect(info['success']).toBe(0)
    const outcome = observation.images['outcome']!.slice()
    await env.reset({ seed: 1 })
    const again = (await env.step(Float32Array.of(-1, -1, 0.5))).observation.images['outcome']!
    const largest = again.reduce((most, value, i) => Math.max(most, Math.abs(value - outcome[i]!)), 0)
    expect(largest).toBeLessThan(30)
    await env.close()
  })
})

describe('the procedural objects', () => {
  const all = Array.from({ length: TRAIN_COUNT + NOVEL_COUNT }, (_, index) => objectInstance(index))

  it('are always the same, each of its own colour', () => {
    for (const instance of all) expect(objectInstance(instance.index)).toEqual(instance)
    expect(new Set(all.map(({ color }) => color.join())).size).toBe(all.length)
  })

  it('hold back four kinds for the novel ones', () => {
    const kinds = new Set(all.slice(0, TRAIN_COUNT).map(({ kind }) => kind))
    const unseen = all.slice(TRAIN_COUNT).filter(({ kind }) => !kinds.has(kind))
    expect([kinds.size, new Set(unseen.map(({ kind }) => kind)).size]).toEqual([6, 4])
  })

  it('fit between the fingers along the yaws where they should be grasped', () => {
    for (const { parts, graspYawsRad } of all) {
      for (const yaw of graspYawsRad) {
        const [part] = parts
        const { shape } = part!
        const halfExtents =
          shape.kind === 'box' ? shape.halfExtentsM : [0.05, 'radiusM' in shape ? shape.radiusM : 0, 0]
        const width = 2 * (Math.abs(Math.cos(yaw)) * halfExtents[0]! + Math.abs(Math.sin(yaw)) * halfExtents[1]!)
        expect(width).toBeLessThan(OPENING_M - 0.01)
      }
    }
  })
})

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
