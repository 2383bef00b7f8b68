import { estimateRun } from '../compose/estimate.ts'
import { memoryText } from '../compose/memory.ts'
import type { ConfigOptions } from '../compose/config.ts'
import { formatDuration } from '../log/format.ts'
import type { CliContext } from './context.ts'
import { table } from './table.ts'

/** What `armature estimate` reports. */
export interface EstimateReport {
  readonly memory_bytes: number
  readonly seconds: number
  readonly phases: readonly { readonly name: string; readonly amount: string; readonly seconds: number }[]
}

/** Says how much memory and time `armature train` with the same words would take. */
export async function estimate(context: CliContext, preset: string, options: ConfigOptions): Promise<EstimateReport> {
  const { memory, phases, seconds } = await estimateRun(context, preset, options)
  const rows = [...phases, { name: 'all', amount: '', seconds }]
  context.print(table(rows.map((row) => [row.name, row.amount, formatDuration(row.seconds)])))
  context.print(`memory  ${memoryText(memory)}`)
  return { memory_bytes: memory.reduce((sum, { bytes }) => sum + bytes, 0), seconds, phases }
}
