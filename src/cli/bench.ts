import { setImmediate } from 'node:timers/promises'
import { ArmatureError } from '../core/errors.ts'
import { engineInfo } from '../tensor/engine.ts'
import type { Benchmark } from '../bench/benchmarks.ts'
import { benchmarks } from '../bench/benchmarks.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import { encoderBenchmarks } from '../bench/encoder-benchmarks.ts'
import { sceneBenchmarks } from '../bench/env-benchmarks.ts'
import { pixelBenchmarks } from '../bench/pixel-benchmarks.ts'
import { table } from './table.ts'

/** Medians by benchmark name, and what they were measured on. */
export type BenchReport = Readonly<Record<string, number | string>>

/** What can be timed apart: `env` is the scenes and the parts of their steps, `encoders` updates and latents of every encoder. */
export const BENCH_GROUPS = ['env', 'encoders'] as const
export type BenchGroup = (typeof BENCH_GROUPS)[number]

export interface BenchOptions {
  readonly only?: string
  readonly repetitions: number
}

/** Before anything is timed; the physics engine's WebAssembly takes a second or two until it is compiled for speed. */
const WARM_UP = { runs: 5, ms: 2000 }

/**
 * Times the parts. Milliseconds for `*_ms`, units per second otherwise; every number is a median over `repetitions`, because
 * machines are shared and single times lie. Times are those of a caller: input checks, random numbers and copies included.
 * @throws ArmatureError `not-found` for a name in `only` that is no benchmark, before anything runs.
 */
export async function bench(
  context: CliContext,
  group: BenchGroup | undefined,
  { only, repetitions }: BenchOptions,
): Promise<BenchReport> {
  const report: Record<string, number | string> = {}
  const scenes = sceneBenchmarks()
  const groups = {
    parts: { ...benchmarks, ...pixelBenchmarks() },
    env: scenes.benchmarks,
    encoders: encoderBenchmarks(),
  }
  const chosen =
    only === undefined
      ? groups[group ?? 'parts']
      : selected(only, { ...groups.parts, ...groups.env, ...groups.encoders })
  for (const [name, benchmark] of Object.entries(chosen)) {
    const phase = context.progress.phase(name, repetitions)
    const times = await timesOf(benchmark, repetitions, (done) => {
      throwIfInterrupted(context)
      phase.update(done)
    })
    phase.finish()
    const ms = median(times)
    report[name] = round(name.endsWith('_ms') ? ms / benchmark.unitsPerRun : (benchmark.unitsPerRun * 1000) / ms)
  }
  const { name, version, threads, device } = engineInfo()
  context.print(table(Object.entries(report).map(([key, value]) => [key, String(value), chosen[key]!.measures])))
  context.print(
    `medians of ${repetitions}; engine ${name} ${version}, ${device}, ${threads} thread${threads === 1 ? '' : 's'}`,
  )
  const machine = { engine: name, engine_version: version, threads, repetitions }
  if (group !== 'env' || scenes.skipped.length === 0) return { ...report, ...machine }
  const skipped = scenes.skipped.join(', ')
  context.print(`not registered, so not timed: ${skipped}`)
  return { ...report, ...machine, skipped }
}

function selected(only: string, all: Readonly<Record<string, Benchmark>>): Readonly<Record<string, Benchmark>> {
  const names = only.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !Object.hasOwn(all, name))
  if (unknown !== undefined) {
    throw new ArmatureError('not-found', `no benchmark "${unknown}"`, {
      fix: `there is ${Object.keys(all).join(', ')}`,
    })
  }
  return Object.fromEntries(names.map((name) => [name, all[name]!]))
}

/** Milliseconds of each of `repetitions` runs, after the warm-up. */
async function timesOf(benchmark: Benchmark, repetitions: number, onRun: (done: number) => void): Promise<number[]> {
  const { run, close } = await benchmark.prepare()
  const timed = async (): Promise<number> => {
    const start = performance.now()
    await run()
    return performance.now() - start
  }
  for (let runs = 0, ms = 0; runs < WARM_UP.runs || ms < WARM_UP.ms; runs++) ms += await timed()
  const times: number[] = []
  while (times.length < repetitions) {
    // Outside what is timed, for Ctrl-C.
    await setImmediate()
    times.push(await timed())
    onRun(times.length)
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
