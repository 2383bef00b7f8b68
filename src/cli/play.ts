import { join } from 'node:path'
import { evaluationEnvOf } from '../compose/evaluation-env.ts'
import type { LoadOptions } from '../compose/load-run.ts'
import { loadRun } from '../compose/load-run.ts'
import type { EpisodeResult } from '../evaluate/policy.ts'
import { agentPolicy } from '../run/policies.ts'
import type { CliContext } from './context.ts'
import { movingRobot, stepsOf, textOfEpisode } from './drive.ts'
import { withEvalOptions } from './eval.ts'
import { writeFilm } from './film.ts'
import { pictureFormat, requireNewFile } from './output-files.ts'
import { checkedCameras } from './render-scene.ts'

export interface PlayOptions extends LoadOptions {
  readonly episodes: number
  /** Ends in .gif or .mp4; default: `videos/play-step<n>.gif` of the run. */
  readonly out?: string
  readonly overwrite?: boolean
  /** Options of the scene that differ from those of the run, as `key=value`. */
  readonly set?: readonly string[]
  /** Ends an episode of a robot that ends none. */
  readonly maxSeconds?: number
}

/**
 * `armature play`: watches the deterministic policy of a run on the first evaluation seeds and writes what it saw, wanted and was paid as an
 * animation, see {@link writeFilm}. A robot is told to stop and let go in the end.
 * @throws ArmatureError `bad-argument` for a file that is there or has another ending, `not-found` for a scene without a camera, before anything
 *   moves; what loading a run throws; `unwritable`; `interrupted`.
 */
export async function playRun(
  context: CliContext,
  path: string,
  options: PlayOptions,
): Promise<{ readonly step: number; readonly video: string; readonly episodes: readonly EpisodeResult[] }> {
  const { out, overwrite, episodes, maxSeconds } = options
  if (out !== undefined) {
    pictureFormat(out, '--out', ['.gif', '.mp4'])
    await requireNewFile(out, overwrite)
  }
  const { folder, parts: loaded, step } = await loadRun(path, options)
  const parts = withEvalOptions(loaded, options.set)
  const file = out ?? join(folder.videos, `play-step${step}.gif`)
  if (out === undefined) await requireNewFile(file, overwrite)
  const evaluation = await evaluationEnvOf(parts)
  const { env } = evaluation
  try {
    checkedCameras(env, undefined)
    const { robot } = parts
    const maxSteps = robot && stepsOf(robot, { to: robot.spec.id, ...(maxSeconds !== undefined && { maxSeconds }) })
    const film = { file, option: '--out', episodes, maxSteps }
    const play = (): Promise<EpisodeResult[]> => writeFilm(context, env, agentPolicy(parts), parts, film)
    const results = await (robot === undefined ? play() : movingRobot(context, robot, play))
    for (const result of results) context.print(textOfEpisode(result))
    context.print(file)
    return { step, video: file, episodes: results }
  } finally {
    await evaluation.close()
  }
}
