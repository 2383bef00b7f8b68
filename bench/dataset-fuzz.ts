/**
 * Changes bytes and values of dataset folders at random and reads them: each must be refused in one clear line, or read as what it now
 * says, without a read outside the folder, a step of more than five seconds of CPU time, or memory that grows.
 *
 *   npx tsx bench/dataset-fuzz.ts [--count 100000] [--seed 0]
 *
 * A process reads; this one watches it, and starts another behind the step where it hangs or dies. Exits 1 where anything was wrong.
 */
import { fork } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import * as fsp from 'node:fs/promises'
import { mkdtemp, realpath } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Rng } from '../src/core/rng.ts'
import type { FuzzOutcome } from '../tests/io/dataset-fuzz.ts'
import { fuzzedFolders, fuzzOnce, removeFolders } from '../tests/io/dataset-fuzz.ts'

const HANG_S = 5
const WATCH_MS = 500

/** Of JavaScript's objects; arrays of numbers are counted with the rest of the process. */
const HEAP_MB = 1024

interface Task {
  readonly root: string
  readonly seed: number
  readonly first: number
  readonly count: number
}

interface Step {
  readonly i: number
  readonly outcome: FuzzOutcome
  readonly bytes: number
}

if (process.send === undefined) await watch()
else await work(JSON.parse(process.argv[2]!) as Task)

async function work({ root, seed, first, count }: Task): Promise<void> {
  const folders = await fuzzedFolders(root)
  const outside = await watchReads(root)
  const rng = new Rng(seed)
  for (let i = first; i < count; i++) {
    const outcome = await fuzzOnce(folders, rng.split(i))
    const [read] = outside.splice(0)
    const step: Step = {
      i,
      outcome: read === undefined ? outcome : { ...outcome, kind: 'wrong', fault: `reads ${read}` },
      bytes: process.memoryUsage.rss(),
    }
    process.send!(step)
  }
  process.disconnect()
}

/** Paths outside of the folders that are opened from now on. */
async function watchReads(root: string): Promise<string[]> {
  const real = await realpath(root)
  const outside: string[] = []
  const open = fsp.open
  const folders = `${real}${sep}`
  const patched: typeof open = async (path, ...rest) => {
    const at = await realpath(path as string).catch(() => String(path))
    if (!at.startsWith(folders) || at.startsWith(join(real, 'outside'))) outside.push(at)
    return open(path, ...rest)
  }
  const module = (await import('node:fs/promises')).default as { open: typeof open }
  module.open = patched
  syncBuiltinESMExports()
  return outside
}

async function watch(): Promise<void> {
  const { values } = parseArgs({
    options: { count: { type: 'string', default: '100000' }, seed: { type: 'string', default: '0' } },
  })
  const [count, seed] = [Number(values.count), Number(values.seed)]
  const kinds: Record<string, number> = {}
  let faults = 0
  let peakBytes = 0
  const say = (fault: string): void => {
    faults++
    console.log(fault)
  }
  for (let first = 0; first < count;) {
    const root = await mkdtemp(join(tmpdir(), 'dataset-fuzz-'))
    const { next, end } = await runReader({ root, seed, first, count }, ({ i, outcome, bytes }) => {
      kinds[outcome.kind] = (kinds[outcome.kind] ?? 0) + 1
      peakBytes = Math.max(peakBytes, bytes)
      if (outcome.kind === 'wrong') say(`${i}: ${outcome.file} of ${outcome.folder}: ${outcome.fault}`)
      if (i % 10_000 === 9999) console.log(`${i + 1} of ${count}: ${JSON.stringify(kinds)}, peak ${inMb(peakBytes)}`)
    })
    if (end !== undefined) say(`${next}: ${end}`)
    first = end === undefined ? count : next + 1
    await removeFolders(root)
  }
  console.log(
    `${count} changed folders, seed ${seed}: ${JSON.stringify(kinds)}, ${faults} faults, peak ${inMb(peakBytes)}`,
  )
  process.exitCode = faults > 0 ? 1 : 0
}

function inMb(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MB`
}

/** Resolves with the number of the next step, and with what ended the reader where that was not the last step. */
function runReader(task: Task, onStep: (step: Step) => void): Promise<{ next: number; end?: string }> {
  return new Promise((resolve) => {
    const reader = fork(fileURLToPath(import.meta.url), [JSON.stringify(task)], {
      execArgv: ['--import', 'tsx', `--max-old-space-size=${HEAP_MB}`],
    })
    let next = task.first
    let isStarted = false
    let before = 0
    let hang: string | undefined
    const timer = setInterval(() => {
      if (!isStarted || cpuSeconds(reader.pid!) - before < HANG_S) return
      hang = `more than ${HANG_S} s`
      reader.kill('SIGKILL')
    }, WATCH_MS)
    reader.on('message', (step: Step) => {
      isStarted = true
      next = step.i + 1
      before = cpuSeconds(reader.pid!)
      onStep(step)
    })
    reader.on('close', (code, signal) => {
      clearInterval(timer)
      const end = hang ?? (code === 0 ? undefined : `ended with ${code ?? signal}`)
      resolve({ next, ...(end !== undefined && { end }) })
    })
  })
}

/** CPU time of a process, where the system tells (Linux: in hundredths of a second); else the time of day. */
function cpuSeconds(pid: number): number {
  const file = `/proc/${pid}/stat`
  if (!existsSync(file)) return performance.now() / 1000
  const fields = readFileSync(file, 'utf8').split(') ').at(-1)!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
