import { agentPolicy } from '../run/policies.ts'
import type { Env } from '../core/env.ts'
import type { CopiesFlags } from '../compose/copies.ts'
import { loadedModules } from './modules.ts'
import { copiesByFlags, requireOneRobot } from '../compose/copies.ts'
import { evaluationEnvOf, evaluationOptions } from '../compose/evaluation-env.ts'
import type { Parts } from '../compose/parts.ts'
import { applyOverrides } from '../config/overrides.ts'
import { ArmatureError } from '../core/errors.ts'
import type { LoadOptions } from '../compose/load-run.ts'
import { loadRun } from '../compose/load-run.ts'
import type { CliContext } from './context.ts'
import { pictureFormat, requireNewFile } from './output-files.ts'
import { checkedCameras } from './render-scene.ts'
import type { WrittenReport } from './report.ts'
import { reportPolicy, reportTable } from './report.ts'
import { VIDEO_EPISODES, writeFilm } from './film.ts'

export interface EvalOptions extends LoadOptions, CopiesFlags {
  readonly episodes: number
  /** Ends in .gif or .mp4. */
  readonly video?: string
  /** Whether a video may be replaced. */
  readonly overwrite?: boolean
  /** Options of the scene that differ from those of the run, as `key=value`. */
  readonly set?: readonly string[]
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
  const { folder, step, parts: loaded } = await loadRun(path, options)
  const parts = withEvalOptions(loaded, options.set)
  if (parts.robot !== undefined) requireOneRobot(options)
  const evaluation = await evaluationEnvOf(parts)
  const { env } = evaluation
  try {
    if (video !== undefined) checkedCameras(env, undefined)
    const policy = agentPolicy(parts)
    const report = await evaluateOnCopies(context, { folder, parts, step }, env, options)
    context.print(`${reportTable([report])}\n\n${report.file}`)
    if (video !== undefined) {
      await writeFilm(context, env, policy, parts, { file: video, option: '--video', episodes: VIDEO_EPISODES })
      context.print(video)
    }
    return { ...report, step, ...(video === undefined ? {} : { video }) }
  } finally {
    await evaluation.close()
  }
}

/** The parts of a run with options of the scene that it is evaluated in. @throws ArmatureError `bad-argument` for options of a robot, which takes none. */
export function withEvalOptions(parts: Parts, set: readonly string[] = []): Parts {
  if (set.length === 0) return parts
  if (parts.robot !== undefined)
    throw new ArmatureError('bad-argument', 'a robot', { got: '--set, which is for scenes' })
  const { config } = parts
  const evalOptions = applyOverrides(config.env.evalOptions, set)
  return { ...parts, config: { ...config, env: { ...config.env, evalOptions } } }
}

async function evaluateOnCopies(
  context: CliContext,
  { folder, parts, step }: Awaited<ReturnType<typeof loadRun>>,
  env: Env,
  options: EvalOptions,
): Promise<WrittenReport> {
  const place = { id: parts.config.env.id, options: evaluationOptions(parts.config.env) }
  const copies = await copiesByFlags(env, place, { ...options, registering: loadedModules() })
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
