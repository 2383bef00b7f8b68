import { envs } from '../../envs/index.ts'
import type { TrainConfig } from '../config/train-config.ts'
import { trainConfigSchema } from '../config/train-config.ts'
import { parseConfig } from '../config/overrides.ts'
import { ArmatureError } from '../core/errors.ts'
import { CheckpointStore } from '../io/checkpoints.ts'
import { openRunFolder } from '../io/run-folder.ts'
import { agentPolicy } from '../run/policies.ts'
import { buildParts, evaluationEnvOf, resolveComponents } from './build.ts'
import { isAddress } from './config.ts'
import type { CliContext } from './context.ts'
import type { PolicyReport } from './report.ts'
import { reportPolicy, reportTable } from './report.ts'
import type { TrainedRun } from './train.ts'
import { restoreModel } from './train.ts'
import { writeEpisodeVideo } from './pictures.ts'
import type { Bridge } from './remote.ts'

export interface LoadOptions {
  /** Where its env is now: the address of a robot, or a scene in this process; default: the scene, or the robot of a run without one. */
  readonly env?: string
  /** Connects robots. */
  readonly bridge?: Bridge
}

/**
 * The parts of a run with the weights of its newest checkpoint.
 * @throws ArmatureError `not-found` where there is no run or no checkpoint; `corrupt-file` for a damaged one.
 */
export async function loadRun(
  path: string,
  { env, bridge }: LoadOptions = {},
): Promise<TrainedRun & { readonly step: number }> {
  const folder = await openRunFolder(path)
  const recorded = resolveComponents(parseConfig(trainConfigSchema, folder.record.config, `config of ${path}`))
  const config = { ...recorded, env: placeOf(recorded.env, env) }
  const checkpoint = await new CheckpointStore(folder.checkpoints).latest('model')
  if (checkpoint === undefined) {
    throw new ArmatureError('not-found', `${path} has no checkpoint yet`, {
      fix: `go on with "armature train --resume --out ${path}"`,
    })
  }
  const parts = await buildParts(config, bridge)
  restoreModel(parts, checkpoint.model)
  return { folder, parts, step: checkpoint.step }
}

function placeOf(recorded: TrainConfig['env'], env: string | undefined): TrainConfig['env'] {
  const { robot, ...scene } = recorded
  if (env !== undefined) return isAddress(env) ? { ...scene, robot: env } : { ...scene, id: env }
  return robot !== undefined && !(scene.id in envs) ? recorded : scene
}

export interface EvalOptions extends LoadOptions {
  readonly episodes: number
  readonly video?: string
}

/** `armature eval`: the deterministic policy of a run on the fixed evaluation seeds. */
export async function evaluateRun(
  context: CliContext,
  path: string,
  options: EvalOptions,
): Promise<PolicyReport & { step: number }> {
  const { folder, parts, step } = await loadRun(path, options)
  const evaluation = await evaluationEnvOf(parts)
  const { env } = evaluation
  const policy = agentPolicy(parts.representation, parts.agent)
  const name = `${parts.config.preset}-step${step}`
  const report = await reportPolicy(context, env, policy, {
    name,
    episodes: options.episodes,
    folder: folder.evaluations,
  })
  context.print(reportTable([report]))
  if (options.video !== undefined) {
    await writeEpisodeVideo(options.video, env, policy, parts)
    context.print(options.video)
  }
  await evaluation.close()
  return { ...report, step }
}
