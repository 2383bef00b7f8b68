import { agentPolicy } from '../run/policies.ts'
import { evaluationEnvOf } from '../compose/evaluation-env.ts'
import type { LoadOptions } from '../compose/load-run.ts'
import { loadRun } from '../compose/load-run.ts'
import type { CliContext } from './context.ts'
import type { PolicyReport } from './report.ts'
import { reportPolicy, reportTable } from './report.ts'
import { writeEpisodeVideo } from './pictures.ts'

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
