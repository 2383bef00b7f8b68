import type { PixelRepresentationConfig, VectorRepresentationConfig } from '../config/train-config.ts'
import type { InputData } from '../core/encoder-input.ts'
import { isLearning } from '../core/encoder.ts'
import type { Env } from '../core/env.ts'
import type { Learner } from '../core/learner.ts'
import { sizeOf } from '../core/ndarray.ts'
import { lookUp } from '../core/registry.ts'
import { Rng } from '../core/rng.ts'
import { Augmenter } from '../replay/augment.ts'
import type { FrameShape } from '../core/frame-fit.ts'
import type { EpisodeStoreOptions } from '../replay/episode-store.ts'
import { EpisodeStore } from '../replay/episode-store.ts'
import type { FrameSampling, GoalSampling } from '../replay/sampler.ts'
import type { LaneView, StepBonus } from '../run/lane.ts'
import type { EncoderLearnerOptions } from '../run/learners.ts'
import { agentLearner, encoderLearner, refreshLearner } from '../run/learners.ts'
import { recordedFeatures } from '../run/representation.ts'
import { Trainer } from '../run/trainer.ts'
import { goalSources } from './goal-sources.ts'
import { learnsAlong } from './learned-network.ts'
import type { Parts } from './parts.ts'

/**
 * The loop over `parts`, once the encoder is trained: only now do goals and rewards mean anything.
 * @param envs copies of the env of `parts` in which it plays at the same time, that one among them or not; they share its replay evenly
 */
export async function buildTrainer(parts: Parts, envs: readonly Env[] = [parts.env]): Promise<Trainer> {
  const { config, representation, agent } = parts
  const rng = new Rng(config.seed)
  const options = storeOptions(parts)
  const capacity = Math.max(2, Math.floor(options.capacity / envs.length))
  const [first, ...beside] = envs.map((env) => ({ env, store: new EpisodeStore({ ...options, capacity }) }))
  const stores = [first!, ...beside].map(({ store }) => store)
  const goals = await buildGoals(parts, options.frameSize > 0, rng.split('goals').seed)
  const learners = buildLearners(parts, stores, goals, rng.split('trainer'))
  return new Trainer(
    { ...first!, beside, representation, agent, learners, ...(goals && { goals }), ...stepBonus(parts) },
    config.training,
    rng.split('trainer'),
  )
}

/** What the encoder pays besides, where its settings ask for that: of frames where the agent sees those, else of its vectors. */
function stepBonus({ config, encoder }: Parts): { readonly bonus?: StepBonus } {
  if (encoder?.bonus === undefined || !learnsAlong(config.representation)) return {}
  const seen = ({ vector, frames }: LaneView): InputData => frames ?? vector
  const bonus: StepBonus = async (before, action, after) => {
    const steps = { count: 1, frames: seen(before), nextFrames: seen(after), actions: action }
    return (await encoder.bonus!(steps))[0]!
  }
  return { bonus }
}

/** What the replay of a run holds. */
export function storeOptions(parts: Parts): EpisodeStoreOptions {
  const { config, env, representation } = parts
  return {
    capacity: config.replay.capacity,
    featureSize: representation.size,
    ...(representation.goalSize !== undefined && { goalSize: representation.goalSize }),
    actionSize: sizeOf(env.spec.actionSpace.shape),
    frameSize: frameSizeOf(parts),
    ...(config.goals && representation.hasOwnGoals === true && { keepsReached: true }),
  }
}

/** Bytes of a frame in replay, as its encoder sees it; 0 where none are kept. */
function frameSizeOf({ config: { representation }, env, encoder, reward }: Parts): number {
  if (representation.kind === 'pixels') return sizeOf(env.spec.imageSpaces[representation.camera]!.shape)
  const isRefreshed = representation.kind === 'encoder' && representation.refresh.everySteps > 0
  return encoder !== undefined && (reward?.needsFrames === true || isRefreshed) ? sizeOf(encoder.spec.frameShape) : 0
}

async function buildGoals(parts: Parts, withFrames: boolean, seed: number): Promise<GoalSampling | undefined> {
  const { config, reward, form } = parts
  if (config.goals === undefined || reward === undefined || form === undefined) return undefined
  const { source, relabel } = config.goals
  const entry = lookUp('source of goals', goalSources, source.name)
  const made = await entry.create(parts, source.config, withFrames, seed)
  await prepareReward(parts)
  return { mix: relabel, source: made, reward, form }
}

async function prepareReward({ reward, representation }: Parts): Promise<void> {
  await reward?.prepare?.((episode, dataset) => recordedFeatures(representation, episode, dataset))
}

/** The agent, then the encoder where it goes on learning. */
function buildLearners(
  parts: Parts,
  stores: readonly EpisodeStore[],
  goals: GoalSampling | undefined,
  rng: Rng,
): Learner[] {
  const { config, env, encoder, agent } = parts
  const { training, replay, representation } = config
  const { learningStarts: startsAt, updateEvery: every, updates, batchSize } = training
  const frames = representation.kind === 'pixels' ? frameSampling(representation, env) : undefined
  const sampling = { gamma: replay.gamma, nStep: replay.nStep, ...(frames && { frames }) }
  const options = { startsAt, every, updates, batchSize, sampling, ...(goals && { goals }) }
  const learners = [agentLearner(agent, stores, options, rng.split('replay'))]
  if (encoder === undefined || !isLearning(encoder)) return learners
  if (learnsAlong(representation) && representation.ownUpdates > 0) {
    const schedule = { startsAt, every, updates: representation.ownUpdates, batchSize }
    const options = { ...schedule, ...seenFrames(representation, frames) }
    learners.push(encoderLearner(encoder, stores, options, rng.split('encoder')))
  }
  if (representation.kind !== 'encoder') return learners
  const { refresh, pretrain } = representation
  if (refresh.everySteps === 0) return learners
  const schedule = { startsAt: 0, every: refresh.everySteps, updates: refresh.updates, batchSize: pretrain.batchSize }
  const drawn = { camera: representation.camera, sampler: pretrain.batch }
  const again = async (): Promise<void> => {
    await goals?.source.refresh?.()
    await prepareReward(parts)
  }
  const refreshed = { ...schedule, ...drawn, goals: { refresh: again } }
  learners.push(refreshLearner(encoder, stores, refreshed, rng.split('refresh')))
  return learners
}

/** What an encoder that learns along looks at: the frames that the agent sees, or its vectors. */
function seenFrames(
  representation: PixelRepresentationConfig | VectorRepresentationConfig,
  frames: FrameSampling | undefined,
): Pick<EncoderLearnerOptions, 'seen' | 'sampler'> {
  if (representation.kind === 'vectors') return {}
  const { camera, stack, batch } = representation
  return { seen: { camera, stack, frameShape: frames!.frameShape }, sampler: batch }
}

/** How an agent that looks at frames gets them. */
function frameSampling({ camera, stack, maxShiftPixels }: PixelRepresentationConfig, env: Env): FrameSampling {
  const frameShape = env.spec.imageSpaces[camera]!.shape as unknown as FrameShape
  if (maxShiftPixels === 0) return { frameShape, stack }
  const shift = { kind: 'shift', maxPixels: maxShiftPixels } as const
  return { frameShape, stack, augmenter: new Augmenter([shift], frameShape) }
}
