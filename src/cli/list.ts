import { agents } from '../../agents/index.ts'
import { encoders } from '../../encoders/index.ts'
import { envList } from '../../envs/index.ts'
import { goalForms } from '../compose/goal-forms.ts'
import { goalRewards } from '../compose/goal-rewards.ts'
import { goalSources } from '../compose/goal-sources.ts'
import { presets } from '../config/presets.ts'
import type { CliContext } from './context.ts'
import { table } from './table.ts'

interface ListEntry {
  readonly name: string
  readonly summary: string
}

/** Everything that can be named on the command line, by kind. */
export function list(context: CliContext): Record<string, readonly ListEntry[]> {
  const entries = (catalogue: Readonly<Record<string, { readonly summary: string }>>): ListEntry[] =>
    Object.entries(catalogue).map(([name, { summary }]) => ({ name, summary }))
  const everything = {
    presets: presets.map(({ name, summary }) => ({ name, summary })),
    envs: envList().map(({ id, summary }) => ({ name: id, summary })),
    encoders: entries(encoders),
    agents: entries(agents),
    'goal sources': entries(goalSources),
    'goal rewards': entries(goalRewards),
    'goal forms': entries(goalForms),
  }
  for (const [kind, rows] of Object.entries(everything)) {
    context.print(`${kind}\n${table(rows.map(({ name, summary }) => [`  ${name}`, summary]))}\n`)
  }
  return everything
}
