import { resolve } from 'node:path'
import { parseConfig } from '../config/overrides.ts'
import type { EncoderRepresentationConfig, TrainConfig } from '../config/train-config.ts'
import type { EncoderRunConfig } from '../config/pretrain-config.ts'
import { encoderRunSchema } from '../config/pretrain-config.ts'
import type { Encoder } from '../core/encoder.ts'
import { ArmatureError } from '../core/errors.ts'
import type { FrameFit } from '../core/frame-fit.ts'
import { changesFrames } from '../core/frame-fit.ts'
import { Rng } from '../core/rng.ts'
import { CheckpointStore } from '../io/checkpoints.ts'
import type { RunFolder } from '../io/run-folder.ts'
import { openRunFolder } from '../io/run-folder.ts'
import { makeEncoder } from './make.ts'
import type { Parts } from './parts.ts'

/** An encoder that `armature pretrain` made. */
export interface EncoderRun {
  readonly path: string
  /** With the weights of the newest checkpoint. */
  readonly encoder: Encoder
  /** How it was made, and from what. */
  readonly record: EncoderRunConfig
  /** Gradient steps that it has learned for; `record.updates` unless it was interrupted. */
  readonly update: number
}

/**
 * Opens a folder that `armature pretrain` wrote.
 * @throws ArmatureError `not-found` where there is none, or no checkpoint yet; `bad-argument` for a folder of another kind of run;
 * `corrupt-file` for a damaged one.
 */
export async function loadEncoderRun(path: string): Promise<EncoderRun> {
  const record = encoderRecordOf(await openRunFolder(path))
  const checkpoint = await new CheckpointStore(`${path}/checkpoints`).latest('model')
  if (checkpoint === undefined) {
    throw new ArmatureError('not-found', `${path} has no checkpoint yet`, {
      fix: `go on with "armature pretrain --resume --out ${path}"`,
    })
  }
  const encoder = encoderOf(record)
  encoder.restore(checkpoint.model)
  return { path, encoder, record, update: checkpoint.step }
}

/** Settings that come from the encoder run where there is one. */
const TAKEN = /^representation\.(encoder|config|camera|fit|pretrain)\b/

/**
 * The configuration of a training run with encoder, settings, camera and fit of `representation.from`, where that is set.
 * @param set the command line's assignments
 * @throws ArmatureError as {@link loadEncoderRun}; `bad-argument` for an assignment to what comes from the encoder run.
 */
export async function withEncoderRun(config: TrainConfig, set: readonly string[] = []): Promise<TrainConfig> {
  const { representation } = config
  if (representation.kind !== 'encoder' || representation.from === undefined) return config
  const other = set.find((assignment) => TAKEN.test(assignment))
  if (other !== undefined) {
    throw new ArmatureError('bad-argument', `--set ${other}`, {
      got: 'representation.from as well, which decides that',
      fix: 'leave one of them out',
    })
  }
  const record = encoderRecordOf(await openRunFolder(representation.from))
  const { encoder, config: settings, camera } = record
  const from = resolve(representation.from)
  const taken = { encoder, config: settings, camera, from, ...keptFit(fitOfRun(record)) }
  return { ...config, representation: { ...representation, ...taken } }
}

/**
 * Puts the weights of `representation.from`, where that is set, into the encoder of a training run.
 * @throws ArmatureError as {@link loadEncoderRun}; `bad-config` for frames of another shape.
 */
export async function adoptEncoder({ config: { representation }, encoder }: Parts): Promise<void> {
  if (encoder === undefined || representation.kind !== 'encoder' || representation.from === undefined) return
  const run = await loadEncoderRun(representation.from)
  const [expected, got] = [run.encoder.spec, encoder.spec].map(({ frameShape }) => frameShape.join('x'))
  if (expected !== got) {
    throw new ArmatureError('bad-config', 'representation.from', { expected: `frames of ${expected}`, got: `${got}` })
  }
  encoder.restore(run.encoder.save())
  run.encoder.dispose()
}

/** Whether a run folder is one of `armature pretrain`. */
export function isEncoderRun({ record: { config } }: RunFolder): boolean {
  return typeof config === 'object' && config !== null && 'kind' in config && config.kind === 'encoder'
}

/** How the frames of a camera become those that the encoder of a run looks at. */
export function fitOfRun({ frameShape, resizedFrom = frameShape, crop }: EncoderRunConfig): FrameFit {
  return { from: resizedFrom, ...(crop !== 'none' && { crop }), to: frameShape }
}

/** As a configuration keeps it; nothing where frames stay as they are. */
function keptFit(fit: FrameFit): Pick<EncoderRepresentationConfig, 'fit'> {
  const { from, crop, to } = fit
  return changesFrames(fit) ? { fit: { from: [...from], ...(crop && { crop: [...crop] }), to: [...to] } } : {}
}

/** What the folder of an encoder run records. @throws ArmatureError `bad-argument` for a run of another kind. */
export function encoderRecordOf(folder: RunFolder): EncoderRunConfig {
  const { path, record } = folder
  if (!isEncoderRun(folder)) {
    throw new ArmatureError('bad-argument', `${path} is no encoder run`, {
      fix: 'make one with "armature pretrain <encoder> --data DATASET"',
    })
  }
  return parseConfig(encoderRunSchema, record.config, `config of ${path}`)
}

/** The encoder that a run is about, before it has learned anything. */
export function encoderOf({ encoder, frameShape, actionSize, seed, config }: EncoderRunConfig): Encoder {
  return makeEncoder(encoder, frameShape, new Rng(seed).split('encoder'), config, actionSize)
}
