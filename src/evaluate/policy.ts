import { setImmediate } from 'node:timers/promises'
import { requireInteger, requireWhole } from '../core/checks.ts'
import type { Env, Info, Observation } from '../core/env.ts'
import { isGoalEnv } from '../core/env.ts'
import { inOrder } from '../core/in-order.ts'
import type { GoalView, Policy } from '../core/policy.ts'

/** One evaluation episode. */
export interface EpisodeResult {
  readonly seed: number
  readonly return: number
  readonly length: number
  /** `info` of the last step, e.g. `distance` in metres and `success`. */
  readonly final: Info
}

export interface EvaluationOptions {
  readonly episodes: number
  /** Episode i starts from seed `firstSeed + i`. Use the same for all runs that you compare. */
  readonly firstSeed: number
  /** Called with each observation, including the first, and the env's reward of the step that led there. The arrays belong to the env. */
  readonly onObservation?: (
    episode: number,
    observation: Observation,
    goal: GoalView | undefined,
    reward?: number,
  ) => void | Promise<void>
  /** Called in the order of the episodes. */
  readonly onEpisode?: (result: EpisodeResult) => void
  /** Ends an episode after so many steps, for robots that never end one. */
  readonly maxSteps?: number
  /** Envs like the first, each with a policy of its own, in which episodes are played at the same time. That changes no result. */
  readonly beside?: readonly EvaluationLane[]
}

/** An env, and the policy that plays in it. */
export interface EvaluationLane {
  readonly env: Env
  readonly policy: Policy
}

/** Steps from one turn of the event loop to the next. */
const TURN_STEPS = 50

/** Seeds of evaluation episodes start here, far from those that training draws in tests and examples. */
export const EVALUATION_SEED = 1_000_000

/**
 * Plays `policy` on fixed seeds, without learning. On a {@link GoalEnv} the policy gets the goal that the reset drew, as images and
 * as a state.
 * @throws ArmatureError `bad-argument` for numbers that make no sense
 */
export async function evaluatePolicy(env: Env, policy: Policy, options: EvaluationOptions): Promise<EpisodeResult[]> {
  requireWhole('episodes', options.episodes, 1)
  requireInteger('firstSeed', options.firstSeed)
  if (options.maxSteps !== undefined) requireWhole('maxSteps', options.maxSteps, 1)
  const results: EpisodeResult[] = []
  const lanes = [{ env, policy }, ...(options.beside ?? [])]
  for await (const result of inOrder(lanes, options.episodes, (lane, episode) => playEpisode(lane, episode, options))) {
    results.push(result)
    options.onEpisode?.(result)
  }
  return results
}

async function playEpisode(
  { env, policy }: EvaluationLane,
  episode: number,
  { firstSeed, maxSteps, onObservation }: EvaluationOptions,
): Promise<EpisodeResult> {
  const seed = firstSeed + episode
  let { observation, info } = await env.reset({ seed })
  const goal = isGoalEnv(env) ? { images: await env.renderGoal(env.goal), state: env.goal } : undefined
  await policy.begin(goal)
  await onObservation?.(episode, observation, goal)
  let total = 0
  let length = 0
  for (let ended = false; !ended; length++) {
    const step = await env.step(await policy.act(observation))
    ;({ observation, info } = step)
    total += step.reward
    ended = step.terminated || step.truncated || length + 1 === maxSteps
    await onObservation?.(episode, observation, goal, step.reward)
    // Envs and policies may answer without ever leaving the microtask queue: timers and Ctrl-C get their turn here.
    if (ended || length % TURN_STEPS === 0) await setImmediate()
  }
  return { seed, return: total, length, final: info }
}

/** Means over episodes under the usual names, e.g. `eval/mean_reward`, `eval/distance`, `eval/success_rate`. */
export function summarize(results: readonly EpisodeResult[]): Record<string, number> {
  const mean = (value: (result: EpisodeResult) => number): number =>
    results.reduce((sum, result) => sum + value(result), 0) / results.length
  const summary: Record<string, number> = {
    'eval/mean_reward': mean((r) => r.return),
    'eval/mean_ep_length': mean((r) => r.length),
  }
  for (const key of Object.keys(results[0]?.final ?? {})) {
    summary[key === 'success' ? 'eval/success_rate' : `eval/${key}`] = mean((r) => r.final[key]!)
  }
  return summary
}
