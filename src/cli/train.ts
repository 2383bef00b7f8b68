import { join } from 'node:path'
import { agentPolicy } from '../run/policies.ts'
import { evaluationEnvOf } from '../compose/evaluation-env.ts'
import type { CliContext } from './context.ts'
import { loadedModules } from './modules.ts'
import { VIDEO_EPISODES, writeFilm } from './film.ts'
import { writeImaginedGoals } from './pictures.ts'
import type { PolicyReport } from './report.ts'
import { reportRun, reportTable } from './report.ts'
import type { TrainedRun } from '../compose/load-run.ts'
import type { TrainOptions } from '../compose/training-run.ts'
import { train } from '../compose/training-run.ts'

/** What `armature train` leaves behind. */
export interface TrainReport {
  readonly run: string
  readonly steps: number
  readonly policies: readonly PolicyReport[]
  /** Pictures written, by path. */
  readonly pictures: readonly string[]
}

/** Trains, then evaluates beside the baselines and draws what was learned. */
export async function trainAndReport(
  context: CliContext,
  preset: string | undefined,
  options: TrainOptions,
): Promise<TrainReport> {
  const run = await train(context, preset, { ...options, registering: loadedModules() })
  const { folder, parts } = run
  const policies = await reportRun(context, run)
  const pictures = await drawPictures(context, run)
  context.print(`\n${reportTable(policies)}\n\nrun folder  ${folder.path}`)
  for (const picture of pictures) context.print(`picture     ${picture}`)
  return { run: folder.path, steps: parts.config.training.steps, policies, pictures }
}

async function drawPictures(context: CliContext, { folder, parts }: TrainedRun): Promise<string[]> {
  if (parts.config.goals === undefined) return []
  const evaluation = await evaluationEnvOf(parts)
  const { env } = evaluation
  const video = join(folder.videos, 'episodes.gif')
  try {
    const film = { file: video, option: '--out', episodes: VIDEO_EPISODES }
    await writeFilm(context, env, agentPolicy(parts), parts, film)
    const { encoder, representation, config } = parts
    if (encoder?.decode === undefined || encoder.imagine === undefined) return [video]
    const goals = join(folder.path, 'imagined-goals.png')
    await writeImaginedGoals(goals, encoder, { env, representation, seed: config.seed })
    return [video, goals]
  } finally {
    await evaluation.close()
  }
}
