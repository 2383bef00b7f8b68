/** What the experiments on encoders share: episodes in memory, training, probes. */
import { encoders } from '../../encoders/index.ts'
import { makeEnv } from '../../envs/index.ts'
import type { Batches, BatchKind, FrameBatch } from '../../src/core/batches.ts'
import type { DatasetSpec, EpisodeData } from '../../src/core/dataset.ts'
import { encoderInput } from '../../src/core/encoder-input.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import { isLearning } from '../../src/core/encoder.ts'
import type { Env, Observation, SimulatedGoalEnv } from '../../src/core/env.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { sampleSpace } from '../../src/core/spaces.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from '../../src/evaluate/measures/embedded-episodes.ts'
import { ridgeProbe } from '../../src/evaluate/probes.ts'
import type { BatchOptions } from '../../src/replay/batch-sampler.ts'
import { makeSampler } from '../../src/replay/batch-sampler.ts'
import { EpisodeSet } from '../../src/replay/episode-source.ts'

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
}

/** Plays episodes of a scene. */
export async function recordEpisodes(options: RecordOptions): Promise<Recording> {
  const env = await makeEnv(options.env, { maxEpisodeSteps: options.length - 1, ...options.envOptions })
  const rng = new Rng(options.seed)
  const action = new Float32Array(sizeOf(env.spec.actionSpace.shape))
  const act = options.act ?? (() => sampleSpace(env.spec.actionSpace, rng, action))
  const episodes: EpisodeData[] = []
  for (let index = 0; index < options.episodes; index++) {
    const { observation, info } = await env.reset({
      seed: rng.nextSeed(),
      ...(options.reset && { options: options.reset }),
    })
    if (options.goal !== undefined) (env as SimulatedGoalEnv).setGoal(options.goal)
    const distractor = info['distractor_clip']
    const seen = [copyOf(observation)]
    const actions: Float32Array[] = []
    const rewards: number[] = []
    let terminated = false
    while (seen.length < options.length && !terminated) {
      const chosen = act(env, seen.at(-1)!, rng).slice()
      const step = await env.step(chosen)
      seen.push(copyOf(step.observation))
      actions.push(chosen)
      rewards.push(step.reward)
      terminated = step.terminated
    }
    const cameras = Object.keys(env.spec.imageSpaces)
    episodes.push({
      info: {
        index,
        length: seen.length,
        terminated,
        policy: 'random',
        objects: [],
        ...(distractor !== undefined && { distractor: String(distractor) }),
      },
      images: Object.fromEntries(cameras.map((camera) => [camera, joined(seen.map(({ images }) => images[camera]!))])),
      proprio: joinedFloats(seen.map(({ proprio }) => proprio)),
      state: joinedFloats(seen.map(({ state }) => state)),
      actions: joinedFloats(actions),
      rewards: Float32Array.from(rewards),
    })
  }
  const { id, imageSpaces, actionSpace, proprioSpace, stateSpace, controlHz } = env.spec
  await env.close()
  return { spec: { source: id, fps: controlHz, cameras: imageSpaces, actionSpace, proprioSpace, stateSpace }, episodes }
}

function copyOf({ images, proprio, state }: Observation): Observation {
  const copies = Object.entries(images).map(([camera, image]) => [camera, image.slice()] as const)
  return { images: Object.fromEntries(copies), proprio: proprio.slice(), state: state.slice() }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.length * parts[0]!.length)
  parts.forEach((part, i) => all.set(part, i * part.length))
  return all
}

function joinedFloats(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
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
  return { frames: joined(chosen), count }
}

/** Observation `time` of an episode by one camera. */
export function frameOf({ images, info }: EpisodeData, camera: string, time: number): Uint8Array {
  const size = images[camera]!.length / info.length
  return images[camera]!.subarray(time * size, (time + 1) * size)
}

/** Latents of all observations, row by row. */
export async function encodeAll(encoder: Encoder, { episodes }: Recording, camera: string): Promise<Float32Array> {
  const latents: Float32Array[] = []
  for (const episode of episodes) {
    const times = Array.from({ length: episode.info.length }, (_, t) => t)
    latents.push(
      await encoder.encode(encoderInput(encoder.spec, times, (_row, time) => frameOf(episode, camera, time))),
    )
  }
  return joinedFloats(latents)
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
    const embeddings = await encodeAll(encoder, { ...recording, episodes: [episode] }, camera)
    const { state: states, actions, rewards: trueRewards } = episode
    const nuisances = distractor === undefined ? {} : { nuisances: { distractor } }
    episodes.push({ index, length, class: policy, embeddings, states, actions, trueRewards, ...nuisances })
  }
  return { episodes, embeddingSize: size, ...(stateNames && { stateNames }) }
}
