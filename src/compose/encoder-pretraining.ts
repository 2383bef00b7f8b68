import { join } from 'node:path'
import { envs, makeEnv } from '../../envs/index.ts'
import type { EpisodeData } from '../core/dataset.ts'
import type { EncoderInput } from '../core/encoder-input.ts'
import type { Encoder } from '../core/encoder.ts'
import { isLearning } from '../core/encoder.ts'
import type { Env } from '../core/env.ts'
import { isGoalEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import { concatenated } from '../core/ndarray.ts'
import { Rng } from '../core/rng.ts'
import type { EmbeddingData } from '../evaluate/embedding.ts'
import { embeddingMeasures } from '../evaluate/embedding.ts'
import { writeFileAtomic } from '../io/atomic.ts'
import { encodeJson } from '../io/json.ts'
import type { RunFolder } from '../io/run-folder.ts'
import type { RunLogger } from '../log/run-logger.ts'
import { camerasOf } from '../replay/batch-sampler.ts'
import type { EpisodeSource } from '../replay/episode-source.ts'
import { EpisodeSet } from '../replay/episode-source.ts'
import type { FrameFits } from '../replay/fitted-dataset.ts'
import { fitsOf, fittedSpec } from '../replay/fitted-dataset.ts'
import type { CollectOptions } from '../run/collect.ts'
import { collectEpisodes, collectGoals } from '../run/collect.ts'
import type { Sides } from '../run/encoder-data.ts'
import { EncoderData, inputsOf } from '../run/encoder-data.ts'
import { datasetSpecOf } from '../run/episode-track.ts'
import { prefixed, pretrainEncoder } from '../run/pretrain.ts'
import type { EncoderRepresentationConfig } from '../config/train-config.ts'
import type { Behaviour } from './behaviours.ts'
import { behaviourOf } from './behaviours.ts'
import type { Parts } from './parts.ts'
import type { RunContext } from './run-context.ts'
import { resumeCommand, throwIfInterrupted } from './run-context.ts'

/** An encoder that is to be trained within a run, and what with. */
interface Pretraining {
  readonly context: RunContext
  readonly folder: RunFolder
  readonly logger: RunLogger
  /** In which episodes are collected. */
  readonly env: Env
  readonly encoder: Encoder
  readonly settings: EncoderRepresentationConfig
  readonly rng: Rng
}

/**
 * Collects episodes, trains the encoder on most of them, and says how good it became on those that were held out, which nothing is fitted
 * to. Does nothing for a run without an encoder, or with the encoder of another run.
 */
export async function pretrainInRun(
  context: RunContext,
  { encoder, config, env }: Parts,
  folder: RunFolder,
  logger: RunLogger,
): Promise<void> {
  const { representation } = config
  if (encoder === undefined || representation.kind !== 'encoder' || representation.from !== undefined) return
  const rng = new Rng(config.seed).split('pretrain')
  const { envOptions } = representation.pretrain
  const scene = envOptions === undefined ? env : await makeEnv(config.env.id, envOptions)
  try {
    await pretrain({ context, folder, logger, env: scene, encoder, settings: representation, rng })
  } finally {
    if (scene !== env) await scene.close()
  }
}

async function pretrain(pretraining: Pretraining): Promise<void> {
  const { encoder, env, settings } = pretraining
  const { camera, pretrain: how } = settings
  const goals = await goalsSeen(pretraining)
  const episodes = await collect(pretraining, 'frames', how.frames, how.resetEvery)
  const sides = splitInOrder(episodes, how.frames * (1 - how.validationFraction))
  const spec = fittedSpec(datasetSpecOf(env), fitsIn(pretraining))
  const training = [...sides.training, ...goals]
  const sources = { training: new EpisodeSet(spec, training), validation: new EpisodeSet(spec, sides.validation) }
  await learn(pretraining, sources)
  if (encoder.fitPrior) await encoder.fitPrior(await priorInput(pretraining, sources.training))
  await measure(pretraining, sources.validation, camera)
}

const startAgain = ({ context, folder }: Pretraining): string =>
  `there is no checkpoint before training: ${resumeCommand(context, folder)} starts from the beginning`

async function collect(
  pretraining: Pretraining,
  what: 'frames' | 'starts',
  count: number,
  resetEvery: number,
): Promise<EpisodeData[]> {
  const { context, env, settings, rng } = pretraining
  const phase = context.progress.phase(`collect ${what}`, count, { unit: 'frames' })
  const player = await playerOf(pretraining)
  const episodes = await collectEpisodes(env, rng.split(what), {
    cameras: camerasIn(pretraining),
    fits: fitsIn(pretraining),
    count,
    resetEvery,
    start: settings.pretrain.start,
    holdActions: settings.pretrain.holdActions,
    ...(player && { player }),
    onProgress: (done) => {
      throwIfInterrupted(context, startAgain(pretraining))
      phase.update(done)
    },
  })
  phase.finish()
  return episodes
}

/** Kinds of batches that take frames of an episode in any order. */
const UNORDERED: readonly string[] = ['frames', 'context']

/** Goals of the env in the looks of episodes, where the settings ask for some. */
async function goalsSeen(pretraining: Pretraining): Promise<EpisodeData[]> {
  const { context, env, encoder, settings, rng } = pretraining
  const { goalFrames, resetEvery, start } = settings.pretrain
  if (goalFrames === 0) return []
  const refuse = (got: string): ArmatureError =>
    new ArmatureError('bad-config', 'representation.pretrain.goalFrames', { got, fix: 'leave it 0' })
  if (!isGoalEnv(env)) throw refuse(`${goalFrames}, in ${env.spec.id}, which has no goals`)
  if (!UNORDERED.includes(encoder.spec.batch.kind)) {
    throw refuse(`${goalFrames}, for encoder ${encoder.spec.name}, which learns from the order of frames`)
  }
  const phase = context.progress.phase('collect goals', goalFrames, { unit: 'frames' })
  const episodes = await collectGoals(env, rng.split('goals'), {
    cameras: camerasIn(pretraining),
    fits: fitsIn(pretraining),
    count: goalFrames,
    resetEvery,
    start,
    onProgress: (done) => {
      throwIfInterrupted(context, startAgain(pretraining))
      phase.update(done)
    },
  })
  phase.finish()
  return episodes
}

/** Draws what acts in each episode; undefined where that is random play alone. */
async function playerOf({ env, settings, rng }: Pretraining): Promise<CollectOptions['player']> {
  const shares = Object.entries(settings.pretrain.policy).filter(([, share]) => share > 0)
  if (shares.length === 1 && shares[0]![0] === 'random') return undefined
  const behaviours: Behaviour[] = []
  for (const [name] of shares) behaviours.push(await behaviourOf(name, env, envs[env.spec.id]?.expert))
  const total = shares.reduce((sum, [, share]) => sum + share, 0)
  return (index) => {
    let at = rng.split(`policy/${index}`).uniform(0, total)
    const chosen = shares.findIndex(([, share]) => (at -= share) < 0)
    const behaviour = behaviours.at(chosen)!
    return { name: behaviour.name, begin: (scene, seed) => behaviour.begin(scene, seed, undefined) }
  }
}

/** Cameras that the encoder learns from. */
function camerasIn({ env, encoder, settings }: Pretraining): readonly string[] {
  const { kind, options } = encoder.spec.batch
  const sampler = { ...options, ...settings.pretrain.batch }
  return camerasOf(kind, settings.camera, sampler, Object.keys(env.spec.imageSpaces))
}

function fitsIn(pretraining: Pretraining): FrameFits {
  const { env, settings } = pretraining
  if (settings.fit === undefined) return {}
  return fitsOf({ cameras: env.spec.imageSpaces }, camerasIn(pretraining), settings.fit, env.spec.id)
}

/** The first episodes, of `count` observations at most but at least one episode, to learn from; the rest is held out, at least one too. */
function splitInOrder(episodes: readonly EpisodeData[], count: number): Sides<readonly EpisodeData[]> {
  let [end, seen] = [0, 0]
  while (end < episodes.length && seen + episodes[end]!.info.length <= count) seen += episodes[end++]!.info.length
  end = Math.min(Math.max(1, end), episodes.length - 1)
  return { training: episodes.slice(0, end), validation: episodes.slice(end) }
}

async function learn(pretraining: Pretraining, sources: Sides<EpisodeSource>): Promise<void> {
  const { context, logger, encoder, settings, rng } = pretraining
  const { camera, pretrain } = settings
  const { kind, options } = encoder.spec.batch
  const batches = rng.split('batches')
  const data = new EncoderData(
    sources,
    { kind, camera, sampler: { ...options, ...pretrain.batch }, batchSize: pretrain.batchSize },
    { training: batches, validation: batches },
    rng.split('augmentations'),
  )
  const statistics = await encoder.fitStatistics?.(data.frames('training'))
  if (statistics) logger.log(0, prefixed('embed/', statistics))
  if (!isLearning(encoder)) return
  const phase = context.progress.phase(`pretrain ${encoder.spec.name}`, pretrain.updates, { unit: 'updates' })
  await pretrainEncoder(encoder, data, {
    updates: pretrain.updates,
    logEvery: 100,
    onMetrics: (update, metrics) => logger.log(update, metrics),
    onUpdate: (done) => {
      throwIfInterrupted(context, startAgain(pretraining))
      phase.update(done)
    },
  })
  phase.finish()
}

/** What the prior is fitted to: starts of the training episodes or all of them, and further starts where the settings ask for some. */
async function priorInput(pretraining: Pretraining, training: EpisodeSource): Promise<EncoderInput> {
  const { encoder, env, settings } = pretraining
  const { camera, pretrain } = settings
  const seen = inputsOf(training, camera, encoder.spec, Infinity, pretrain.priorFrames === 'starts')
  if (pretrain.extraStarts === 0) return seen
  const spec = fittedSpec(datasetSpecOf(env), fitsIn(pretraining))
  const starts = new EpisodeSet(spec, await collect(pretraining, 'starts', pretrain.extraStarts, 1))
  return joinInputs(seen, inputsOf(starts, camera, encoder.spec))
}

/** The rows of `a`, then those of `b`. */
function joinInputs(a: EncoderInput, b: EncoderInput): EncoderInput {
  const joined = { count: a.count + b.count, frames: concatenated([a.frames, b.frames]) }
  return a.context && b.context ? { ...joined, context: concatenated([a.context, b.context]) } : joined
}

async function measure(
  { folder, logger, env, encoder, settings, rng }: Pretraining,
  heldOut: EpisodeSource,
  camera: string,
): Promise<void> {
  const input = inputsOf(heldOut, camera, encoder.spec)
  const data = { latents: await encoder.encode(input), count: input.count, ...statesOf(heldOut, env) }
  const measures = embeddingMeasures({ ...data, trueDistance: trueDistanceOf(env) }, rng.split('measures'))
  logger.log(settings.pretrain.updates, measures)
  // A probe of a state that stood still on the test rows is NaN, which JSON cannot hold.
  const written = Object.fromEntries(Object.entries(measures).map(([name, x]) => [name, Number.isFinite(x) ? x : null]))
  await writeFileAtomic(join(folder.evaluations, 'embedding.json'), encodeJson(written, 'embedding.json'))
}

/** Privileged states beside the observations, and the number of the episode that each belongs to: probes split by it. */
function statesOf(source: EpisodeSource, env: Env): Pick<EmbeddingData, 'states' | 'stateNames' | 'episodes'> {
  const states: number[] = []
  const episodes: number[] = []
  for (let episode = 0; episode < source.episodeCount; episode++) {
    for (let time = 0; time < source.lengthOf(episode); time++) {
      states.push(...source.stateAt(episode, time))
      episodes.push(source.infoOf(episode).index)
    }
  }
  const { names, shape } = env.spec.stateSpace
  const stateNames = names ?? Array.from({ length: shape[0] ?? 0 }, (_, i) => String(i))
  return { states: Float32Array.from(states), stateNames, episodes: Int32Array.from(episodes) }
}

/** The distance that the env's task is scored by, or the Euclidean distance of states. */
function trueDistanceOf(env: Env): (a: Float32Array, b: Float32Array) => number {
  if (isGoalEnv(env)) return (a, b) => env.goalDistances(env.achievedGoal(a), env.achievedGoal(b)).distance!
  return (a, b) => Math.hypot(...a.map((x, i) => x - b[i]!))
}
