import { agents } from '../../agents/index.ts'
import { encoders } from '../../encoders/index.ts'
import { envList } from '../../envs/index.ts'
import { goalForms } from '../compose/goal-forms.ts'
import { goalRewards } from '../compose/goal-rewards.ts'
import { goalSources } from '../compose/goal-sources.ts'
import { collectPresets } from '../config/collect-presets.ts'
import { presets } from '../config/presets.ts'
import { lookUp } from '../core/registry.ts'
import type { CliContext } from './context.ts'
import { table } from './table.ts'

interface ListEntry {
  readonly name: string
  readonly summary: string
  /** What `--preset` of `pretrain` takes, of an encoder. */
  readonly presets?: readonly string[]
}

/**
 * Everything that can be named on the command line, by kind.
 * @param kind prints and returns that kind alone.
 * @throws ArmatureError `not-found` for a kind that there is not.
 */
export function list(context: CliContext, kind?: string): Record<string, readonly ListEntry[]> {
  const entries = (catalogue: Readonly<Record<string, { readonly summary: string }>>): ListEntry[] =>
    Object.entries(catalogue).map(([name, { summary }]) => ({ name, summary }))
  const everything: Record<string, readonly ListEntry[]> = {
    presets: presets.map(({ name, summary }) => ({ name, summary })),
    datasets: entries(collectPresets),
    envs: envList().map(({ id, summary }) => ({ name: id, summary })),
    encoders: Object.entries(encoders).map(([name, { summary, presets = {} }]) => ({
      name,
      summary,
      presets: Object.keys(presets),
    })),
    agents: entries(agents),
    'goal-sources': entries(goalSources),
    'goal-rewards': entries(goalRewards),
    'goal-forms': entries(goalForms),
  }
  const chosen = kind === undefined ? everything : { [kind]: lookUp('kind', everything, kind) }
  for (const [title, rows] of Object.entries(chosen)) {
    const lines = rows.map(({ name, summary, presets = [] }) => [`  ${name}`, summary, presets.join(', ')])
    context.print(`${title}\n${table(lines)}\n`)
  }
  return chosen
}
