import { agentPolicy } from '../run/policies.ts'
import type { Env } from '../core/env.ts'
import type { CopiesFlags } from '../compose/copies.ts'
import { loadedModules } from './modules.ts'
import { copiesByFlags, requireOneRobot } from '../compose/copies.ts'
import { evaluationEnvOf } from '../compose/evaluation-env.ts'
import type { LoadOptions } from '../compose/load-run.ts'
import { loadRun } from '../compose/load-run.ts'
import type { CliContext } from './context.ts'
import { pictureFormat, requireNewFile } from './output-files.ts'
import { checkedCameras } from './render-scene.ts'
import type { WrittenReport } from './report.ts'
import { reportPolicy, reportTable } from './report.ts'
import { writeEpisodeVideo } from './pictures.ts'

export interface EvalOptions extends LoadOptions, CopiesFlags {
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
  const { video, overwrite } = options
  if (video !== undefined) {
    pictureFormat(video, '--video', ['.gif', '.mp4'])
    await requireNewFile(video, overwrite)
  }
  const { folder, parts, step } = await loadRun(path, options)
  if (parts.robot !== undefined) requireOneRobot(options)
  const evaluation = await evaluationEnvOf(parts)
  const { env } = evaluation
  try {
    if (video !== undefined) checkedCameras(env, undefined)
    const policy = agentPolicy(parts)
    const report = await evaluateOnCopies(context, { folder, parts, step }, env, options)
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

async function evaluateOnCopies(
  context: CliContext,
  { folder, parts, step }: Awaited<ReturnType<typeof loadRun>>,
  env: Env,
  options: EvalOptions,
): Promise<WrittenReport> {
  const copies = await copiesByFlags(env, parts.config.env, { ...options, registering: loadedModules() })
  try {
    // Each env has a policy of its own, which follows its episodes; they share the weights. Each acts by itself: in a product of several
    // rows, a row is rounded in another way than alone, and results must not depend on the number of envs.
    const [first, ...beside] = copies.envs.map((copy) => ({ env: copy, policy: agentPolicy(parts) }))
    const name = `${parts.config.preset}-step${step}`
    const { episodes } = options
    return await reportPolicy(context, first!.env, first!.policy, {
      name,
      episodes,
      folder: folder.evaluations,
      beside,
    })
  } finally {
    await copies.close()
  }
}
