import { setImmediate } from 'node:timers/promises'
import type { Agent } from '../core/agent.ts'
import type { LearningEncoder } from '../core/encoder.ts'
import type { Observation, SimulatedEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Goal, GoalSource } from '../core/goals.ts'
import { agentInput } from '../core/goals.ts'
import type { Metrics, NamedArrays } from '../core/ndarray.ts'
import { ndarray, sizeOf } from '../core/ndarray.ts'
import type { RngState } from '../core/rng.ts'
import { Rng } from '../core/rng.ts'
import { sampleSpace } from '../core/spaces.ts'
import type { EpisodeStore } from '../replay/episode-store.ts'
import type { GoalSampling, SamplerOptions } from '../replay/sampler.ts'
import { sampleTransitions } from '../replay/sampler.ts'
import { MetricMeans } from './metric-means.ts'
import { sampleFrames } from './pretrain.ts'
import type { EpisodeFeatures, Representation } from './representation.ts'

/** What the loop is made of; it knows contracts only. */
export interface TrainerParts {
  readonly env: SimulatedEnv
  readonly representation: Representation
  readonly agent: Agent
  readonly store: EpisodeStore
  readonly sampling: SamplerOptions
  /** Goal-conditioned learning: where exploration goals come from, and how batches are relabelled and paid. */
  readonly goals?: { readonly exploration: GoalSource; readonly sampling: GoalSampling }
  /** An encoder that goes on learning from replay frames. */
  readonly refresh?: {
    readonly encoder: LearningEncoder
    readonly everySteps: number
    readonly updates: number
    readonly batchSize: number
  }
  /** Of an env that cannot be brought back into an episode: evaluations and checkpoints wait for its end, and what stops the loop ends it. */
  readonly keepsEpisodesWhole?: boolean
}

/** When the loop does what, in env steps. */
export interface TrainerSchedule {
  readonly steps: number
  readonly learningStarts: number
  readonly batchSize: number
  readonly updateEvery: number
  readonly updates: number
  readonly logEvery: number
  readonly evalEvery: number
  readonly checkpointEvery: number
}

/** What the loop tells the outside; `checkpoint` and `evaluate` must not touch the trainer's random streams. */
export interface TrainerHooks {
  readonly log: (step: number, metrics: Metrics) => void
  readonly evaluate: (step: number) => Promise<Metrics>
  readonly checkpoint: (step: number) => Promise<void>
  readonly progress?: (step: number) => void
  readonly episode?: (episode: { readonly step: number; readonly return: number; readonly length: number }) => void
}

/** What `save` gives and `restore` takes; the agent and the encoder are saved apart from it. */
export interface TrainerState {
  readonly arrays: Readonly<Record<string, NamedArrays>>
  readonly json: TrainerJson
}

interface TrainerJson {
  readonly step: number
  readonly rngs: Readonly<Record<StreamName, RngState>>
  readonly means: Readonly<Record<string, readonly [number, number]>>
  readonly episodeReturn: number
  readonly episodeLength: number
  readonly goal: readonly number[] | null
  readonly env: { readonly id: string; readonly json: string } | null
}

const STREAMS = ['env', 'exploration', 'goals', 'replay', 'refresh'] as const
type StreamName = (typeof STREAMS)[number]

/**
 * The off-policy loop: act, store, sample with relabelled goals, update (order of operations as in the SAC references).
 * Stopping after any step and going on from {@link save} gives the same numbers, bit for bit, as never stopping.
 */
export class Trainer {
  readonly #parts: TrainerParts
  readonly #schedule: TrainerSchedule
  readonly #means = new MetricMeans()
  #rngs: Record<StreamName, Rng>
  #step = 0
  #episode: EpisodeFeatures | undefined
  #features: Float32Array | undefined
  #goal: Goal | undefined
  #episodeReturn = 0
  #episodeLength = 0

  constructor(parts: TrainerParts, schedule: TrainerSchedule, rng: Rng) {
    this.#parts = parts
    this.#schedule = schedule
    this.#rngs = Object.fromEntries(STREAMS.map((name) => [name, rng.split(name)])) as Record<StreamName, Rng>
    if (parts.goals?.sampling.reward.needsFrames && parts.store.options.frameSize === 0) {
      throw new ArmatureError('bad-config', `reward ${parts.goals.sampling.reward.name}`, {
        expected: 'replay with frames',
      })
    }
  }

  /** Env steps done. */
  get step(): number {
    return this.#step
  }

  /**
   * Runs until `schedule.steps`, or until `signal` aborts between two steps (returns false then; nothing is half-done).
   */
  async run(hooks: TrainerHooks, signal?: AbortSignal): Promise<boolean> {
    const { steps, logEvery, evalEvery, checkpointEvery } = this.#schedule
    const { keepsEpisodesWhole = false } = this.#parts
    const due = { evaluation: false, checkpoint: false }
    while (this.#step < steps) {
      if (signal?.aborted) {
        if (keepsEpisodesWhole) this.#leaveEpisode()
        return false
      }
      // Envs and agents may answer without ever leaving the microtask queue: Ctrl-C gets its turn here.
      await setImmediate()
      await this.#act(hooks)
      this.#step++
      await this.#learn()
      if (this.#step % logEvery === 0) hooks.log(this.#step, this.#means.take())
      const isLast = this.#step === steps
      if (isLast && keepsEpisodesWhole) this.#leaveEpisode()
      due.evaluation ||= this.#step % evalEvery === 0 || isLast
      due.checkpoint ||= this.#step % checkpointEvery === 0 || isLast
      if (!keepsEpisodesWhole || this.#features === undefined) {
        if (due.evaluation) hooks.log(this.#step, await hooks.evaluate(this.#step))
        if (due.checkpoint) await hooks.checkpoint(this.#step)
        due.evaluation = due.checkpoint = false
      }
      hooks.progress?.(this.#step)
    }
    return true
  }

  async save(): Promise<TrainerState> {
    const { env, store } = this.#parts
    const envState = this.#features && (await env.saveState())
    const rngs = Object.fromEntries(STREAMS.map((name) => [name, this.#rngs[name].state])) as Record<
      StreamName,
      RngState
    >
    const goalFrame = this.#goal?.frame ?? new Uint8Array(0)
    const snapshot = envState?.snapshot ?? new Uint8Array(0)
    return {
      arrays: {
        replay: store.save(),
        episode: {
          snapshot: ndarray(snapshot, [snapshot.length]),
          goalFrame: ndarray(goalFrame, [goalFrame.length]),
          ...(this.#features && this.#episode?.save()),
        },
      },
      json: {
        step: this.#step,
        rngs,
        means: this.#means.state,
        episodeReturn: this.#episodeReturn,
        episodeLength: this.#episodeLength,
        goal: this.#goal ? [...this.#goal.features] : null,
        env: envState ? { id: envState.id, json: envState.json } : null,
      },
    }
  }

  async restore({ arrays, json }: TrainerState): Promise<void> {
    const { env, store, representation } = this.#parts
    store.restore(arrays.replay!)
    const { snapshot, goalFrame, ...seen } = arrays.episode!
    this.#step = json.step
    this.#rngs = Object.fromEntries(STREAMS.map((name) => [name, Rng.fromState(json.rngs[name])])) as Record<
      StreamName,
      Rng
    >
    this.#means.state = json.means
    this.#episodeReturn = json.episodeReturn
    this.#episodeLength = json.episodeLength
    const frame = goalFrame!.data as Uint8Array
    this.#goal = json.goal
      ? { features: Float32Array.from(json.goal), ...(frame.length > 0 ? { frame } : {}) }
      : undefined
    this.#features = json.env ? Float32Array.from(store.featuresAt(store.end - 1)) : undefined
    this.#episode = representation.begin()
    this.#episode.restore(seen)
    if (json.env) await env.restoreState({ ...json.env, snapshot: snapshot!.data as Uint8Array })
  }

  /** One env step with an exploring action, stored. */
  async #act(hooks: TrainerHooks): Promise<void> {
    const { env, agent, store, goals } = this.#parts
    const { actionSpace } = env.spec
    this.#features ??= await this.#beginEpisode()
    const action =
      this.#step < this.#schedule.learningStarts
        ? sampleSpace(actionSpace, this.#rngs.exploration, new Float32Array(sizeOf(actionSpace.shape)))
        : await agent.act(agentInput(this.#features, this.#goal?.features), 1, 'sample')
    const { observation, reward: envReward, terminated, truncated, appliedAction } = await env.step(action)
    const features = await this.#episode!.observe(observation)
    const frame = this.#frameOf(observation)
    const reward = goals && this.#goal ? this.#goalReward(goals.sampling, this.#goal, features, frame) : envReward
    store.append({ action: appliedAction ?? action, reward, terminated, truncated }, features, frame)
    this.#features = features
    this.#episodeReturn += reward
    this.#episodeLength++
    if (!terminated && !truncated) return
    this.#means.add({ 'rollout/ep_rew_mean': this.#episodeReturn, 'rollout/ep_len_mean': this.#episodeLength })
    hooks.episode?.({ step: this.#step + 1, return: this.#episodeReturn, length: this.#episodeLength })
    this.#features = undefined
    this.#goal = undefined
  }

  /** What was seen of it counts, as when time runs out. */
  #leaveEpisode(): void {
    if (this.#features === undefined) return
    this.#parts.store.cut()
    this.#features = undefined
    this.#goal = undefined
  }

  async #beginEpisode(): Promise<Float32Array> {
    const { env, representation, store, goals } = this.#parts
    const { observation } = await env.reset({ seed: this.#rngs.env.nextSeed() })
    this.#episode = representation.begin()
    const features = await this.#episode.observe(observation)
    this.#goal = goals?.exploration.sample(this.#rngs.goals)
    this.#episodeReturn = 0
    this.#episodeLength = 0
    store.begin(features, this.#frameOf(observation), this.#goal)
    return features
  }

  /** What the step that led here pays with respect to the goal of this episode. */
  #goalReward({ reward }: GoalSampling, goal: Goal, features: Float32Array, frame: Uint8Array | undefined): number {
    const rewards = new Float32Array(1)
    const outcome = { size: 1, featureSize: features.length, reached: features, goals: goal.features }
    reward.compute({ ...outcome, reachedFrame: () => frame!, goalFrame: () => goal.frame! }, rewards)
    return rewards[0]!
  }

  #frameOf(observation: Observation): Uint8Array | undefined {
    const { camera } = this.#parts.representation
    return this.#parts.store.options.frameSize > 0 && camera !== undefined ? observation.images[camera] : undefined
  }

  async #learn(): Promise<void> {
    const { agent, store, sampling, goals, refresh } = this.#parts
    const { learningStarts, updateEvery, updates, batchSize } = this.#schedule
    if (this.#step >= learningStarts && this.#step % updateEvery === 0) {
      for (let i = 0; i < updates; i++) {
        const batch = sampleTransitions(store, batchSize, sampling, this.#rngs.replay, goals?.sampling)
        this.#means.add(await agent.update(batch))
      }
    }
    if (refresh && refresh.everySteps > 0 && this.#step % refresh.everySteps === 0) await this.#refreshEncoder(refresh)
  }

  /** Trains the encoder on replay frames, then re-encodes everything stored (online RIG, methods of Skew-Fit's schedule). */
  async #refreshEncoder({ encoder, updates, batchSize }: NonNullable<TrainerParts['refresh']>): Promise<void> {
    const { store, representation } = this.#parts
    const { frameSize } = store.options
    const batch = { frames: new Uint8Array(batchSize * frameSize), count: batchSize }
    const frames = store.storedFrames()
    for (let i = 0; i < updates; i++) {
      const metrics = await encoder.update(sampleFrames(frames, frames.length / frameSize, batch, this.#rngs.refresh))
      this.#means.add({ 'embed/loss': metrics.loss! })
    }
    await encoder.fitPrior?.({ frames, count: frames.length / frameSize })
    await store.reencode((frames, count) => encoder.encode({ frames, count }))
    await this.#parts.goals?.exploration.refresh?.()
    if (this.#features) this.#features = Float32Array.from(store.featuresAt(store.end - 1))
    if (this.#goal?.frame) {
      const features = await this.#episode!.goal({
        images: { [representation.camera!]: this.#goal.frame },
        state: new Float32Array(0),
      })
      this.#goal = { ...this.#goal, features }
    }
  }
}
