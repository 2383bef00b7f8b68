import { ActionScale } from '../core/action-scale.ts'
import type { Env, Observation, SimulatedEnv } from '../core/env.ts'
import { isGoalEnv, isSimulatedEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { EpisodeStart, Goal, GoalForm, GoalReward, GoalSource } from '../core/goals.ts'
import { agentInput } from '../core/goals.ts'
import type { NamedArrays } from '../core/ndarray.ts'
import { ndarray } from '../core/ndarray.ts'
import type { RngState } from '../core/rng.ts'
import { Rng } from '../core/rng.ts'
import type { EpisodeStore } from '../replay/episode-store.ts'
import { goalPay } from './goal-pay.ts'
import type { EpisodeFeatures, Representation } from './representation.ts'

/** Goal-conditioned learning: where goals come from, what reaching them pays, and the form in which the agent is shown them. */
export interface LaneGoals {
  readonly source: GoalSource
  readonly reward: GoalReward
  readonly form: GoalForm
}

/** What a step pays besides the env's reward, by what was seen before it and after. */
export type StepBonus = (before: LaneView, action: Float32Array, after: LaneView) => Promise<number>

/** What a lane is made of. */
export interface LaneParts {
  readonly env: Env
  /** Of this env alone. */
  readonly store: EpisodeStore
  readonly representation: Representation
  readonly goals?: LaneGoals | undefined
  readonly bonus?: StepBonus | undefined
}

/** What the agent sees of a lane. */
export interface LaneView {
  readonly vector: Float32Array
  readonly frames?: Uint8Array | undefined
}

/** An episode that has ended. */
export interface EndedEpisode {
  readonly return: number
  readonly length: number
}

/** What `save` gives and `restore` takes, beside the arrays of the store. */
export interface LaneJson {
  readonly rngs: Readonly<Record<StreamName, RngState>>
  readonly episodeReturn: number
  readonly episodeLength: number
  readonly goal: readonly number[] | null
  readonly env: { readonly id: string; readonly json: string } | null
}

const STREAMS = ['env', 'exploration', 'goals'] as const
type StreamName = (typeof STREAMS)[number]

/** One env of a training run, the episode that goes on in it, and the replay of what it has seen. */
export class Lane {
  readonly #parts: LaneParts
  readonly #actions: ActionScale
  #rngs: Record<StreamName, Rng>
  #episode: EpisodeFeatures | undefined
  #features: Float32Array | undefined
  #goal: Goal | undefined
  #episodeReturn = 0
  #episodeLength = 0

  /** @throws ArmatureError `bad-config` for an action space without bounds. */
  constructor(parts: LaneParts, rng: Rng) {
    this.#parts = parts
    this.#actions = new ActionScale(parts.env.spec.actionSpace, parts.env.spec.id)
    this.#rngs = Object.fromEntries(STREAMS.map((name) => [name, rng.split(name)])) as Record<StreamName, Rng>
  }

  get isInEpisode(): boolean {
    return this.#features !== undefined
  }

  /** What the agent sees now; begins an episode where none is open. */
  async view(): Promise<LaneView> {
    const { goals } = this.#parts
    this.#features ??= await this.#beginEpisode()
    const vector = goals && this.#goal ? agentInput(this.#features, this.#goal.features, goals.form) : this.#features
    return { vector, frames: this.#episode!.frames?.() }
  }

  /** A random action in [-1, 1]. */
  randomAction(size: number): Float32Array {
    return this.#rngs.exploration.fillUniform(new Float32Array(size), -1, 1)
  }

  /** Takes `action`, in [-1, 1], and stores what came of it. Returns the episode where this has ended it. */
  async step(action: Float32Array): Promise<EndedEpisode | undefined> {
    const { env, store, goals, representation, bonus } = this.#parts
    const before = bonus && (await this.view())
    const step = await env.step(this.#actions.toEnv(action))
    const { observation, reward: envReward, terminated, truncated, appliedAction } = step
    const features = await this.#episode!.observe(observation)
    const frame = this.#frameOf(observation)
    const reached = goals && representation.hasOwnGoals === true ? await this.#episode!.goal(observation) : features
    const asked = this.#episode!.reward?.() ?? envReward
    const reward = goals && this.#goal ? this.#goalReward(goals.reward, this.#goal, reached, frame) : asked
    const executed = appliedAction === undefined ? action : this.#actions.toAgent(appliedAction)
    const after = (): LaneView => ({ vector: features, frames: this.#episode!.frames?.() })
    const paid = bonus && before ? reward + (await bonus(before, executed, after())) : reward
    store.append({ action: executed, reward: paid, terminated, truncated }, features, frame, reached)
    this.#features = features
    this.#episodeReturn += reward
    this.#episodeLength++
    if (!terminated && !truncated) return undefined
    this.#features = undefined
    this.#goal = undefined
    return { return: this.#episodeReturn, length: this.#episodeLength }
  }

  /** Ends the episode; what was seen of it counts, as when time runs out. */
  leaveEpisode(): void {
    if (this.#features === undefined) return
    this.#parts.store.cut()
    this.#features = undefined
    this.#goal = undefined
  }

  /** A learner may have written the features of the replay anew: those of the running episode are the newest there. */
  readFeatures(): void {
    const { store } = this.#parts
    if (this.#features === undefined) return
    this.#features = Float32Array.from(store.featuresAt(store.end - 1))
    if (this.#goal) this.#goal = { ...this.#goal, features: Float32Array.from(store.goalAt(store.end - 1)) }
  }

  /** @throws ArmatureError `unsupported-op` in mid-episode of an env whose state cannot be saved. */
  async save(): Promise<{ readonly replay: NamedArrays; readonly episode: NamedArrays; readonly json: LaneJson }> {
    const envState = this.#features && (await this.#savableEnv().saveState())
    const rngs = Object.fromEntries(STREAMS.map((name) => [name, this.#rngs[name].state])) as LaneJson['rngs']
    const goalFrame = this.#goal?.frame ?? new Uint8Array(0)
    const snapshot = envState?.snapshot ?? new Uint8Array(0)
    return {
      replay: this.#parts.store.save(),
      episode: {
        snapshot: ndarray(snapshot, [snapshot.length]),
        goalFrame: ndarray(goalFrame, [goalFrame.length]),
        ...(this.#features && this.#episode?.save()),
      },
      json: {
        rngs,
        episodeReturn: this.#episodeReturn,
        episodeLength: this.#episodeLength,
        goal: this.#goal ? [...this.#goal.features] : null,
        env: envState ? { id: envState.id, json: envState.json } : null,
      },
    }
  }

  async restore(replay: NamedArrays, episode: NamedArrays, json: LaneJson): Promise<void> {
    const { store } = this.#parts
    store.restore(replay)
    const { snapshot, goalFrame, ...seen } = episode
    this.#rngs = Object.fromEntries(STREAMS.map((name) => [name, Rng.fromState(json.rngs[name])])) as Record<
      StreamName,
      Rng
    >
    this.#episodeReturn = json.episodeReturn
    this.#episodeLength = json.episodeLength
    const frame = goalFrame!.data as Uint8Array
    this.#goal = json.goal
      ? { features: Float32Array.from(json.goal), ...(frame.length > 0 ? { frame } : {}) }
      : undefined
    this.#features = json.env ? Float32Array.from(store.featuresAt(store.end - 1)) : undefined
    if (json.env) await this.#savableEnv().restoreState({ ...json.env, snapshot: snapshot!.data as Uint8Array })
    this.#episode = json.env ? this.#follow() : undefined
    this.#episode?.restore(seen)
  }

  async #beginEpisode(): Promise<Float32Array> {
    const { env, store, goals } = this.#parts
    const { observation } = await env.reset({ seed: this.#rngs.env.nextSeed() })
    this.#episode = this.#follow()
    const features = await this.#episode.observe(observation)
    const frame = this.#frameOf(observation)
    const start = frame === undefined ? { features } : { features, frame }
    this.#goal = goals && (await this.#goalOf(goals, start))
    this.#episodeReturn = 0
    this.#episodeLength = 0
    store.begin(features, frame, this.#goal)
    return features
  }

  /** What follows the episode that is open in the env. */
  #follow(): EpisodeFeatures {
    const { env, representation } = this.#parts
    return representation.begin(isGoalEnv(env) ? env.goal : undefined)
  }

  async #goalOf({ source }: LaneGoals, start: EpisodeStart): Promise<Goal> {
    const episode = this.#episode!
    if (source.ofEpisode === undefined) return source.sample(this.#rngs.goals, start)
    return source.ofEpisode(this.#parts.env, (goal) => episode.goal(goal))
  }

  /** What the step that led here pays with respect to the goal of this episode. */
  #goalReward(reward: GoalReward, goal: Goal, reached: Float32Array, frame: Uint8Array | undefined): number {
    const time = this.#episodeLength + 1
    return goalPay(reward, {
      goal: goal.features,
      reached,
      time,
      reachedFrame: () => frame!,
      goalFrame: () => goal.frame!,
    })
  }

  /** The frame of the newest observation, for replay: as the representation has looked at it. */
  #frameOf(observation: Observation): Uint8Array | undefined {
    const { store, representation } = this.#parts
    if (store.options.frameSize === 0 || representation.camera === undefined) return undefined
    return this.#episode!.newestFrame?.() ?? observation.images[representation.camera]
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
