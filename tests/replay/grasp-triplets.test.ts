import { expect, test } from 'vitest'
import { graspBinExpert } from '../../envs/experts/grasp-bin.ts'
import { makeEnv } from '../../envs/index.ts'
import type { DatasetSpec, EpisodeData } from '../../src/core/dataset.ts'
import type { Env, Observation } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import { makeSampler } from '../../src/replay/batch-sampler.ts'
import { EpisodeSet } from '../../src/replay/episode-source.ts'

const SIZE = { width: 24, height: 24 }
const FRAME_BYTES = 24 * 24 * 3

/** One episode of scripted grasps, every third of them beside all objects, and which instance each grasp lifted. */
async function recordGrasps(env: Env): Promise<{ readonly data: EpisodeData; readonly lifted: readonly number[] }> {
  const expert = graspBinExpert()
  const observations: { readonly frames: Readonly<Record<string, Uint8Array>>; readonly state: Float32Array }[] = []
  const keep = ({ images, state }: Observation): void => {
    const frames = Object.fromEntries(Object.entries(images).map(([name, image]) => [name, Uint8Array.from(image)]))
    observations.push({ frames, state: Float32Array.from(state) })
  }
  let { observation } = await env.reset({ seed: 5 })
  keep(observation)
  const [rewards, actions, lifted]: [number[], number[], number[]] = [[], [], []]
  for (let isOver = false; !isOver;) {
    const action = rewards.length % 3 === 1 ? Float32Array.of(1, 1, 0) : expert(observation, undefined)
    const result = await env.step(action)
    observation = result.observation
    keep(observation)
    actions.push(...action)
    rewards.push(result.reward)
    lifted.push(result.info['lifted_instance']!)
    isOver = result.terminated || result.truncated
  }
  const length = observations.length
  const join = (camera: string): Uint8Array =>
    Uint8Array.from(observations.flatMap(({ frames }) => [...frames[camera]!]))
  const data: EpisodeData = {
    info: { index: 0, length, terminated: false, policy: 'scripted', objects: [] },
    images: { scene: join('scene'), outcome: join('outcome') },
    proprio: new Float32Array(length * 5),
    state: Float32Array.from(observations.flatMap(({ state }) => [...state])),
    actions: Float32Array.from(actions),
    rewards: Float32Array.from(rewards),
  }
  return { data, lifted }
}

test('triplets of the grasping bin: success, and the object that the scene says was lifted', async () => {
  const env = await makeEnv('armature/GraspBin-v0', { size: SIZE })
  const { data, lifted } = await recordGrasps(env)
  const { id, actionSpace, proprioSpace, stateSpace, imageSpaces, controlHz } = env.spec
  await env.close()
  expect(lifted.filter((instance) => instance >= 0).length).toBeGreaterThan(1)
  expect(lifted.filter((instance) => instance < 0).length).toBeGreaterThan(0)
  const spec: DatasetSpec = { source: id, fps: controlHz, cameras: imageSpaces, actionSpace, proprioSpace, stateSpace }
  const batch = makeSampler('grasp-triplets', new EpisodeSet(spec, [data]), {}, new Rng(1)).sample(60)
  const seen = new Set<number>()
  const frame = (frames: Uint8Array, row: number): string =>
    frames.subarray(row * FRAME_BYTES, (row + 1) * FRAME_BYTES).join()
  for (let row = 0; row < batch.count; row++) {
    const step = lifted.findIndex((_, time) => frame(data.images.scene!, time) === frame(batch.before, row))
    seen.add(step)
    expect(frame(batch.after, row)).toBe(frame(data.images.scene!, step + 1))
    expect(frame(batch.outcome, row)).toBe(frame(data.images.outcome!, step + 1))
    expect(batch.success[row]).toBe(lifted[step]! >= 0 ? 1 : 0)
    expect(batch.objects[row]).toBe(lifted[step]! + 1)
  }
  expect(seen.size).toBe(lifted.length)
})
