import type { Agent } from '../core/agent.ts'
import { requireWhole } from '../core/checks.ts'
import type { BatchKind, FrameBatch } from '../core/batches.ts'
import { encoderInput, goalInput } from '../core/encoder-input.ts'
import type { LearningEncoder } from '../core/encoder.ts'
import { encodeGoal } from '../core/encoder.ts'
import type { GoalSource } from '../core/goals.ts'
import type { Learner } from '../core/learner.ts'
import type { Metrics } from '../core/ndarray.ts'
import { concatenated } from '../core/ndarray.ts'
import type { Rng } from '../core/rng.ts'
import type { BatchOptions } from '../replay/batch-sampler.ts'
import { makeSampler } from '../replay/batch-sampler.ts'
import type { FrameShape } from '../core/frame-fit.ts'
import type { EpisodeSource } from '../replay/episode-source.ts'
import type { EpisodeStore } from '../replay/episode-store.ts'
import type { GoalSampling, SamplerOptions } from '../replay/sampler.ts'
import { checkSampling, frameMemory, sampleAcross } from '../replay/sampler.ts'
import { JoinedSource } from '../replay/joined-source.ts'
import { StoreSource } from '../replay/store-source.ts'
import { inputsOf } from './encoder-data.ts'

/** When a learner has its turns, see {@link Learner}. */
export type LearnerSchedule = Pick<Learner, 'startsAt' | 'every' | 'updates'>

/** What an agent learns from. */
export interface AgentLearnerOptions extends LearnerSchedule {
  /** Transitions of a batch. */
  readonly batchSize: number
  readonly sampling: SamplerOptions
  /** Goal-conditioned learning: batches are relabelled and paid by these. */
  readonly goals?: GoalSampling
}

/** An agent that learns from replay: one store, or one of each env. @throws ArmatureError `bad-argument` as {@link checkSampling}. */
export function agentLearner(
  agent: Agent,
  stores: readonly EpisodeStore[],
  options: AgentLearnerOptions,
  rng: Rng,
): Learner {
  const { startsAt, every, updates, batchSize, sampling, goals } = options
  checkSampling(batchSize, sampling, goals?.mix)
  const { frames } = sampling
  const drawing = frames ? { ...sampling, frames: { memory: frameMemory(batchSize, frames), ...frames } } : sampling
  const step: Learner['step'] = () => agent.update(sampleAcross(stores, batchSize, drawing, rng, goals))
  return { name: 'agent', startsAt, every, updates, rngs: [rng], step }
}

/** Frames of a replay as an encoder looks at them. */
export interface SeenFrames {
  /** Whose frames the replay keeps, and their shape. */
  readonly camera: string
  readonly frameShape: FrameShape
  /** Frames that the encoder sees at once; default 1. */
  readonly stack?: number
}

export interface EncoderLearnerOptions extends LearnerSchedule {
  readonly batchSize: number
  /** What of the replay the encoder looks at; absent: its vectors. */
  readonly seen?: SeenFrames
  /** Further options of the sampler, beside those that the encoder states. */
  readonly sampler?: Readonly<Record<string, unknown>>
}

/**
 * An encoder that learns by its own loss along with the agent that looks through its network (CURL, SAC-AE, DeepMDP, DBC).
 * @throws ArmatureError as {@link makeSampler}; `bad-shape` for a replay without such frames
 */
export function encoderLearner(
  encoder: LearningEncoder,
  stores: readonly EpisodeStore[],
  options: EncoderLearnerOptions,
  rng: Rng,
): Learner {
  const { startsAt, every, updates, batchSize, seen, sampler } = options
  requireWhole('rows of a batch', batchSize, 1)
  const { kind, options: stated } = encoder.spec.batch
  const source = sourceOf(stores, seen)
  const seeds = rng.split('augmentations')
  const drawn = { ...(seen && { camera: seen.camera }), ...stated, ...sampler } as BatchOptions[BatchKind]
  const batches = makeSampler(kind, source, drawn, rng, seeds)
  const step = async (): Promise<Metrics> => ({ 'embed/loss': (await encoder.update(batches.sample(batchSize))).loss! })
  return { name: 'encoder', startsAt, every, updates, rngs: [rng, seeds], step }
}

export interface RefreshOptions extends Omit<EncoderLearnerOptions, 'seen'> {
  /** Whose frames the replay keeps, as the encoder looks at them. */
  readonly camera: string
  /** Makes its goals again after each turn. */
  readonly goals?: Pick<GoalSource, 'refresh'>
}

/** Observations that a prior is fitted to, where an encoder looks at more than one frame. */
const PRIOR_INPUTS = 4000

/**
 * An encoder that goes on learning from the replay, in turns after which everything stored is encoded anew (online RIG, on the schedule of
 * Skew-Fit).
 * @throws ArmatureError as {@link makeSampler}; `bad-shape` for a replay without frames
 */
export function refreshLearner(
  encoder: LearningEncoder,
  stores: readonly EpisodeStore[],
  options: RefreshOptions,
  rng: Rng,
): Learner {
  const { camera, goals } = options
  const { spec } = encoder
  const seen = { camera, frameShape: spec.frameShape }
  const learner = encoderLearner(encoder, stores, { ...options, seen }, rng)
  const source = sourceOf(stores, seen)
  const looksAtOne = spec.window.frames === 1 && !spec.takesContext
  return {
    ...learner,
    after: async () => {
      await encoder.fitPrior?.(looksAtOne ? storedFrames(stores) : inputsOf(source, camera, spec, PRIOR_INPUTS))
      for (const store of stores) await reencode(encoder, store)
      await goals?.refresh?.()
    },
  }
}

/** The episodes of all stores. */
function sourceOf(stores: readonly EpisodeStore[], seen: SeenFrames | undefined): EpisodeSource {
  const sources = stores.map((store) => new StoreSource(store, seen?.camera, seen?.frameShape, seen?.stack))
  return sources.length === 1 ? sources[0]! : new JoinedSource(sources)
}

/** All frames of all stores. */
function storedFrames(stores: readonly EpisodeStore[]): FrameBatch {
  const frames = concatenated(stores.map((store) => store.storedFrames()))
  return { frames, count: frames.length / stores[0]!.options.frameSize }
}

/** Replaces the features of everything stored by what `encoder` now makes of its frames. */
async function reencode(encoder: LearningEncoder, store: EpisodeStore): Promise<void> {
  const { spec } = encoder
  const goal = (frame: Uint8Array, start: Uint8Array): Promise<Float32Array> =>
    encodeGoal(encoder, goalInput(spec, frame, start))
  await store.reencode({
    observations: (positions) => {
      const times = positions.map((position) => position - store.firstOfEpisode(position))
      return encoder.encode(encoderInput(spec, times, (row, time) => store.frameWithin(positions[row]!, time)))
    },
    reached: async (positions) => {
      const reached = new Float32Array(positions.length * spec.latentSize)
      for (const [row, position] of positions.entries()) {
        reached.set(await goal(store.frameAt(position), store.frameWithin(position, 0)), row * spec.latentSize)
      }
      return reached
    },
    start: (frame) => encoder.encode(encoderInput(spec, [0], () => frame)),
    goal,
  })
}
