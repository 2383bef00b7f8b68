import { join } from 'node:path'
import type { TrainConfig } from '../config/train-config.ts'
import { trainConfigSchema } from '../config/train-config.ts'
import { parseConfig } from '../config/overrides.ts'
import { isLearning } from '../core/encoder.ts'
import type { SimulatedEnv } from '../core/env.ts'
import { isGoalEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Metrics, NamedArrays } from '../core/ndarray.ts'
import { Rng } from '../core/rng.ts'
import { embeddingMeasures } from '../evaluate/embedding.ts'
import { EVALUATION_SEED, evaluatePolicy, summarize } from '../evaluate/policy.ts'
import { writeFileAtomic } from '../io/atomic.ts'
import type { Checkpoint } from '../io/checkpoints.ts'
import { CheckpointStore } from '../io/checkpoints.ts'
import { encodeJson } from '../io/json.ts'
import { lockFolder } from '../io/lock.ts'
import type { RunFolder } from '../io/run-folder.ts'
import { createRunFolder, openRunFolder } from '../io/run-folder.ts'
import type { LogPosition, RunLogger } from '../log/run-logger.ts'
import { openRunLogger } from '../log/run-logger.ts'
import type { CollectedFrames } from '../run/collect.ts'
import { collectFrames, joinFrames, startFrames } from '../run/collect.ts'
import { agentPolicy } from '../run/policies.ts'
import { framesData, pretrainEncoder } from '../run/pretrain.ts'
import type { Trainer, TrainerState } from '../run/trainer.ts'
import type { Parts } from './build.ts'
import { buildParts, buildTrainer, evaluationEnvOf, resolveComponents } from './build.ts'
import type { ConfigOptions } from './config.ts'
import { defaultRunFolder, isAddress, resolveConfig } from './config.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import { adoptEncoder, withEncoderRun } from './encoder-run.ts'
import type { Bridge } from './remote.ts'

export interface TrainOptions extends ConfigOptions {
  readonly out?: string
  readonly resume?: boolean
  /** Connects the robot of a run that has one. */
  readonly bridge?: Bridge
}

/** A run that reached its last step. */
export interface TrainedRun {
  readonly folder: RunFolder
  readonly parts: Parts
}

/**
 * Trains `preset` into a run folder, or goes on with one. After Ctrl-C the state is saved and `interrupted` is thrown.
 * @throws ArmatureError `not-found`, `bad-config`, `run-exists`, `unwritable`, `corrupt-file`, `interrupted`.
 */
export async function train(
  context: CliContext,
  preset: string | undefined,
  options: TrainOptions,
): Promise<TrainedRun> {
  const { folder, parts, checkpoint } = options.resume
    ? await openForResume(preset, options)
    : await createRun(context, preset, options)
  const { config } = parts
  const unlock = await lockFolder(folder.path)
  const checkpoints = new CheckpointStore(folder.checkpoints, { config })
  const logger = openLogger(context, folder, config, checkpoint)
  try {
    if (checkpoint) restoreModel(parts, checkpoint.model)
    else await pretrain(context, parts, folder, logger)
    const trainer = await buildTrainer(parts)
    const state = checkpoint && trainerStateOf(checkpoint)
    if (state) await trainer.restore(state)
    const save = async (): Promise<void> => saveCheckpoint(checkpoints, parts, trainer, logger)
    if (!checkpoint) await save()
    await runTrainer(context, { parts, folder, logger, trainer, save })
  } finally {
    logger.close()
    await unlock()
  }
  return { folder, parts }
}

interface OpenedRun extends TrainedRun {
  readonly checkpoint?: Checkpoint | undefined
}

async function createRun(context: CliContext, preset: string | undefined, options: TrainOptions): Promise<OpenedRun> {
  if (preset === undefined)
    throw new ArmatureError('bad-argument', 'train', { expected: 'a preset', fix: 'see "armature list"' })
  const config = await withEncoderRun(resolveConfig(preset, options), options.set)
  const path = options.out ?? defaultRunFolder(config)
  // Parts that do not go together are found before there is a folder in the way of the next try.
  const parts = await buildParts(config, options.bridge)
  await adoptEncoder(parts)
  return { parts, folder: await createRunFolder(path, { config, seed: config.seed, command: context.command }) }
}

async function openForResume(preset: string | undefined, options: TrainOptions): Promise<OpenedRun> {
  const path = options.out ?? (preset === undefined ? undefined : defaultRunFolder(resolveConfig(preset, options)))
  if (path === undefined) throw new ArmatureError('bad-argument', '--resume', { expected: 'a preset or --out DIR' })
  const folder = await openRunFolder(path)
  const recorded = resolveComponents(parseConfig(trainConfigSchema, folder.record.config, `config of ${path}`))
  requireSame(path, recorded, preset, options)
  const steps = options.steps ?? recorded.training.steps
  const env = options.env === undefined ? recorded.env : { ...recorded.env, robot: options.env }
  const parts = await buildParts({ ...recorded, env, training: { ...recorded.training, steps } }, options.bridge)
  const checkpoint = await new CheckpointStore(folder.checkpoints).latest()
  if (checkpoint === undefined) await adoptEncoder(parts)
  return { folder, parts, checkpoint }
}

/** A run goes on with its own configuration; only its length may change. */
function requireSame(path: string, recorded: TrainConfig, preset: string | undefined, options: TrainOptions): void {
  const refuse = (expected: string, got: string): ArmatureError =>
    new ArmatureError('bad-argument', `--resume of ${path}`, {
      expected,
      got,
      fix: 'a run goes on with its own config',
    })
  if ((options.set?.length ?? 0) > 0) throw refuse('no --set', options.set!.join(' '))
  if (preset !== undefined && preset !== recorded.preset) throw refuse(`preset ${recorded.preset}`, preset)
  if (options.seed !== undefined && options.seed !== recorded.seed) {
    throw refuse(`seed ${recorded.seed}`, String(options.seed))
  }
  const { robot } = recorded.env
  if (options.env !== undefined && (robot === undefined || !isAddress(options.env))) {
    throw refuse(robot === undefined ? `env ${recorded.env.id}` : 'the address of its robot', options.env)
  }
}

/** The logger goes on where the checkpoint was saved: what was logged after it will be logged again. */
function openLogger(context: CliContext, folder: RunFolder, config: TrainConfig, checkpoint?: Checkpoint): RunLogger {
  const position = checkpoint?.json.log as LogPosition | undefined
  return openRunLogger(folder.path, { clock: context.clock, envId: config.env.id, ...(position ? { position } : {}) })
}

const ENCODER_PREFIX = 'encoder.'
const AGENT_PREFIX = 'agent.'

/** Puts the weights of a checkpoint into encoder and agent. */
export function restoreModel({ encoder, agent }: Parts, model: NamedArrays): void {
  const under = (prefix: string): NamedArrays =>
    Object.fromEntries(
      Object.entries(model)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, array]) => [name.slice(prefix.length), array]),
    )
  encoder?.restore(under(ENCODER_PREFIX))
  agent.restore(under(AGENT_PREFIX))
}

function trainerStateOf({ json, trainingState }: Checkpoint): TrainerState {
  return { arrays: trainingState, json: json.trainer as TrainerState['json'] }
}

async function saveCheckpoint(
  store: CheckpointStore,
  parts: Parts,
  trainer: Trainer,
  logger: RunLogger,
): Promise<void> {
  const log = logger.flush()
  const { arrays, json } = await trainer.save()
  const named = (prefix: string, saved: NamedArrays): NamedArrays =>
    Object.fromEntries(Object.entries(saved).map(([name, array]) => [prefix + name, array]))
  const model = { ...named(AGENT_PREFIX, parts.agent.save()), ...named(ENCODER_PREFIX, parts.encoder?.save() ?? {}) }
  await store.save(trainer.step, { model, trainingState: arrays, json: { trainer: json, log } })
}

/** Collects frames, trains the encoder on them, and says how good it became on those that were held out; not with an encoder run. */
async function pretrain(context: CliContext, parts: Parts, folder: RunFolder, logger: RunLogger): Promise<void> {
  const { encoder, config, env } = parts
  if (encoder === undefined || config.representation.kind !== 'encoder') return
  if (config.representation.from !== undefined) return
  const { camera, pretrain: settings } = config.representation
  const rng = new Rng(config.seed).split('pretrain')
  const startAgain = `there is no checkpoint before training: ${resumeCommand(context, folder)} starts from the beginning`
  const collect = async (what: 'frames' | 'starts', count: number, resetEvery: number): Promise<CollectedFrames> => {
    const collecting = context.progress.phase(`collect ${what}`, count, { unit: 'frames' })
    const collected = await collectFrames(env, rng.split(what), {
      camera,
      count,
      resetEvery,
      start: settings.start,
      onProgress: (done) => {
        throwIfInterrupted(context, startAgain)
        collecting.update(done)
      },
    })
    collecting.finish()
    return collected
  }
  const data = await collect('frames', settings.frames, settings.resetEvery)

  const trainCount = Math.floor(settings.frames * (1 - settings.validationFraction))
  const statistics = await encoder.fitStatistics?.({ frames: data.frames, count: data.count })
  if (statistics) logger.log(0, Object.fromEntries(Object.entries(statistics).map(([k, v]) => [`embed/${k}`, v])))
  if (isLearning(encoder)) {
    const learning = context.progress.phase(`pretrain ${encoder.spec.name}`, settings.updates, { unit: 'updates' })
    const batches = framesData(data, { batchSize: settings.batchSize, trainCount }, rng.split('batches'))
    await pretrainEncoder(encoder, batches, {
      updates: settings.updates,
      logEvery: 100,
      onMetrics: (update, metrics) => logger.log(update, metrics),
      onUpdate: (done) => {
        throwIfInterrupted(context, startAgain)
        learning.update(done)
      },
    })
    learning.finish()
  }
  const frameSize = data.frames.length / data.count
  if (encoder.fitPrior) {
    const seen =
      settings.priorFrames === 'starts'
        ? startFrames(data, trainCount)
        : { frames: data.frames.subarray(0, trainCount * frameSize), count: trainCount }
    const { extraStarts } = settings
    await encoder.fitPrior(extraStarts === 0 ? seen : joinFrames(seen, await collect('starts', extraStarts, 1)))
  }

  const heldOut = {
    frames: data.frames.subarray(trainCount * frameSize),
    count: data.count - trainCount,
  }
  const latents = await encoder.encode(heldOut)
  const stateSize = data.states.length / data.count
  const measures = embeddingMeasures(
    {
      latents,
      states: data.states.subarray(trainCount * stateSize),
      count: heldOut.count,
      stateNames: env.spec.stateSpace.names ?? Array.from({ length: stateSize }, (_, i) => String(i)),
      episodes: data.episodes.subarray(trainCount),
      trueDistance: trueDistanceOf(env),
    },
    rng.split('measures'),
  )
  logger.log(settings.updates, measures)
  // A probe of a state that stood still on the test rows is NaN, which JSON cannot hold.
  const written = Object.fromEntries(Object.entries(measures).map(([name, x]) => [name, Number.isFinite(x) ? x : null]))
  await writeFileAtomic(join(folder.evaluations, 'embedding.json'), encodeJson(written, 'embedding.json'))
}

/** The distance that the env's task is scored by, or the Euclidean distance of states. */
function trueDistanceOf(env: SimulatedEnv): (a: Float32Array, b: Float32Array) => number {
  if (isGoalEnv(env)) return (a, b) => env.goalDistances(env.achievedGoal(a), env.achievedGoal(b)).distance!
  return (a, b) => Math.hypot(...a.map((x, i) => x - b[i]!))
}

interface RunningTraining {
  readonly parts: Parts
  readonly folder: RunFolder
  readonly logger: RunLogger
  readonly trainer: Trainer
  readonly save: () => Promise<void>
}

async function runTrainer(context: CliContext, running: RunningTraining): Promise<void> {
  const { parts, folder, logger, trainer, save } = running
  const { config } = parts
  const evaluation = await evaluationEnvOf(parts)
  const policy = agentPolicy(parts.representation, parts.agent)
  const phase = context.progress.phase(`train ${config.preset}`, config.training.steps, {
    unit: 'steps',
    done: trainer.step,
  })
  let note = ''
  let lastLog = { step: trainer.step, ms: context.clock() }
  const finished = await trainer.run(
    {
      log: (step, metrics) => {
        const ms = context.clock()
        const fps =
          step > lastLog.step ? { 'time/fps': ((step - lastLog.step) * 1000) / Math.max(1, ms - lastLog.ms) } : {}
        lastLog = { step, ms }
        logger.log(step, { ...metrics, ...fps })
      },
      evaluate: async () => {
        const episodes = config.training.evalEpisodes
        const options = { episodes, firstSeed: EVALUATION_SEED }
        const summary = summarize(await evaluation.use(() => evaluatePolicy(evaluation.env, policy, options)))
        note = evaluationNote(summary)
        return summary
      },
      checkpoint: save,
      progress: (step) => phase.update(step, note),
      episode: (episode) => logger.episode(episode),
    },
    context.signal,
  )
  await evaluation.close()
  phase.finish()
  if (finished) return
  await save()
  throwIfInterrupted(context, `saved at step ${trainer.step}: go on with ${resumeCommand(context, folder)}`)
}

function evaluationNote(summary: Metrics): string {
  const key = 'eval/distance' in summary ? 'eval/distance' : 'eval/mean_reward'
  return `${key} ${summary[key]!.toFixed(key === 'eval/distance' ? 3 : 1)}`
}

/** The command that goes on with a run. */
export function resumeCommand(context: CliContext, { path }: RunFolder): string {
  return context.invocation(`train --resume --out ${path}`)
}
