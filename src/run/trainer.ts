import { setImmediate } from 'node:timers/promises'
import { ActionScale } from '../core/action-scale.ts'
import type { Agent } from '../core/agent.ts'
import { requireWhole, requireWholeOrInfinity } from '../core/checks.ts'
import type { Env, Observation, SimulatedEnv } from '../core/env.ts'
import { isSimulatedEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Goal, GoalForm, GoalReward, GoalSource } from '../core/goals.ts'
import { agentInput } from '../core/goals.ts'
import type { Learner } from '../core/learner.ts'
import { checkLearner } from '../core/learner.ts'
import type { Metrics, NamedArrays } from '../core/ndarray.ts'
import { ndarray } from '../core/ndarray.ts'
import type { RngState } from '../core/rng.ts'
import { Rng } from '../core/rng.ts'
import type { EpisodeStore } from '../replay/episode-store.ts'
import { MetricMeans } from './metric-means.ts'
import type { EpisodeFeatures, Representation } from './representation.ts'

/** What the loop is made of; it knows contracts only. */
export interface TrainerParts {
  /**
   * Where its state can be saved ({@link isSimulatedEnv}), the loop can pause in mid-episode. Of another env, such as a robot in real time,
   * evaluations and checkpoints wait for the end of an episode, and what stops the loop ends the episode.
   */
  readonly env: Env
  readonly representation: Representation
  readonly agent: Agent
  readonly store: EpisodeStore
  /** Goal-conditioned learning: where goals come from, what reaching them pays, and the form in which the agent is shown them. */
  readonly goals?: { readonly source: GoalSource; readonly reward: GoalReward; readonly form: GoalForm }
  /** What learns, in order of their turns: the agent first, then e.g. an encoder. */
  readonly learners: readonly Learner[]
}

/** When the loop does what, in env steps; Infinity: never. */
export interface TrainerSchedule {
  readonly steps: number
  /** Steps of random play before the agent acts. */
  readonly learningStarts: number
  readonly logEvery: number
  readonly evalEvery: number
  readonly checkpointEvery: number
}

/** What the loop tells the outside; `checkpoint` and `evaluate` must not touch the trainer's random streams. */
export interface TrainerHooks {
  readonly log: (step: number, metrics: Metrics) => void
  readonly evaluate?: (step: number) => Promise<Metrics>
  readonly checkpoint?: (step: number) => Promise<void>
  readonly progress?: (step: number) => void
  readonly episode?: (episode: { readonly step: number; readonly return: number; readonly length: number }) => void
}

/** What `save` gives and `restore` takes; agent and encoder are saved apart from it. */
export interface TrainerState {
  readonly arrays: Readonly<Record<string, NamedArrays>>
  readonly json: TrainerJson
}

interface TrainerJson {
  readonly step: number
  readonly rngs: Readonly<Record<StreamName, RngState>>
  /** Of each learner, by its name. */
  readonly learners: Readonly<Record<string, readonly RngState[]>>
  readonly means: Readonly<Record<string, readonly [number, number]>>
  readonly episodeReturn: number
  readonly episodeLength: number
  readonly goal: readonly number[] | null
  readonly env: { readonly id: string; readonly json: string } | null
}

const STREAMS = ['env', 'exploration', 'goals'] as const
type StreamName = (typeof STREAMS)[number]

/**
 * The off-policy loop: act, store, let every learner have its turn (order of operations as in the SAC references). Agents act in [-1, 1];
 * the env gets actions in the bounds of its action space, and replay keeps the agent's.
 *
 * Stopping after any step and going on from {@link save} gives the same numbers, bit for bit, as never stopping.
 */
export class Trainer {
  readonly #parts: TrainerParts
  readonly #schedule: TrainerSchedule
  readonly #actions: ActionScale
  readonly #means = new MetricMeans()
  #rngs: Record<StreamName, Rng>
  #step = 0
  #episode: EpisodeFeatures | undefined
  #features: Float32Array | undefined
  #goal: Goal | undefined
  #episodeReturn = 0
  #episodeLength = 0

  /**
   * @throws ArmatureError `bad-argument` for a schedule that makes no sense, `bad-config` for an action space without bounds, and for a reward
   *   that compares frames where replay keeps none.
   */
  constructor(parts: TrainerParts, schedule: TrainerSchedule, rng: Rng) {
    checkSchedule(schedule)
    checkLearners(parts.learners)
    this.#parts = parts
    this.#schedule = schedule
    this.#actions = new ActionScale(parts.env.spec.actionSpace, parts.env.spec.id)
    this.#rngs = Object.fromEntries(STREAMS.map((name) => [name, rng.split(name)])) as Record<StreamName, Rng>
    if (parts.goals?.reward.needsFrames && parts.store.options.frameSize === 0) {
      throw new ArmatureError('bad-config', `reward ${parts.goals.reward.name}`, {
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
    const canPauseMidEpisode = isSimulatedEnv(this.#parts.env)
    const due = { evaluation: false, checkpoint: false }
    while (this.#step < steps) {
      if (signal?.aborted) {
        if (!canPauseMidEpisode) this.#leaveEpisode()
        return false
      }
      // Envs and agents may answer without ever leaving the microtask queue: Ctrl-C gets its turn here.
      await setImmediate()
      await this.#act(hooks)
      this.#step++
      await this.#learn()
      if (this.#step % logEvery === 0) hooks.log(this.#step, this.#means.take())
      const isLast = this.#step === steps
      if (isLast && !canPauseMidEpisode) this.#leaveEpisode()
      due.evaluation ||= this.#step % evalEvery === 0 || isLast
      due.checkpoint ||= this.#step % checkpointEvery === 0 || isLast
      if (canPauseMidEpisode || this.#features === undefined) {
        if (due.evaluation && hooks.evaluate) hooks.log(this.#step, await hooks.evaluate(this.#step))
        if (due.checkpoint) await hooks.checkpoint?.(this.#step)
        due.evaluation = due.checkpoint = false
      }
      hooks.progress?.(this.#step)
    }
    return true
  }

  /** @throws ArmatureError `unsupported-op` in mid-episode of an env whose state cannot be saved. */
  async save(): Promise<TrainerState> {
    const { store, learners } = this.#parts
    const envState = this.#features && (await this.#savableEnv().saveState())
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
        learners: Object.fromEntries(learners.map(({ name, rngs: own }) => [name, own.map(({ state }) => state)])),
        means: this.#means.state,
        episodeReturn: this.#episodeReturn,
        episodeLength: this.#episodeLength,
        goal: this.#goal ? [...this.#goal.features] : null,
        env: envState ? { id: envState.id, json: envState.json } : null,
      },
    }
  }

  async restore({ arrays, json }: TrainerState): Promise<void> {
    const { store, learners, representation } = this.#parts
    store.restore(arrays.replay!)
    const { snapshot, goalFrame, ...seen } = arrays.episode!
    this.#step = json.step
    this.#rngs = Object.fromEntries(STREAMS.map((name) => [name, Rng.fromState(json.rngs[name])])) as Record<
      StreamName,
      Rng
    >
    for (const { name, rngs } of learners) rngs.forEach((rng, i) => rng.restore(json.learners[name]![i]!))
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
    if (json.env) await this.#savableEnv().restoreState({ ...json.env, snapshot: snapshot!.data as Uint8Array })
  }

  /** One env step with an exploring action, stored. */
  async #act(hooks: TrainerHooks): Promise<void> {
    const { env, store, goals, representation } = this.#parts
    this.#features ??= await this.#beginEpisode()
    const action = await this.#chooseAction(this.#features)
    const step = await env.step(this.#actions.toEnv(action))
    const { observation, reward: envReward, terminated, truncated, appliedAction } = step
    const features = await this.#episode!.observe(observation)
    const frame = this.#frameOf(observation)
    const reached = goals && representation.hasOwnGoals === true ? await this.#episode!.goal(observation) : features
    const reward = goals && this.#goal ? this.#goalReward(goals.reward, this.#goal, reached, frame) : envReward
    const executed = appliedAction === undefined ? action : this.#actions.toAgent(appliedAction)
    store.append({ action: executed, reward, terminated, truncated }, features, frame, reached)
    this.#features = features
    this.#episodeReturn += reward
    this.#episodeLength++
    if (!terminated && !truncated) return
    this.#means.add({ 'rollout/ep_rew_mean': this.#episodeReturn, 'rollout/ep_len_mean': this.#episodeLength })
    hooks.episode?.({ step: this.#step + 1, return: this.#episodeReturn, length: this.#episodeLength })
    this.#features = undefined
    this.#goal = undefined
  }

  /** The agent's action, random before it learns. */
  async #chooseAction(features: Float32Array): Promise<Float32Array> {
    const { agent, goals } = this.#parts
    if (this.#step < this.#schedule.learningStarts) {
      return this.#rngs.exploration.fillUniform(new Float32Array(agent.spec.actionSize), -1, 1)
    }
    const input = goals && this.#goal ? agentInput(features, this.#goal.features, goals.form) : features
    return agent.act(input, 1, 'sample', this.#episode!.frames?.())
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
    const frame = this.#frameOf(observation)
    const start = frame === undefined ? { features } : { features, frame }
    this.#goal = goals?.source.sample(this.#rngs.goals, start)
    this.#episodeReturn = 0
    this.#episodeLength = 0
    store.begin(features, frame, this.#goal)
    return features
  }

  /** What the step that led here pays with respect to the goal of this episode. */
  #goalReward(reward: GoalReward, goal: Goal, reached: Float32Array, frame: Uint8Array | undefined): number {
    const rewards = new Float32Array(1)
    const times = Int32Array.of(this.#episodeLength + 1)
    const outcome = { size: 1, featureSize: reached.length, reached, goals: goal.features, times }
    reward.compute({ ...outcome, reachedFrame: () => frame!, goalFrame: () => goal.frame! }, rewards)
    return rewards[0]!
  }

  #frameOf(observation: Observation): Uint8Array | undefined {
    const { camera } = this.#parts.representation
    return this.#parts.store.options.frameSize > 0 && camera !== undefined ? observation.images[camera] : undefined
  }

  async #learn(): Promise<void> {
    for (const learner of this.#parts.learners) {
      if (this.#step < learner.startsAt || this.#step % learner.every !== 0) continue
      for (let i = 0; i < learner.updates; i++) this.#means.add(await learner.step())
      if (learner.after === undefined) continue
      await learner.after()
      this.#readFeatures()
    }
  }

  /** A learner may have written the features of the replay anew: those of the running episode are the newest there. */
  #readFeatures(): void {
    const { store } = this.#parts
    if (this.#features === undefined) return
    this.#features = Float32Array.from(store.featuresAt(store.end - 1))
    if (this.#goal) this.#goal = { ...this.#goal, features: Float32Array.from(store.goalAt(store.end - 1)) }
  }

  #savableEnv(): SimulatedEnv {
    const { env } = this.#parts
    if (isSimulatedEnv(env)) return env
    throw new ArmatureError('unsupported-op', `an episode of ${env.spec.id} that is not over`, {
      got: 'an env whose state cannot be saved',
      fix: 'save, and go on, between two episodes',
    })
  }
}

/** @throws ArmatureError `bad-argument` that names the setting. */
function checkSchedule({ steps, learningStarts, logEvery, evalEvery, checkpointEvery }: TrainerSchedule): void {
  requireWhole('steps', steps, 1)
  requireWhole('learningStarts', learningStarts, 0)
  for (const [name, every] of Object.entries({ logEvery, evalEvery, checkpointEvery })) {
    requireWholeOrInfinity(name, every, 1)
  }
}

function checkLearners(learners: readonly Learner[]): void {
  for (const learner of learners) checkLearner(learner)
  const names = learners.map(({ name }) => name)
  if (new Set(names).size < names.length) {
    throw new ArmatureError('bad-argument', 'learners', {
      expected: 'a name of its own for each',
      got: names.join(', '),
    })
  }
}
