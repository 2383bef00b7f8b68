import type { RemoteEnv } from '../../bridges/client/remote-env.ts'
import { agents } from '../../agents/index.ts'
import { makeEnv } from '../../envs/index.ts'
import type {
  EncoderRepresentationConfig,
  PixelRepresentationConfig,
  TrainConfig,
  VectorRepresentationConfig,
} from '../config/train-config.ts'
import type { Agent } from '../core/agent.ts'
import type { InputShape } from '../core/encoder-input.ts'
import type { Encoder } from '../core/encoder.ts'
import { isLearning } from '../core/encoder.ts'
import type { Env } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { FrameFit } from '../core/frame-fit.ts'
import { checkFit, fitOfCamera } from '../core/frame-fit.ts'
import type { GoalReward } from '../core/goals.ts'
import { sizeOf } from '../core/ndarray.ts'
import { lookUp } from '../core/registry.ts'
import { Rng } from '../core/rng.ts'
import { camerasOf, requireBatchOptions } from '../replay/batch-sampler.ts'
import { Demonstration } from '../run/follower.ts'
import { followingRepresentation } from '../run/following.ts'
import type { Representation } from '../run/representation.ts'
import {
  bareStateRepresentation,
  encoderRepresentation,
  pixelRepresentation,
  proprioRepresentation,
  shapeOfCamera,
  stateRepresentation,
  wholeStateRepresentation,
} from '../run/representation.ts'
import type { ExportableGoalForm } from './goal-form.ts'
import { goalForms } from './goal-forms.ts'
import { goalRewards } from './goal-rewards.ts'
import type { GoalSourceParts } from './goal-sources.ts'
import { goalEnv, goalSources } from './goal-sources.ts'
import { checkBonus, checkPixelEncoder, featuresOf, learnsAlong, orBadConfig } from './learned-network.ts'
import { makeAgent, makeEncoder } from './make.ts'
import { placesEncoder } from './places-encoder.ts'
import { scaledEncoder } from './scaled-encoder.ts'

/** A robot's place in a configuration. */
export type RobotPlace = Omit<TrainConfig['env'], 'evalOptions'> & { readonly robot: string }

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
  readonly env: Env
  /** The env, where it is a robot across the bridge. */
  readonly robot: RemoteEnv | undefined
  readonly encoder: Encoder | undefined
  /** How frames of the env's camera become those of the encoder; undefined: as they are. */
  readonly fit: FrameFit | undefined
  readonly representation: Representation
  readonly agent: Agent
  /** What reaching a goal pays, and the form in which the agent is shown it; absent where the env pays. */
  readonly reward: GoalReward | undefined
  readonly form: ExportableGoalForm | undefined
  /** What is followed, empty until it was shown; absent where goals or the env pay. */
  readonly demonstration: Demonstration | undefined
}

/** The scene of a run in this process. */
export function makeScene({ env }: TrainConfig): Promise<Env> {
  return makeEnv(env.id, env.options)
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
  const rng = new Rng(config.seed)
  const fit = fitOfEnv(config, env)
  const encoder = buildEncoder(config, env, fit, rng.split('encoder'))
  if (encoder) checkEncoder(config, env, encoder)
  const demonstration = config.imitation && encoder && new Demonstration(encoder.spec.latentSize)
  checkImitation(config)
  const own = buildRepresentation(config, env, encoder, fit)
  const representation = demonstration ? following(config, env, own, demonstration) : own
  const goals = config.goals && buildGoals(config, config.goals, { env, encoder, representation })
  const { size, goalSize = size } = representation
  const observationSize = goals?.form.inputSize(size, goalSize) ?? size
  const actionSize = sizeOf(env.spec.actionSpace.shape)
  const spec = { observationSize, actionSize, ...(goals?.form.keepsGoal && { goalSize }) }
  checkReachedGoals(config)
  const features = learnsAlong(config.representation) ? featuresOf(encoder!) : undefined
  const agent = makeAgent(config.agent.name, spec, rng.split('agent'), config.agent.config, features)
  const asked = { reward: goals?.reward, form: goals?.form, demonstration }
  return { config, env, robot, encoder, fit, representation, agent, ...asked }
}

/** @throws ArmatureError `bad-config` for a demonstration that nothing looks at, or that is not all that pays. */
function checkImitation({ imitation, goals, representation }: TrainConfig): void {
  const refuse = (setting: string, expected: string, got: string): ArmatureError =>
    new ArmatureError('bad-config', setting, { expected, got })
  if (imitation === undefined) {
    if (representation.kind !== 'encoder' || representation.sees === 'latents') return
    throw refuse('representation.sees', 'latents, where no demonstration pays', representation.sees)
  }
  if (goals !== undefined) throw refuse('imitation', 'no settings of goals beside it', 'both')
  if (representation.kind !== 'encoder') {
    throw refuse(
      'imitation',
      'representation.kind encoder, which looks at it',
      `representation.kind ${representation.kind}`,
    )
  }
  if (representation.refresh.everySteps > 0) {
    throw refuse(
      'representation.refresh.everySteps',
      '0: what was paid is stored',
      String(representation.refresh.everySteps),
    )
  }
}

/** What an agent sees that follows a demonstration. */
function following(
  { imitation, representation }: TrainConfig,
  env: Env,
  eye: Representation,
  demonstration: Demonstration,
): Representation {
  const sees = representation.kind === 'encoder' ? representation.sees : 'latents'
  const seen =
    sees === 'latents' ? undefined : sees === 'state' ? bareStateRepresentation(env) : proprioRepresentation(env)
  return followingRepresentation({ eye, seen, demonstration, options: imitation! })
}

/** Reward and form of goals, and whether they go together with the rest: asked before anything long starts. */
function buildGoals(
  { representation: learned }: TrainConfig,
  { source, form, reward }: GoalConfig,
  parts: GoalSourceParts,
): { readonly reward: GoalReward; readonly form: ExportableGoalForm } {
  const refuse = (setting: string, expected: string, got: string): ArmatureError =>
    new ArmatureError('bad-config', setting, { expected, got })
  const { kind } = learned
  if (kind !== 'encoder' && kind !== 'state') {
    throw refuse('goals', 'representation.kind encoder or state', `representation.kind ${kind}`)
  }
  const made = {
    reward: lookUp('reward', goalRewards, reward.name).create(reward.config),
    form: lookUp('form of goals', goalForms, form.name).create(form.config, parts.representation),
  }
  const isRefreshed = learned.kind === 'encoder' && learned.refresh.everySteps > 0
  lookUp('source of goals', goalSources, source.name).check(parts, made.reward.needsFrames || isRefreshed)
  const { encoder, representation } = parts
  const hasOwnGoals = encoder !== undefined && representation.hasOwnGoals === true
  if (hasOwnGoals && made.form.needsOneSpace) {
    throw refuse(
      `goals.form ${form.name}`,
      'goals in the space of the features',
      `encoder ${encoder.spec.name}, which gives goals a tower of their own; set goals.form.name=goal`,
    )
  }
  if (hasOwnGoals && made.reward.prepare !== undefined) {
    throw refuse(
      `goals.reward ${reward.name}`,
      'a demonstration in the space of what is reached',
      `encoder ${encoder.spec.name}, which sees what is reached through the tower of its goals`,
    )
  }
  if (made.reward.needsFrames && parts.encoder === undefined) {
    throw refuse(`goals.reward ${reward.name}`, 'an encoder', `representation.kind ${kind}`)
  }
  return made
}

/** @throws ArmatureError `bad-config` for goals that were not reached, where the agent learns from those alone. */
function checkReachedGoals({ agent, goals }: TrainConfig): void {
  if (goals === undefined || lookUp('agent', agents, agent.name).needsReachedGoals !== true) return
  const { future, futureSteps } = goals.relabel
  if (future === 1 && futureSteps === 'geometric') return
  const reached = '{"kept":0,"source":0,"future":1,"futureSteps":"geometric"}'
  throw new ArmatureError('bad-config', 'goals.relabel', {
    expected: `goals that were reached, after a geometric number of steps, for agent ${agent.name}`,
    got: JSON.stringify(goals.relabel),
    fix: `set goals.relabel=${reached}`,
  })
}

/** What the encoder cannot do, said before anything long starts. */
function checkEncoder({ representation }: TrainConfig, env: Env, encoder: Encoder): void {
  const refuse = (setting: string, got: string, fix: string): ArmatureError =>
    new ArmatureError('bad-config', setting, { got: `encoder ${encoder.spec.name}, which ${got}`, fix })
  checkBonus(representation, encoder)
  if (representation.kind === 'pixels') checkPixelEncoder(representation, env, encoder, refuse)
  if (representation.kind !== 'encoder') return
  const { from, camera, goalCamera, places, pretrain, refresh } = representation
  checkGoalCamera(representation, env, encoder)
  if (refresh.everySteps > 0 && goalCamera !== undefined && goalCamera !== camera) {
    throw refuse(
      'representation.refresh',
      `sees goals by camera ${goalCamera}`,
      'set representation.refresh.everySteps=0: replay keeps one',
    )
  }
  if (refresh.everySteps > 0 && places) {
    throw refuse(
      'representation.refresh',
      'shows the agent features by place',
      'set representation.refresh.everySteps=0: those are not made anew',
    )
  }
  if (refresh.everySteps > 0 && !isLearning(encoder)) {
    throw refuse('representation.refresh', 'learns nothing', 'set representation.refresh.everySteps=0')
  }
  const { kind, options } = encoder.spec.batch
  const collecting = pretrain.envOptions?.['cameras']
  const known = Array.isArray(collecting) ? (collecting as string[]) : Object.keys(env.spec.imageSpaces)
  orBadConfig(() => requireBatchOptions(kind, pretrain.batch))
  const cameras = camerasOf(kind, camera, { ...options, ...pretrain.batch }, known)
  const missing = from === undefined ? cameras.find((name) => !known.includes(name)) : undefined
  if (missing !== undefined) {
    throw refuse(
      'representation.encoder',
      `learns from camera ${missing}`,
      `choose an env that has it; this has ${known.join(', ')}`,
    )
  }
  if (refresh.everySteps > 0 && cameras.length > 1) {
    throw refuse(
      'representation.refresh',
      `learns from cameras ${cameras.join(', ')}`,
      'set representation.refresh.everySteps=0: replay keeps one',
    )
  }
}

/** @throws ArmatureError `bad-config` for a camera of goals that is not there, or that has no use. */
function checkGoalCamera({ camera, goalCamera }: EncoderRepresentationConfig, env: Env, encoder: Encoder): void {
  if (goalCamera === undefined || goalCamera === camera) return
  const setting = 'representation.goalCamera'
  const { imageSpaces } = env.spec
  if (encoder.encodeGoal === undefined) {
    throw new ArmatureError('bad-config', setting, {
      expected: `${camera}, as encoder ${encoder.spec.name} has one tower for what is seen and what is wanted`,
      got: goalCamera,
    })
  }
  const alike = Object.keys(imageSpaces).filter(
    (name) => String(imageSpaces[name]!.shape) === String(imageSpaces[camera]!.shape),
  )
  if (!alike.includes(goalCamera)) {
    throw new ArmatureError('bad-config', setting, { expected: alike.join(' or '), got: goalCamera })
  }
}

/** @throws ArmatureError `bad-config` for an env whose frames the fit of the encoder does not take. */
function fitOfEnv({ env: { robot }, representation }: TrainConfig, env: Env): FrameFit | undefined {
  if (representation.kind !== 'encoder' || representation.fit === undefined) return undefined
  const { camera, fit } = representation
  checkFit(fit)
  const what = `frames of ${robot === undefined ? env.spec.id : `the robot at ${robot}`} for encoder ${representation.encoder}`
  const fix = `use a camera of that size${robot === undefined ? ', by env.options' : ''}`
  return fitOfCamera(fit, { what, camera, shape: shapeOfCamera(env.spec, camera), fix })
}

function buildEncoder(
  { representation }: TrainConfig,
  env: Env,
  fit: FrameFit | undefined,
  rng: Rng,
): Encoder | undefined {
  if (!('encoder' in representation)) return undefined
  const shape = inputShapeOf(representation, env, fit)
  const actionSize = sizeOf(env.spec.actionSpace.shape)
  const encoder = orBadConfig(() => makeEncoder(representation.encoder, shape, rng, representation.config, actionSize))
  if (learnsAlong(representation) || representation.latentScale === 1) return encoder
  return scaledEncoder(encoder, representation.latentScale)
}

/** What the encoder of a run looks at. */
function inputShapeOf(
  representation: EncoderRepresentationConfig | PixelRepresentationConfig | VectorRepresentationConfig,
  env: Env,
  fit: FrameFit | undefined,
): InputShape {
  if (representation.kind === 'vectors') return [vectorRepresentation(representation, env).size]
  const frame = fit?.to ?? shapeOfCamera(env.spec, representation.camera)
  const stack = representation.kind === 'pixels' ? representation.stack : 1
  return stack === 1 ? frame : [stack, ...frame]
}

/** Vectors as they are: what a network looks at is in the agent. */
function vectorRepresentation({ sees }: VectorRepresentationConfig, env: Env): Representation {
  return sees === 'state' ? wholeStateRepresentation(env) : proprioRepresentation(env)
}

/** The encoder as it looks at frames for an agent. @throws ArmatureError as {@link placesEncoder} */
export function lookingEncoder(representation: TrainConfig['representation'], encoder: Encoder): Encoder {
  return representation.kind === 'encoder' && representation.places ? placesEncoder(encoder) : encoder
}

function buildRepresentation(
  { representation, goals }: TrainConfig,
  env: Env,
  encoder: Encoder | undefined,
  fit: FrameFit | undefined,
): Representation {
  if (representation.kind === 'encoder') {
    return encoderRepresentation(
      lookingEncoder(representation, encoder!),
      representation.camera,
      representation.goalCamera,
      representation.fit,
      fit?.from,
    )
  }
  if (representation.kind === 'pixels') return pixelRepresentation(env, representation)
  if (representation.kind === 'vectors') return vectorRepresentation(representation, env)
  if (representation.kind === 'proprio') return proprioRepresentation(env)
  return goals ? stateRepresentation(goalEnv(env), representation.scalePerM) : wholeStateRepresentation(env)
}
