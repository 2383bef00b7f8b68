/**
 * The same work here, in eager PyTorch, in jitted JAX and, of a scene, in MuJoCo, in turn, on one machine:
 * `npx tsx bench/compare.ts --threads 1 --rounds 5`. Each round starts every side once, so that a machine that is busy is busy for all;
 * compare the ratios, which are medians of those within a round. `--python CMD` (may be repeated) names the interpreters; of PyTorch, JAX and
 * MuJoCo each runs what it has. The last line is JSON. See docs/performance.md.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { loadavg } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { table } from '../src/cli/table.ts'
import { ArmatureError } from '../src/core/errors.ts'
import { quantile } from '../src/evaluate/statistics.ts'

const FIELDS = ['sac_update_ms', 'encoder_update_ms', 'vae_update_ms', 'act_ms'] as const
/** Encoders, and an agent that learns through one, that are written in PyTorch as well. */
const ENCODER_FIELDS = [
  ...['tcn', 'dbc', 'grasp2vec', 'curl'].map((name) => `encoder_${name}_update_ms`),
  'sac_pixels_update_ms',
  'pixels_update_ms',
]
/** The push scene with 64x64 pixels, and without. */
const SCENE_FIELDS = ['env_steps_per_s', 'env_push_puck_physics_ms']

interface Peer {
  readonly script: string
  /** What it has. */
  readonly fields: readonly string[]
}

/** What it is compared with, by Python's name of the library. */
const PEERS: Readonly<Record<string, Peer>> = {
  torch: { script: 'compare_torch.py', fields: [...FIELDS, ...ENCODER_FIELDS] },
  jax: { script: 'compare_jax.py', fields: FIELDS },
  mujoco: { script: 'compare_mujoco.py', fields: SCENE_FIELDS },
}

/**
 * How glibc is told, for the peers, to keep the memory that it has: on virtual machines a fresh page costs so much that PyTorch, which asks
 * for new memory in every operation, would mostly wait for it.
 */
const KEEP_PAGES = {
  MALLOC_MMAP_THRESHOLD_: String(2 ** 30),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 32),
  MALLOC_TOP_PAD_: String(2 ** 28),
}

interface Report {
  readonly [field: string]: unknown
  /** Name and version, of a peer. */
  readonly library?: string
  /** Why a peer leaves something out. */
  readonly note?: string
}

interface Side {
  readonly name: string
  measure(): Promise<Report>
}

const OPTIONS = {
  threads: { type: 'string', default: '1' },
  rounds: { type: 'string', default: '5' },
  repetitions: { type: 'string', default: '30' },
  only: { type: 'string', default: [...FIELDS, ...ENCODER_FIELDS, ...SCENE_FIELDS].join(',') },
  python: { type: 'string', multiple: true, default: ['python3'] as string[] },
} as const

function armature(only: readonly string[], flags: readonly string[]): Side {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  const args = ['--import', loader, pathOf('../src/cli/main.ts'), 'bench', '--json', '--only', only.join(), ...flags]
  return { name: 'armature', measure: () => lastLine(process.execPath, args) }
}

/** One side for each peer that this interpreter has, with those of `only` that it knows. */
function peersOf(python: string, only: readonly string[], flags: readonly string[]): Side[] {
  const libraries = Object.keys(PEERS)
  const script = `import importlib.util, sys; print(*filter(importlib.util.find_spec, sys.argv[1:]))`
  const { stdout, status, error } = spawnSync(python, ['-c', script, ...libraries], { encoding: 'utf8' })
  if (status !== 0) {
    const got = `${python}, which ${error === undefined ? `ends with ${status}` : `cannot be started: ${error.message}`}`
    throw new ArmatureError('bad-argument', '--python', { expected: 'a Python interpreter', got })
  }
  const found = stdout.trim().split(' ')
  return libraries.flatMap((library) => {
    const { script, fields } = PEERS[library]!
    const known = only.filter((field) => fields.includes(field))
    if (!found.includes(library)) process.stderr.write(`absent in ${python}, so not compared: ${library}\n`)
    if (!found.includes(library) || known.length === 0) return []
    const args = [pathOf(`./${script}`), '--only', known.join(), ...flags]
    return { name: `${library} of ${python}`, measure: () => lastLine(python, args, KEEP_PAGES) }
  })
}

function pathOf(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url))
}

/** Runs `command` and parses the last line that it prints. */
async function lastLine(command: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Report> {
  const env = { ...process.env, ...more }
  // Settings that make NumPy's or Debian's OpenBLAS take kernels of another processor.
  for (const name of ['OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE']) delete env[name]
  const child = spawn(command, args, { env })
  const text = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) child[stream].on('data', (piece) => (text[stream] += piece))
  const [code] = (await once(child, 'close')) as [number]
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${text.stderr.trim()}`)
  return JSON.parse(text.stdout.trimEnd().split('\n').at(-1)!) as Report
}

/** Of one side's rounds; `ours` are those of armature. A ratio above 1: armature is faster. */
function summary(
  field: string,
  values: readonly number[],
  ours: readonly number[],
): { readonly median: number; readonly best: number; readonly ratio: number } {
  const isTime = field.endsWith('_ms')
  const ratios = values.map((value, round) => (isTime ? value / ours[round]! : ours[round]! / value))
  const best = isTime ? Math.min(...values) : Math.max(...values)
  return { median: quantile(values, 0.5), best, ratio: quantile(ratios, 0.5) }
}

function shown(value: number): string {
  return value < 100 ? value.toPrecision(3) : value.toFixed(0)
}

async function main(): Promise<void> {
  const { values: options } = parseArgs({ options: OPTIONS })
  const { threads, repetitions } = options
  const only = options.only.split(',')
  const rounds = Number(options.rounds)
  if (!(Number.isInteger(rounds) && rounds > 0)) {
    throw new ArmatureError('bad-argument', '--rounds', { expected: 'a whole number above 0', got: options.rounds })
  }
  const flags = ['--threads', threads, '--repetitions', repetitions]
  const sides = [armature(only, flags), ...options.python.flatMap((python) => peersOf(python, only, flags))]
  const reports: Report[][] = sides.map(() => [])
  const loadAtStart = loadavg()[0]!
  for (let round = 1; round <= rounds; round++) {
    for (const [i, side] of sides.entries()) {
      reports[i]!.push(await side.measure())
      process.stderr.write(`round ${round} of ${rounds}: ${side.name}\n`)
    }
  }
  const described = reports.map(([first]) => first!.library ?? 'armature')
  for (const [side, [first]] of reports.entries()) {
    if (first!.note !== undefined) process.stderr.write(`${described[side]}: ${first!.note}\n`)
  }
  const valuesOf = (side: number, field: string): number[] => reports[side]!.map((report) => Number(report[field]))
  const results = only.map((field) => ({
    field,
    // null where a peer has no such work.
    sides: sides.map((_, side) => {
      const values = valuesOf(side, field)
      return values.some(Number.isNaN)
        ? null
        : { name: described[side]!, ...summary(field, values, valuesOf(0, field)), values }
    }),
  }))
  const header = ['', ...described.flatMap((name, i) => (i === 0 ? [name, 'best'] : [name, 'best', 'ratio']))]
  const rows = results.map((result) => [
    result.field,
    ...result.sides.flatMap((side, i) => {
      const cells = side === null ? ['-', '-', '-'] : [side.median, side.best, side.ratio].map(shown)
      return i === 0 ? cells.slice(0, 2) : cells
    }),
  ])
  const load = [loadAtStart, loadavg()[0]!].map((x) => Number(x.toFixed(1)))
  process.stdout.write(`${table([header, ...rows])}\n`)
  process.stdout.write(
    `ms, or per second: medians over ${rounds} rounds, and the best round, of medians of ${repetitions}; ${threads} thread(s); ` +
      `ratio: our speed to theirs, median over rounds; peers keep their pages; load average ${load.join(' to ')}\n`,
  )
  process.stdout.write(`${JSON.stringify({ threads: Number(threads), load, results })}\n`)
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that has seen enough, e.g. `| head`, is no error.
  if (error.code !== 'EPIPE') process.stderr.write(`compare: cannot write to stdout: ${error.message}\n`)
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

try {
  await main()
} catch (error) {
  process.stderr.write(`compare: ${(error as Error).message}\n`)
  process.exitCode = error instanceof ArmatureError || error instanceof TypeError ? 2 : 1
}
