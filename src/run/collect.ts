import { setImmediate } from 'node:timers/promises'
import { requireWhole } from '../core/checks.ts'
import type { EpisodeData } from '../core/dataset.ts'
import type { Env, GoalEnv, Observation } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { Rng } from '../core/rng.ts'
import { sampleSpace } from '../core/spaces.ts'
import type { FrameFits } from '../replay/fitted-dataset.ts'
import { EpisodeTrack } from './episode-track.ts'

export interface CollectOptions {
  /** Those whose frames are kept. */
  readonly cameras: readonly string[]
  /** Observations in all. */
  readonly count: number
  /** The env's reset option that says from where, e.g. `goal`. */
  readonly start: string
  /**
   * Observations of an episode, as in RIG's data collection (every 100 steps, to a random goal, in its released code); fewer where the env
   * ends it, or `count` is reached.
   */
  readonly resetEvery: number
  /** How frames are kept, by camera; default: as they are. */
  readonly fits?: FrameFits
  /** What acts in episode `index`; default: uniformly random actions. */
  readonly player?: (index: number) => CollectPlayer
  /** Control steps for which each action is held; default 1. */
  readonly holdActions?: number
  readonly onProgress?: (done: number) => void
}

/** What acts in an episode that is collected. */
export interface CollectPlayer {
  /** e.g. `scripted` */
  readonly name: string
  /** After the reset of `env`: an action for each observation. */
  begin(env: Env, seed: number): Promise<(observation: Observation) => Promise<Float32Array>>
}

/**
 * Episodes from many states, of random play or of what `player` says: what an encoder is pretrained on.
 * @throws ArmatureError `bad-config` for a camera that the env lacks, `bad-argument` for numbers that make no sense.
 */
export async function collectEpisodes(env: Env, rng: Rng, options: CollectOptions): Promise<EpisodeData[]> {
  const { cameras, count, resetEvery, start, fits, player, holdActions = 1, onProgress } = options
  requireWhole('frames to collect', count, 1)
  requireWhole('steps between resets', resetEvery, 1)
  requireCameras(env, cameras)
  const episodes: EpisodeData[] = []
  for (let done = 0; done < count;) {
    // Timers and Ctrl-C get their turn, see evaluatePolicy.
    await setImmediate()
    const seed = rng.nextSeed()
    const track = new EpisodeTrack(cameras, fits)
    let { observation } = await env.reset({ seed, options: { start } })
    track.observe(observation)
    const acting = player?.(episodes.length)
    const act = (await acting?.begin(env, seed)) ?? (async () => randomAction(env, rng))
    done++
    onProgress?.(done)
    let terminated = false
    let action = new Float32Array(0)
    for (let ended = false; !ended && track.length < resetEvery && done < count;) {
      if ((track.length - 1) % holdActions === 0) action = Float32Array.from(await act(observation))
      const step = await env.step(action)
      observation = step.observation
      track.step(step.appliedAction ?? action, step.reward)
      track.observe(step.observation)
      done++
      onProgress?.(done)
      terminated = step.terminated
      ended = terminated || step.truncated
    }
    const { length } = track
    const info = { index: episodes.length, length, terminated, seed, policy: acting?.name ?? 'random', objects: [] }
    episodes.push({ info, ...track.arrays() })
  }
  return episodes
}

/**
 * Pictures of goals that the env draws, in the looks of the episode whose first observation is before them: `resetEvery` frames each. They show
 * what play within an episode seldom reaches. RIG's released code sets its simulator to such states; a real robot cannot.
 *
 * Each row's state and proprioception are those of the reset: nothing but pictures is to be learned from these.
 * @throws ArmatureError `bad-config` for a camera that the env lacks, `bad-argument` for numbers that make no sense.
 */
export async function collectGoals(
  env: GoalEnv,
  rng: Rng,
  { cameras, count, resetEvery, start, fits, onProgress }: Omit<CollectOptions, 'player' | 'holdActions'>,
): Promise<EpisodeData[]> {
  requireWhole('frames to collect', count, 1)
  requireWhole('steps between resets', resetEvery, 2)
  requireCameras(env, cameras)
  const still = new Float32Array(sizeOf(env.spec.actionSpace.shape))
  const episodes: EpisodeData[] = []
  for (let done = 0; done < count;) {
    await setImmediate()
    const seed = rng.nextSeed()
    const track = new EpisodeTrack(cameras, fits)
    const { observation } = await env.reset({ seed, options: { start } })
    track.observe(observation)
    for (done++; track.length < resetEvery && done < count; done++) {
      track.step(still, 0)
      track.observe({ ...observation, images: await env.renderGoal(env.sampleGoal(rng)) })
    }
    onProgress?.(done)
    const info = { index: episodes.length, length: track.length, terminated: false, seed, policy: 'goals', objects: [] }
    episodes.push({ info, ...track.arrays() })
  }
  return episodes
}

function requireCameras(env: Env, cameras: readonly string[]): void {
  const known = Object.keys(env.spec.imageSpaces)
  const other = cameras.find((camera) => !known.includes(camera))
  if (other === undefined) return
  const expected = known.join(' or ') || 'none: it has no cameras'
  throw new ArmatureError('bad-config', `camera of ${env.spec.id}`, { expected, got: other })
}

function randomAction({ spec }: Env, rng: Rng): Float32Array {
  return sampleSpace(spec.actionSpace, rng, new Float32Array(sizeOf(spec.actionSpace.shape)))
}
