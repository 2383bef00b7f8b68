import { setImmediate } from 'node:timers/promises'
import type { Agent } from '../core/agent.ts'
import { requireWhole, requireWholeOrInfinity } from '../core/checks.ts'
import type { Env } from '../core/env.ts'
import { isSimulatedEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Learner } from '../core/learner.ts'
import { checkLearner } from '../core/learner.ts'
import type { Metrics, NamedArrays } from '../core/ndarray.ts'
import { concatenated } from '../core/ndarray.ts'
import type { Rng, RngState } from '../core/rng.ts'
import type { EpisodeStore } from '../replay/episode-store.ts'
import type { LaneGoals, LaneJson, LaneView, StepBonus } from './lane.ts'
import { Lane } from './lane.ts'
import { MetricMeans } from './metric-means.ts'
import type { Representation } from './representation.ts'

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
  /** Envs like `env` whose state can be saved, each with a replay of its own: all are stepped at the same time. */
  readonly beside?: readonly { readonly env: Env; readonly store: EpisodeStore }[]
  readonly goals?: LaneGoals
  /** Stored with the reward of each step, and learned from; the returns of episodes are without it. */
  readonly bonus?: StepBonus
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
  /** Of each learner, by its name. */
  readonly learners: Readonly<Record<string, readonly RngState[]>>
  readonly means: Readonly<Record<string, readonly [number, number]>>
  readonly lanes: readonly LaneJson[]
}

/**
 * The off-policy loop: act, store, let every learner have its turns (order of operations as in the SAC references). Agents act in [-1, 1];
 * the env gets actions in the bounds of its action space, and replay keeps the agent's. With envs beside the first, the agent acts in all of
 * them at once, and learners have as many turns as those steps would have given them one by one.
 *
 * Stopping after any step and going on from {@link save} gives the same numbers, bit for bit, as never stopping.
 */
export class Trainer {
  readonly #parts: TrainerParts
  readonly #schedule: TrainerSchedule
  readonly #means = new MetricMeans()
  readonly #lanes: readonly Lane[]
  #step = 0

  /**
   * @throws ArmatureError `bad-argument` for a schedule that makes no sense, and for several envs whose state cannot be saved; `bad-config` for
   *   an action space without bounds, for a reward that compares frames where replay keeps none, and for steps that several envs cannot share.
   */
  constructor(parts: TrainerParts, schedule: TrainerSchedule, rng: Rng) {
    checkSchedule(schedule)
    checkLearners(parts.learners)
    checkEnvs(parts, schedule)
    this.#parts = parts
    this.#schedule = schedule
    const { env, store, beside = [], representation, goals, bonus } = parts
    this.#lanes = [{ env, store }, ...beside].map(
      (own, i) => new Lane({ ...own, representation, goals, bonus }, i === 0 ? rng : rng.split(`env/${i}`)),
    )
    if (goals?.reward.needsFrames && store.options.frameSize === 0) {
      throw new ArmatureError('bad-config', `reward ${goals.reward.name}`, {
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
        if (!canPauseMidEpisode) this.#lanes[0]!.leaveEpisode()
        return false
      }
      // Envs and agents may answer without ever leaving the microtask queue: Ctrl-C gets its turn here.
      await setImmediate()
      const before = this.#step
      await this.#act(hooks)
      this.#step += this.#lanes.length
      await this.#learn(before)
      if (this.#passed(before, logEvery)) hooks.log(this.#step, this.#means.take())
      const isLast = this.#step === steps
      if (isLast && !canPauseMidEpisode) this.#lanes[0]!.leaveEpisode()
      due.evaluation ||= this.#passed(before, evalEvery) || isLast
      due.checkpoint ||= this.#passed(before, checkpointEvery) || isLast
      if (canPauseMidEpisode || !this.#lanes[0]!.isInEpisode) {
        if (due.evaluation && hooks.evaluate) hooks.log(this.#step, await hooks.evaluate(this.#step))
        if (due.checkpoint) await hooks.checkpoint?.(this.#step)
        due.evaluation = due.checkpoint = false
      }
      hooks.progress?.(this.#step)
    }
    return true
  }

  /** Whether a multiple of `every` lies after step `before`, up to the present one. */
  #passed(before: number, every: number): boolean {
    return Math.floor(this.#step / every) > Math.floor(before / every)
  }

  /** @throws ArmatureError `unsupported-op` in mid-episode of an env whose state cannot be saved. */
  async save(): Promise<TrainerState> {
    const saved = await Promise.all(this.#lanes.map((lane) => lane.save()))
    const arrays = saved.flatMap(({ replay, episode }, i) => [
      [named('replay', i), replay] as const,
      [named('episode', i), episode] as const,
    ])
    const { learners } = this.#parts
    return {
      arrays: Object.fromEntries(arrays),
      json: {
        step: this.#step,
        learners: Object.fromEntries(learners.map(({ name, rngs: own }) => [name, own.map(({ state }) => state)])),
        means: this.#means.state,
        lanes: saved.map(({ json }) => json),
      },
    }
  }

  async restore({ arrays, json }: TrainerState): Promise<void> {
    this.#step = json.step
    for (const { name, rngs } of this.#parts.learners) {
      rngs.forEach((rng, i) => rng.restore(json.learners[name]![i]!))
    }
    this.#means.state = json.means
    for (const [i, lane] of this.#lanes.entries()) {
      await lane.restore(arrays[named('replay', i)]!, arrays[named('episode', i)]!, json.lanes[i]!)
    }
  }

  /** One step in each env, with exploring actions. */
  async #act(hooks: TrainerHooks): Promise<void> {
    const views = await Promise.all(this.#lanes.map((lane) => lane.view()))
    const actions = await this.#chooseActions(views)
    const ended = await Promise.all(this.#lanes.map((lane, i) => lane.step(actions[i]!)))
    for (const [i, episode] of ended.entries()) {
      if (episode === undefined) continue
      this.#means.add({ 'rollout/ep_rew_mean': episode.return, 'rollout/ep_len_mean': episode.length })
      hooks.episode?.({ step: this.#step + i + 1, ...episode })
    }
  }

  /** The agent's actions, random before it learns. */
  async #chooseActions(views: readonly LaneView[]): Promise<readonly Float32Array[]> {
    const { agent } = this.#parts
    const { actionSize } = agent.spec
    if (this.#step < this.#schedule.learningStarts) return this.#lanes.map((lane) => lane.randomAction(actionSize))
    const count = views.length
    const vectors = concatenated(views.map(({ vector }) => vector))
    const seen = views.flatMap(({ frames }) => (frames === undefined ? [] : [frames]))
    const actions = await agent.act(vectors, count, 'sample', seen.length === 0 ? undefined : concatenated(seen))
    return views.map((_, i) => actions.slice(i * actionSize, (i + 1) * actionSize))
  }

  /** All turns that are due after step `before`, up to the present one. */
  async #learn(before: number): Promise<void> {
    for (let step = before + 1; step <= this.#step; step++) {
      for (const learner of this.#parts.learners) {
        if (step < learner.startsAt || step % learner.every !== 0) continue
        for (let i = 0; i < learner.updates; i++) this.#means.add(await learner.step())
        if (learner.after === undefined) continue
        await learner.after()
        for (const lane of this.#lanes) lane.readFeatures()
      }
    }
  }
}

/** Name of what is saved of env `i`. */
function named(what: string, i: number): string {
  return i === 0 ? what : `${what}_${i}`
}

/** Several envs share the steps evenly, and are paused in mid-episode. */
function checkEnvs({ env, beside = [] }: TrainerParts, { steps }: TrainerSchedule): void {
  if (beside.length === 0) return
  const count = beside.length + 1
  if (![env, ...beside.map((lane) => lane.env)].every(isSimulatedEnv)) {
    throw new ArmatureError('bad-argument', `${count} envs at the same time`, {
      expected: 'envs whose state can be saved',
      got: env.spec.id,
      fix: 'train in one',
    })
  }
  if (steps % count === 0) return
  const even = Math.ceil(steps / count) * count
  throw new ArmatureError('bad-config', `training.steps=${steps}`, {
    expected: `a multiple of training.envs=${count}`,
    got: String(steps),
    fix: `--steps ${even}`,
  })
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
