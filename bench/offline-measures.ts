/**
 * Which offline measure of an embedding tells how well SAC will do with it? Encoders of differing quality are made from one dataset, measured
 * with `armature rewards`, and each then carries RIG on the puck: its latents are what SAC sees and their distance is what it is paid. The
 * rank correlation over encoders of every measure with the score of the trained policies is the answer.
 *
 *   npx tsx bench/offline-measures.ts --seeds 2 --jobs 2 --runs runs/offline-measures
 *
 * What is finished under --runs is not repeated; `--jobs 0` only sums that up. Results go to docs/results/offline-measures.json, the table to stdout in Markdown.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Rng } from '../src/core/rng.ts'
import type { MeasureColumn, RewardsReport } from '../src/evaluate/report/model.ts'
import type { Interval } from '../src/evaluate/statistics.ts'
import { mean, quantile, spearman } from '../src/evaluate/statistics.ts'

/** An encoder of the comparison: how it is pretrained; the oracle is the one without. */
interface Candidate {
  readonly name: string
  readonly pretrain?: readonly string[]
}

const ORACLE = 'state'

/** From those that know nothing, through those that learned for too short or with too narrow a latent, to the best there is. */
const CANDIDATES: readonly Candidate[] = [
  { name: 'random-conv', pretrain: ['random'] },
  { name: 'pixels', pretrain: ['pixels'] },
  { name: 'pca-2', pretrain: ['pca', '--set', 'config.latentSize=2'] },
  { name: 'pca-16', pretrain: ['pca'] },
  { name: 'autoencoder-100', pretrain: ['autoencoder', '--updates', '100'] },
  { name: 'autoencoder-1500', pretrain: ['autoencoder', '--updates', '1500'] },
  { name: 'beta-vae-50', pretrain: ['beta-vae', '--updates', '50'] },
  { name: 'beta-vae-300', pretrain: ['beta-vae', '--updates', '300'] },
  { name: 'beta-vae-1500', pretrain: ['beta-vae', '--updates', '1500'] },
  { name: 'beta-vae-narrow', pretrain: ['beta-vae', '--updates', '1500', '--set', 'config.latentSize=2'] },
  { name: 'beta-vae-strong', pretrain: ['beta-vae', '--updates', '1500', '--set', 'config.beta=30'] },
  { name: ORACLE },
]

const ENV = 'armature/PushPuck-v0'
const POLICIES = 'scripted:0.4,random:0.3,partial:0.15,adversarial:0.15'
const REPETITIONS = 2000
/** Root mean square distance of latents from their mean: about that of a beta-VAE whose latents all tell something. */
const SPREAD = 2

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2' },
    jobs: { type: 'string', default: '1' },
    steps: { type: 'string', default: '10000' },
    episodes: { type: 'string', default: '200' },
    runs: { type: 'string', default: 'runs/offline-measures' },
  },
})
const data = join(values.runs, 'data')
const reportFile = join(values.runs, 'rewards.html')
const encoderRun = (name: string): string => join(values.runs, 'encoders', name)
const presetOf = (name: string): string => (name === ORACLE ? 'oracle-push' : 'rig-push')
const runOf = (name: string, seed: number): string => join(values.runs, 'sac', `${name}-${seed}`)
const finishedOf = (name: string, seed: number): string => join(runOf(name, seed), 'eval', `${presetOf(name)}.json`)

interface Evaluation {
  readonly means: Readonly<Record<string, number>>
}

/** What is published: scores by encoder (metres of hand and puck from their goals, one per seed) and measures by name. */
interface Results {
  readonly commands: readonly string[]
  readonly steps: number
  readonly scores: Readonly<Record<string, readonly number[]>>
  readonly still: number
  readonly measures: readonly MeasureColumn[]
  readonly values: Readonly<Record<string, Readonly<Record<string, number | null>>>>
}

const commands: string[] = []
await mkdir(values.runs, { recursive: true })
await step(data, ['collect', ENV, '--episodes', values.episodes, '--policy', POLICIES, '--out', data])
const learned = CANDIDATES.filter(({ pretrain }) => pretrain !== undefined)
for (const { name, pretrain } of learned) {
  const out = encoderRun(name)
  await step(out, ['pretrain', ...pretrain!, '--data', data, '--validation', '0.3', '--out', out])
}
const runs = learned.map(({ name }) => encoderRun(name))
await step(reportFile, ['rewards', ...runs, '--data', data, '--report', reportFile])

const scores: Record<string, number[]> = {}
const still: number[] = []
const queue = Array.from({ length: Number(values.seeds) }, (_, seed) =>
  CANDIDATES.map(({ name }) => ({ name, seed })),
).flat()
await Promise.all(Array.from({ length: Number(values.jobs) }, trainAll))
for (const { name } of CANDIDATES) await readScores(name)
const results = await publish()
process.stdout.write(`${markdown(results)}\n`)

/** Scores of the runs that are finished, by seed. */
async function readScores(name: string): Promise<void> {
  for (let seed = 0; seed < Number(values.seeds); seed++) {
    const distance = async (file: string): Promise<number> => {
      const { means } = JSON.parse(await readFile(join(runOf(name, seed), 'eval', file), 'utf8')) as Evaluation
      return means['eval/distance']!
    }
    if (!existsSync(finishedOf(name, seed))) continue
    ;(scores[name] ??= []).push(await distance(`${presetOf(name)}.json`))
    still.push(await distance('still.json'))
  }
}

async function trainAll(): Promise<void> {
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    const { name, seed } = job
    const preset = presetOf(name)
    const out = runOf(name, seed)
    const settings = ['goals.source.name=env', 'training.finalEpisodes=50', `training.evalEvery=${values.steps}`]
    if (name !== ORACLE) {
      settings.push(`representation.from=${encoderRun(name)}`, `representation.latentScale=${await latentScale(name)}`)
    }
    const words = ['train', preset, '--seed', String(seed), '--steps', values.steps, '--out', out]
    const resume = existsSync(join(out, 'config.json')) ? ['train', '--resume', '--out', out] : undefined
    await step(finishedOf(name, seed), resume ?? [...words, ...settings.flatMap((setting) => ['--set', setting])])
  }
}

/** Factor that gives the latents of an encoder the root mean square distance {@link SPREAD} from their mean: SAC and its reward would else see each in another unit. */
async function latentScale(name: string): Promise<string> {
  const lines = (await readFile(join(encoderRun(name), 'metrics.jsonl'), 'utf8')).trim().split('\n')
  const distances = lines.map((line) => (JSON.parse(line) as Record<string, number>)['embed/rms_distance'])
  return (SPREAD / distances.findLast((distance) => distance !== undefined)!).toPrecision(4)
}

/** Runs a command of Armature unless what it makes is there. */
async function step(made: string, words: readonly string[]): Promise<void> {
  commands.push(`armature ${words.join(' ')}`)
  if (existsSync(made)) return
  process.stderr.write(`armature ${words.join(' ')}\n`)
  await new Promise<void>((resolve, reject) => {
    const args = ['tsx', 'src/cli/main.ts', '--threads', '1', '--quiet', ...words]
    const child = spawn('npx', args, { stdio: ['ignore', 'ignore', 'inherit'] })
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit ${code}: ${words.join(' ')}`))))
  })
}

async function publish(): Promise<Results> {
  const report = JSON.parse(await readFile(reportFile.replace(/html$/, 'json'), 'utf8')) as RewardsReport
  const valuesOf = (name: string): Record<string, number | null> => {
    const cells = report.encoders.find((encoder) => encoder.name === name)!.cells
    return Object.fromEntries(Object.entries(cells).map(([measure, { estimate }]) => [measure, estimate]))
  }
  const all: Results = {
    // Where the runs lie on this machine is nobody's business.
    commands: commands.map((command) => command.replaceAll(values.runs, 'runs/offline-measures')),
    steps: Number(values.steps),
    scores,
    still: mean(still),
    measures: report.measures,
    values: Object.fromEntries(CANDIDATES.map(({ name }) => [name, valuesOf(name)])),
  }
  await mkdir('docs/results', { recursive: true })
  await writeFile('docs/results/offline-measures.json', `${JSON.stringify(all, null, 1)}\n`)
  return all
}

/** How well a measure orders the encoders by what SAC reaches with them. */
interface Link {
  readonly measure: MeasureColumn
  readonly correlation: Interval
  readonly encoders: number
}

/**
 * Spearman's correlation over encoders of a measure (turned so that more is better) with minus the final distance, mean over seeds. The
 * interval resamples encoders and, for each, seeds. An encoder whose measure is not defined counts as the worst.
 */
function linkOf({ scores: byEncoder, values: measured }: Results, measure: MeasureColumn): Link | undefined {
  if (measure.direction === 'none') return undefined
  const sign = measure.direction === 'lower' ? -1 : 1
  const names = Object.keys(byEncoder).filter((name) => measured[name]?.[measure.name] !== undefined)
  const defined = names.map((name) => measured[name]![measure.name]).filter((value) => value !== null) as number[]
  if (defined.length < names.length / 2 || new Set(defined).size < 3) return undefined
  const worst = Math.min(...defined.map((value) => sign * value)) - 1
  const quality = (name: string): number => {
    const value = measured[name]![measure.name]!
    return value === null ? worst : sign * value
  }
  const score = (name: string, pick: (seeds: readonly number[]) => number): number => -pick(byEncoder[name]!)
  const estimate = spearman(
    names.map(quality),
    names.map((name) => score(name, mean)),
  )
  const rng = new Rng(0).split(measure.name)
  const resampled = Array.from({ length: REPETITIONS }, () => {
    const drawn = names.map(() => names[rng.int(names.length)]!)
    const one = (seeds: readonly number[]): number => mean(seeds.map(() => seeds[rng.int(seeds.length)]!))
    return spearman(
      drawn.map(quality),
      drawn.map((name) => score(name, one)),
    )
  }).filter((value) => !Number.isNaN(value))
  const correlation = { estimate, low: quantile(resampled, 0.025), high: quantile(resampled, 0.975) }
  return { measure, correlation, encoders: names.length }
}

function markdown(all: Results): string {
  const rows = ['| encoder | final distance, m, by seed | mean |', '| --- | --- | --- |']
  const ordered = Object.entries(all.scores).toSorted(([, a], [, b]) => mean(a) - mean(b))
  for (const [name, seeds] of ordered) {
    rows.push(`| ${name} | ${seeds.map((x) => x.toFixed(3)).join(', ')} | ${mean(seeds).toFixed(3)} |`)
  }
  rows.push(`| standing still | | ${all.still.toFixed(3)} |`, '')
  rows.push('| measure | rank correlation with the score | encoders |', '| --- | --- | --- |')
  const links = all.measures.map((measure) => linkOf(all, measure)).filter((link) => link !== undefined)
  for (const { measure, correlation, encoders } of links.toSorted(
    (a, b) => b.correlation.estimate - a.correlation.estimate,
  )) {
    const { estimate, low, high } = correlation
    rows.push(
      `| ${measure.title} (\`${measure.name}\`) | ${estimate.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}] | ${encoders} |`,
    )
  }
  return rows.join('\n')
}
