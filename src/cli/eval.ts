import { trainConfigSchema } from '../config/train-config.ts'
import { parseConfig } from '../config/overrides.ts'
import { ArmatureError } from '../core/errors.ts'
import { CheckpointStore } from '../io/checkpoints.ts'
import { openRunFolder } from '../io/run-folder.ts'
import { agentPolicy } from '../run/policies.ts'
import { buildEnv, buildParts, resolveComponents } from './build.ts'
import type { CliContext } from './context.ts'
import type { PolicyReport } from './report.ts'
import { reportPolicy, reportTable } from './report.ts'
import type { TrainedRun } from './train.ts'
import { restoreModel } from './train.ts'
import { writeEpisodeVideo } from './pictures.ts'

/**
 * The parts of a run with the weights of its newest checkpoint.
 * @throws ArmatureError `not-found` where there is no run or no checkpoint; `corrupt-file` for a damaged one.
 */
export async function loadRun(path: string): Promise<TrainedRun & { readonly step: number }> {
  const folder = await openRunFolder(path)
  const config = resolveComponents(parseConfig(trainConfigSchema, folder.record.config, `config of ${path}`))
  const checkpoint = await new CheckpointStore(folder.checkpoints).latest('model')
  if (checkpoint === undefined) {
    throw new ArmatureError('not-found', `${path} has no checkpoint yet`, {
      fix: `go on with "armature train --resume --out ${path}"`,
    })
  }
  const parts = await buildParts(config)
  restoreModel(parts, checkpoint.model)
  return { folder, parts, step: checkpoint.step }
}

export interface EvalOptions {
  readonly episodes: number
  readonly video?: string
}

/** `armature eval`: the deterministic policy of a run on the fixed evaluation seeds. */
export async function evaluateRun(
  context: CliContext,
  path: string,
  options: EvalOptions,
): Promise<PolicyReport & { step: number }> {
  const { folder, parts, step } = await loadRun(path)
  const env = await buildEnv(parts.config)
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
  await env.close()
  return { ...report, step }
}
