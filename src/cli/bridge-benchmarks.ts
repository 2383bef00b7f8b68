import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ArmatureError } from '../core/errors.ts'
import { hostileSections } from '../bench/bridge/hostile.ts'
import { lockstepSections } from '../bench/bridge/lockstep.ts'
import { realtimeSections } from '../bench/bridge/realtime.ts'
import { soak } from '../bench/bridge/soak.ts'
import type { Section } from '../bench/bridge/section.ts'
import type { BenchReport } from './bench.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import { table } from './table.ts'

export interface BridgeBenchOptions {
  /** Sections, separated by commas, `load` for all that begin with it; default: all but those and the soak. */
  readonly only?: string
  /** Of each measurement that goes on for a time. */
  readonly seconds: number
  /** Of the soak. */
  readonly minutes: number
}

/** What `armature bench bridge` measures, by the name that `--only` takes. */
export const bridgeSections: Readonly<Record<string, Section>> = {
  ...lockstepSections,
  ...realtimeSections,
  ...hostileSections,
  soak: {
    measures: 'a robot at 50 Hz that is answered for minutes: memory, files, what became of all actions',
    run: soak,
  },
}

/**
 * Measures the bridge between this process, the policy's side, and children that are the robot's. Fields end with their unit or, for
 * percentiles, with `.p50`, `.p99`, `.p999` and `.max`.
 * @throws ArmatureError `not-found` for an unknown section, before anything runs
 */
export async function bridgeBench(
  context: CliContext,
  { only, seconds, minutes }: BridgeBenchOptions,
): Promise<BenchReport> {
  const chosen = sectionsOf(only)
  const folder = await mkdtemp(join(tmpdir(), 'armature-bench-'))
  const report: Record<string, number> = {}
  const phase = context.progress.phase('bridge', chosen.length)
  try {
    for (const [i, name] of chosen.entries()) {
      const check = (): void => throwIfInterrupted(context)
      check()
      const section = bridgeSections[name]!
      const fields = Object.entries(await section.run({ seconds, minutes, folder, check }))
      for (const [field, value] of fields) report[field] = Number(value.toPrecision(5))
      context.print(`${name}: ${section.measures}`)
      context.print(table(fields.map(([field]) => ['', field, String(report[field])])))
      phase.update(i + 1)
    }
  } finally {
    phase.finish()
    await rm(folder, { recursive: true, force: true })
  }
  return { ...report, seconds }
}

function sectionsOf(only: string | undefined): readonly string[] {
  const names = Object.keys(bridgeSections)
  if (only === undefined) return names.filter((name) => name !== 'soak' && !Object.hasOwn(hostileSections, name))
  const wanted = only
    .split(',')
    .flatMap((name) => (name.trim() === 'load' ? Object.keys(hostileSections) : [name.trim()]))
  const unknown = wanted.find((name) => !names.includes(name))
  if (unknown === undefined) return wanted
  throw new ArmatureError('not-found', `no bridge benchmark "${unknown}"`, { fix: `there is ${names.join(', ')}` })
}
