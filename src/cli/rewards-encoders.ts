import { createHash } from 'node:crypto'
import { basename, resolve } from 'node:path'
import type { FrameBatch } from '../core/batches.ts'
import type { Dataset } from '../core/dataset.ts'
import type { Encoder } from '../core/encoder.ts'
import { ArmatureError } from '../core/errors.ts'
import type { FrameFit, FrameShape } from '../core/frame-fit.ts'
import { asTheyAre, autoFrameShape } from '../core/frame-fit.ts'
import { sizeOf } from '../core/ndarray.ts'
import { Rng } from '../core/rng.ts'
import type { TaskGeometry } from '../evaluate/report/embed.ts'
import { encoderEmbedder, readOrSkip, stateEmbedder } from '../evaluate/report/embed.ts'
import type { EncoderRole } from '../evaluate/report/model.ts'
import type { Participant } from '../evaluate/report/rewards-report.ts'
import { makeEncoder } from '../index.ts'
import { openRunFolder } from '../io/run-folder.ts'
import { fittedDataset } from '../replay/fitted-dataset.ts'
import { fitOfRun, isEncoderRun, loadEncoderRun } from '../compose/encoder-run.ts'
import { loadRun } from '../compose/load-run.ts'

/** What every encoder is compared with: a network that has learned nothing. */
export const BASELINE = 'random'
/** The oracle: the coordinates that the task is scored by. */
export const ORACLE = 'state'
/** Controls of the table, in its order. */
export const CONTROLS: readonly string[] = [BASELINE, 'pca', 'pixels', ORACLE]

/** Training frames that `pca` is fitted to. */
const FIT_FRAMES = 2000

/** An encoder that was trained before, with the camera that it looks through. */
export interface TrainedEncoder {
  readonly name: string
  readonly source: string
  readonly encoder: Encoder
  readonly camera: string
  /** How frames were fitted when it learned. */
  readonly fit: FrameFit
  /** Episodes that it learned from, where that was a dataset. */
  readonly learnedFrom?: { readonly path: string; readonly sha256: string; readonly episodes: readonly number[] }
}

/**
 * Opens a folder of `armature pretrain` or of `armature train`.
 * @throws ArmatureError `not-found` where there is none; `bad-argument` for a training run without an encoder.
 */
export async function openTrainedEncoder(path: string): Promise<TrainedEncoder> {
  const folder = await openFolder(path)
  const name = basename(resolve(path))
  if (isEncoderRun(folder)) {
    const { encoder, record: made, update } = await loadEncoderRun(path)
    return {
      name,
      source: `${path}: ${made.encoder}, ${update} updates on ${made.data.training.length} episodes of ${made.data.source}`,
      encoder,
      camera: made.camera,
      fit: fitOfRun(made),
      learnedFrom: { path: made.data.path, sha256: made.data.sha256, episodes: made.data.training },
    }
  }
  const { parts, step } = await loadRun(path)
  const { representation, preset } = parts.config
  const { encoder } = parts
  if (encoder === undefined || !('camera' in representation)) {
    throw new ArmatureError('bad-argument', `${path} has no encoder`, { fix: 'name a run that learns from pixels' })
  }
  const fit = representation.kind === 'encoder' ? representation.fit : undefined
  return {
    name,
    source: `${path}: ${encoder.spec.name} of ${preset} after ${step} steps`,
    encoder,
    camera: representation.camera,
    fit: fit ?? asTheyAre(encoder.spec.frameShape),
  }
}

async function openFolder(path: string): ReturnType<typeof openRunFolder> {
  try {
    return await openRunFolder(path)
  } catch (error) {
    if (!(error instanceof ArmatureError) || error.code !== 'not-found') throw error
    throw new ArmatureError('not-found', `"${path}" is neither a run folder nor a control`, {
      fix: path.endsWith('.json')
        ? `name the file for JSON with --json-out ${path}`
        : `name a folder of "armature pretrain" or "armature train", or one of ${CONTROLS.join(', ')}`,
      cause: error,
    })
  }
}

/** A trained encoder as it takes part. @throws ArmatureError `bad-config` where its frames are not those of the dataset. */
export function trainedParticipant(
  { name, source, encoder, camera, fit }: TrainedEncoder,
  dataset: Dataset,
  sharedGoals: readonly Uint8Array[],
): Participant {
  return {
    embedder: encoderEmbedder(name, encoder, camera, dataset, { sharedGoals, fit }),
    role: 'candidate',
    source,
    hash: weightsHash(encoder),
  }
}

export interface ControlOptions {
  readonly dataset: Dataset
  readonly camera: string
  readonly task: TaskGeometry | undefined
  /** Episodes to fit on. */
  readonly train: readonly number[]
  readonly seed: number
  readonly role: EncoderRole
  /** See `successFrames`. */
  readonly sharedGoals: readonly Uint8Array[]
}

/**
 * A control: fitted to training frames where it has something to fit.
 * @throws ArmatureError `bad-config` for a camera that the dataset lacks, or the oracle where it holds no states.
 */
export async function controlParticipant(name: string, options: ControlOptions): Promise<Participant> {
  const { dataset, camera, task, train, seed, role, sharedGoals } = options
  if (name === ORACLE) {
    if (task === undefined) {
      throw new ArmatureError('bad-config', `control ${ORACLE} on ${dataset.path}`, {
        expected: 'recorded states and a goal space',
      })
    }
    const { goalSpace } = dataset.spec
    const size = goalSpace === undefined ? 0 : sizeOf(goalSpace.shape)
    return {
      embedder: stateEmbedder(ORACLE, size, task),
      role: role === 'candidate' ? role : 'oracle',
      source: 'the recorded coordinates that the task is scored by: no camera, no learning',
    }
  }
  const from = dataset.spec.cameras[camera]!.shape as unknown as FrameShape
  const fit = { from, to: autoFrameShape(from) }
  const encoder = makeEncoder(name, fit.to, new Rng(seed).split(name), {}, sizeOf(dataset.spec.actionSpace.shape))
  const frames = await trainFrames(fittedDataset(dataset, [camera], fit), camera, train)
  await encoder.fitStatistics?.(frames)
  return {
    embedder: encoderEmbedder(name, encoder, camera, dataset, { sharedGoals, fit }),
    role,
    source:
      encoder.fitStatistics === undefined
        ? `control "${name}", seed ${seed}: nothing learned`
        : `control "${name}", fitted to ${frames.count} frames of ${train.length} episodes`,
    hash: weightsHash(encoder),
  }
}

/** Frames of the training episodes, as many of each, evenly spread. */
async function trainFrames(dataset: Dataset, camera: string, train: readonly number[]): Promise<FrameBatch> {
  const size = sizeOf(dataset.spec.cameras[camera]!.shape)
  const perEpisode = Math.max(1, Math.floor(FIT_FRAMES / train.length))
  const frames: Uint8Array[] = []
  for (const index of train.slice(0, FIT_FRAMES)) {
    const data = await readOrSkip(dataset, index, [camera])
    if (data === undefined) continue
    const { images, info } = data
    const count = Math.min(perEpisode, info.length)
    for (let i = 0; i < count; i++) {
      const time = Math.floor((i * info.length) / count)
      frames.push(images[camera]!.slice(time * size, (time + 1) * size))
    }
  }
  return { frames: Uint8Array.from(Buffer.concat(frames)), count: frames.length }
}

/** SHA-256 of all weights by name; undefined would hide a change, so that encoders without weights have the hash of nothing. */
function weightsHash(encoder: Encoder): string {
  const digest = createHash('sha256')
  for (const [name, { data, shape }] of Object.entries(encoder.save()).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    digest.update(`${name}[${shape.join()}]`)
    digest.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  }
  return digest.digest('hex')
}
