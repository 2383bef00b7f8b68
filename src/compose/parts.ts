import type { RemoteEnv } from '../../bridges/client/remote-env.ts'
import { makeEnv } from '../../envs/index.ts'
import type { TrainConfig } from '../config/train-config.ts'
import type { Agent } from '../core/agent.ts'
import type { Encoder } from '../core/encoder.ts'
import { isLearning } from '../core/encoder.ts'
import type { Env, GoalEnv, SimulatedEnv } from '../core/env.ts'
import { isGoalEnv, isSimulatedEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import { Rng } from '../core/rng.ts'
import type { Representation } from '../run/representation.ts'
import { encoderRepresentation, proprioRepresentation, stateRepresentation } from '../run/representation.ts'
import { makeAgent, makeEncoder } from './make.ts'
import { scaledEncoder } from './scaled-encoder.ts'

/** A robot's place in a configuration. */
export type RobotPlace = TrainConfig['env'] & { readonly robot: string }

/** Connects the robots of runs; it keeps and closes them. */
export interface RobotConnector {
  /** The robot at `place.robot`, with its lease. @throws ArmatureError `bad-argument` for a robot of another kind, `env-failed` */
  connect(place: RobotPlace): Promise<RemoteEnv>
}

/** What a run with goals sets. */
export type GoalConfig = NonNullable<TrainConfig['goals']>

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

/** The scene of a run in this process. */
export async function makeScene(config: TrainConfig): Promise<SimulatedEnv> {
  const env = await makeEnv(config.env.id, config.env.options)
  if (isSimulatedEnv(env)) return env
  throw new ArmatureError('bad-config', `env ${config.env.id}`, { expected: 'an env that can save its state' })
}

async function connectRobot({ env }: TrainConfig, robots: RobotConnector | undefined): Promise<RemoteEnv | undefined> {
  const { robot } = env
  if (robot === undefined) return undefined
  if (robots !== undefined) return robots.connect({ ...env, robot })
  throw new ArmatureError('bad-config', 'env.robot', {
    expected: 'an env in this process, for this command',
    got: robot,
  })
}

/**
 * Makes env, encoder and agent, untrained. A robot is connected through `robots`.
 * @throws ArmatureError `bad-config`, `bad-argument` or `not-found` for parts that do not exist or do not go together.
 */
export async function buildParts(config: TrainConfig, robots?: RobotConnector): Promise<Parts> {
  const robot = await connectRobot(config, robots)
  const env = robot ?? (await makeScene(config))
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
  const { kind } = encoder.spec.batch
  if (kind !== 'frames' && (from === undefined || refresh.everySteps > 0)) {
    const fix = 'train it with "armature pretrain" and set representation.from, without refreshes'
    throw refuse('representation.encoder', `learns from ${kind}`, fix)
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

export function goalEnv(env: Env): GoalEnv {
  if (isGoalEnv(env)) return env
  throw new ArmatureError('bad-config', `env ${env.spec.id}`, {
    expected: 'an env with goals',
    fix: 'see "armature list"',
  })
}
