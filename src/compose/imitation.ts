import { envs, makeEnv } from '../../envs/index.ts'
import type { ImitationConfig } from '../config/imitation-config.ts'
import type { TrainConfig } from '../config/train-config.ts'
import type { Dataset, EpisodeData } from '../core/dataset.ts'
import type { Env } from '../core/env.ts'
import { isGoalEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { FrameShape } from '../core/frame-fit.ts'
import type { Metrics } from '../core/ndarray.ts'
import { Rng } from '../core/rng.ts'
import { mean } from '../evaluate/statistics.ts'
import { datasetSpecOf, EpisodeTrack } from '../run/episode-track.ts'
import { encoderRepresentation, recordedFeatures } from '../run/representation.ts'
import type { RgbImage } from '../io/image.ts'
import { rgbImage } from '../io/image.ts'
import type { DemonstrationConfig } from './demonstration.ts'
import { findDemonstration } from './demonstration.ts'
import type { Parts } from './parts.ts'
import { scenePlayer } from './scene-player.ts'

/** An episode that is to be followed, and what recorded it. */
interface Shown {
  readonly episode: EpisodeData
  readonly source: Pick<Dataset, 'path' | 'spec'>
}

/** Numbers of a state that change by less in a step stand still. */
const STILL = 1e-3

/**
 * Whether there is a demonstration that the run can follow: asked before anything long starts. Does nothing for a run that follows none.
 * @throws ArmatureError `not-found` for a folder without a dataset, without that episode, or a scene without an expert; `bad-config` for
 *   another env, a camera that it lacks, or frames that the encoder does not take; `corrupt-file`.
 */
export async function checkDemonstration(parts: Parts): Promise<void> {
  const { config, env } = parts
  if (config.imitation === undefined) return
  const { data, episode, camera } = config.imitation.demonstration
  if (data === undefined) {
    await (await demonstratingScene(config, config.imitation)).close()
    return
  }
  const { dataset } = await findDemonstration({ data, episode })
  if (dataset.spec.source !== env.spec.id) {
    throw new ArmatureError('bad-config', `demonstration in ${data}`, {
      expected: `one in ${env.spec.id}`,
      got: `one in ${dataset.spec.source}`,
      fix: 'record one there, or name its env with --env',
    })
  }
  eyeOn(parts, camera, dataset)
}

/**
 * Embeds the demonstration by the encoder as it now is. Does nothing for a run that follows none.
 * @throws ArmatureError as {@link checkDemonstration}
 */
export async function showDemonstration(parts: Parts): Promise<void> {
  const { config, demonstration } = parts
  if (config.imitation === undefined || demonstration === undefined) return
  const { episode, source } = await demonstrationOf(config, config.imitation)
  demonstration.learn(
    await recordedFeatures(eyeOn(parts, config.imitation.demonstration.camera, source), episode, source),
  )
}

/**
 * The configuration with the goal of a recorded demonstration as that of every episode, so that success is doing what it shows: the goal
 * that was recorded, or the one that it ended at. Only evaluation asks for it.
 * @param set the command line's assignments: a goal among them stands
 */
export async function withDemonstratedGoal(config: TrainConfig, set: readonly string[] = []): Promise<TrainConfig> {
  const { data, episode } = config.imitation?.demonstration ?? {}
  const isRobot = config.env.robot !== undefined
  if (data === undefined || isRobot || set.some((assignment) => /^env\.options\b/.test(assignment))) return config
  const { goal: _preset, ...options } = config.env.options
  const goal = await goalOf(config.env.id, options, await findDemonstration({ data, episode }))
  return { ...config, env: { ...config.env, options: goal === undefined ? options : { ...options, goal: [...goal] } } }
}

async function goalOf(
  id: string,
  options: Readonly<Record<string, unknown>>,
  { dataset, index }: Awaited<ReturnType<typeof findDemonstration>>,
): Promise<Float32Array | undefined> {
  const recorded = dataset.episodes.find((info) => info.index === index)!.goal
  if (recorded !== undefined || dataset.spec.source !== id) return recorded
  const env = await makeEnv(id, options)
  try {
    const { state, info } = await dataset.readEpisode(index, [])
    if (!isGoalEnv(env) || state.length === 0) return undefined
    return env.achievedGoal(state.slice((-state.length / info.length) | 0))
  } finally {
    await env.close()
  }
}

/**
 * What the demonstration that a run follows shows at a time, by the camera that it is followed by, or by `camera` where the goals of the
 * run are taken from it; after its end it stays where it ended. Undefined for a run that follows none, and for one without pictures.
 * @throws ArmatureError as {@link checkDemonstration}
 */
export async function shownDemonstration(
  config: TrainConfig,
  camera: string,
): Promise<((time: number) => RgbImage) | undefined> {
  const shown = await followed(config)
  if (shown === undefined) return undefined
  const { episode, source } = shown
  const asked = config.imitation?.demonstration.camera ?? camera
  const name = asked in episode.images ? asked : Object.keys(episode.images)[0]
  if (name === undefined) return undefined
  const frames = episode.images[name]!
  const [height, width] = source.spec.cameras[name]!.shape as unknown as FrameShape
  const size = frames.length / episode.info.length
  return (time) => {
    const at = Math.min(time, episode.info.length - 1) * size
    return rgbImage(frames.slice(at, at + size), width, height)
  }
}

async function followed(config: TrainConfig): Promise<Shown | undefined> {
  if (config.imitation !== undefined) return demonstrationOf(config, config.imitation)
  const { reward, source } = config.goals ?? {}
  const part = [reward, source].find((each) => typeof each?.config['data'] === 'string')
  if (part === undefined) return undefined
  const { dataset, index } = await findDemonstration(part.config as unknown as DemonstrationConfig)
  return { episode: await dataset.readEpisode(index), source: dataset }
}

/** Rollouts of random play that an expert's is compared with. */
const RANDOM_ROLLOUTS = 5

/**
 * Whether the demonstration tells who follows it: an expert and random play in the env of the run, seen by its own camera and compared with
 * the demonstration at the same times. Measures are in `docs/metrics.md`; undefined for a scene without an expert or a robot, and for a
 * run that follows none.
 */
export async function measureDemonstration(parts: Parts): Promise<Metrics | undefined> {
  const { config, demonstration } = parts
  if (config.imitation === undefined || demonstration === undefined) return undefined
  if (config.env.robot !== undefined || envs[config.env.id]?.expert === undefined) return undefined
  const env = await makeEnv(config.env.id, config.env.options)
  try {
    const rng = new Rng(config.seed).split('rollouts')
    const distances = async (policy: 'scripted' | 'random'): Promise<number[]> => {
      const episode = await playedEpisode(env, policy, rng.nextSeed())
      const source = { path: config.env.id, spec: datasetSpecOf(env) }
      const latents = await recordedFeatures(eyeOn(parts, parts.representation.camera!, source), episode, source)
      const size = latents.length / episode.info.length
      return Array.from({ length: episode.info.length }, (_, t) =>
        demonstration.distance(latents.subarray(t * size, (t + 1) * size), Math.min(t, demonstration.last)),
      )
    }
    const expert = await distances('scripted')
    const random: number[][] = []
    for (let i = 0; i < RANDOM_ROLLOUTS; i++) random.push(await distances('random'))
    const last = Math.min(demonstration.last, expert.length - 1)
    const pairs = random.flatMap((row) => row.slice(1, last + 1).map((far, i) => [expert[i + 1]!, far] as const))
    return {
      'imitation/above_random': mean(pairs.map(([near, far]) => (near < far ? 1 : 0))),
      'imitation/expert_distance': mean(pairs.map(([near]) => near)),
      'imitation/random_distance': mean(pairs.map(([, far]) => far)),
    }
  } finally {
    await env.close()
  }
}

/** The encoder, looking through the camera of the demonstration. */
function eyeOn({ config, encoder, fit }: Parts, camera: string, source: Shown['source']) {
  const { representation } = config
  const policy = representation.kind === 'encoder' ? representation.fit : undefined
  const recorded = source.spec.cameras[camera]?.shape as FrameShape | undefined
  if (recorded === undefined) {
    throw new ArmatureError('bad-config', `demonstration in ${source.path}`, {
      expected: `camera ${camera}`,
      got: Object.keys(source.spec.cameras).join(', ') || 'no camera',
      fix: 'name the one that is to be looked at with --set imitation.demonstration.camera=NAME',
    })
  }
  const eye = encoderRepresentation(encoder!, camera, undefined, policy, fit?.from)
  return eye.ofDataset!(source)
}

async function demonstrationOf(config: TrainConfig, imitation: ImitationConfig): Promise<Shown> {
  const { data, episode } = imitation.demonstration
  if (data === undefined) return demonstrate(config, imitation)
  const { dataset, index } = await findDemonstration({ data, episode })
  return { episode: await dataset.readEpisode(index), source: dataset }
}

/** The scene in which the expert demonstrates: the same task, seen by another camera and looking otherwise where the settings say so. */
async function demonstratingScene({ env }: TrainConfig, { demonstration }: ImitationConfig) {
  const { camera, envOptions } = demonstration
  const scene = await makeEnv(env.id, { ...env.options, cameras: [camera], ...envOptions })
  if (envs[env.id]?.expert !== undefined) return scene
  await scene.close()
  throw new ArmatureError('not-found', `${env.id} has no expert that could demonstrate`, {
    fix: 'name a recorded one with --demo DATASET',
  })
}

/** One episode of the scene's expert, until it stands still for good. */
async function demonstrate(config: TrainConfig, imitation: ImitationConfig): Promise<Shown> {
  const env = await demonstratingScene(config, imitation)
  try {
    const seed = new Rng(config.seed).split('demonstration').nextSeed()
    const episode = await playedEpisode(env, 'scripted', seed)
    return {
      episode: firstMoments(episode, movingMoments(episode)),
      source: { path: 'this run', spec: datasetSpecOf(env) },
    }
  } finally {
    await env.close()
  }
}

/** A whole episode of `env`. */
async function playedEpisode(env: Env, policy: 'scripted' | 'random', seed: number): Promise<EpisodeData> {
  let { observation } = await env.reset({ seed })
  const play = scenePlayer(policy, env, envs[env.spec.id]?.expert, seed)
  const track = new EpisodeTrack()
  track.observe(observation)
  let terminated = false
  for (let ended = false; !ended;) {
    const action = Float32Array.from(await play(observation))
    const step = await env.step(action)
    ;({ observation, terminated } = step)
    track.step(step.appliedAction ?? action, step.reward)
    track.observe(observation)
    ended = terminated || step.truncated
  }
  const info = { index: 0, length: track.length, terminated, seed, policy, objects: [] }
  return { info, ...track.arrays() }
}

/** Moments until nothing moves any more; at least two. */
function movingMoments({ info: { length }, state }: EpisodeData): number {
  const size = state.length / length
  for (let time = length - 1; time > 1; time--) {
    const [before, now] = [(time - 1) * size, time * size]
    for (let i = 0; i < size; i++) if (Math.abs(state[now + i]! - state[before + i]!) > STILL) return time + 1
  }
  return 2
}

/** The first `length` observations of an episode. */
function firstMoments(episode: EpisodeData, length: number): EpisodeData {
  const { info, images, proprio, state, actions, rewards } = episode
  const cut = <T extends Uint8Array | Float32Array>(all: T, of: number, to: number): T =>
    all.subarray(0, (all.length / of) * to) as T
  const steps = info.length - 1
  return {
    info: { ...info, length },
    images: Object.fromEntries(
      Object.entries(images).map(([name, frames]) => [name, cut(frames, info.length, length)]),
    ),
    proprio: cut(proprio, info.length, length),
    state: cut(state, info.length, length),
    actions: cut(actions, steps, length - 1),
    rewards: cut(rewards, steps, length - 1),
  }
}
