/**
 * Learning experiments: several variants over several seeds, each a run of `armature train`, summed up with intervals.
 *
 *   npx tsx bench/learning.ts rig-push --seeds 5 --jobs 2 --runs runs/learning
 *   npx tsx bench/learning.ts sac-pendulum --first 100 --seeds 100
 *   npx tsx bench/learning.ts pixels --only 'CartPole pixels,CartPole curl'
 *   npx tsx bench/learning.ts ladder --seeds 3 --steps 20000
 *
 * Runs that are already finished under --runs are not repeated. Every result replaces that of its variant and seed in
 * docs/results/<experiment>.json as soon as it is there (delete the file to start afresh), and at the end a table of them all is
 * printed in Markdown, and curves are drawn over env steps and over minutes of processor time (docs/results/<experiment>-steps.svg, -minutes.svg).
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Rng } from '../src/core/rng.ts'
import type { Interval } from '../src/evaluate/statistics.ts'
import { bootstrapInterval, interquartileMean, pairedDifference } from '../src/evaluate/statistics.ts'
import type { CurveRun } from './curves.ts'
import { curvesSvg } from './curves.ts'
import type { Experiment, Variant } from './experiments.ts'
import { experiments } from './experiments.ts'

/** One finished run: measures of the trained policy and of the two that learn nothing, of the embedding, and of a demonstration by it. */
interface RunResult {
  readonly variant: string
  readonly seed: number
  readonly command: string
  readonly final: Readonly<Record<string, number>>
  readonly random: Readonly<Record<string, number>>
  readonly still: Readonly<Record<string, number>>
  readonly embedding: Readonly<Record<string, number>> | null
  /** Minutes of processor time that acting and learning took up to there; runs of before do not know them. */
  readonly curve: CurveRun['curve']
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '5' },
    first: { type: 'string', default: '0' },
    jobs: { type: 'string', default: '1' },
    runs: { type: 'string', default: 'runs/learning' },
    only: { type: 'string' },
    steps: { type: 'string' },
  },
})
const experimentName = positionals[0] ?? ''
const experiment = experiments[experimentName]
if (experiment === undefined) {
  process.stderr.write(
    `usage: npx tsx bench/learning.ts <${Object.keys(experiments).join('|')}> [--seeds N] [--jobs N]\n`,
  )
  process.exit(2)
}

const only = values.only?.split(',')
const jobs: { readonly variant: Variant; readonly seed: number }[] = []
for (let seed = Number(values.first); seed < Number(values.first) + Number(values.seeds); seed++) {
  for (const variant of experiment.variants) {
    if (only === undefined || only.includes(variant.name)) jobs.push({ variant, seed })
  }
}
const file = join('docs/results', `${experimentName}.json`)
let results = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as RunResult[]) : []
const queue = [...jobs]
await Promise.all(Array.from({ length: Number(values.jobs) }, worker))
for (const along of ['steps', 'minutes'] as const) {
  const svg = curvesSvg(results.flatMap(curveOfRun), experiment.score.replace('eval/', ''), along)
  if (svg !== undefined) await writeFile(join('docs/results', `${experimentName}-${along}.svg`), svg)
}
process.stdout.write(`${markdown(experiment, results)}\n`)

function curveOfRun({ variant, curve }: RunResult): CurveRun[] {
  const known = experiment!.variants.find(({ name }) => name === variant)
  if (known === undefined) return []
  const { scene = '', name } = known
  return [{ scene, method: scene === '' ? name : name.slice(scene.length + 1), curve }]
}

async function worker(): Promise<void> {
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    const result = await runOnce(job.variant, job.seed)
    results = results.filter(({ variant, seed }) => variant !== result.variant || seed !== result.seed).concat(result)
    await mkdir('docs/results', { recursive: true })
    await writeFile(file, `${JSON.stringify(results, null, 1)}\n`)
  }
}

async function runOnce(variant: Variant, seed: number): Promise<RunResult> {
  const folder = join(values.runs, experimentName, `${variant.name.replaceAll(' ', '-')}-${seed}`)
  const words = ['train', variant.preset, '--seed', String(seed)]
  if (values.steps !== undefined) words.push('--steps', values.steps)
  for (const assignment of variant.set ?? []) words.push('--set', assignment)
  const command = `armature --threads 1 ${words.join(' ')}`
  const finished = existsSync(join(folder, 'eval', `${variant.preset}.json`))
  if (!finished) {
    const started = existsSync(join(folder, 'config.json'))
    const args = started ? ['train', '--resume', '--out', folder] : [...words, '--out', folder]
    process.stderr.write(`${variant.name} seed ${seed}: ${args.join(' ')}\n`)
    await run(['src/cli/main.ts', '--threads', '1', '--quiet', ...args])
  }
  const evaluation = async (name: string): Promise<Record<string, number>> =>
    (JSON.parse(await readFile(join(folder, 'eval', `${name}.json`), 'utf8')) as { means: Record<string, number> })
      .means
  const ofEncoder = ['embedding', 'demonstration']
    .map((name) => join(folder, 'eval', `${name}.json`))
    .filter(existsSync)
  const measured = await Promise.all(
    ofEncoder.map(async (file) => JSON.parse(await readFile(file, 'utf8')) as Record<string, number>),
  )
  const result = {
    variant: variant.name,
    seed,
    command,
    final: await evaluation(variant.preset),
    random: await evaluation('random'),
    still: await evaluation('still'),
    embedding: measured.length > 0 ? Object.assign({}, ...measured) : null,
    curve: await curveOf(folder, experiment!.score),
  }
  process.stderr.write(`${variant.name} seed ${seed}: ${experiment!.score} ${result.final[experiment!.score]}\n`)
  return result
}

async function curveOf(folder: string, score: string): Promise<[number, number, number?][]> {
  const rowsOf = async (file: string): Promise<Record<string, number>[]> => {
    const lines = (await readFile(join(folder, file), 'utf8')).trim().split('\n')
    return lines.map((line) => JSON.parse(line) as Record<string, number>)
  }
  const timings = (await rowsOf('timings.jsonl')).filter((row) => row['time/cpu_s'] !== undefined)
  const minutesAt = (step: number): number =>
    timings.filter((row) => row.step! <= step).reduce((sum, row) => sum + row['time/cpu_s']!, 0) / 60
  return (await rowsOf('metrics.jsonl'))
    .filter((row) => row[score] !== undefined)
    .map(
      (row) =>
        [row.step!, row[score]!, ...(timings.length > 0 ? [minutesAt(row.step!)] : [])] as [number, number, number?],
    )
}

function run(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('npx', ['tsx', ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit ${code}: ${args.join(' ')}`))))
  })
}

function markdown({ measures, variants, comparisons, score, fails }: Experiment, all: readonly RunResult[]): string {
  const of = (name: string): RunResult[] =>
    all.filter(({ variant }) => variant === name).toSorted((a, b) => a.seed - b.seed)
  const rows: string[] = [
    `| variant | steps | seeds | failed | ${measures.join(' | ')} |`,
    `| --- | --- | --- | --- | ${measures.map(() => '---').join(' | ')} |`,
  ]
  const row = (name: string, steps: number, means: readonly Readonly<Record<string, number>>[]): string => {
    const cells = measures.map((measure) => text(interval(means.map((m) => m[measure]!))))
    const scores = means.map((m) => m[score]!)
    const failed = steps === 0 ? '' : scores.filter((x) => fails(x, medianOf(scores))).length
    return `| ${name} | ${steps} | ${means.length} | ${failed} | ${cells.join(' | ')} |`
  }
  for (const scene of new Set(variants.map((variant) => variant.scene ?? ''))) {
    const inScene = variants.filter((variant) => (variant.scene ?? '') === scene)
    const runs = inScene.map(({ name }) => of(name)).find(({ length }) => length > 0) ?? []
    for (const baseline of runs.length === 0 ? [] : (['random', 'still'] as const)) {
      const means = runs.map((run) => run[baseline])
      rows.push(row(`${scene} ${baseline}`.trim(), 0, means))
    }
  }
  for (const { name } of variants) {
    const runs = of(name)
    if (runs.length === 0) continue
    const steps = runs[0]!.curve.at(-1)![0]
    rows.push(
      row(
        name,
        steps,
        runs.map((r) => r.final),
      ),
    )
  }
  const differences = comparisons.flatMap(([a, b]) => {
    const sharedWith = (other: string): ((run: RunResult) => boolean) => {
      const seeds = new Set(of(other).map(({ seed }) => seed))
      return ({ seed }) => seeds.has(seed)
    }
    const [runsA, runsB] = [of(a).filter(sharedWith(b)), of(b).filter(sharedWith(a))]
    if (runsA.length === 0) return []
    const stepsOf = ({ curve }: RunResult): number[] => curve.map(([at]) => at)
    const shared = [...runsA, ...runsB].map(stepsOf).reduce((all, own) => all.filter((at) => own.includes(at)))
    if (shared.length === 0) return []
    const step = Math.max(...shared)
    // The final evaluation has more episodes than those on the way.
    const scoreOf = ({ curve, final }: RunResult): number =>
      curve.at(-1)![0] === step ? final[score]! : curve.find(([at]) => at === step)![1]
    const scores = (runs: readonly RunResult[]): number[] => runs.map(scoreOf)
    const difference = pairedDifference(scores(runsB), scores(runsA), { rng: new Rng(0), repetitions: 50_000 })
    return [`- ${b} minus ${a}, ${score} at ${step} steps, over ${runsA.length} seeds: ${text(difference)}`]
  })
  const withEncoder = variants.find(({ name }) => of(name).some(({ embedding }) => embedding !== null))
  const embeddings = of(withEncoder?.name ?? '').flatMap(({ seed, embedding }) =>
    embedding
      ? [
          `- seed ${seed}: ${Object.entries(embedding)
            .map(([k, v]) => `${k} ${v.toFixed(3)}`)
            .join(', ')}`,
        ]
      : [],
  )
  return [...rows, '', ...differences, '', ...embeddings].join('\n')
}

function interval(scores: readonly number[]): Interval {
  return bootstrapInterval([scores], interquartileMean, { rng: new Rng(0), repetitions: 50_000 })
}

function text({ estimate, low, high }: Interval): string {
  const digits = Math.abs(estimate) >= 10 ? 1 : Math.abs(estimate) >= 0.1 ? 3 : 4
  return `${estimate.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`
}

function medianOf(scores: readonly number[]): number {
  const sorted = scores.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2
}
