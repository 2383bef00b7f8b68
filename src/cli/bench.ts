import { ArmatureError } from '../core/errors.ts'
import { engineInfo } from '../tensor/engine.ts'
import type { Benchmark } from './benchmarks.ts'
import { benchmarks } from './benchmarks.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import { table } from './table.ts'

/** Medians by benchmark name, and what they were measured on. */
export type BenchReport = Readonly<Record<string, number | string>>

export interface BenchOptions {
  readonly only?: string
  readonly repetitions: number
}

const WARM_UP = 5

/**
 * Times the parts. Milliseconds for `*_ms`, units per second otherwise; every number is a median over `repetitions`, because
 * machines are shared and single times lie.
 */
export async function bench(context: CliContext, { only, repetitions }: BenchOptions): Promise<BenchReport> {
  const report: Record<string, number | string> = {}
  for (const [name, benchmark] of Object.entries(selected(only))) {
    const phase = context.progress.phase(name, repetitions)
    const times = await timesOf(benchmark, repetitions, (done) => {
      throwIfInterrupted(context)
      phase.update(done)
    })
    phase.finish()
    const ms = median(times)
    report[name] = round(name.endsWith('_ms') ? ms : (benchmark.unitsPerRun * 1000) / ms)
  }
  const { name, version, threads, device } = engineInfo()
  context.print(table(Object.entries(report).map(([key, value]) => [key, String(value)])))
  context.print(
    `medians of ${repetitions}; engine ${name} ${version}, ${device}, ${threads} thread${threads === 1 ? '' : 's'}`,
  )
  return { ...report, engine: name, engine_version: version, threads, repetitions }
}

function selected(only: string | undefined): Readonly<Record<string, Benchmark>> {
  if (only === undefined) return benchmarks
  const names = only.split(',')
  const unknown = names.find((name) => !Object.hasOwn(benchmarks, name))
  if (unknown !== undefined) {
    throw new ArmatureError('not-found', `no benchmark "${unknown}"`, {
      fix: `there is ${Object.keys(benchmarks).join(', ')}`,
    })
  }
  return Object.fromEntries(names.map((name) => [name, benchmarks[name]!]))
}

async function timesOf(benchmark: Benchmark, repetitions: number, onRun: (done: number) => void): Promise<number[]> {
  const { run, close } = await benchmark.prepare()
  const times: number[] = []
  for (let i = -WARM_UP; i < repetitions; i++) {
    const start = performance.now()
    await run()
    if (i >= 0) times.push(performance.now() - start)
    if (i >= 0) onRun(i + 1)
  }
  await close()
  return times
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function round(value: number): number {
  return Number(value.toPrecision(5))
}
