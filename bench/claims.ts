/**
 * Experiments on encoders, offline: each makes the claim of a paper again on scenes of ours. One run trains and measures one variant with
 * one seed; what is finished is kept in docs/results/<claim>.json and not repeated.
 *
 *   npx tsx bench/claims.ts cc-vae --seeds 3 [--first 0] [--only variant,variant] [--out FILE]
 *
 * Prints the table of docs/results/<claim>.md.
 */
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { startEngine } from '../src/tensor/engine.ts'
import { studentQuantile } from '../src/evaluate/student.ts'
import { ccVaeClaim } from './claims/cc-vae.ts'
import { grasp2VecClaim } from './claims/grasp2vec.ts'
import { mfTcnClaim } from './claims/mftcn.ts'
import { tcnClaim } from './claims/tcn.ts'
import type { Claim, Scores } from './claims/claim.ts'
import { dbcClaim } from './claims/dbc.ts'
import { deepMdpClaim } from './claims/deepmdp.ts'

const CLAIMS: readonly Claim[] = [ccVaeClaim, dbcClaim, deepMdpClaim, grasp2VecClaim, mfTcnClaim, tcnClaim]

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '3' },
    first: { type: 'string', default: '0' },
    only: { type: 'string' },
    out: { type: 'string' },
    threads: { type: 'string', default: '1' },
  },
})
const claim = CLAIMS.find(({ name }) => name === positionals[0])
if (claim === undefined) {
  process.stderr.write(`which claim? There is ${CLAIMS.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}

interface Run {
  readonly variant: string
  readonly seed: number
  readonly scores: Scores
  readonly minutes: number
}

const file = flags.out ?? `docs/results/${claim.name}.json`
const runs: Run[] = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as Run[]) : []
const variants = claim.variants.filter((variant) => flags.only === undefined || flags.only.split(';').includes(variant))
const seeds = Array.from({ length: Number(flags.seeds) }, (_, i) => Number(flags.first) + i)

await startEngine({ threads: Number(flags.threads) })
for (const seed of seeds) {
  for (const variant of variants) {
    if (runs.some((run) => run.variant === variant && run.seed === seed)) continue
    const started = performance.now()
    const scores = await claim.run(variant, seed)
    runs.push({ variant, seed, scores, minutes: Number(((performance.now() - started) / 60_000).toFixed(2)) })
    await writeFile(file, `${JSON.stringify(runs, null, 1)}\n`)
    process.stderr.write(`${variant} seed ${seed}: ${JSON.stringify(scores)}\n`)
  }
}

/** Mean over seeds with its 95 % interval (Student's t). */
function cell(values: readonly number[]): string {
  if (values.length === 0) return '-'
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  if (values.length === 1) return mean.toFixed(2)
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
  const half = studentQuantile(0.95, values.length - 1) * Math.sqrt(variance / values.length)
  return `${mean.toFixed(2)} [${(mean - half).toFixed(2)}, ${(mean + half).toFixed(2)}]`
}

const names = Object.keys(claim.columns)
const rows = claim.variants.map((variant) => {
  const own = runs.filter((run) => run.variant === variant)
  const scores = names.map((name) => cell(own.flatMap((run) => (name in run.scores ? [run.scores[name]!] : []))))
  return [variant, ...scores, String(own.length)]
})
const table = [['variant', ...names, 'seeds'], ['---', ...names.map(() => '---'), '---'], ...rows]
process.stdout.write(table.map((cells) => `| ${cells.join(' | ')} |`).join('\n') + '\n\n')
for (const [name, meaning] of Object.entries(claim.columns)) process.stdout.write(`- \`${name}\`: ${meaning}\n`)
