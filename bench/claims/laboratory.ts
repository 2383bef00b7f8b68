/** What the experiments on encoders share: episodes in memory, training, probes. */
import { encoders } from '../../encoders/index.ts'
import { envs, makeEnv } from '../../envs/index.ts'
import { behaviourOf, planOf } from '../../src/compose/behaviours.ts'
import { policyShares } from '../../src/cli/options.ts'
import type { Batches, BatchKind, FrameBatch } from '../../src/core/batches.ts'
import type { DatasetSpec, EpisodeData } from '../../src/core/dataset.ts'
import { encoderInput } from '../../src/core/encoder-input.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import { isLearning } from '../../src/core/encoder.ts'
import type { Env, Observation, SimulatedGoalEnv } from '../../src/core/env.ts'
import { concatenated, sizeOf } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { sampleSpace } from '../../src/core/spaces.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from '../../src/evaluate/measures/embedded-episodes.ts'
import { ridgeProbe } from '../../src/evaluate/probes.ts'
import type { BatchOptions } from '../../src/replay/batch-sampler.ts'
import { makeSampler } from '../../src/replay/batch-sampler.ts'
import { EpisodeSet } from '../../src/replay/episode-source.ts'
import { EpisodeTrack } from '../../src/run/episode-track.ts'

/** Episodes with what describes them. */
export interface Recording {
  readonly spec: DatasetSpec
  readonly episodes: readonly EpisodeData[]
}

export interface RecordOptions {
  readonly env: string
  readonly envOptions?: Readonly<Record<string, unknown>>
  readonly episodes: number
  /** Observations of each. */
  readonly length: number
  readonly seed: number
  /** Options of each reset. */
  readonly reset?: Readonly<Record<string, unknown>>
  /** The goal of every episode; default: each has one of its own, where the scene has goals. */
  readonly goal?: Float32Array
  /** What acts; default: uniformly random actions. */
  readonly act?: (env: Env, observation: Observation, rng: Rng) => Float32Array
  /** In place of `act`: behaviours with their shares, as `--policy` of `armature collect` has them, e.g. `scripted:1,noisy:2`. */
  readonly policies?: string
  /** Whether an episode ends with its first success; default: it goes on. */
  readonly endsAtSuccess?: boolean
  /** Seeds of the resets; default: drawn from `seed`. */
  readonly resetSeeds?: readonly number[]
}

/** Plays episodes of a scene. */
export async function recordEpisodes(options: RecordOptions): Promise<Recording> {
  const { env: id, envOptions, episodes: count, length, seed, reset, goal, resetSeeds, endsAtSuccess } = options
  const env = await makeEnv(id, { maxEpisodeSteps: length - 1, ...envOptions })
  const rng = new Rng(seed)
  const players = await playersOf(options, env, rng)
  const episodes: EpisodeData[] = []
  for (let index = 0; index < count; index++) {
    const resetSeed = resetSeeds?.[index] ?? rng.nextSeed()
    const begun = await env.reset({ seed: resetSeed, ...(reset && { options: reset }) })
    if (goal !== undefined) (env as SimulatedGoalEnv).setGoal(goal)
    const distractor = begun.info['distractor_clip']
    let { observation } = begun
    const player = await players(index)
    const track = new EpisodeTrack()
    track.observe(observation)
    let terminated = false
    let success: boolean | undefined
    for (let ended = false; !ended && track.length < length;) {
      const action = (await player.play(observation)).slice()
      const step = await env.step(action)
      ;({ observation, terminated } = step)
      track.step(action, step.reward)
      track.observe(observation)
      success = step.info['success'] === undefined ? undefined : step.info['success'] === 1
      ended = terminated || (endsAtSuccess === true && success === true)
    }
    const outcome = {
      terminated,
      ...(success !== undefined && { success }),
      ...(distractor !== undefined && { distractor: String(distractor) }),
    }
    const info = { index, length: track.length, ...outcome, seed: resetSeed, policy: player.policy, objects: [] }
    episodes.push({ info, ...track.arrays() })
  }
  const { imageSpaces, actionSpace, proprioSpace, stateSpace, controlHz } = env.spec
  await env.close()
  return { spec: { source: id, fps: controlHz, cameras: imageSpaces, actionSpace, proprioSpace, stateSpace }, episodes }
}

/** The last recordings, by what they are for: variants are trained on the same ones. */
const recordings = new Map<string, Promise<Recording>>()
/** So many that all of one seed fit. */
const MOST_KEPT = 8

/** The recording that was made under this name, or a new one. */
export function kept(name: string, make: () => Promise<Recording>): Promise<Recording> {
  const known = recordings.get(name) ?? make()
  recordings.delete(name)
  recordings.set(name, known)
  if (recordings.size > MOST_KEPT) recordings.delete(recordings.keys().next().value!)
  return known
}

type Players = (
  index: number,
) => Promise<{ readonly policy: string; play(observation: Observation): Promise<Float32Array> }>

/** What plays each episode. */
async function playersOf({ env: id, policies, act, episodes }: RecordOptions, env: Env, rng: Rng): Promise<Players> {
  if (policies === undefined) {
    const random = new Float32Array(sizeOf(env.spec.actionSpace.shape))
    const play = async (observation: Observation): Promise<Float32Array> =>
      act?.(env, observation, rng) ?? sampleSpace(env.spec.actionSpace, rng, random)
    return async () => ({ policy: 'random', play })
  }
  const shares = policyShares(policies)
  const plan = planOf(shares, episodes, rng.split('policies'))
  const behaviours = await Promise.all(shares.map(({ name }) => behaviourOf(name, env, envs[id]!.expert)))
  return async (index) => {
    const behaviour = behaviours[plan[index]!]!
    const seed = rng.split(`player/${index}`).nextSeed()
    return { policy: behaviour.name, play: await behaviour.begin(env, seed, undefined) }
  }
}

export interface TrainOptions {
  readonly encoder: string
  readonly config?: Readonly<Record<string, unknown>>
  readonly camera: string
  readonly updates: number
  readonly batchSize: number
  readonly seed: number
}

/** Frames that the statistics of an encoder are taken from. */
const STATISTICS = 1000

/** Makes an encoder and trains it on `recording`, as `armature pretrain` does. */
export async function trainEncoder({ spec, episodes }: Recording, options: TrainOptions): Promise<Encoder> {
  const { camera, updates, batchSize, seed } = options
  const entry = encoders[options.encoder]!
  const frameShape = spec.cameras[camera]!.shape as readonly [number, number, number]
  const rng = new Rng(seed)
  const actionSize = sizeOf(spec.actionSpace.shape)
  const encoder = entry.create(
    frameShape,
    entry.configSchema.parse(options.config ?? {}),
    rng.split('encoder'),
    actionSize,
  )
  await encoder.fitStatistics?.(evenFrames(episodes, camera, STATISTICS))
  if (!isLearning(encoder)) return encoder
  const { kind, options: batchOptions } = encoder.spec.batch
  const set = new EpisodeSet(spec, episodes)
  const samplerOptions = { ...(kind !== 'multi-view' && { camera }), ...batchOptions } as BatchOptions[BatchKind]
  const sampler = makeSampler(kind, set, samplerOptions, rng.split('batches'))
  const started = performance.now()
  for (let update = 1; update <= updates; update++) {
    const metrics = await encoder.update(sampler.sample(batchSize) as Batches[BatchKind])
    if (update % 500 !== 0 && update !== updates) continue
    const ms = (performance.now() - started) / update
    const text = Object.entries(metrics).flatMap(([name, value]) =>
      name.includes('_0') ? [] : [`${name} ${value.toPrecision(3)}`],
    )
    process.stderr.write(
      `  ${options.encoder} seed ${seed} ${update}/${updates} ${ms.toFixed(1)} ms  ${text.slice(0, 6).join('  ')}\n`,
    )
  }
  return encoder
}

function evenFrames(episodes: readonly EpisodeData[], camera: string, limit: number): FrameBatch {
  const places = episodes.flatMap(({ info }, e) => Array.from({ length: info.length }, (_, t) => [e, t] as const))
  const count = Math.min(limit, places.length)
  const chosen = Array.from({ length: count }, (_, row) => {
    const [e, t] = places[Math.floor((row * places.length) / count)]!
    return frameOf(episodes[e]!, camera, t)
  })
  return { frames: concatenated(chosen), count }
}

/** Observation `time` of an episode by one camera. */
export function frameOf({ images, info }: EpisodeData, camera: string, time: number): Uint8Array {
  const size = images[camera]!.length / info.length
  return images[camera]!.subarray(time * size, (time + 1) * size)
}

/** The same episodes once for each of `cameras`, all as if seen by the first: for encoders that look at single frames. */
export function mergedCameras({ spec, episodes }: Recording, cameras: readonly string[]): Recording {
  const [name] = cameras as [string]
  const merged = cameras.flatMap((camera) =>
    episodes.map((episode) => ({ ...episode, images: { [name]: episode.images[camera]! } })),
  )
  return {
    spec: { ...spec, cameras: { [name]: spec.cameras[name]! } },
    episodes: merged.map((episode, index) => ({ ...episode, info: { ...episode.info, index } })),
  }
}

/** Latents of all observations of an episode, [length, latentSize]. */
export function encodeEpisode(encoder: Encoder, episode: EpisodeData, camera: string): Promise<Float32Array> {
  const times = Array.from({ length: episode.info.length }, (_, t) => t)
  return encoder.encode(encoderInput(encoder.spec, times, (_row, time) => frameOf(episode, camera, time)))
}

/** Latents of all observations, row by row. */
export async function encodeAll(encoder: Encoder, { episodes }: Recording, camera: string): Promise<Float32Array> {
  const latents: Float32Array[] = []
  for (const episode of episodes) latents.push(await encodeEpisode(encoder, episode, camera))
  return concatenated(latents)
}

/** Columns of rows [count, size]. */
export function columns(data: Float32Array, size: number, wanted: readonly number[]): Float32Array {
  const count = data.length / size
  const picked = new Float32Array(count * wanted.length)
  for (let row = 0; row < count; row++) {
    wanted.forEach((column, i) => (picked[row * wanted.length + i] = data[row * size + column]!))
  }
  return picked
}

/** R2 of each target column, by ridge regression fitted on the first two thirds of the rows: whole episodes, where they are as long. */
export function probe(
  inputs: Float32Array,
  inputSize: number,
  targets: Float32Array,
  targetSize: number,
): Float64Array {
  const count = inputs.length / inputSize
  const split = Math.floor((2 * count) / 3)
  const rows = (data: Float32Array, size: number) => ({ data, count, size })
  const train = Array.from({ length: split }, (_, i) => i)
  const test = Array.from({ length: count - split }, (_, i) => split + i)
  return ridgeProbe(rows(inputs, inputSize), rows(targets, targetSize), { train, test })
}

/** Episodes as the measures of `src/evaluate/measures` take them. */
export async function embedEpisodes(encoder: Encoder, recording: Recording, camera: string): Promise<EmbeddedEpisodes> {
  const size = encoder.spec.latentSize
  const stateNames = recording.spec.stateSpace.names
  const episodes: EmbeddedEpisode[] = []
  for (const episode of recording.episodes) {
    const { index, length, policy, distractor } = episode.info
    const embeddings = await encodeEpisode(encoder, episode, camera)
    const { state: states, actions, rewards: trueRewards } = episode
    const nuisances = distractor === undefined ? {} : { nuisances: { distractor } }
    episodes.push({ index, length, class: policy, embeddings, states, actions, trueRewards, ...nuisances })
  }
  return { episodes, embeddingSize: size, ...(stateNames && { stateNames }) }
}
