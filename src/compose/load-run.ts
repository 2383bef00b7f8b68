import { envs } from '../../envs/index.ts'
import type { TrainConfig } from '../config/train-config.ts'
import { trainConfigSchema } from '../config/train-config.ts'
import { parseConfig } from '../config/overrides.ts'
import { ArmatureError } from '../core/errors.ts'
import type { NamedArrays } from '../core/ndarray.ts'
import { CheckpointStore } from '../io/checkpoints.ts'
import type { RunFolder } from '../io/run-folder.ts'
import { openRunFolder } from '../io/run-folder.ts'
import { isAddress, resolveComponents } from './config.ts'
import { withRobotOf } from './kept-robot.ts'
import type { Parts, RobotConnector } from './parts.ts'
import { buildParts } from './parts.ts'

/** A run and what it is made of. */
export interface TrainedRun {
  readonly folder: RunFolder
  readonly parts: Parts
}

export interface LoadOptions {
  /** Where its env is now: the address of a robot, or a scene in this process; default: the scene, or the robot of a run without one. */
  readonly env?: string
  /** Connects robots. */
  readonly robots?: RobotConnector
}

/**
 * The parts of a run with the weights of its newest checkpoint.
 * @throws ArmatureError `not-found` where there is no run or no checkpoint; `corrupt-file` for a damaged one; `bad-argument` for an env
 *   that its weights do not fit.
 */
export async function loadRun(
  path: string,
  { env, robots }: LoadOptions = {},
): Promise<TrainedRun & { readonly step: number }> {
  const folder = await openRunFolder(path)
  const recorded = resolveComponents(parseConfig(trainConfigSchema, folder.record.config, `config of ${path}`))
  const config = { ...recorded, env: placeOf(withRobotOf(folder.path, recorded.env), env) }
  const checkpoint = await new CheckpointStore(folder.checkpoints).latest('model')
  if (checkpoint === undefined) {
    throw new ArmatureError('not-found', `${path} has no checkpoint yet`, {
      fix: `go on with "armature train --resume --out ${path}"`,
    })
  }
  const parts = await buildParts(config, robots)
  try {
    restoreModel(parts, checkpoint.model)
  } catch (error) {
    if (!(error instanceof ArmatureError) || error.code !== 'bad-shape') throw error
    throw new ArmatureError('bad-argument', `the weights of ${path} in ${parts.env.spec.id}`, {
      expected: `observations and actions as in ${recorded.env.id} when it was trained`,
      got: error.message,
      cause: error,
    })
  }
  return { folder, parts, step: checkpoint.step }
}

function placeOf(recorded: TrainConfig['env'], env: string | undefined): TrainConfig['env'] {
  const { robot, ...scene } = recorded
  if (env !== undefined) return isAddress(env) ? { ...scene, robot: env } : { ...scene, id: env }
  return robot !== undefined && !(scene.id in envs) ? recorded : scene
}

const ENCODER_PREFIX = 'encoder.'
const AGENT_PREFIX = 'agent.'
const DEMONSTRATION_PREFIX = 'demonstration.'

/** The weights of encoder and agent, and the demonstration that is followed, as a checkpoint holds them. */
export function modelOf({ encoder, agent, demonstration }: Parts): NamedArrays {
  const named = (prefix: string, saved: NamedArrays): NamedArrays =>
    Object.fromEntries(Object.entries(saved).map(([name, array]) => [prefix + name, array]))
  return {
    ...named(AGENT_PREFIX, agent.save()),
    ...named(ENCODER_PREFIX, encoder?.save() ?? {}),
    ...named(DEMONSTRATION_PREFIX, demonstration?.save() ?? {}),
  }
}

/** Puts the weights of a checkpoint into encoder and agent, and shows the demonstration. */
export function restoreModel({ encoder, agent, demonstration }: Parts, model: NamedArrays): void {
  const under = (prefix: string): NamedArrays =>
    Object.fromEntries(
      Object.entries(model)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, array]) => [name.slice(prefix.length), array]),
    )
  encoder?.restore(under(ENCODER_PREFIX))
  agent.restore(under(AGENT_PREFIX))
  demonstration?.restore(under(DEMONSTRATION_PREFIX))
}
