import type { Agent } from '../core/agent.ts'
import { requireInteger, requireWhole } from '../core/checks.ts'
import type { Env } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Metrics } from '../core/ndarray.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { Policy } from '../core/policy.ts'
import { Rng } from '../core/rng.ts'
import { EVALUATION_SEED, evaluatePolicy, summarize } from '../evaluate/policy.ts'
import { EpisodeStore } from '../replay/episode-store.ts'
import { agentLearner } from '../run/learners.ts'
import { agentPolicy } from '../run/policies.ts'
import type { Representation } from '../run/representation.ts'
import { proprioRepresentation } from '../run/representation.ts'
import { Trainer } from '../run/trainer.ts'
import { engineInfo, startEngine } from '../tensor/engine.ts'
import { makeAgent } from './make.ts'

/** What {@link trainAgent} is told; everything but `env` and `steps` has a default. */
export interface TrainAgentOptions {
  /** Yours or a registered one; it is stepped, and neither seeded by anyone else nor closed. */
  readonly env: Env
  /** Env steps. */
  readonly steps: number
  /** A registered agent, see "armature list", or one that learns on; default `sac`. */
  readonly agent?: string | Agent
  /** What differs from the defaults of a registered agent, e.g. `{ hidden: [64, 64], learningRate: 1e-3 }`. */
  readonly config?: object
  /** What the agent sees; default: `observation.proprio` as it is. */
  readonly representation?: Representation
  /** Of all random streams; default 0. The same seed gives the same agent. */
  readonly seed?: number
  /** Env steps of random play before the first update; default 1000. */
  readonly learningStarts?: number
  /** Transitions per update; default 256. */
  readonly batchSize?: number
  /** Env steps from one block of updates to the next; default 1. */
  readonly updateEvery?: number
  /** Updates in a block; default 1. */
  readonly updates?: number
  /** Discount per step; default 0.99. */
  readonly gamma?: number
  /** Rewards summed before the bootstrap; default 1. */
  readonly nStep?: number
  /** Observations that replay keeps; default 200,000. */
  readonly capacity?: number
  /** Env steps between rows of metrics; default 1000. */
  readonly logEvery?: number
  /** Gets means since the last row, under the names in `docs/metrics.md`. */
  readonly onLog?: (step: number, metrics: Metrics) => void
  /** Plays the policy on fixed seeds from time to time, in an env of its own; `onLog` gets the means. */
  readonly evaluation?: { readonly env: Env; readonly every: number; readonly episodes: number }
  /** Stops between two steps. */
  readonly signal?: AbortSignal
}

/** What {@link trainAgent} gives. */
export interface TrainedAgent {
  readonly agent: Agent
  /** The agent without exploration: what {@link evaluatePolicy} and a robot run. */
  readonly policy: Policy
  /** Fewer than asked for where `signal` stopped it. */
  readonly steps: number
}

/**
 * Trains an agent in an env, in memory: from an env of your own to a policy. The engine is started where none runs yet. For a run in a
 * folder with checkpoints, encoders and goals, see `armature train`.
 *
 * @example
 * const { agent, policy } = await trainAgent({ env: new MyEnv(), steps: 20_000, onLog: console.log })
 * await saveAgent(agent, 'my-agent.safetensors')
 * console.log(summarize(await evaluatePolicy(new MyEnv(), policy, { episodes: 10, firstSeed: 0 })))
 *
 * @throws ArmatureError `bad-argument` for settings that make no sense; `bad-config` for an agent that takes no such settings, an env whose
 *   actions have no bounds, or one without proprioception; `not-found` for an unknown agent.
 */
export async function trainAgent(options: TrainAgentOptions): Promise<TrainedAgent> {
  const { env, steps, seed = 0, learningStarts = 1000, logEvery = 1000, evaluation, onLog, signal } = options
  const { representation = proprioOf(env), capacity = 200_000 } = options
  requireInteger('seed', seed)
  if (evaluation !== undefined) requireWhole('episodes', evaluation.episodes, 1)
  const rng = new Rng(seed)
  const actionSize = sizeOf(env.spec.actionSpace.shape)
  const store = new EpisodeStore({ capacity, featureSize: representation.size, actionSize, frameSize: 0 })
  await ensureEngine()
  const agent = agentOf(options, { observationSize: representation.size, actionSize }, rng.split('agent'))
  const policy = agentPolicy({ env, representation, agent })
  const { batchSize = 256, updateEvery = 1, updates = 1, gamma = 0.99, nStep = 1 } = options
  const turns = { startsAt: learningStarts, every: updateEvery, updates }
  const learner = agentLearner(agent, [store], { ...turns, batchSize, sampling: { gamma, nStep } }, rng.split('replay'))
  const schedule = {
    steps,
    learningStarts,
    logEvery,
    evalEvery: evaluation?.every ?? Infinity,
    checkpointEvery: Infinity,
  }
  const trainer = new Trainer(
    { env, representation, agent, store, learners: [learner] },
    schedule,
    rng.split('trainer'),
  )
  const evaluate = async (): Promise<Metrics> => {
    const { env: other, episodes } = evaluation!
    return summarize(await evaluatePolicy(other, policy, { episodes, firstSeed: EVALUATION_SEED }))
  }
  await trainer.run({ log: (step, metrics) => onLog?.(step, metrics), ...(evaluation && { evaluate }) }, signal)
  return { agent, policy, steps: trainer.step }
}

function proprioOf(env: Env): Representation {
  if (sizeOf(env.spec.proprioSpace.shape) > 0) return proprioRepresentation(env)
  throw new ArmatureError('bad-config', `env ${env.spec.id}`, {
    expected: 'proprioception for the agent to see',
    got: 'a proprioSpace of no numbers',
    fix: 'put what the agent may see into observation.proprio, or pass a representation',
  })
}

function agentOf({ agent = 'sac', config }: TrainAgentOptions, spec: Omit<Agent['spec'], 'name'>, rng: Rng): Agent {
  if (typeof agent === 'string') return makeAgent(agent, spec, rng, config)
  const { name, observationSize, actionSize } = agent.spec
  if (config !== undefined) {
    throw new ArmatureError('bad-argument', 'config', { got: 'settings for an agent that is made already' })
  }
  if (observationSize === spec.observationSize && actionSize === spec.actionSize) return agent
  throw new ArmatureError('bad-argument', `agent ${name}`, {
    expected: `one of ${spec.observationSize} observations and ${spec.actionSize} actions, as the env has`,
    got: `${observationSize} and ${actionSize}`,
  })
}

async function ensureEngine(): Promise<void> {
  try {
    engineInfo()
  } catch {
    await startEngine()
  }
}
