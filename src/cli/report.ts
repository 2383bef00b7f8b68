import type { Env } from '../core/env.ts'
import { Rng } from '../core/rng.ts'
import type { Policy } from '../core/policy.ts'
import type { EpisodeResult, EvaluationOptions } from '../evaluate/policy.ts'
import { EVALUATION_SEED, evaluatePolicy, summarize } from '../evaluate/policy.ts'
import { bootstrapInterval, interquartileMean } from '../evaluate/statistics.ts'
import { encodeJson } from '../io/json.ts'
import { agentPolicy, randomPolicy, stillPolicy } from '../run/policies.ts'
import { evaluationEnvOf } from '../compose/evaluation-env.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import { writeVersion } from './output-files.ts'
import { table } from './table.ts'
import type { TrainedRun } from '../compose/load-run.ts'
import { resumeCommand } from '../compose/run-context.ts'

/** Interquartile mean and its 95 % bootstrap interval over episodes. */
export interface Estimate {
  readonly iqm: number
  readonly low: number
  readonly high: number
}

/** How one policy did on the fixed evaluation seeds. */
export interface PolicyReport {
  readonly policy: string
  readonly env: string
  readonly episodes: number
  /** Means over episodes, under the names of the logs. */
  readonly means: Readonly<Record<string, number>>
  /** Of the return and of each final distance. */
  readonly estimates: Readonly<Record<string, Estimate>>
}

/** A report with the file that holds it, and every episode. */
export interface WrittenReport extends PolicyReport {
  readonly file: string
}

const BOOTSTRAP_REPETITIONS = 2000

export interface ReportOptions extends Pick<EvaluationOptions, 'episodes' | 'onEpisode' | 'maxSteps' | 'beside'> {
  readonly name: string
  readonly folder: string
  readonly goOn?: string
}

/** Evaluates `policy` and writes `eval/<name>.json` with every episode, beside what else was found; `goOn` is said after Ctrl-C. */
export async function reportPolicy(
  context: CliContext,
  env: Env,
  policy: Policy,
  options: ReportOptions,
): Promise<WrittenReport> {
  const phase = context.progress.phase(`evaluate ${options.name}`, options.episodes, { unit: 'episodes' })
  const { episodes, onEpisode, maxSteps, beside } = options
  let done = 0
  const results = await evaluatePolicy(env, policy, {
    episodes,
    onEpisode: (result) => {
      done++
      onEpisode?.(result)
    },
    ...(maxSteps === undefined ? {} : { maxSteps }),
    ...(beside === undefined ? {} : { beside }),
    firstSeed: EVALUATION_SEED,
    onObservation: () => {
      throwIfInterrupted(context, options.goOn)
      phase.update(done)
    },
  })
  phase.update(options.episodes)
  phase.finish()
  const report = {
    policy: options.name,
    env: env.spec.id,
    episodes: results.length,
    means: summarize(results),
    estimates: estimatesOf(results),
  }
  const text = encodeJson({ ...report, results }, options.name)
  return { ...report, file: await writeVersion(options.folder, options.name, text) }
}

function estimatesOf(results: readonly EpisodeResult[]): Record<string, Estimate> {
  const columns: Record<string, number[]> = { return: results.map((result) => result.return) }
  for (const key of Object.keys(results[0]!.final)) columns[key] = results.map(({ final }) => final[key]!)
  return Object.fromEntries(
    Object.entries(columns).map(([name, values]) => {
      const { low, high } = bootstrapInterval([values], interquartileMean, {
        repetitions: BOOTSTRAP_REPETITIONS,
        rng: new Rng(EVALUATION_SEED).split(name),
      })
      return [name, { iqm: interquartileMean(values), low, high }]
    }),
  )
}

/** The trained policy beside random play and standing still, on the same seeds. */
export async function reportRun(context: CliContext, { folder, parts }: TrainedRun): Promise<PolicyReport[]> {
  const evaluation = await evaluationEnvOf(parts)
  const { env } = evaluation
  const { actionSpace } = env.spec
  const policies: readonly (readonly [string, Policy])[] = [
    ['random', randomPolicy(actionSpace, new Rng(EVALUATION_SEED))],
    ['still', stillPolicy(actionSpace)],
    [parts.config.preset, agentPolicy(parts)],
  ]
  const reports: PolicyReport[] = []
  const { finalEpisodes: episodes } = parts.config.training
  const goOn = `the training is complete: go on with ${resumeCommand(context, folder)}`
  for (const [name, policy] of policies) {
    reports.push(await reportPolicy(context, env, policy, { name, episodes, folder: folder.evaluations, goOn }))
  }
  await evaluation.close()
  return reports
}

/** A table for people: one row a policy, IQM and interval of each measure. */
export function reportTable(reports: readonly PolicyReport[]): string {
  const measures = Object.keys(reports[0]!.estimates).filter((name) => name !== 'success')
  const hasSuccess = 'eval/success_rate' in reports[0]!.means
  const header = ['policy', ...measures, ...(hasSuccess ? ['success'] : [])]
  const rows = reports.map(({ policy, estimates, means }) => [
    policy,
    ...measures.map((name) => estimateText(name, estimates[name]!)),
    ...(hasSuccess ? [`${Math.round(100 * means['eval/success_rate']!)} %`] : []),
  ])
  return table([header, ...rows])
}

function estimateText(name: string, { iqm, low, high }: Estimate): string {
  if (!name.includes('distance')) return `${iqm.toFixed(1)} [${low.toFixed(1)}, ${high.toFixed(1)}]`
  const cm = (metres: number): string => (100 * metres).toFixed(1)
  return `${cm(iqm)} [${cm(low)}, ${cm(high)}] cm`
}
