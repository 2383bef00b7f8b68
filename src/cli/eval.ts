import { agentPolicy } from '../run/policies.ts'
import { evaluationEnvOf } from '../compose/evaluation-env.ts'
import type { LoadOptions } from '../compose/load-run.ts'
import { loadRun } from '../compose/load-run.ts'
import type { CliContext } from './context.ts'
import { pictureFormat, requireNewFile } from './output-files.ts'
import { checkedCameras } from './render-scene.ts'
import type { WrittenReport } from './report.ts'
import { reportPolicy, reportTable } from './report.ts'
import { writeEpisodeVideo } from './pictures.ts'

export interface EvalOptions extends LoadOptions {
  readonly episodes: number
  /** Ends in .gif or .mp4. */
  readonly video?: string
  /** Whether a video may be replaced. */
  readonly overwrite?: boolean
}

/**
 * `armature eval`: the deterministic policy of a run on the fixed evaluation seeds. Each evaluation that differs gets a file of its own.
 * @throws ArmatureError `bad-argument` for a video that is there or has another ending, `not-found` for one of a scene without a camera,
 *   before anything is evaluated; what loading a run throws; `unwritable`; `interrupted`.
 */
export async function evaluateRun(
  context: CliContext,
  path: string,
  options: EvalOptions,
): Promise<WrittenReport & { readonly step: number; readonly video?: string }> {
  const { episodes, video, overwrite } = options
  if (video !== undefined) {
    pictureFormat(video, '--video', ['.gif', '.mp4'])
    await requireNewFile(video, overwrite)
  }
  const { folder, parts, step } = await loadRun(path, options)
  const evaluation = await evaluationEnvOf(parts)
  const { env } = evaluation
  try {
    if (video !== undefined) checkedCameras(env, undefined)
    const policy = agentPolicy(parts)
    const name = `${parts.config.preset}-step${step}`
    const report = await reportPolicy(context, env, policy, { name, episodes, folder: folder.evaluations })
    context.print(`${reportTable([report])}\n\n${report.file}`)
    if (video !== undefined) {
      await writeEpisodeVideo(context, video, env, policy, parts)
      context.print(video)
    }
    return { ...report, step, ...(video === undefined ? {} : { video }) }
  } finally {
    await evaluation.close()
  }
}
