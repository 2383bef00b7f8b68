import type { RemoteEnv } from '../../bridges/client/remote-env.ts'
import { agents } from '../../agents/index.ts'
import { encoders } from '../../encoders/index.ts'
import { makeEnv } from '../../envs/index.ts'
import type { TrainConfig } from '../config/train-config.ts'
import { parseConfig } from '../config/overrides.ts'
import type { Agent } from '../core/agent.ts'
import type { Encoder } from '../core/encoder.ts'
import { isLearning } from '../core/encoder.ts'
import type { Env, GoalEnv, SimulatedEnv } from '../core/env.ts'
import { isGoalEnv, isSimulatedEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { GoalReward, GoalSource } from '../core/goals.ts'
import { sizeOf } from '../core/ndarray.ts'
import { lookUp } from '../core/registry.ts'
import { Rng } from '../core/rng.ts'
import { EpisodeStore } from '../replay/episode-store.ts'
import { makeAgent, makeEncoder } from '../index.ts'
import { latentDistanceReward, pixelMseReward } from '../replay/rewards.ts'
import { goalBank, priorGoals, priorGoalsWithFrames, stateGoals } from '../run/goal-sources.ts'
import type { Representation } from '../run/representation.ts'
import { encoderRepresentation, proprioRepresentation, stateRepresentation } from '../run/representation.ts'
import type { TrainerParts } from '../run/trainer.ts'
import { Trainer } from '../run/trainer.ts'
import type { Bridge } from './remote.ts'
import { scaledEncoder } from './scaled-encoder.ts'

/** Goals in a bank: enough that a batch hardly repeats one, few enough to decode or render in a second. */
const GOAL_BANK_SIZE = 1000

/** The parts of a run that exist before its encoder has learned anything. */
export interface Parts {
  readonly config: TrainConfig
  readonly env: SimulatedEnv
  /** The env, where it is a robot across the bridge. */
  readonly robot: RemoteEnv | undefined
  readonly encoder: Encoder | undefined
  readonly representation: Representation
  readonly agent: Agent
}

/** @throws ArmatureError `bad-config` for settings that the chosen agent or encoder does not take. */
export function resolveComponents(config: TrainConfig): TrainConfig {
  const { representation, agent } = config
  const agentConfig = parseConfig(
    lookUp('agent', agents, agent.name).configSchema,
    agent.config,
    'config',
    'agent.config',
  )
  const resolved = { ...config, agent: { ...agent, config: agentConfig as Record<string, unknown> } }
  if (representation.kind !== 'encoder') return resolved
  const { configSchema } = lookUp('encoder', encoders, representation.encoder)
  const encoderConfig = parseConfig(configSchema, representation.config, 'config', 'representation.config')
  return { ...resolved, representation: { ...representation, config: encoderConfig as Record<string, unknown> } }
}

/** The scene of a run in this process. */
async function buildEnv(config: TrainConfig): Promise<SimulatedEnv> {
  const env = await makeEnv(config.env.id, config.env.options)
  if (isSimulatedEnv(env)) return env
  throw new ArmatureError('bad-config', `env ${config.env.id}`, { expected: 'an env that can save its state' })
}

async function connectRobot({ env }: TrainConfig, bridge: Bridge | undefined): Promise<RemoteEnv | undefined> {
  const { robot } = env
  if (robot === undefined) return undefined
  if (bridge !== undefined) return bridge.connect({ ...env, robot })
  throw new ArmatureError('bad-config', 'env.robot', {
    expected: 'an env in this process, for this command',
    got: robot,
  })
}

/** Where a run is evaluated. */
export interface EvaluationEnv {
  readonly env: SimulatedEnv
  /** Does `work` in {@link EvaluationEnv.env}. */
  use<T>(work: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

/**
 * A second env, so that training's is never disturbed. Of a robot there is only one: it is lent, and brought back to where it was if it was
 * in an episode, which {@link Trainer} sees to that it is only in lock-step.
 */
export async function evaluationEnvOf({ config, robot }: Pick<Parts, 'config' | 'robot'>): Promise<EvaluationEnv> {
  if (robot !== undefined) {
    const use = async <T>(work: () => Promise<T>): Promise<T> => {
      const state = robot.isLockstep && robot.isInEpisode ? await robot.saveState() : undefined
      const result = await work()
      if (state !== undefined) await robot.restoreState(state)
      return result
    }
    return { env: robot, use, close: async () => {} }
  }
  const env = await buildEnv(config)
  return { env, use: (work) => work(), close: () => env.close() }
}

/**
 * Makes env, encoder and agent, untrained. A robot is connected through `bridge`.
 * @throws ArmatureError `bad-config`, `bad-argument` or `not-found` for parts that do not exist or do not go together.
 */
export async function buildParts(config: TrainConfig, bridge?: Bridge): Promise<Parts> {
  const robot = await connectRobot(config, bridge)
  const env = robot ?? (await buildEnv(config))
  if (config.goals) checkGoals(config.goals, config.representation.kind, env)
  const rng = new Rng(config.seed)
  const encoder = buildEncoder(config, env, rng.split('encoder'))
  if (encoder) checkEncoder(config, encoder)
  const representation = buildRepresentation(config, env, encoder)
  const observationSize = representation.size * (config.goals ? 2 : 1)
  const spec = { observationSize, actionSize: sizeOf(env.spec.actionSpace.shape) }
  const agent = makeAgent(config.agent.name, spec, rng.split('agent'), config.agent.config)
  return { config, env, robot, encoder, representation, agent }
}

/** What goal-conditioned learning needs, asked before anything long starts. */
function checkGoals({ exploration, reward }: GoalConfig, kind: TrainConfig['representation']['kind'], env: Env): void {
  const refuse = (setting: string, expected: string): ArmatureError =>
    new ArmatureError('bad-config', setting, { expected, got: `representation.kind ${kind}` })
  if (kind === 'proprio') throw refuse('goals', 'representation.kind encoder or state')
  if (exploration === 'prior' && kind !== 'encoder') throw refuse('goals.exploration prior', 'an encoder')
  if (reward === 'pixel-mse' && kind !== 'encoder') throw refuse('goals.reward pixel-mse', 'an encoder')
  if (exploration === 'env') goalEnv(env)
}

/** What the encoder cannot do, said before anything long starts. */
function checkEncoder({ representation, goals }: TrainConfig, encoder: Encoder): void {
  const refuse = (setting: string, got: string, fix: string): ArmatureError =>
    new ArmatureError('bad-config', setting, { got: `encoder ${encoder.spec.name}, which ${got}`, fix })
  if (goals?.exploration === 'prior' && encoder.imagine === undefined) {
    throw refuse('goals.exploration prior', 'has no prior to imagine goals from', 'set goals.exploration=env')
  }
  if (representation.kind !== 'encoder') return
  const { from, refresh } = representation
  if (refresh.everySteps > 0 && !isLearning(encoder)) {
    throw refuse('representation.refresh', 'learns nothing', 'set representation.refresh.everySteps=0')
  }
  const { batchKind } = encoder.spec
  if (batchKind !== 'frames' && (from === undefined || refresh.everySteps > 0)) {
    const fix = 'train it with "armature pretrain" and set representation.from, without refreshes'
    throw refuse('representation.encoder', `learns from ${batchKind}`, fix)
  }
}

function buildEncoder({ representation }: TrainConfig, env: SimulatedEnv, rng: Rng): Encoder | undefined {
  if (representation.kind !== 'encoder') return undefined
  const space = env.spec.imageSpaces[representation.camera]
  if (space === undefined) {
    const cameras = Object.keys(env.spec.imageSpaces).join(' or ')
    throw new ArmatureError('bad-config', 'representation.camera', { expected: cameras, got: representation.camera })
  }
  const frameShape = space.shape as readonly [number, number, number]
  const encoder = makeEncoder(representation.encoder, frameShape, rng, representation.config)
  return representation.latentScale === 1 ? encoder : scaledEncoder(encoder, representation.latentScale)
}

function buildRepresentation(
  { representation }: TrainConfig,
  env: SimulatedEnv,
  encoder: Encoder | undefined,
): Representation {
  if (representation.kind === 'encoder') return encoderRepresentation(encoder!, representation.camera)
  return representation.kind === 'state'
    ? stateRepresentation(goalEnv(env), representation.scalePerM)
    : proprioRepresentation(env)
}

/** The loop over `parts`, once the encoder is trained: only now do goals and rewards mean anything. */
export async function buildTrainer(parts: Parts): Promise<Trainer> {
  const { config, env, robot, encoder, representation, agent } = parts
  const rng = new Rng(config.seed)
  const reward = config.goals && buildReward(config.goals)
  const learned = config.representation.kind === 'encoder' ? config.representation : undefined
  const refresh = learned && { ...learned.refresh, batchSize: learned.pretrain.batchSize }
  const keepsFrames = reward?.needsFrames === true || (refresh?.everySteps ?? 0) > 0
  const store = new EpisodeStore({
    capacity: config.replay.capacity,
    featureSize: representation.size,
    actionSize: sizeOf(env.spec.actionSpace.shape),
    frameSize: keepsFrames && encoder ? sizeOf(encoder.spec.frameShape) : 0,
  })
  const trainerParts: TrainerParts = {
    env,
    representation,
    agent,
    store,
    sampling: { gamma: config.replay.gamma, nStep: config.replay.nStep },
    keepsEpisodesWhole: robot !== undefined && !robot.isLockstep,
    ...(reward && config.goals
      ? { goals: await buildGoals(parts, config.goals, reward, keepsFrames, rng.split('goals').seed) }
      : {}),
    ...(encoder && isLearning(encoder) && refresh && refresh.everySteps > 0
      ? { refresh: { encoder, ...refresh } }
      : {}),
  }
  return new Trainer(trainerParts, config.training, rng.split('trainer'))
}

type GoalConfig = NonNullable<TrainConfig['goals']>

function buildReward({ reward, rewardScale }: GoalConfig): GoalReward {
  return reward === 'pixel-mse' ? pixelMseReward(rewardScale) : latentDistanceReward(rewardScale)
}

async function buildGoals(
  { env, encoder, representation }: Parts,
  goals: GoalConfig,
  reward: GoalReward,
  withFrames: boolean,
  seed: number,
): Promise<NonNullable<TrainerParts['goals']>> {
  const source = async (): Promise<GoalSource> => {
    if (goals.exploration === 'prior') {
      return withFrames ? priorGoalsWithFrames(encoder!, GOAL_BANK_SIZE, seed) : priorGoals(encoder!)
    }
    const scene = goalEnv(env)
    return encoder === undefined
      ? stateGoals(scene, representation)
      : goalBank(scene, representation, GOAL_BANK_SIZE, seed)
  }
  const exploration = await source()
  return { exploration, sampling: { mix: goals.relabel, source: exploration, reward } }
}

function goalEnv(env: Env): GoalEnv {
  if (isGoalEnv(env)) return env
  throw new ArmatureError('bad-config', `env ${env.spec.id}`, {
    expected: 'an env with goals',
    fix: 'see "armature list"',
  })
}
