import type { Agent } from '../core/agent.ts'
import { requireWhole } from '../core/checks.ts'
import type { LearningEncoder } from '../core/encoder.ts'
import type { GoalSource } from '../core/goals.ts'
import type { Learner } from '../core/learner.ts'
import type { Rng } from '../core/rng.ts'
import type { EpisodeStore } from '../replay/episode-store.ts'
import type { GoalSampling, SamplerOptions } from '../replay/sampler.ts'
import { checkSampling, sampleTransitions } from '../replay/sampler.ts'
import { sampleFrames } from './pretrain.ts'

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

/** An agent that learns from replay. @throws ArmatureError `bad-argument` as {@link checkSampling}. */
export function agentLearner(agent: Agent, store: EpisodeStore, options: AgentLearnerOptions, rng: Rng): Learner {
  const { startsAt, every, updates, batchSize, sampling, goals } = options
  checkSampling(batchSize, sampling, goals?.mix)
  const step: Learner['step'] = () => agent.update(sampleTransitions(store, batchSize, sampling, rng, goals))
  return { name: 'agent', startsAt, every, updates, rng, step }
}

export interface RefreshOptions extends LearnerSchedule {
  readonly batchSize: number
  /** Makes its goals again after each turn. */
  readonly goals?: GoalSource
}

/**
 * An encoder that goes on learning from the frames of the replay, in turns after which everything stored is encoded anew (online RIG, on
 * the schedule of Skew-Fit).
 */
export function refreshLearner(
  encoder: LearningEncoder,
  store: EpisodeStore,
  { startsAt, every, updates, batchSize, goals }: RefreshOptions,
  rng: Rng,
): Learner {
  requireWhole('frames of a batch', batchSize, 1)
  const { frameSize } = store.options
  const batch = { frames: new Uint8Array(batchSize * frameSize), count: batchSize }
  return {
    name: 'encoder',
    startsAt,
    every,
    updates,
    rng,
    step: async () => {
      const frames = store.storedFrames()
      const metrics = await encoder.update(sampleFrames(frames, frames.length / frameSize, batch, rng))
      return { 'embed/loss': metrics.loss! }
    },
    after: async () => {
      const frames = store.storedFrames()
      await encoder.fitPrior?.({ frames, count: frames.length / frameSize })
      await store.reencode((frames, count) => encoder.encode({ frames, count }))
      await goals?.refresh?.()
    },
  }
}
