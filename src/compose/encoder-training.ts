import { join, resolve } from 'node:path'
import { applyOverrides, parseConfig } from '../config/overrides.ts'
import type { EncoderRunConfig, PretrainConfig } from '../config/pretrain-config.ts'
import { pretrainConfigSchema } from '../config/pretrain-config.ts'
import type { Dataset } from '../core/dataset.ts'
import type { Encoder } from '../core/encoder.ts'
import { isLearning } from '../core/encoder.ts'
import { ArmatureError } from '../core/errors.ts'
import type { FrameFit, FrameShape } from '../core/frame-fit.ts'
import { autoFrameShape, changesFrames, checkFit, croppedShape } from '../core/frame-fit.ts'
import { sizeOf } from '../core/ndarray.ts'
import { lookUp } from '../core/registry.ts'
import { Rng } from '../core/rng.ts'
import type { EncoderEntry } from '../../encoders/index.ts'
import { encoders } from '../../encoders/index.ts'
import type { EncoderPreset } from '../../encoders/shared/presets.ts'
import type { CollapseState } from '../evaluate/collapse-monitor.ts'
import { writeFileAtomic } from '../io/atomic.ts'
import type { Checkpoint } from '../io/checkpoints.ts'
import { CheckpointStore } from '../io/checkpoints.ts'
import { hashFolder } from '../io/folder-hash.ts'
import { encodeJson } from '../io/json.ts'
import { lockFolder } from '../io/lock.ts'
import { openDataset } from '../io/lerobot/reader.ts'
import type { RunFolder } from '../io/run-folder.ts'
import { createRunFolder, openRunFolder } from '../io/run-folder.ts'
import type { LogPosition, RunLogger } from '../log/run-logger.ts'
import { openRunLogger } from '../log/run-logger.ts'
import type { BatchStreams } from '../run/dataset-batches.ts'
import { camerasOf } from '../replay/batch-sampler.ts'
import { fittedDataset } from '../replay/fitted-dataset.ts'
import { DatasetBatches, holdOut } from '../run/dataset-batches.ts'
import { prefixed, pretrainEncoder } from '../run/pretrain.ts'
import { encoderOf, encoderRecordOf, fitOfRun } from './encoder-run.ts'
import { EncoderWatch } from './encoder-watch.ts'
import type { RunContext } from './run-context.ts'
import { throwIfInterrupted } from './run-context.ts'

export interface PretrainOptions {
  /** Dataset folder. */
  readonly data?: string
  readonly out?: string
  readonly resume?: boolean
  readonly updates?: number
  readonly batch?: number
  readonly camera?: string
  readonly seed?: number
  /** Of the encoder, see `EncoderEntry.presets`; default `default`. */
  readonly preset?: string
  /** Share of the episodes that is held out. */
  readonly validation?: number
  /** Stop once the encoder has collapsed. */
  readonly stopOnCollapse?: boolean
  /** `--set` assignments, in order. */
  readonly set?: readonly string[]
}

/** What training an encoder leaves behind. */
export interface PretrainReport {
  readonly run: string
  readonly encoder: string
  readonly updates: number
  readonly episodes: { readonly training: number; readonly validation: number }
  /** On held-out frames; null where a value is not finite. */
  readonly measures: Readonly<Record<string, number | null>>
  /** What has collapsed and what to try, where the encoder had when it was done. */
  readonly collapse?: string
  /** What could not be read of the dataset. */
  readonly problems: readonly string[]
}

/** A run that is under way. */
interface Running {
  readonly context: RunContext
  readonly folder: RunFolder
  readonly config: EncoderRunConfig
  readonly encoder: Encoder
  readonly batches: DatasetBatches<Encoder['spec']['batch']['kind']>
  readonly logger: RunLogger
  readonly watch: EncoderWatch
  readonly save: (update: number) => Promise<void>
}

/**
 * Trains a registered encoder on the frames of a dataset, or goes on with such a run. After Ctrl-C the state is
 * saved and `interrupted` is thrown.
 * @throws ArmatureError `not-found`, `bad-config`, `bad-argument`, `run-exists`, `unwritable`, `corrupt-file`, `interrupted`.
 */
export async function trainEncoder(
  context: RunContext,
  name: string | undefined,
  options: PretrainOptions,
): Promise<PretrainReport> {
  const { folder, config, dataset, checkpoint } = options.resume
    ? await openForResume(name, options)
    : await createEncoderRun(context, name, options)
  const unlock = await lockFolder(folder.path)
  try {
    return await trainIn(context, { folder, config, dataset, checkpoint })
  } finally {
    await unlock()
  }
}

async function trainIn(
  context: RunContext,
  { folder, config, dataset, checkpoint }: OpenedRun,
): Promise<PretrainReport> {
  const encoder = encoderOf(config)
  const streams = checkpoint?.json.batches as BatchStreams | undefined
  const batches = await openBatches(config, dataset, encoder, streams)
  const position = checkpoint?.json.log as LogPosition | undefined
  const logger = openRunLogger(folder.path, {
    clock: context.clock,
    envId: config.data.source,
    ...(position ? { position } : {}),
  })
  const say = (line: string): void => context.progress.print(`${config.encoder}: ${line}\n`)
  const watch = new EncoderWatch(
    { encoder, data: batches, config, say },
    checkpoint?.json.watch as CollapseState | undefined,
  )
  const checkpoints = new CheckpointStore(folder.checkpoints, { config, keep: 1 })
  const save = async (update: number): Promise<void> => {
    const log = logger.flush()
    await checkpoints.save(update, {
      model: encoder.save(),
      trainingState: {},
      json: { batches: batches.streams, log, watch: watch.state },
    })
  }
  try {
    const running = { context, folder, config, encoder, batches, logger, watch, save }
    if (checkpoint) encoder.restore(checkpoint.model)
    else await fit(running)
    await learn(running, checkpoint?.step ?? 0)
    return await finish(running, [...dataset.problems, ...batches.problems])
  } finally {
    logger.close()
    encoder.dispose()
  }
}

interface OpenedRun {
  readonly folder: RunFolder
  readonly config: EncoderRunConfig
  readonly dataset: Dataset
  readonly checkpoint?: Checkpoint | undefined
}

async function createEncoderRun(
  context: RunContext,
  name: string | undefined,
  options: PretrainOptions,
): Promise<OpenedRun> {
  if (name === undefined) {
    throw new ArmatureError('bad-argument', 'pretrain', { expected: 'an encoder', fix: 'see "armature list"' })
  }
  if (options.data === undefined) {
    throw new ArmatureError('bad-argument', 'pretrain', {
      expected: '--data DATASET',
      fix: 'record one with "armature collect"',
    })
  }
  const settings = resolvePretrainConfig(name, options)
  const dataset = await openDataset(options.data)
  const config = await recordOf(settings, dataset)
  // Settings that do not go with the frames are found before there is a folder in the way of the next try.
  encoderOf(config).dispose()
  const path = options.out ?? `runs/${name}-seed${settings.seed}`
  const folder = await createRunFolder(path, { config, seed: settings.seed, command: context.command })
  return { folder, config, dataset }
}

/** @throws ArmatureError `not-found` for an unknown encoder, `bad-config` for anything that no schema takes. */
function resolvePretrainConfig(name: string, options: PretrainOptions): PretrainConfig {
  const entry = lookUp('encoder', encoders, name)
  const { updates, batch, camera, seed, validation, stopOnCollapse, preset = 'default', set = [] } = options
  const flags = { updates, batchSize: batch, camera, seed, validationFraction: validation, stopOnCollapse }
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  const input = { ...applyOverrides(presetOf(name, entry, preset), set), ...given }
  if ('encoder' in input) {
    throw new ArmatureError('bad-argument', '--set encoder', { fix: 'name it instead: "armature pretrain <encoder>"' })
  }
  if ('preset' in input) {
    throw new ArmatureError('bad-argument', '--set preset', { fix: 'name it instead: "--preset NAME"' })
  }
  const config = parseConfig(pretrainConfigSchema, { ...input, encoder: name, preset }, 'config')
  const own = parseConfig(entry.configSchema, config.config, 'config', 'config') as Record<string, unknown>
  return { ...config, config: own }
}

/** @throws ArmatureError `not-found` for a preset that the encoder has not. */
function presetOf(name: string, { presets = {} }: EncoderEntry, preset: string): Partial<EncoderPreset> {
  // An encoder that has none, such as a control or one of the user's, is trained by the defaults of the settings.
  if (preset === 'default' && presets['default'] === undefined) return {}
  if (Object.keys(presets).length === 0) {
    throw new ArmatureError('not-found', `preset "${preset}" of ${name}`, {
      expected: 'none',
      got: 'an encoder without presets',
    })
  }
  return lookUp(`preset of ${name}`, presets, preset)
}

async function recordOf(settings: PretrainConfig, dataset: Dataset): Promise<EncoderRunConfig> {
  const { cameras, source } = dataset.spec
  const space = cameras[settings.camera]
  if (space === undefined) {
    throw new ArmatureError('bad-config', `camera of ${dataset.path}`, {
      expected: Object.keys(cameras).join(' or ') || 'a dataset with cameras',
      got: settings.camera,
      fix: 'choose one with --camera',
    })
  }
  const fit = fitOfSettings(settings, space.shape as unknown as FrameShape)
  const split = holdOut(dataset, settings.validationFraction, new Rng(settings.seed).split('split'))
  return {
    kind: 'encoder',
    ...settings,
    frameShape: [...fit.to],
    ...(changesFrames(fit) && { resizedFrom: [...fit.from] }),
    actionSize: sizeOf(dataset.spec.actionSpace.shape),
    data: {
      path: resolve(dataset.path),
      sha256: await hashFolder(dataset.path),
      source,
      training: [...split.training],
      validation: [...split.validation],
    },
  }
}

/** How recorded frames become those that are learned from. @throws ArmatureError `bad-config` for a crop that leads out of them. */
function fitOfSettings({ resize, crop: part }: PretrainConfig, from: FrameShape): FrameFit {
  const crop = part === 'none' ? undefined : part
  const whole = croppedShape({ from, crop })
  const to = { auto: autoFrameShape(whole), none: whole }
  const fit = { from, crop, to: typeof resize === 'string' ? to[resize] : ([...resize, from[2]] as const) }
  checkFit(fit)
  return fit
}

async function openForResume(name: string | undefined, options: PretrainOptions): Promise<OpenedRun> {
  if (options.out === undefined) throw new ArmatureError('bad-argument', '--resume', { expected: '--out DIR' })
  const folder = await openRunFolder(options.out)
  const config = encoderRecordOf(folder)
  const { resume: _resume, out: _out, data, set = [], ...changes } = options
  const changed = [
    ...set,
    ...Object.entries(changes).flatMap(([key, value]) => (value === undefined ? [] : [`--${key}`])),
  ]
  const isOther =
    (name !== undefined && name !== config.encoder) || (data !== undefined && resolve(data) !== config.data.path)
  if (isOther || changed.length > 0) {
    throw new ArmatureError('bad-argument', `--resume of ${options.out}`, {
      expected: `${config.encoder} on ${config.data.path}, nothing else`,
      fix: 'a run goes on with its own config',
    })
  }
  const dataset = await openDataset(config.data.path)
  if ((await hashFolder(dataset.path)) !== config.data.sha256) {
    throw new ArmatureError('bad-value', `dataset ${dataset.path}`, {
      got: 'other files than the run was started on',
      fix: 'pretrain anew with another --out',
    })
  }
  return { folder, config, dataset, checkpoint: await new CheckpointStore(folder.checkpoints).latest() }
}

async function openBatches(
  config: EncoderRunConfig,
  dataset: Dataset,
  { spec }: Encoder,
  streams: BatchStreams | undefined,
): Promise<Running['batches']> {
  const { camera, batch, batchSize, memoryMb, data, seed } = config
  const { kind, options } = spec.batch
  const sampler = { ...options, ...batch }
  const cameras = camerasOf(kind, camera, sampler, Object.keys(dataset.spec.cameras))
  return DatasetBatches.open(
    fittedDataset(dataset, cameras, fitOfRun(config)),
    {
      kind,
      camera,
      sampler,
      batchSize,
      memoryBytes: memoryMb * 1e6,
      split: data,
    },
    new Rng(seed).split('batches'),
    streams,
  )
}

/** What the encoder takes from the data before it learns. */
async function fit({ config, encoder, batches, logger, watch, save }: Running): Promise<void> {
  const statistics = await encoder.fitStatistics?.(batches.frames('training', config.statisticsFrames))
  if (statistics) logger.log(0, prefixed('embed/', statistics))
  if (isLearning(encoder)) await watch.begin()
  await save(0)
}

async function learn(running: Running, done: number): Promise<void> {
  const { context, folder, config, encoder, batches, logger, watch, save } = running
  if (!isLearning(encoder)) return
  const phase = context.progress.phase(`pretrain ${config.encoder}`, config.updates, { unit: 'updates', done })
  let note = ''
  const reached = await pretrainEncoder(encoder, batches, {
    updates: config.updates,
    done,
    logEvery: config.logEvery,
    signal: context.signal,
    onMetrics: async (update, metrics) => {
      note = `loss ${metrics['embed/loss']!.toPrecision(4)}  held out ${metrics['embed/validation_loss']!.toPrecision(4)}`
      logger.log(update, await watch.check(update, metrics))
    },
    onUpdate: async (update) => {
      await batches.advance()
      phase.update(update, note)
      const hasCollapsed = config.stopOnCollapse && watch.collapse !== undefined
      if (hasCollapsed || update % config.checkpointEvery === 0) await save(update)
      watch.stopIfCollapsed(`saved at update ${update} in ${folder.path}`)
    },
  })
  phase.finish()
  if (reached === config.updates) return
  await save(reached)
  const command = context.invocation(`pretrain --resume --out ${folder.path}`)
  throwIfInterrupted(context, `saved at update ${reached}: go on with ${command}`)
}

/** Fits the prior, measures once more, and writes both down. */
async function finish(running: Running, problems: readonly string[]): Promise<PretrainReport> {
  const { folder, config, encoder, batches, logger, watch, save } = running
  const { updates, priorFrames, statisticsFrames, data } = config
  await encoder.fitPrior?.(batches.inputs(encoder.spec, 'training', statisticsFrames, priorFrames === 'starts'))
  const health = await watch.health()
  const terms = (await encoder.evaluate?.(batches.validation())) ?? {}
  const done = isLearning(encoder) ? updates : 0
  // Learners have logged this row already.
  if (!isLearning(encoder)) logger.log(done, { ...prefixed('embed/validation_', terms), ...health })
  await save(done)
  const all = { ...prefixed('embed/validation_', terms), ...health }
  const measures = Object.fromEntries(Object.entries(all).map(([key, x]) => [key, Number.isFinite(x) ? x : null]))
  await writeFileAtomic(join(folder.evaluations, 'embedding.json'), encodeJson(measures, 'embedding.json'))
  return {
    run: folder.path,
    encoder: config.encoder,
    updates: done,
    episodes: { training: data.training.length, validation: data.validation.length },
    measures,
    ...(watch.collapse !== undefined && { collapse: watch.collapse }),
    problems,
  }
}
