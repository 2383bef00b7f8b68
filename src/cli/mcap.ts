import { dirname } from 'node:path'
import { makeFolder } from '../io/atomic.ts'
import { openDataset } from '../io/lerobot/reader.ts'
import type { McapReport } from '../io/mcap.ts'
import { writeMcap } from '../io/mcap.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import { requireNewFile } from './output-files.ts'

export interface McapFlags {
  readonly out: string
  /** Indices; default all. */
  readonly episodes?: readonly number[]
  /** Default all. */
  readonly cameras?: readonly string[]
  readonly overwrite?: boolean
}

/** Where `collect --mcap` writes. */
export function mcapBeside(folder: string): string {
  return `${folder.replace(/[/\\]+$/, '')}.mcap`
}

/**
 * `armature mcap`: episodes of a dataset as a file for Foxglove and Rerun.
 * @throws ArmatureError `bad-argument` for a file that is there; what opening the dataset and writing throw; `interrupted`. Nothing
 *   is written then.
 */
export async function mcap(
  context: CliContext,
  path: string,
  { out, overwrite, ...options }: McapFlags,
): Promise<McapReport & { readonly file: string }> {
  await requireNewFile(out, overwrite)
  const dataset = await openDataset(path)
  await makeFolder(dirname(out))
  const phase = context.progress.phase('episodes', options.episodes?.length ?? dataset.episodes.length)
  const report = await writeMcap(out, dataset, {
    ...options,
    onEpisode: (done) => {
      throwIfInterrupted(context)
      phase.update(done)
    },
  })
  phase.finish()
  const problems = [...dataset.problems, ...report.problems]
  for (const problem of problems) context.print(`left out: ${problem}`)
  const { episodes, messages, durationS } = report
  context.print(`${out}  ${episodes.length} episodes, ${messages} messages, ${durationS.toFixed(1)} s`)
  return { file: out, ...report, problems }
}
