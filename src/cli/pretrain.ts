import type { PretrainOptions, PretrainReport } from '../compose/encoder-training.ts'
import { trainEncoder } from '../compose/encoder-training.ts'
import type { CliContext } from './context.ts'
import { table } from './table.ts'

/** `armature pretrain`: {@link trainEncoder}, and a table of what the encoder is like. */
export async function pretrain(
  context: CliContext,
  name: string | undefined,
  options: PretrainOptions,
): Promise<PretrainReport> {
  const report = await trainEncoder(context, name, options)
  const rows = Object.entries(report.measures).filter(([key]) => !/_\d+$/.test(key))
  context.print(table(rows.map(([key, x]) => [key, (x ?? NaN).toPrecision(4)])))
  if (report.collapse !== undefined) context.print(report.collapse)
  for (const problem of report.problems) context.print(`not read     ${problem}`)
  context.print(`\nencoder run  ${report.run}`)
  return report
}
