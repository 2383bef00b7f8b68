import { existsSync } from 'node:fs'
import type { CliContext } from './context.ts'
import type { TrainReport } from './train.ts'
import { trainAndReport } from './train.ts'

/** What `npm start` runs. */
const PRESET = 'rig-push-quick'

/** The main job in one line: the quick preset into the first free `runs/start-<n>`. */
export async function start(
  context: CliContext,
  { out = freeFolder() }: { readonly out?: string },
): Promise<TrainReport> {
  context.print(`Learning to push a puck to imagined goals from 48x48 camera images (preset ${PRESET}) into ${out}`)
  return trainAndReport(context, PRESET, { out, seed: 0 })
}

function freeFolder(): string {
  let n = 1
  while (existsSync(`runs/start-${n}`)) n++
  return `runs/start-${n}`
}
