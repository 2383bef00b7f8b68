/** Grasps in a bin as data of Grasp2Vec, with what only the scene knows: which object was lifted, and which pixel is whose. */
import { graspBinExpert } from '../../envs/experts/grasp-bin.ts'
import { NOVEL_COUNT, objectInstance, TRAIN_COUNT } from '../../envs/tasks/procedural-objects.ts'
import type { CameraEnv } from '../../src/core/env.ts'
import { sampleSpace } from '../../src/core/spaces.ts'
import type { Recording } from './laboratory.ts'
import { recordEpisodes } from './laboratory.ts'

export const [SCENE, OUTCOME] = ['scene', 'outcome'] as const
/** Grasps of an episode, as many as there are objects in the full bin; and numbers of one object in the state. */
export const [GRASPS, SLOT_SIZE] = [5, 5] as const

const kindsOf = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => objectInstance(from + i).kind)
const trainedKinds = kindsOf(0, TRAIN_COUNT)
/** Novel instances of kinds that no training instance has. */
export const UNSEEN_KINDS: readonly number[] = kindsOf(TRAIN_COUNT, NOVEL_COUNT).flatMap((kind, i) =>
  trainedKinds.includes(kind) ? [] : [TRAIN_COUNT + i],
)

/** A grasp that lifted one object, and moved no other one out of the bin. */
export interface Lift {
  readonly instance: number
  readonly episode: number
  /** Of the observation before it. */
  readonly time: number
}

export interface GraspRecording extends Recording {
  readonly lifts: readonly Lift[]
  /** Instance at each pixel of the full bin of each episode, -1 where there is none. */
  readonly instanceMaps: readonly Int16Array[]
}

/** Scripted grasps at objects of one pool, a share of them aimed anywhere. */
export async function recordGrasps(
  objects: 'train' | 'novel',
  episodes: number,
  randomShare: number,
  seed: number,
): Promise<GraspRecording> {
  const expert = graspBinExpert()
  const ids: Promise<Uint16Array>[] = []
  let idNames: readonly string[] = []
  const recording = await recordEpisodes({
    env: 'armature/GraspBin-v0',
    envOptions: { objects },
    episodes,
    length: GRASPS + 1,
    seed,
    act: (env, observation, rng) => {
      const camera = env as CameraEnv
      ids.push(camera.renderIds(SCENE))
      idNames = camera.idNames
      const aimed = expert(observation, undefined)
      return rng.uniform(0, 1) < randomShare ? sampleSpace(env.spec.actionSpace, rng, aimed) : aimed
    },
  })
  const instances = idNames.map((name) => Number(/^object-(\d+)-/.exec(name)?.[1] ?? -1))
  const maps = await Promise.all(ids)
  let step = 0
  const firstSteps = recording.episodes.map(({ info }) => (step += info.length - 1) - (info.length - 1))
  return {
    ...recording,
    lifts: recording.episodes.flatMap((_, episode) => liftsOf(recording, episode)),
    instanceMaps: firstSteps.map((first) => Int16Array.from(maps[first]!, (id) => instances[id]!)),
  }
}

function liftsOf({ episodes }: Recording, episode: number): Lift[] {
  const { state, rewards } = episodes[episode]!
  const size = GRASPS * SLOT_SIZE
  return [...rewards].flatMap((reward, time) => {
    const gone = Array.from({ length: GRASPS }, (_, slot) => time * size + slot * SLOT_SIZE)
      .filter((at) => state[at]! >= 0 && state[at + size]! < 0)
      .map((at) => state[at]!)
    return reward === 1 && gone.length === 1 ? [{ instance: gone[0]!, episode, time }] : []
  })
}
