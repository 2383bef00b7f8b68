import { requireWhole } from './checks.ts'
import type { Metrics } from './ndarray.ts'
import type { Rng } from './rng.ts'

/**
 * Something that learns while a run goes on: an agent, an encoder, later both over one replay. The training loop has a list of them and
 * knows nothing else about learning. After env step t >= `startsAt` that is a multiple of `every`, it calls `step` `updates` times, then
 * `after`.
 *
 * @example
 * const learner: Learner = {
 *   name: 'agent',
 *   startsAt: 1000,
 *   every: 1,
 *   updates: 1,
 *   rngs: [rng],
 *   step: async () => agent.update(sampleTransitions(store, 256, { gamma: 0.99, nStep: 1 }, rng)),
 * }
 */
export interface Learner {
  /** One of a kind in a run: its random streams are saved under it. */
  readonly name: string
  /** Env steps before its first turn. */
  readonly startsAt: number
  /** Env steps from one turn to the next. */
  readonly every: number
  /** Updates in a turn. */
  readonly updates: number
  /** All randomness of `step` and `after`. The loop saves it with its own, and puts it back where a run goes on. */
  readonly rngs: readonly Rng[]
  /** One update. @returns scalars under the names in `docs/metrics.md`. */
  step(): Promise<Metrics>
  /** What a turn ends with, e.g. encoding the replay anew. The loop then reads its features from the replay again. */
  after?(): Promise<void>
}

/** @throws ArmatureError `bad-argument` for a schedule that no loop can keep to. */
export function checkLearner({ name, startsAt, every, updates }: Learner): void {
  requireWhole(`startsAt of learner ${name}`, startsAt, 0)
  requireWhole(`every of learner ${name}`, every, 1)
  requireWhole(`updates of learner ${name}`, updates, 0)
}
