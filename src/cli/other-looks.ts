import { envs } from '../../envs/index.ts'
import type { Dataset, EpisodeData } from '../core/dataset.ts'
import type { Env } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { LookImages } from '../evaluate/report/embed.ts'

/** What is drawn anew for an episode in each look, with its strength: see `randomize` of every scene. */
const LOOKS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  light: { light: 2 },
  camera: { camera: 1 },
  colour: { hue: 2 },
  texture: { texture: 1 },
}
/** States that differ by more than this part of the range of each were not reached again. */
const TOLERANCE = 1e-4

/** Renders recorded episodes again, in other looks, by playing their actions in the scene that they were recorded from. */
export interface OtherLooks {
  /** Frames of an episode by look; undefined where the scene does not come to the recorded states. */
  readonly render: (episode: EpisodeData) => Promise<LookImages | undefined>
  readonly close: () => Promise<void>
}

/**
 * @param cameras those that are rendered
 * @returns undefined for a dataset from elsewhere, or a scene that has no looks, or other cameras now
 */
export async function otherLooks(dataset: Dataset, cameras: readonly string[]): Promise<OtherLooks | undefined> {
  const { source, cameras: recorded } = dataset.spec
  if (!Object.hasOwn(envs, source) || cameras.length === 0 || dataset.envOptions === undefined) return undefined
  const made: (readonly [look: string, env: Env])[] = []
  const close = async (): Promise<void> => {
    for (const [, env] of made) await env.close()
  }
  const { randomize, ...options } = dataset.envOptions
  try {
    for (const [look, changes] of Object.entries(LOOKS)) {
      const env = await envs[source]!.make({ ...options, cameras, randomize: { ...(randomize as object), ...changes } })
      made.push([look, env])
      const isSame = (camera: string): boolean =>
        env.spec.imageSpaces[camera]?.shape.join() === recorded[camera]?.shape.join()
      if (cameras.every(isSame)) continue
      await close()
      return undefined
    }
  } catch (error) {
    await close()
    // A scene of the user's own may have no such option.
    if (error instanceof ArmatureError) return undefined
    throw error
  }
  return {
    close,
    render: async (episode) => {
      const images: Record<string, EpisodeData['images']> = {}
      for (const [look, env] of made) {
        const seen = await playAgain(env, episode, cameras)
        if (seen === undefined) return undefined
        images[look] = seen
      }
      return images
    },
  }
}

/** Frames of the episode as `env` shows it; undefined where it comes to other states. */
async function playAgain(
  env: Env,
  { info, state, actions }: EpisodeData,
  cameras: readonly string[],
): Promise<EpisodeData['images'] | undefined> {
  const stateSize = state.length / info.length
  const actionSize = sizeOf(env.spec.actionSpace.shape)
  if (info.seed === undefined || stateSize === 0 || actions.length !== (info.length - 1) * actionSize) return undefined
  let { observation } = await env.reset({ seed: info.seed })
  const frames = cameras.map((camera) => new Uint8Array(info.length * observation.images[camera]!.length))
  for (let t = 0; ; t++) {
    if (!isNear(observation.state, state.subarray(t * stateSize, (t + 1) * stateSize))) return undefined
    for (const [i, camera] of cameras.entries()) {
      frames[i]!.set(observation.images[camera]!, t * observation.images[camera]!.length)
    }
    if (t === info.length - 1) break
    const step = await env.step(actions.slice(t * actionSize, (t + 1) * actionSize))
    observation = step.observation
  }
  return Object.fromEntries(cameras.map((camera, i) => [camera, frames[i]!]))
}

function isNear(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((x, i) => Math.abs(x - b[i]!) <= TOLERANCE * Math.max(1, Math.abs(x)))
}
