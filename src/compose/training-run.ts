import { join } from 'node:path'
import type { EnvCopies } from '../../envs/vector/env-copies.ts'
import type { TrainConfig } from '../config/train-config.ts'
import { trainConfigSchema } from '../config/train-config.ts'
import { parseConfig } from '../config/overrides.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Metrics } from '../core/ndarray.ts'
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
import { agentPolicy } from '../run/policies.ts'
import type { Trainer, TrainerHooks, TrainerState } from '../run/trainer.ts'
import type { ConfigOptions } from './config.ts'
import type { CopiesFlags } from './copies.ts'
import { copiesByFlags, requireOneRobot } from './copies.ts'
import { defaultRunFolder, isAddress, resolveComponents, resolveConfig } from './config.ts'
import { pretrainInRun } from './encoder-pretraining.ts'
import { adoptEncoder, withEncoderRun } from './encoder-run.ts'
import { durationText, estimateTraining } from './estimate.ts'
import { evaluationEnvOf } from './evaluation-env.ts'
import { keptRobotOf, robotToKeep, withRobotOf } from './kept-robot.ts'
import { checkDemonstration, measureDemonstration, showDemonstration, withDemonstratedGoal } from './imitation.ts'
import type { TrainedRun } from './load-run.ts'
import { modelOf, restoreModel } from './load-run.ts'
import { memoryOf, memoryText, requireMemory } from './memory.ts'
import type { Parts, RobotConnector } from './parts.ts'
import { buildParts } from './parts.ts'
import type { RunContext } from './run-context.ts'
import { resumeCommand, throwIfInterrupted } from './run-context.ts'
import { buildTrainer } from './trainer.ts'

/** Where the envs run changes no byte of a run. */
export interface TrainOptions extends ConfigOptions, CopiesFlags {
  readonly out?: string
  readonly resume?: boolean
  /** Connects the robot of a run that has one. */
  readonly robots?: RobotConnector
}

/**
 * Trains `preset` into a run folder, or goes on with one. After Ctrl-C the state is saved and `interrupted` is thrown.
 * @throws ArmatureError `not-found`, `bad-config`, `run-exists`, `unwritable`, `corrupt-file`, `interrupted`.
 */
export async function train(
  context: RunContext,
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
  let copies: EnvCopies | undefined
  try {
    copies = await copiesByFlags(parts.env, config.env, { ...options, envs: config.training.envs })
    if (checkpoint) restoreModel(parts, checkpoint.model)
    else {
      await pretrainInRun(context, parts, folder, logger)
      await showDemonstration(parts)
      await writeDemonstrationMeasures(parts, folder, logger)
    }
    const trainer = await buildTrainer(parts, copies.envs)
    const state = checkpoint && trainerStateOf(checkpoint)
    if (state) await restoreTrainer(trainer, state, folder)
    const save = async (isEvaluationDue = false): Promise<void> =>
      saveCheckpoint(checkpoints, { parts, trainer, logger, isEvaluationDue })
    if (!checkpoint) {
      await save()
      await printEstimate(context, parts)
    }
    const isEvaluationDue = checkpoint?.json.isEvaluationDue === true
    await runTrainer(context, { parts, folder, logger, trainer, save, isEvaluationDue })
  } finally {
    logger.close()
    await copies?.close()
    await unlock()
  }
  return { folder, parts }
}

/** Says how long the run will take, where someone reads it; a robot would move. */
async function printEstimate(context: RunContext, parts: Parts): Promise<void> {
  if (context.progress.isSilent || parts.robot !== undefined) return
  const phases = await estimateTraining(context, parts)
  if (!context.signal.aborted) context.progress.print(`time    ${durationText(phases)}\n`)
}

async function writeDemonstrationMeasures(parts: Parts, folder: RunFolder, logger: RunLogger): Promise<void> {
  const measures = await measureDemonstration(parts)
  if (measures === undefined) return
  logger.log(0, measures)
  await writeFileAtomic(join(folder.evaluations, 'demonstration.json'), encodeJson(measures, 'demonstration.json'))
}

interface OpenedRun extends TrainedRun {
  readonly checkpoint?: Checkpoint | undefined
}

async function createRun(context: RunContext, preset: string | undefined, options: TrainOptions): Promise<OpenedRun> {
  if (preset === undefined)
    throw new ArmatureError('bad-argument', 'train', { expected: 'a preset', fix: 'see "armature list"' })
  const config = await withDemonstratedGoal(
    await withEncoderRun(resolveConfig(preset, options), options.set),
    options.set,
  )
  const path = options.out ?? defaultRunFolder(config)
  if (config.env.robot !== undefined) requireOneRobot({ ...options, envs: config.training.envs })
  // Parts that do not go together are found before there is a folder in the way of the next try.
  const parts = await buildParts(config, options.robots)
  requireMemory(parts)
  await parts.reward?.check?.()
  await checkDemonstration(parts)
  await adoptEncoder(parts)
  const kept = await robotToKeep(config.env)
  const folder = await createRunFolder(path, { config, seed: config.seed, command: context.command })
  if (kept !== undefined) await writeFileAtomic(keptRobotOf(folder.path), kept)
  context.progress.print(`memory  ${memoryText(memoryOf(parts))}\n`)
  return { parts, folder }
}

async function openForResume(preset: string | undefined, options: TrainOptions): Promise<OpenedRun> {
  const path = options.out ?? (preset === undefined ? undefined : defaultRunFolder(resolveConfig(preset, options)))
  if (path === undefined) throw new ArmatureError('bad-argument', '--resume', { expected: 'a preset or --out DIR' })
  const folder = await openRunFolder(path)
  const recorded = resolveComponents(parseConfig(trainConfigSchema, folder.record.config, `config of ${path}`))
  requireSame(path, recorded, preset, options)
  if (recorded.env.robot !== undefined) requireOneRobot({ ...options, envs: recorded.training.envs })
  const steps = options.steps ?? recorded.training.steps
  const scene = withRobotOf(folder.path, recorded.env)
  const env = options.env === undefined ? scene : { ...scene, robot: options.env }
  const parts = await buildParts({ ...recorded, env, training: { ...recorded.training, steps } }, options.robots)
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
  if (options.envs !== undefined && options.envs !== recorded.training.envs) {
    throw refuse(`--envs ${recorded.training.envs}`, String(options.envs))
  }
  if (options.demo !== undefined || options.episode !== undefined)
    throw refuse('no --demo', options.demo ?? '--episode')
  const { robot } = recorded.env
  if (options.env !== undefined && (robot === undefined || !isAddress(options.env))) {
    throw refuse(robot === undefined ? `env ${recorded.env.id}` : 'the address of its robot', options.env)
  }
}

/** The logger goes on where the checkpoint was saved: what was logged after it will be logged again. */
function openLogger(context: RunContext, folder: RunFolder, config: TrainConfig, checkpoint?: Checkpoint): RunLogger {
  const position = checkpoint?.json.log as LogPosition | undefined
  return openRunLogger(folder.path, { clock: context.clock, envId: config.env.id, ...(position ? { position } : {}) })
}

function trainerStateOf({ json, trainingState }: Checkpoint): TrainerState {
  return { arrays: trainingState, json: json.trainer as TrainerState['json'] }
}

async function saveCheckpoint(
  store: CheckpointStore,
  {
    parts,
    trainer,
    logger,
    isEvaluationDue,
  }: Pick<RunningTraining, 'parts' | 'trainer' | 'logger' | 'isEvaluationDue'>,
): Promise<void> {
  const log = logger.flush()
  const { arrays, json } = await trainer.save()
  const model = modelOf(parts)
  await store.save(trainer.step, {
    model,
    trainingState: arrays,
    json: { trainer: json, log, ...(isEvaluationDue && { isEvaluationDue }) },
  })
}

/** @throws ArmatureError `corrupt-file` for a state that this version does not know; evaluation and export need none. */
async function restoreTrainer(trainer: Trainer, state: TrainerState, { path, record }: RunFolder): Promise<void> {
  try {
    await trainer.restore(state)
  } catch (error) {
    // Its files are as they were written, as their checksums say: what is missing was never there.
    if (!(error instanceof TypeError)) throw error
    throw new ArmatureError('corrupt-file', `the training state of ${path}`, {
      expected: 'one as this version writes it',
      got: `one of Armature ${record.versions.armature ?? 'of another version'}`,
      fix: 'evaluate or export the run, or train anew in another folder',
      cause: error,
    })
  }
}

interface RunningTraining {
  readonly parts: Parts
  readonly folder: RunFolder
  readonly logger: RunLogger
  readonly trainer: Trainer
  /** Writes a checkpoint; one within an evaluation says that it is to be done again. */
  readonly save: (isEvaluationDue?: boolean) => Promise<void>
  /** Whether the run was stopped within the evaluation of the present step. */
  readonly isEvaluationDue: boolean
}

async function runTrainer(context: RunContext, running: RunningTraining): Promise<void> {
  const { parts, folder, logger, trainer, save } = running
  const { config } = parts
  const evaluation = await evaluationEnvOf(parts)
  const policy = agentPolicy(parts)
  const phase = context.progress.phase(`train ${config.preset}`, config.training.steps, {
    unit: 'steps',
    done: trainer.step,
  })
  let note = ''
  let lastLog = { step: trainer.step, ms: context.clock() }
  let learningSinceMs = context.cpuMs()
  let isEvaluating = false
  const evaluate = async (): Promise<Metrics> => {
    isEvaluating = true
    const startMs = context.cpuMs()
    const options = {
      episodes: config.training.evalEpisodes,
      firstSeed: EVALUATION_SEED,
      onObservation: () => throwIfInterrupted(context),
    }
    const summary = summarize(await evaluation.use(() => evaluatePolicy(evaluation.env, policy, options)))
    isEvaluating = false
    learningSinceMs += context.cpuMs() - startMs
    note = evaluationNote(summary)
    return summary
  }
  const run = async (): Promise<boolean> => {
    if (running.isEvaluationDue) {
      logger.log(trainer.step, await evaluate())
      await save()
    }
    return trainer.run(hooks, context.signal)
  }
  const hooks: TrainerHooks = {
    log: (step, metrics) => {
      const ms = context.clock()
      if (step === lastLog.step) return logger.log(step, metrics)
      const cpuMs = context.cpuMs()
      const fps = ((step - lastLog.step) * 1000) / Math.max(1, ms - lastLog.ms)
      logger.log(step, { ...metrics, 'time/fps': fps, 'time/cpu_s': (cpuMs - learningSinceMs) / 1000 })
      lastLog = { step, ms }
      learningSinceMs = cpuMs
    },
    evaluate,
    checkpoint: () => save(),
    progress: (step) => phase.update(step, note),
    episode: (episode) => logger.episode(episode),
  }
  // What stops within an evaluation has done its step and is saved there.
  const finished = await run().catch((error: unknown) => {
    if (isEvaluating && context.signal.aborted) return false
    throw error
  })
  await evaluation.close()
  phase.finish()
  if (finished) return
  await save(isEvaluating)
  throwIfInterrupted(context, `saved at step ${trainer.step}: go on with ${resumeCommand(context, folder)}`)
}

function evaluationNote(summary: Metrics): string {
  const key = 'eval/distance' in summary ? 'eval/distance' : 'eval/mean_reward'
  return `${key} ${summary[key]!.toFixed(key === 'eval/distance' ? 3 : 1)}`
}
