import { availableParallelism, totalmem } from 'node:os'
import { physicsPackages } from '../../envs/index.ts'
import { runVersions } from '../io/run-folder.ts'
import { probeEngines } from '../tensor/engine.ts'
import type { CliContext } from './context.ts'
import { table } from './table.ts'

/** What this machine has, and what of it Armature can use. */
export interface DoctorReport {
  readonly platform: string
  readonly cores: number
  readonly memoryGib: number
  readonly versions: Readonly<Record<string, string>>
  readonly engines: readonly { readonly name: string; readonly available: boolean; readonly detail: string }[]
  readonly physics: readonly { readonly name: string; readonly available: boolean; readonly detail: string }[]
}

/** Tries every engine and physics package and says what was found. */
export async function doctor(context: CliContext): Promise<DoctorReport> {
  const report: DoctorReport = {
    platform: `${process.platform}-${process.arch}, Node ${process.versions.node}`,
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    versions: await runVersions(),
    engines: await probeEngines(),
    physics: await physicsPackages(),
  }
  const probes = (rows: DoctorReport['engines']): string =>
    table(rows.map(({ name, available, detail }) => [`  ${available ? 'ok  ' : 'none'}`, name, detail]))
  context.print(`${report.platform}, ${report.cores} cores, ${report.memoryGib} GiB`)
  context.print(`engines\n${probes(report.engines)}`)
  context.print(`physics\n${probes(report.physics)}`)
  context.print(`versions\n${table(Object.entries(report.versions).map(([name, version]) => [`  ${name}`, version]))}`)
  return report
}
